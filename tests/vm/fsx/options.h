// SPDX-License-Identifier: Apache-2.0
// What the random-operation test is asked to do.
#pragma once

#include <cstdint>
#include <string>

namespace fsx {

struct Options {
  std::string directory;
  uint64_t ops = 1000;
  uint64_t seed = 0;
  int files = 3;
  uint64_t remount_every = 500;  // operations between two remounts, roughly
  std::string remount;           // shell command that unmounts and mounts DIRECTORY's file system; empty: never
  uint64_t rekey_every = 1500;   // the same for the key
  std::string rekey;             // shell command that removes the directory's key and adds it again; empty: never
  uint64_t large_every = 8;      // one range in so many may have up to 700,000 bytes; they cost most of the time
  std::string only;              // comma-separated names of operations; empty: all
  bool verbose = false;
};

// Offsets below this are the playground: eight tag groups of 508 KB, the last one in part.
inline constexpr uint64_t kNear = 3'300'000;
// Now and then an operation goes to one of these, so that files get sparse and groups far apart.
inline constexpr uint64_t kFar[] = {100'000'000, 1'000'000'000};

}  // namespace fsx
