// SPDX-License-Identifier: Apache-2.0
// How far long work has come: a bar with rate and time left, on a terminal only.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace ext4crypt {

struct Work {
  uint64_t files = 0;
  uint64_t bytes = 0;
};

class Progress {
 public:
  using Clock = std::chrono::steady_clock;

  // On standard error, when that is a terminal and `wanted`; silent else.
  explicit Progress(bool wanted);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { Clear(); }

  void Begin(const Work& total);
  // As often as one likes; drawn a few times a second.
  void Update(const Work& done);
  // Takes the bar away.
  void Clear();

 private:
  const bool shown_;
  bool drawn_ = false;
  Work total_;
  Clock::time_point begun_;
  Clock::time_point last_;
};

// "[#######.............]  35%  1.2 of 3.4 GiB, 210 of 600 files, 80.1 MiB/s, 0:27 left".
[[nodiscard]] std::string ProgressLine(const Work& done, const Work& total, double seconds);
// "1.5 GiB".
[[nodiscard]] std::string HumanBytes(uint64_t bytes);

}  // namespace ext4crypt
