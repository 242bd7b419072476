// SPDX-License-Identifier: Apache-2.0
// Parts of reports that several verbs share.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "ext4crypt/keyd/v1/keyd.pb.h"
#include "terminal/json.h"

namespace ext4crypt {

using VolumeList = google::protobuf::RepeatedPtrField<keyd::v1::VolumeState>;

// "locked", "unlocked", "busy".
[[nodiscard]] const char* StateWord(keyd::v1::KeyState state);
[[nodiscard]] std::string IdentifierHex(const std::string& bytes);

// One line a volume: "  /mnt (/dev/sdb1): unlocked, authenticated".
[[nodiscard]] std::string VolumesText(const VolumeList& volumes);
[[nodiscard]] Json VolumesJson(const VolumeList& volumes);

[[nodiscard]] Json ProtectorsJson(const keyd::v1::KeyStatus& key);

// The first refusal of the kernel on any of them, OK when there is none.
[[nodiscard]] absl::Status FirstVolumeError(const VolumeList& volumes);

}  // namespace ext4crypt
