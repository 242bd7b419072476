// SPDX-License-Identifier: Apache-2.0
// What every process of ours that sees a secret does first.
#pragma once

#include "absl/status/status.h"

namespace ext4crypt {

// No core dump, no ptrace by other processes of the same user.
[[nodiscard]] absl::Status ForbidCoreDumps();

}  // namespace ext4crypt
