// SPDX-License-Identifier: Apache-2.0
// Reads every authenticated file below a directory of a mounted volume, through the kernel: it has
// the keys, and it authenticates.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "volume/finding.h"

namespace ext4crypt::volume {

struct MountedTotals : FindingCounts {
  uint64_t directories = 0;
  uint64_t files = 0;            // authenticated ones, read to their end
  uint64_t bytes = 0;            // of them
  uint64_t unauthenticated = 0;  // files without tags: not read
};

struct MountedOptions {
  unsigned threads = 1;
  std::function<void(const Finding&)> on_finding;        // one at a time
  std::function<void(uint64_t bytes_done)> on_progress;  // from any thread
  // If set, all names are listed first, and it is called with the size of all files.
  std::function<void(uint64_t bytes)> on_total;
};

// `path` is a directory; other file systems mounted below it are left alone. Error: kCannotOpen.
[[nodiscard]] absl::Status VerifyMounted(const std::string& path, const MountedOptions& options,
                                         MountedTotals& totals);

}  // namespace ext4crypt::volume
