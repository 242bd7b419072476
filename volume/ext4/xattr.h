// SPDX-License-Identifier: Apache-2.0
// Extended attributes of an inode. libext2fs drops the name index, and index 0 name "c" is not the
// encryption context.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "volume/ext4/image.h"

namespace ext4crypt::volume {

inline constexpr uint8_t kXattrIndexUser = 1;
inline constexpr uint8_t kXattrIndexSystem = 7;
inline constexpr uint8_t kXattrIndexEncryption = 9;

struct Xattr {
  uint8_t index = 0;
  std::string name;
  std::vector<uint8_t> value;
  // The first entry in the body of the inode, with hash 0, and the value is the end of the inode.
  bool in_fixed_place = false;
  // `value` is empty: kept in an inode of its own (ea_inode).
  bool in_other_inode = false;
  uint32_t value_inode = 0;
  uint32_t value_size = 0;
};

// Those in the inode first, as the kernel looks for them. Error: kXattrMalformed.
[[nodiscard]] absl::StatusOr<std::vector<Xattr>> ReadXattrs(const Image& image, const Inode& inode);

[[nodiscard]] const Xattr* FindXattr(const std::vector<Xattr>& xattrs, uint8_t index,
                                     const std::string& name);

}  // namespace ext4crypt::volume
