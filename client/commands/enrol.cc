// SPDX-License-Identifier: Apache-2.0
// ext4crypt enrol: the first key of a user.
#include <CLI/CLI.hpp>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/commands/command.h"
#include "client/commands/confirm.h"
#include "client/commands/render.h"
#include "client/rpc/keyd_client.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

struct EnrolOptions {
  std::optional<int> passphrase_fd;
  ConfirmOptions confirm;
};

CommandResult Enrol(const GlobalOptions& globals, const EnrolOptions& options) {
  FAIL_IF_ERROR(KeydClient::Probe(globals.socket));
  const SecretReader reader(options.passphrase_fd);
  ASSIGN_OR_FAIL(const SecretBuffer passphrase, reader.ReadNew("New passphrase"));
  ASSIGN_OR_FAIL(KeydClient client, KeydClient::Connect(globals.socket));
  ASSIGN_OR_FAIL(const keyd::v1::EnrolResponse response, client.Enrol(passphrase));
  const std::string identifier = IdentifierHex(response.key_identifier());
  CommandResult result;
  result.json.Set("key_identifier", identifier);
  result.text = absl::StrCat("Enrolled. Key identifier: ", identifier, "\n");
  ReportRecoveryCode(globals, options.confirm, reader, response.recovery_code(), result);
  result.text += "Next: ext4crypt unlock\n";
  return result;
}

}  // namespace

void AddEnrol(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected) {
  CLI::App* verb = app.add_subcommand("enrol", "Create your key, with a passphrase");
  const auto options = std::make_shared<EnrolOptions>();
  AddPassphraseFd(*verb, options->passphrase_fd);
  AddConfirmOption(*verb, options->confirm);
  verb->callback([&globals, &selected, options] {
    selected = {.verb = "enrol", .run = [&globals, options] { return Enrol(globals, *options); }};
  });
}

}  // namespace ext4crypt
