// SPDX-License-Identifier: Apache-2.0
// Where a volume keeps copies of its users' wrapped keys: TOP/.ext4crypt/IDENTIFIER, of the default
// key, in hexadecimal. Each file is its user's, written by the user, so the service needs no right
// to write to anybody's volume.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace ext4crypt {

enum class KeyCopyState { kWritten, kUnchanged, kNoPlace, kFailed };
struct KeyCopyResult {
  KeyCopyState state = KeyCopyState::kFailed;
  std::string path;   // of the copy, or with kNoPlace of the directory it would be in
  std::string cause;  // of kFailed
};

// Puts `bytes` there, in place of an older copy and never half. `path` is anything on the volume.
// The directory has to be there and belong to root or to the caller, unless `make_place`: then it
// is made if the volume's top is the caller's.
[[nodiscard]] KeyCopyResult WriteKeyCopy(const std::string& path, const std::string& identifier_hex,
                                         const std::string& bytes, bool make_place);

struct KeyCopy {
  std::string path;
  std::string identifier_hex;
  std::string bytes;
};
// The caller's copy on the volume of `path`, leaving out that of the key `not_this_hex` if there
// are several. kRecordUnusable when there is none, or more than one.
[[nodiscard]] absl::StatusOr<KeyCopy> FindKeyCopy(const std::string& path,
                                                  const std::string& not_this_hex);

}  // namespace ext4crypt
