// SPDX-License-Identifier: Apache-2.0
#include "volume/cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "absl/strings/str_format.h"

namespace ext4crypt::volume {
namespace {

constexpr auto kInterval = std::chrono::milliseconds(200);
constexpr unsigned kBarWidth = 30;

}  // namespace

Progress::Progress(uint64_t total_bytes)
    : shown_(::isatty(STDERR_FILENO) != 0), total_(total_bytes), start_(Clock::now()) {}

Progress::~Progress() { Clear(); }

void Progress::SetTotal(uint64_t bytes) {
  total_ = bytes;
  start_ = Clock::now();
}

void Progress::Update(uint64_t bytes) {
  if (!shown_) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto now = Clock::now();
  if (now - last_ < kInterval) return;
  last_ = now;
  drawn_ = true;
  const double seconds = std::max(0.001, std::chrono::duration<double>(now - start_).count());
  const double rate = static_cast<double>(bytes) / seconds;
  std::string line = absl::StrFormat("\r\x1b[K%.1f GiB, %.0f MiB/s",
                                     static_cast<double>(bytes) / (1 << 30), rate / (1 << 20));
  if (total_ != 0 && rate > 0) {
    const double part = std::min(1.0, static_cast<double>(bytes) / static_cast<double>(total_));
    const auto full = static_cast<unsigned>(part * kBarWidth);
    const double left = (static_cast<double>(total_) - static_cast<double>(bytes)) / rate;
    line += absl::StrFormat("  [%s%s] %3.0f%%  %.0f s left", std::string(full, '#'),
                            std::string(kBarWidth - full, '.'), part * 100, std::max(0.0, left));
  }
  std::fputs(line.c_str(), stderr);
}

void Progress::Clear() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (drawn_) std::fputs("\r\x1b[K", stderr);
  drawn_ = false;
}

}  // namespace ext4crypt::volume
