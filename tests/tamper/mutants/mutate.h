// SPDX-License-Identifier: Apache-2.0
// Changes to an image as somebody makes them who knows the format and wants to hurt its reader: the same
// seed makes the same changes.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace tamper {

struct Mutant {
  std::vector<std::string> changes;  // in words
  // Inodes of which a part was exchanged as a whole, or that are no longer encrypted: what they show may
  // be authentic contents of another file, or not authenticated at all.
  std::set<uint32_t> not_comparable;
  bool super_changed = false;
};

// Changes `image`, which is one as the kernel made it.
Mutant Mutate(std::span<uint8_t> image, uint64_t seed);

}  // namespace tamper
