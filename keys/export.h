// SPDX-License-Identifier: Apache-2.0
// A user's keys in wrapped form as one piece of bytes, to be carried to another machine.
//
// Nothing in it is secret that the store does not hold as well, and nothing is trusted: each
// protector authenticates its own place, and the checksum only tells damage from a wrong
// passphrase.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "keys/records.h"

namespace ext4crypt {

struct Export {
  Uid uid = 0;  // of the user there: part of what the protectors authenticate
  std::vector<KeyRecord> keys;
};

// Below the limit of one message to the service.
inline constexpr size_t kMaxExportSize = 24 * 1024;

// kTooManyKeys when it would be larger than kMaxExportSize.
[[nodiscard]] absl::StatusOr<std::vector<uint8_t>> EncodeExport(const Export& exported);
// kRecordUnusable for anything that EncodeExport() cannot have written, kStoreTooNew for a later
// version's.
[[nodiscard]] absl::StatusOr<Export> DecodeExport(absl::Span<const uint8_t> bytes);

// The bytes of an export. kRecordUnusable, with `path` as subject.
[[nodiscard]] absl::StatusOr<std::string> ReadExportFile(const std::string& path);
// The same of an open one.
[[nodiscard]] absl::StatusOr<std::string> ReadExportFile(int fd, const std::string& path);
// A new file for its owner only, since what is in it can be guessed at; durable when OK. Never an
// existing one. kRecordUnusable, with `path` as subject.
[[nodiscard]] absl::Status WriteExportFile(const std::string& path, absl::string_view bytes);

}  // namespace ext4crypt
