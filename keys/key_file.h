// SPDX-License-Identifier: Apache-2.0
// Key files: 64 random bytes and nothing else, readable by their owner only.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/secret_buffer.h"

namespace ext4crypt {

// All errors are kKeyFileUnusable with the path as subject.

// A file of exactly the right size.
[[nodiscard]] absl::StatusOr<SecretBuffer> ReadKeyFile(const std::string& path);
// A new file, mode 0600; never an existing one. Durable when OK.
[[nodiscard]] absl::StatusOr<SecretBuffer> CreateKeyFile(const std::string& path);

}  // namespace ext4crypt
