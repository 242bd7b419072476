// SPDX-License-Identifier: Apache-2.0
// The extent tree of an inode, read without trusting any of its fields.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "volume/ext4/image.h"

namespace ext4crypt::volume {

struct Extent {
  uint64_t logical = 0;   // first logical block
  uint64_t physical = 0;  // first block of the volume
  uint32_t length = 0;    // blocks
  bool unwritten = false;

  [[nodiscard]] uint64_t end() const { return logical + length; }
};

struct ExtentTree {
  // Ascending, not overlapping, all inside the volume. What is wrong with the rest is in
  // `findings`.
  std::vector<Extent> extents;
  std::vector<Finding> findings;
  // A part of the tree could not be read: what is not in `extents` is unknown, not a hole.
  bool complete = true;
};

// Own code in place of ext2fs_extent_*: that follows whatever depth the root gives, needs one
// handle a thread, and does not say where a tree is wrong.
[[nodiscard]] ExtentTree ReadExtents(const Image& image, const Inode& inode);

// The extent that maps `logical`; extents as in ExtentTree.
[[nodiscard]] const Extent* FindExtent(const std::vector<Extent>& extents, uint64_t logical);

}  // namespace ext4crypt::volume
