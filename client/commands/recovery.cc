// SPDX-License-Identifier: Apache-2.0
// ext4crypt recovery renew: a new recovery code in place of a lost or exposed one.
#include <CLI/CLI.hpp>
#include <memory>

#include "client/commands/command.h"
#include "client/commands/confirm.h"
#include "client/commands/credential.h"
#include "client/commands/volume_export.h"
#include "client/rpc/keyd_client.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

struct RecoveryOptions {
  CredentialOptions credential;
  ConfirmOptions confirm;
};

CommandResult RenewRecovery(const GlobalOptions& globals, const RecoveryOptions& options) {
  FAIL_IF_ERROR(KeydClient::Probe(globals.socket));
  ASSIGN_OR_FAIL(const TypedCredential credential,
                 ReadCredential(options.credential, "Passphrase"));
  ASSIGN_OR_FAIL(KeydClient client, KeydClient::Connect(globals.socket));
  ASSIGN_OR_FAIL(const keyd::v1::RenewRecoveryResponse response, client.RenewRecovery(credential));
  CommandResult result;
  result.text = "The recovery code is renewed; the old one opens nothing any more.\n";
  ReportRecoveryCode(globals, options.confirm, SecretReader(options.credential.passphrase_fd),
                     response.recovery_code(), result);
  UpdateVolumeExports(client, result);
  return result;
}

}  // namespace

void AddRecovery(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected) {
  CLI::App* group = app.add_subcommand("recovery", "Renew your recovery code");
  group->require_subcommand(1);
  CLI::App* verb = group->add_subcommand("renew", "Make a new code; the old one stops working");
  const auto options = std::make_shared<RecoveryOptions>();
  AddCredentialOptions(*verb, options->credential);
  AddConfirmOption(*verb, options->confirm);
  verb->callback([&globals, &selected, options] {
    selected = {.verb = "recovery renew",
                .run = [&globals, options] { return RenewRecovery(globals, *options); }};
  });
}

}  // namespace ext4crypt
