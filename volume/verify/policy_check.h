// SPDX-License-Identifier: Apache-2.0
// Whether an inode may stand in its directory.
#pragma once

#include <string>

#include "volume/format/node.h"

namespace ext4crypt::volume {

// kNone, kPolicyMismatch, kDowngraded or kNotEncrypted. A fault of one of the two contexts by
// itself is not judged here.
[[nodiscard]] Reason ComparePolicies(const Node& directory, const Node& child, std::string& detail);

}  // namespace ext4crypt::volume
