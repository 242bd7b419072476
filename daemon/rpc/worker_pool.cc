// SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/worker_pool.h"

#include <algorithm>
#include <utility>

#include "common/secret_buffer.h"

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

bool WorkerPool::HasWorkOf(Uid uid) {
  const std::lock_guard lock(mutex_);
  return of_user_.contains(uid);
}

std::deque<WorkerPool::Item>::iterator WorkerPool::NextItem() {
  return std::find_if(queue_.begin(), queue_.end(),
                      [this](const Item& item) { return !running_.contains(item.uid); });
}

void WorkerPool::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock,
                  [this] { return (stopping_ && queue_.empty()) || NextItem() != queue_.end(); });
    if (queue_.empty()) return;
    const auto next = NextItem();
    const Item item = std::move(*next);
    queue_.erase(next);
    running_.insert(item.uid);
    lock.unlock();
    item.work();
    WipeFreeStack();
    lock.lock();
    running_.erase(item.uid);
    if (--of_user_[item.uid] == 0) of_user_.erase(item.uid);
    // All: what this user has queued may have become runnable, or the end been reached.
    changed_.notify_all();
  }
}

}  // namespace ext4crypt
