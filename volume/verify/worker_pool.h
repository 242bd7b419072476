// SPDX-License-Identifier: Apache-2.0
// Threads that take work from a queue of limited length.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace ext4crypt::volume {

class WorkerPool {
 public:
  // With fewer than two threads the work is done in Submit(), in order.
  explicit WorkerPool(unsigned threads);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Waits while the queue is full, so that memory stays flat.
  void Submit(std::function<void()> work);
  void WaitUntilDone();

 private:
  void Work();

  static constexpr size_t kMostQueued = 64;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  size_t running_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace ext4crypt::volume
