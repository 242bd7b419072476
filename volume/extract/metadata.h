// SPDX-License-Identifier: Apache-2.0
// Owners, modes, times, extended attributes and lists of access rights of a file that is copied
// out. Nothing in a volume authenticates them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "volume/format/node.h"

namespace ext4crypt::volume {

struct MetadataRules {
  // Owner and group too; needs privileges.
  bool keep_owner = false;
  // What gives rights as well: set-id bits, capabilities and other security.* and trusted.*
  // attributes, devices. Whoever had the disk may have put them there.
  bool trust = false;
};

struct MetadataCounts {
  uint64_t not_kept = 0;    // attributes, owners, ... that the destination did not take
  uint64_t privileges = 0;  // left out for want of MetadataRules::trust
};

struct PortableXattr {
  std::string name;  // as for setxattr()
  std::vector<uint8_t> value;
};

// The attributes of `node` that mean something elsewhere; `skipped` counts those left out for want
// of `trust`, `lost` those that cannot be read.
[[nodiscard]] std::vector<PortableXattr> PortableXattrs(const Image& image, const Node& node,
                                                        bool trust, uint64_t& skipped,
                                                        uint64_t& lost);

// For a file or directory made a moment ago, open as `fd`; contents first, since a later write
// would change the times.
void KeepMetadata(const Image& image, const Node& node, const MetadataRules& rules, int fd,
                  MetadataCounts& counts);
// For what cannot be opened: a symbolic link, pipe, socket or device `name` in the directory `at`.
void KeepMetadataOf(const Image& image, const Node& node, const MetadataRules& rules, int at,
                    const std::string& name, MetadataCounts& counts);

// The device number of a block or character device.
[[nodiscard]] dev_t DeviceOf(const Inode& inode);

}  // namespace ext4crypt::volume
