// SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/worker_pool.h"

#include <utility>

namespace ext4crypt {

WorkerPool::WorkerPool(Limits limits) : limits_(limits) {
  for (size_t i = 0; i < limits_.threads; ++i) threads_.emplace_back([this] { Run(); });
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool WorkerPool::Submit(Uid uid, std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || queue_.size() >= limits_.queued) return false;
    size_t& count = of_user_[uid];
    if (count >= limits_.per_user) return false;
    ++count;
    queue_.push_back(Item{.uid = uid, .work = std::move(work)});
  }
  changed_.notify_one();
  return true;
}

void WorkerPool::Run() {
  for (;;) {
    Item item;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      item = std::move(queue_.front());
      queue_.pop_front();
    }
    item.work();
    const std::lock_guard lock(mutex_);
    if (--of_user_[item.uid] == 0) of_user_.erase(item.uid);
  }
}

}  // namespace ext4crypt
