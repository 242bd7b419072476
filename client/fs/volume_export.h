// SPDX-License-Identifier: Apache-2.0
// Where a volume keeps exports of its users' keys: TOP/.ext4crypt/IDENTIFIER, of the default
// key, in hexadecimal. Each file is its user's, written by the user, so the service needs no right
// to write to anybody's volume.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace ext4crypt {

enum class VolumeExportState { kWritten, kUnchanged, kNoPlace, kFailed };
struct VolumeExportResult {
  VolumeExportState state = VolumeExportState::kFailed;
  std::string path;   // of the export, or with kNoPlace of the directory it would be in
  std::string cause;  // of kFailed
};

// Puts `bytes` there, in place of an older one and never half. `path` is anything on the volume.
// The directory has to be there and belong to root or to the caller, unless `make_place`: then it
// is made if the volume's top is the caller's.
[[nodiscard]] VolumeExportResult WriteVolumeExport(const std::string& path,
                                                   const std::string& identifier_hex,
                                                   const std::string& bytes, bool make_place);

struct VolumeExport {
  std::string path;
  std::string identifier_hex;
  std::string bytes;
};
// The caller's export on the volume of `path`, leaving out that of the key `not_this_hex` if there
// are several. kRecordUnusable when there is none, or more than one.
[[nodiscard]] absl::StatusOr<VolumeExport> FindVolumeExport(const std::string& path,
                                                            const std::string& not_this_hex);

}  // namespace ext4crypt
