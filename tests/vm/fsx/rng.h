// SPDX-License-Identifier: Apache-2.0
// Reproducible random numbers (splitmix64, public domain, S. Vigna): the same seed gives the same run on every machine.
#pragma once

#include <cstdint>
#include <cstddef>

namespace fsx {

class Rng {
 public:
  explicit Rng(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  // 0 <= result < bound; bound > 0.
  uint64_t below(uint64_t bound) { return next() % bound; }
  uint64_t between(uint64_t low, uint64_t high) { return low + below(high - low + 1); }
  bool one_in(uint64_t n) { return below(n) == 0; }

  void fill(uint8_t* data, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) {
      if (i % 8 == 0) word_ = next();
      data[i] = static_cast<uint8_t>(word_ >> (i % 8 * 8));
    }
  }

 private:
  uint64_t state_;
  uint64_t word_ = 0;
};

}  // namespace fsx
