// SPDX-License-Identifier: Apache-2.0
// The images that the fuzzer changes: written properly, so that a change gets past the first
// checks.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace ext4crypt::volume {

struct FuzzImage {
  std::vector<uint8_t> bytes;
  std::vector<uint64_t> blocks;  // bytes of the volume where a block begins that is worth changing
  uint64_t journal = 0;          // its first byte; 0: there is none
  uint64_t journal_bytes = 0;
  bool checksums = false;  // in the journal
};

[[nodiscard]] FuzzImage PlainImage();
// With three committed transactions that write inodes and directories, and revoke some of that.
[[nodiscard]] FuzzImage JournalImage(bool checksums);

// Puts the checksum of each block of the journal right, or every change would end there. What is in
// the logged blocks keeps the one in its tag.
void RepairChecksums(const FuzzImage& image, const std::function<void(uint64_t, uint8_t)>& set);

}  // namespace ext4crypt::volume
