// SPDX-License-Identifier: Apache-2.0
// ext4crypt passphrase change: rewraps the key; nothing is re-encrypted.
#include <CLI/CLI.hpp>
#include <memory>

#include "client/commands/command.h"
#include "client/rpc/keyd_client.h"
#include "common/recovery_code.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

struct Options {
  std::optional<int> passphrase_fd;
  bool recovery = false;
};

CommandResult ChangePassphrase(const GlobalOptions& globals, const Options& options) {
  FAIL_IF_ERROR(KeydClient::Probe(globals.socket));
  const SecretReader reader(options.passphrase_fd);
  TypedCredential credential;
  if (options.recovery) {
    credential.kind = CredentialKind::kRecoveryCode;
    ASSIGN_OR_FAIL(credential.secret, reader.Read("Recovery code"));
    ASSIGN_OR_FAIL(const SecretBuffer parsed, ParseRecoveryCode(credential.secret.text()));
  } else {
    ASSIGN_OR_FAIL(credential.secret, reader.Read("Present passphrase"));
  }
  ASSIGN_OR_FAIL(const SecretBuffer new_passphrase, reader.ReadNew("New passphrase"));
  ASSIGN_OR_FAIL(KeydClient client, KeydClient::Connect(globals.socket));
  FAIL_IF_ERROR(client.ChangePassphrase(credential, new_passphrase));
  CommandResult result;
  result.text = "The passphrase is changed; the old one opens nothing any more.\n";
  result.json.SetBool("changed", true);
  return result;
}

}  // namespace

void AddPassphrase(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected) {
  CLI::App* group = app.add_subcommand("passphrase", "Change your passphrase");
  group->require_subcommand(1);
  CLI::App* verb = group->add_subcommand(
      "change", "Replace the passphrase (with --passphrase-fd: the old line, then the new one)");
  const auto options = std::make_shared<Options>();
  AddPassphraseFd(*verb, options->passphrase_fd);
  verb->add_flag("--recovery", options->recovery,
                 "With the recovery code, when the passphrase is forgotten");
  verb->callback([&globals, &selected, options] {
    selected = {.verb = "passphrase change",
                .run = [&globals, options] { return ChangePassphrase(globals, *options); }};
  });
}

}  // namespace ext4crypt
