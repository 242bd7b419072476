// SPDX-License-Identifier: Apache-2.0
#include "terminal/progress.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace ext4crypt {
namespace {

constexpr auto kEvery = std::chrono::milliseconds(200);
constexpr int kWidth = 20;
// What a file costs beside its bytes, so that a thousand empty files are not nothing.
constexpr double kBytesAFile = 64 * 1024;

double Size(const Work& work) {
  return static_cast<double>(work.bytes) + static_cast<double>(work.files) * kBytesAFile;
}

std::string Duration(double seconds) {
  const auto s = static_cast<uint64_t>(seconds + 0.5);
  if (s >= 3600) return absl::StrFormat("%d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
  return absl::StrFormat("%d:%02d", s / 60, s % 60);
}

std::string RateText(const Work& done, double seconds) {
  const double rate = static_cast<double>(done.bytes) / seconds;
  return absl::StrCat(", ", HumanBytes(static_cast<uint64_t>(rate)), "/s");
}

}  // namespace

std::string HumanBytes(uint64_t bytes) {
  constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? absl::StrCat(bytes, " B") : absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

std::string ProgressLine(const Work& done, const Work& total, double seconds) {
  // A guess from nothing would be one.
  const bool known_rate = seconds >= 1;
  const std::string rate = known_rate ? RateText(done, seconds) : "";
  if (total.files == 0 && total.bytes == 0) return absl::StrCat(HumanBytes(done.bytes), rate);
  const double all = std::max(Size(total), 1.0);
  const double part = std::clamp(Size(done) / all, 0.0, 1.0);
  const int filled = static_cast<int>(part * kWidth);
  std::string line = absl::StrFormat(
      "[%s%s] %3d%%  %s of %s", std::string(static_cast<size_t>(filled), '#'),
      std::string(static_cast<size_t>(kWidth - filled), '.'), static_cast<int>(part * 100),
      HumanBytes(done.bytes), HumanBytes(total.bytes));
  if (total.files != 0) absl::StrAppendFormat(&line, ", %d of %d files", done.files, total.files);
  if (known_rate && part > 0) {
    absl::StrAppend(&line, rate, ", ", Duration(seconds * (1 - part) / part), " left");
  }
  return line;
}

Progress::Progress(bool wanted)
    : shown_(wanted && ::isatty(STDERR_FILENO) == 1), begun_(Clock::now()) {}

void Progress::Begin(const Work& total) {
  total_ = total;
  begun_ = Clock::now();
}

void Progress::Update(const Work& done) {
  if (!shown_) return;
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  if (now - last_ < kEvery) return;
  last_ = now;
  const double seconds = std::chrono::duration<double>(now - begun_).count();
  std::fprintf(stderr, "\r\033[K%s", ProgressLine(done, total_, seconds).c_str());
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::Clear() {
  const std::lock_guard lock(mutex_);
  if (drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

}  // namespace ext4crypt
