// SPDX-License-Identifier: Apache-2.0
// How far long work has come: a bar with rate and time left, on a terminal only.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace ext4crypt {

struct Work {
  uint64_t files = 0;
  uint64_t bytes = 0;
};

class Progress {
 public:
  // On standard error, when that is a terminal and `wanted`; silent else.
  explicit Progress(bool wanted = true);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { Clear(); }

  // Whether anybody sees it.
  [[nodiscard]] bool shown() const { return shown_; }
  // Before the first Update(). The time that it took to find out does not count. Without it the
  // total is unknown.
  void Begin(const Work& total);
  // From any thread, as often as one likes; drawn a few times a second.
  void Update(const Work& done);
  // Takes the bar away, so that other output does not mix with it.
  void Clear();

 private:
  using Clock = std::chrono::steady_clock;

  const bool shown_;
  Work total_;
  Clock::time_point begun_;
  std::mutex mutex_;
  bool drawn_ = false;      // guarded by mutex_
  Clock::time_point last_;  // guarded by mutex_
};

// "[#######.............]  35%  1.2 GiB of 3.4 GiB, 210 of 600 files, 80.1 MiB/s, 0:27 left".
// Without files in `total` none are said; with nothing in it, "1.2 GiB, 80.1 MiB/s".
[[nodiscard]] std::string ProgressLine(const Work& done, const Work& total, double seconds);
// "1.5 GiB".
[[nodiscard]] std::string HumanBytes(uint64_t bytes);

}  // namespace ext4crypt
