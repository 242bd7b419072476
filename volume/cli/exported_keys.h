// SPDX-License-Identifier: Apache-2.0
// Master keys out of files that `ext4crypt export` wrote, without the key service: opened by a
// passphrase, a recovery code, a key file or a security key.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "volume/format/file_keys.h"

namespace ext4crypt::volume {

struct ExportedKeyOptions {
  std::vector<std::string> files;
  bool recovery = false;          // by the recovery code, not the passphrase
  std::string key_file;           // by this key file
  bool fido2 = false;             // by a security key
  std::optional<int> secrets_fd;  // read from there, a line for each file; else asked for
};

// All keys of each file. Reasons: kExportUnusable, kCredentialUnusable, kWrongCredential.
[[nodiscard]] absl::Status AddExportedKeys(const ExportedKeyOptions& options, KeyRing& keys);

}  // namespace ext4crypt::volume
