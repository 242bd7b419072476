// SPDX-License-Identifier: Apache-2.0
#include "client/commands/credential.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "client/commands/command.h"
#include "common/recovery_code.h"
#include "common/status_macros.h"
#include "fido2/security_key.h"
#include "fido2/terminal_prompt.h"
#include "keys/key_file.h"
#include "terminal/prompt.h"

namespace ext4crypt {

void AddTypedCredentialOptions(CLI::App& verb, CredentialOptions& options) {
  AddPassphraseFd(verb, options.passphrase_fd);
  CLI::Option* recovery =
      verb.add_flag("--recovery", options.recovery, "With the recovery code, not the passphrase");
  verb.add_option("--key-file", options.key_file, "With a key file, not the passphrase")
      ->type_name("PATH")
      ->excludes(recovery);
}

void AddCredentialOptions(CLI::App& verb, CredentialOptions& options) {
  AddTypedCredentialOptions(verb, options);
  verb.add_flag("--fido2", options.fido2, "With a security key, not the passphrase")
      ->excludes("--recovery")
      ->excludes("--key-file");
}

namespace {

absl::StatusOr<std::vector<PublicParameters>> OwnFido2(const GlobalOptions& globals) {
  ASSIGN_OR_RETURN(KeydClient client, KeydClient::Connect(globals.socket));
  ASSIGN_OR_RETURN(const keyd::v1::GetProtectorsResponse response,
                   client.GetProtectors(std::nullopt));
  std::vector<PublicParameters> all;
  for (const keyd::v1::ProtectorParameters& protector : response.protectors()) {
    if (protector.info().kind() != KindName(ProtectorKind::kFido2)) continue;
    all.emplace_back(protector.parameters().begin(), protector.parameters().end());
  }
  return all;
}

}  // namespace

absl::StatusOr<TypedCredential> ReadCredential(const GlobalOptions& globals,
                                               const CredentialOptions& options,
                                               absl::string_view prompt) {
  return ReadCredential([&globals] { return OwnFido2(globals); }, options, prompt);
}

absl::StatusOr<TypedCredential> ReadCredential(const Fido2Source& fido2,
                                               const CredentialOptions& options,
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
  } else if (options.fido2) {
    credential.kind = CredentialKind::kFido2;
    TerminalTokenPrompt token_prompt(reader);
    ASSIGN_OR_RETURN(const std::vector<PublicParameters> protectors, fido2());
    ASSIGN_OR_RETURN(credential.secret, AskToken(protectors, token_prompt));
  } else {
    ASSIGN_OR_RETURN(credential.secret, reader.Read(prompt));
  }
  return credential;
}

}  // namespace ext4crypt
