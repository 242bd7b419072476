// SPDX-License-Identifier: Apache-2.0
// Changes to an image as somebody makes them who knows the format and wants to hurt its reader: the same
// seed makes the same changes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tamper {

struct Mutant {
  std::vector<std::string> changes;  // in words
};

// Changes `image`, which is one as the kernel made it.
Mutant Mutate(std::span<uint8_t> image, uint64_t seed);

}  // namespace tamper
