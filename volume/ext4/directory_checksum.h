// SPDX-License-Identifier: Apache-2.0
// ext4's checksums of directory blocks: names carry no tag, so these are what tells of damage (and
// of nothing that somebody did on purpose, who can make them fit).
#pragma once

#include "absl/types/span.h"
#include "volume/ext4/image.h"

namespace ext4crypt::volume {

// `block` is block `logical` of `directory`, whole. True as well where the volume has no such checksums.
[[nodiscard]] bool DirectoryBlockIsAsWritten(const Image& image, const Inode& directory,
                                             uint64_t logical, absl::Span<const uint8_t> block);

}  // namespace ext4crypt::volume
