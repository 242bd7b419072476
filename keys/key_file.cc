// SPDX-License-Identifier: Apache-2.0
#include "keys/key_file.h"

#include <cerrno>

#include "common/error.h"
#include "common/status_macros.h"
#include "common/whole_file.h"
#include "keys/crypto/random.h"
#include "keys/records.h"

namespace ext4crypt {

absl::StatusOr<SecretBuffer> ReadKeyFile(const std::string& path) {
  ASSIGN_OR_RETURN(SecretBuffer contents,
                   ReadWholeFile(path, kKeyFileSize, ErrorReason::kKeyFileUnusable));
  if (contents.size() != kKeyFileSize) {
    return ErrnoError(ErrorReason::kKeyFileUnusable, EINVAL, "size", path);
  }
  return contents;
}

absl::StatusOr<SecretBuffer> CreateKeyFile(const std::string& path) {
  SecretBuffer contents = RandomSecret(kKeyFileSize);
  RETURN_IF_ERROR(WriteNewFile(path, contents.bytes(), ErrorReason::kKeyFileUnusable));
  return contents;
}

}  // namespace ext4crypt
