// SPDX-License-Identifier: Apache-2.0
// Threads that do the work of calls, bounded in number, in queue length, and per user.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "keys/records.h"

namespace ext4crypt {

// gRPC's callback threads must not block, and our calls do: on Argon2, on the disk, on the kernel.
// A pool's number of threads is also the bound on derivations, and so on memory, at one time.
class WorkerPool {
 public:
  struct Limits {
    size_t threads = 2;
    size_t queued = 256;
    // Queued or running. One user cannot fill the queue for the others.
    size_t per_user = 4;
    // Of one user at most one is running: a user can make work slow (by stopping the helper that
    // runs with the user's uid, say), and must not hold more than one thread with it.
  };

  explicit WorkerPool(Limits limits);
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  // Runs what is queued, then returns.
  ~WorkerPool();

  // False when the pool is full or this user has enough in it; `work` is then not run.
  [[nodiscard]] bool Submit(Uid uid, std::function<void()> work);
  [[nodiscard]] bool HasWorkOf(Uid uid);

 private:
  struct Item {
    Uid uid;
    std::function<void()> work;
  };
  void Run();
  // The first item whose user has none running, or the end. With mutex_ held.
  [[nodiscard]] std::deque<Item>::iterator NextItem();

  const Limits limits_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> queue_;         // guarded by mutex_
  std::map<Uid, size_t> of_user_;  // guarded by mutex_
  std::set<Uid> running_;          // guarded by mutex_
  bool stopping_ = false;          // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace ext4crypt
