// SPDX-License-Identifier: Apache-2.0
// Directory entries, and the contents of small things: directories and symbolic links.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "volume/ext4/image.h"

namespace ext4crypt::volume {

struct DirEntry {
  uint32_t inode = 0;
  absl::Span<const uint8_t> name;  // as on disk; dies with the call
  // The directory hash with which the kernel makes the no-key name.
  uint32_t hash = 0;
  uint32_t minor_hash = 0;

  [[nodiscard]] bool IsDot() const { return name.size() == 1 && name[0] == '.'; }
  [[nodiscard]] bool IsDotDot() const {
    return name.size() == 2 && name[0] == '.' && name[1] == '.';
  }
};

// Calls `visit` for each entry but "." and ".."; false from it ends the walk. Memory does not grow
// with the directory. Faults (kDirectoryMalformed and those of the extent tree) go to `findings`,
// and the walk goes on behind them.
void ForEachEntry(const Image& image, const Inode& directory, std::vector<Finding>& findings,
                  const std::function<bool(const DirEntry&)>& visit);

// What a symbolic link holds, still encrypted if it is. At most one block. Error:
// kSymlinkMalformed.
[[nodiscard]] absl::StatusOr<std::vector<uint8_t>> ReadSymlink(const Image& image,
                                                               const Inode& inode);

}  // namespace ext4crypt::volume
