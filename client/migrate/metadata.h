// SPDX-License-Identifier: Apache-2.0
// Everything about a file but its contents and its name.
#pragma once

#include <sys/stat.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/migrate/node.h"

namespace ext4crypt {

// Gives `to` the extended attributes of `from` (ACLs and file capabilities are such), and the
// owner, group, mode and times of `want`; of the attributes of chattr those a user sets for
// convenience (`dADS`). Checks what came of it: an unprivileged chown, for one, clears bits.
// Idempotent.
[[nodiscard]] absl::Status CopyMetadata(const At& from, const At& to, const struct stat& want,
                                        const std::string& path);

// The same owner, group, mode, time of modification, device and extended attributes.
[[nodiscard]] absl::StatusOr<bool> SameMetadata(const At& a, const At& b, const std::string& path);

// Takes away what a new directory inherits from the one it is made in.
[[nodiscard]] absl::Status DropInheritedAcls(const At& at, const std::string& path);

}  // namespace ext4crypt
