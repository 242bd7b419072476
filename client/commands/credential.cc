// SPDX-License-Identifier: Apache-2.0
#include "client/commands/credential.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "client/commands/command.h"
#include "common/recovery_code.h"
#include "common/status_macros.h"
#include "keys/key_file.h"
#include "terminal/prompt.h"

namespace ext4crypt {

void AddCredentialOptions(CLI::App& verb, CredentialOptions& options) {
  AddPassphraseFd(verb, options.passphrase_fd);
  CLI::Option* recovery =
      verb.add_flag("--recovery", options.recovery, "With the recovery code, not the passphrase");
  verb.add_option("--key-file", options.key_file, "With a key file, not the passphrase")
      ->type_name("PATH")
      ->excludes(recovery);
}

absl::StatusOr<TypedCredential> ReadCredential(const CredentialOptions& options,
                                               absl::string_view prompt) {
  TypedCredential credential;
  const SecretReader reader(options.passphrase_fd);
  if (options.recovery) {
    credential.kind = CredentialKind::kRecoveryCode;
    ASSIGN_OR_RETURN(credential.secret, reader.Read("Recovery code"));
    RETURN_IF_ERROR(ParseRecoveryCode(credential.secret.text()).status());
  } else if (!options.key_file.empty()) {
    credential.kind = CredentialKind::kKeyFile;
    ASSIGN_OR_RETURN(credential.secret, ReadKeyFile(options.key_file));
  } else {
    ASSIGN_OR_RETURN(credential.secret, reader.Read(prompt));
  }
  return credential;
}

}  // namespace ext4crypt
