// SPDX-License-Identifier: Apache-2.0
// Contents of regular files, copied and compared with their holes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ext4crypt {

// Called with the number of bytes just done, at most a mebibyte; an error ends the work with it.
using Tick = std::function<absl::Status(uint64_t)>;

// Makes `to`, open for writing and empty, the contents of `from`. Holes stay holes.
[[nodiscard]] absl::Status CopyContents(int from, int to, const Tick& tick,
                                        const std::string& path);

// Reads both. A range that is a hole in both costs nothing.
[[nodiscard]] absl::StatusOr<bool> SameContents(int a, int b, const Tick& tick,
                                                const std::string& path);

}  // namespace ext4crypt
