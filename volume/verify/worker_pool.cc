// SPDX-License-Identifier: Apache-2.0
#include "volume/verify/worker_pool.h"

#include <utility>

namespace ext4crypt::volume {

WorkerPool::WorkerPool(unsigned threads) {
  if (threads < 2) return;
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::Submit(std::function<void()> work) {
  if (threads_.empty()) {
    work();
    return;
  }
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return queue_.size() < kMostQueued; });
  queue_.push_back(std::move(work));
  changed_.notify_all();
}

void WorkerPool::WaitUntilDone() {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return queue_.empty() && running_ == 0; });
}

void WorkerPool::Work() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    std::function<void()> work = std::move(queue_.front());
    queue_.pop_front();
    ++running_;
    changed_.notify_all();
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
    --running_;
    changed_.notify_all();
  }
}

}  // namespace ext4crypt::volume
