// SPDX-License-Identifier: Apache-2.0
// One line on standard error that says how far the work is; nothing when that is not a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>

namespace ext4crypt::volume {

class Progress {
 public:
  // `total_bytes` 0: unknown.
  explicit Progress(uint64_t total_bytes);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Whether anybody sees it.
  [[nodiscard]] bool shown() const { return shown_; }
  // Before the first Update(). The time that it took to find out does not count.
  void SetTotal(uint64_t bytes);
  // From any thread; draws a few times a second at most.
  void Update(uint64_t bytes);
  // Takes the line away, so that other output does not mix with it.
  void Clear();

 private:
  using Clock = std::chrono::steady_clock;
  const bool shown_;
  uint64_t total_;
  Clock::time_point start_;
  std::mutex mutex_;
  Clock::time_point last_;
  bool drawn_ = false;
};

}  // namespace ext4crypt::volume
