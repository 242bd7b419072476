// SPDX-License-Identifier: Apache-2.0
// What ext4's superblock says of a volume, as far as its user may read the device.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "client/doctor/machine.h"

namespace ext4crypt::doctor {

struct Superblock {
  uint32_t block_size = 0;  // bytes
  uint32_t inode_size = 0;  // bytes
  bool has_errors = false;  // the kernel has met some since the last e2fsck
  bool has_journal = false;
  bool has_encrypt = false;
  bool has_checksums = false;  // metadata_csum
};

// nullopt: no ext4, or not for this user to read.
[[nodiscard]] std::optional<Superblock> ReadSuperblock(const Machine& machine,
                                                       const std::string& device);

}  // namespace ext4crypt::doctor
