// SPDX-License-Identifier: Apache-2.0
// ext4crypt unlock: gives the user's key to the kernel.
#include <CLI/CLI.hpp>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/commands/command.h"
#include "client/commands/credential.h"
#include "client/commands/key_name.h"
#include "client/commands/render.h"
#include "client/commands/volume_export.h"
#include "client/rpc/keyd_client.h"
#include "common/error.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

struct UnlockOptions {
  CredentialOptions credential;
  std::string key;
};

// Needs no passphrase: the default key, once unlocked, opens the others.
CommandResult UnlockNamed(const GlobalOptions& globals, const std::string& key) {
  ASSIGN_OR_FAIL(const std::string name, ToServiceName(key));
  ASSIGN_OR_FAIL(KeydClient client, KeydClient::Connect(globals.socket));
  ASSIGN_OR_FAIL(const keyd::v1::UnlockResponse response, client.UnlockNamed(name));
  const std::string identifier = IdentifierHex(response.key_identifier());
  CommandResult result;
  result.text = absl::StrCat("Unlocked ", key, ". Key identifier: ", identifier, "\n",
                             VolumesText(response.volumes()));
  result.json.Set("key_identifier", identifier);
  result.json.Set("state", "unlocked");
  result.json.Set("volumes", VolumesJson(response.volumes()));
  result.status = FirstVolumeError(response.volumes());
  return result;
}

CommandResult Unlock(const GlobalOptions& globals, const UnlockOptions& options) {
  if (!options.key.empty()) return UnlockNamed(globals, options.key);
  FAIL_IF_ERROR(KeydClient::Probe(globals.socket));
  ASSIGN_OR_FAIL(const TypedCredential credential,
                 ReadCredential(globals, options.credential, "Passphrase"));
  ASSIGN_OR_FAIL(KeydClient client, KeydClient::Connect(globals.socket));
  ASSIGN_OR_FAIL(const keyd::v1::UnlockResponse response, client.Unlock(credential));
  const std::string identifier = IdentifierHex(response.key_identifier());
  CommandResult result;
  result.text =
      absl::StrCat("Unlocked. Key identifier: ", identifier, "\n", VolumesText(response.volumes()));
  Json others = Json::Array();
  for (const std::string& name : response.others()) {
    absl::StrAppend(&result.text, "Also unlocked: ", FromServiceName(name), "\n");
    others.Append(Json::String(FromServiceName(name)));
  }
  if (response.volumes().empty()) {
    result.text += "No volume is mounted yet; the key is added to each as it is mounted.\n";
  }
  if (options.credential.recovery) {
    result.text += "If the passphrase is forgotten: ext4crypt passphrase change --recovery\n";
  }
  result.json.Set("key_identifier", identifier);
  result.json.Set("state", "unlocked");
  result.json.SetBool("keyring_installed", response.keyring_installed());
  result.json.Set("others", std::move(others));
  result.json.Set("volumes", VolumesJson(response.volumes()));
  result.status = FirstVolumeError(response.volumes());
  if (result.status.ok() && !response.keyring_installed()) {
    result.status = Error(ErrorReason::kKeyringFailed, "no default key in the keyring");
  }
  UpdateVolumeExports(client, result);
  return result;
}

}  // namespace

void AddUnlock(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected) {
  CLI::App* verb = app.add_subcommand("unlock", "Unlock your keys on every volume");
  const auto options = std::make_shared<UnlockOptions>();
  AddCredentialOptions(*verb, options->credential);
  AddKeyOption(*verb, options->key,
               "Only this one; needs no passphrase when your default key is "
               "unlocked");
  verb->callback([&globals, &selected, options] {
    selected = {.verb = "unlock", .run = [&globals, options] { return Unlock(globals, *options); }};
  });
}

}  // namespace ext4crypt
