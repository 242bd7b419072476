// SPDX-License-Identifier: Apache-2.0
// The ways to prove whose key it is, alike for every verb that needs one.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/commands/command.h"
#include "client/rpc/keyd_client.h"

namespace CLI {
class App;
}

namespace ext4crypt {

struct CredentialOptions {
  std::optional<int> passphrase_fd;
  bool recovery = false;
  std::string key_file;
  bool fido2 = false;
};

// --passphrase-fd N, --recovery, --key-file PATH and --fido2.
void AddCredentialOptions(CLI::App& verb, CredentialOptions& options);
// The same without --fido2.
void AddTypedCredentialOptions(CLI::App& verb, CredentialOptions& options);

// The parameters of the protectors that a security key may open.
using Fido2Source = std::function<absl::StatusOr<std::vector<PublicParameters>>()>;

// Asks for the passphrase (with `prompt`) or the recovery code, reads the key file, or asks a
// security key. A mistyped code is refused here already. kKeyFileUnusable, the errors of
// AskToken().
[[nodiscard]] absl::StatusOr<TypedCredential> ReadCredential(const Fido2Source& fido2,
                                                             const CredentialOptions& options,
                                                             absl::string_view prompt);
// For the user's own default key.
[[nodiscard]] absl::StatusOr<TypedCredential> ReadCredential(const GlobalOptions& globals,
                                                             const CredentialOptions& options,
                                                             absl::string_view prompt);

}  // namespace ext4crypt
