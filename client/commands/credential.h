// SPDX-License-Identifier: Apache-2.0
// The ways to prove whose key it is, alike for every verb that needs one.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "client/rpc/keyd_client.h"

namespace CLI {
class App;
}

namespace ext4crypt {

struct CredentialOptions {
  std::optional<int> passphrase_fd;
  bool recovery = false;
  std::string key_file;
};

// --passphrase-fd N, --recovery and --key-file PATH.
void AddCredentialOptions(CLI::App& verb, CredentialOptions& options);

// Asks for the passphrase (with `prompt`) or the recovery code, or reads the key file. A mistyped
// code is refused here already. kKeyFileUnusable.
[[nodiscard]] absl::StatusOr<TypedCredential> ReadCredential(const CredentialOptions& options,
                                                             absl::string_view prompt);

}  // namespace ext4crypt
