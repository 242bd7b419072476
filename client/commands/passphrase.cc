// SPDX-License-Identifier: Apache-2.0
// ext4crypt passphrase change: rewraps the key; nothing is re-encrypted.
#include <CLI/CLI.hpp>
#include <memory>

#include "client/commands/command.h"
#include "client/commands/credential.h"
#include "client/rpc/keyd_client.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

struct PassphraseOptions {
  CredentialOptions credential;
};

CommandResult ChangePassphrase(const GlobalOptions& globals, const PassphraseOptions& options) {
  FAIL_IF_ERROR(KeydClient::Probe(globals.socket));
  ASSIGN_OR_FAIL(const TypedCredential credential,
                 ReadCredential(globals, options.credential, "Present passphrase"));
  const SecretReader reader(options.credential.passphrase_fd);
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
  const auto options = std::make_shared<PassphraseOptions>();
  AddCredentialOptions(*verb, options->credential);
  verb->callback([&globals, &selected, options] {
    selected = {.verb = "passphrase change",
                .run = [&globals, options] { return ChangePassphrase(globals, *options); }};
  });
}

}  // namespace ext4crypt
