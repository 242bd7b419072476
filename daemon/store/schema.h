// SPDX-License-Identifier: Apache-2.0
// The store's schema, its versions, and how a file of each is opened.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "daemon/store/sqlite_db.h"

namespace ext4crypt {

inline constexpr int kSchemaVersion = 3;
// In the file's header, so that file(1) and we know whose it is: "E4CK".
inline constexpr int64_t kApplicationId = 0x4534434b;

// Opens the store at `path`, creating it when there is none and migrating an older schema. A file
// that is damaged (kStoreCorrupt) or newer than this build (kStoreTooNew) is refused unaltered.
[[nodiscard]] absl::StatusOr<std::unique_ptr<SqliteDb>> OpenStoreFile(const std::string& path);

}  // namespace ext4crypt
