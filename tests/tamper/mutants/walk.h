// SPDX-License-Identifier: Apache-2.0
// Everything that a program can do with a mounted mutant. Errors are what is expected; false contents are not.
#pragma once

#include <cstdint>
#include <string>

#include "world.h"

namespace tamper {

struct WalkCounts {
  uint64_t names = 0, opened = 0, refused = 0, pages_true = 0, pages_failed = 0, writes = 0, writes_failed = 0;
};

// Lists, reads, changes and deletes below `mount`; `seed` chooses the order. Returns what was read that is not
// what the file held, or of another size, under another name or in another link, in words; empty: nothing. Gives up going deeper after `seconds`.
std::string Walk(const std::string& mount, uint64_t seed, const Truths& truths, int seconds, WalkCounts& counts);

}  // namespace tamper
