// SPDX-License-Identifier: Apache-2.0
// Small files read and written whole: key files, files of exported keys.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/error.h"
#include "common/secret_buffer.h"

namespace ext4crypt {

// Errors have the given reason, and the path as subject.

// At most `limit` bytes, and one more if the file is longer. Does not wait for a pipe.
[[nodiscard]] absl::StatusOr<SecretBuffer> ReadWholeFile(const std::string& path, size_t limit,
                                                         ErrorReason reason);
[[nodiscard]] absl::StatusOr<SecretBuffer> ReadWholeFile(int fd, const std::string& path,
                                                         size_t limit, ErrorReason reason);

// A new file, mode 0600; never an existing one. When OK, it and its name are on the disk; else
// there is none.
[[nodiscard]] absl::Status WriteNewFile(const std::string& path, absl::Span<const uint8_t> bytes,
                                        ErrorReason reason);

}  // namespace ext4crypt
