// SPDX-License-Identifier: Apache-2.0
#include "daemon/core/clock.h"

#include <ctime>

namespace ext4crypt {

int64_t SystemClock::MonotonicMs() const {
  struct timespec now = {};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

int64_t SystemClock::UnixSeconds() const { return std::time(nullptr); }

}  // namespace ext4crypt
