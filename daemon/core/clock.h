// SPDX-License-Identifier: Apache-2.0
// Time, as an interface so that tests need not wait.
#pragma once

#include <cstdint>

namespace ext4crypt {

class Clock {
 public:
  virtual ~Clock() = default;
  // Does not go back, counts while the machine sleeps.
  [[nodiscard]] virtual int64_t MonotonicMs() const = 0;
  [[nodiscard]] virtual int64_t UnixSeconds() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] int64_t MonotonicMs() const override;
  [[nodiscard]] int64_t UnixSeconds() const override;
};

}  // namespace ext4crypt
