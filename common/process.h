// SPDX-License-Identifier: Apache-2.0
// What every process of ours that sees a secret does first.
#pragma once

#include <cstddef>

#include "absl/status/status.h"

namespace ext4crypt {

// No core dump, no ptrace by other processes of the same user.
[[nodiscard]] absl::Status ForbidCoreDumps();

// Raises the soft limit on descriptors to the hard one; returns what it is now.
[[nodiscard]] size_t RaiseDescriptorLimit();

}  // namespace ext4crypt
