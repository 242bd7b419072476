// SPDX-License-Identifier: Apache-2.0
// ext4crypt protectors: the ways to unwrap the user's key.
#include <pwd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/commands/command.h"
#include "client/commands/credential.h"
#include "client/commands/render.h"
#include "client/commands/volume_export.h"
#include "client/rpc/keyd_client.h"
#include "common/error.h"
#include "common/hex.h"
#include "common/printable.h"
#include "common/status_macros.h"
#include "fido2/security_key.h"
#include "fido2/terminal_prompt.h"
#include "keys/key_file.h"

namespace ext4crypt {
namespace {

struct ProtectorsOptions {
  CredentialOptions credential;
  std::string path;
  std::string id;
  std::string name;
  std::string token;
  bool by_fido2 = false;
};

std::string LoginName() {
  const struct passwd* entry = getpwuid(getuid());
  return entry != nullptr ? entry->pw_name : absl::StrCat("uid ", getuid());
}

// kNoSuchProtector, with what was typed as subject.
absl::StatusOr<std::string> ParseProtectorId(const std::string& hex) {
  const auto id = FromHex(hex);
  if (!id.has_value()) return Error(ErrorReason::kNoSuchProtector, "no protector id", hex);
  return std::string(id->begin(), id->end());
}

CommandResult List(const GlobalOptions& globals) {
  ASSIGN_OR_FAIL(KeydClient client, KeydClient::Connect(globals.socket));
  ASSIGN_OR_FAIL(const keyd::v1::GetStatusResponse response, client.GetStatus(std::nullopt));
  if (!response.enrolled()) return Failure(Error(ErrorReason::kNotEnrolled, "no key"));
  CommandResult result;
  for (const keyd::v1::ProtectorInfo& protector : response.keys(0).protectors()) {
    absl::StrAppend(&result.text, IdentifierHex(protector.id()), "  ", protector.kind(),
                    protector.name().empty() ? "" : " ", Printable(protector.name()), ", made ",
                    absl::FormatTime("%Y-%m-%d", absl::FromUnixSeconds(protector.created_unix_s()),
                                     absl::LocalTimeZone()),
                    "\n");
  }
  result.json.Set("protectors", ProtectorsJson(response.keys(0)));
  return result;
}

CommandResult AddKeyFile(const GlobalOptions& globals, const ProtectorsOptions& options) {
  FAIL_IF_ERROR(KeydClient::Probe(globals.socket));
  ASSIGN_OR_FAIL(const TypedCredential credential,
                 ReadCredential(globals, options.credential, "Passphrase"));
  ASSIGN_OR_FAIL(KeydClient client, KeydClient::Connect(globals.socket));
  // The file first: a protector whose file could not be written would be of no use.
  ASSIGN_OR_FAIL(const SecretBuffer contents, CreateKeyFile(options.path));
  auto added = client.AddKeyFile(credential, contents);
  if (!added.ok()) {
    ::unlink(options.path.c_str());
    return Failure(added.status());
  }
  const std::string id = IdentifierHex(added->protector_id());
  CommandResult result;
  result.text = absl::StrCat(options.path, ": a new key file, protector ", id,
                             "\nWho has this file has your key. Use it with: ext4crypt unlock "
                             "--key-file PATH\n");
  result.json.Set("path", options.path);
  result.json.Set("protector_id", id);
  UpdateVolumeExports(client, result);
  return result;
}

// The token's own name unless the user has one: which of them it was is all that tells them apart.
std::string NameFor(const std::string& given, const std::string& token) {
  if (!given.empty()) return given;
  const std::string name = Printable(token);
  return IsProtectorName(name) ? name : "";
}

CommandResult AddFido2(const GlobalOptions& globals, const ProtectorsOptions& options) {
  FAIL_IF_ERROR(KeydClient::Probe(globals.socket));
  const SecretReader reader(options.credential.passphrase_fd);
  ASSIGN_OR_FAIL(const TypedCredential credential,
                 ReadCredential(globals, options.credential, "Passphrase"));
  TerminalTokenPrompt prompt(reader);
  ASSIGN_OR_FAIL(const NewFido2Protector made,
                 MakeFido2Protector(LoginName(), options.token, prompt));
  ASSIGN_OR_FAIL(KeydClient client, KeydClient::Connect(globals.socket));
  const std::string name = NameFor(options.name, made.token);
  ASSIGN_OR_FAIL(const keyd::v1::AddFido2ProtectorResponse added,
                 client.AddFido2Protector(credential, made.secret, made.parameters, name));
  const std::string id = IdentifierHex(added.protector_id());
  CommandResult result;
  result.text = absl::StrCat(
      Printable(made.token), " now unlocks your key: protector ", id,
      "\nWho has it, and its PIN if it has one, has your key. Use it with: ext4crypt unlock "
      "--fido2\nKeep another way: a security key can be lost.\n");
  result.json.Set("protector_id", id);
  result.json.Set("name", name);
  UpdateVolumeExports(client, result);
  return result;
}

CommandResult Remove(const GlobalOptions& globals, const ProtectorsOptions& options) {
  ASSIGN_OR_FAIL(const std::string id, ParseProtectorId(options.id));
  FAIL_IF_ERROR(KeydClient::Probe(globals.socket));
  ASSIGN_OR_FAIL(const TypedCredential credential,
                 ReadCredential(globals, options.credential, "Passphrase"));
  ASSIGN_OR_FAIL(KeydClient client, KeydClient::Connect(globals.socket));
  FAIL_IF_ERROR(client.RemoveProtector(credential, id));
  CommandResult result;
  result.text = absl::StrCat("Protector ", options.id, " is removed; it opens nothing any more.\n");
  result.json.Set("protector_id", options.id);
  result.json.SetBool("removed", true);
  UpdateVolumeExports(client, result);
  return result;
}

CommandResult Rename(const GlobalOptions& globals, const ProtectorsOptions& options) {
  ASSIGN_OR_FAIL(const std::string id, ParseProtectorId(options.id));
  ASSIGN_OR_FAIL(KeydClient client, KeydClient::Connect(globals.socket));
  FAIL_IF_ERROR(client.RenameProtector(id, options.name));
  CommandResult result;
  result.text =
      absl::StrCat("Protector ", options.id, " is now called ", Printable(options.name), ".\n");
  result.json.Set("protector_id", options.id);
  result.json.Set("name", options.name);
  return result;
}

}  // namespace

void AddProtectors(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected) {
  CLI::App* group = app.add_subcommand("protectors", "List, add, name and remove ways to unlock");
  group->require_subcommand(1);
  const auto options = std::make_shared<ProtectorsOptions>();

  group->add_subcommand("list", "List them")->callback([&globals, &selected] {
    selected = {.verb = "protectors list", .run = [&globals] { return List(globals); }};
  });

  CLI::App* add = group->add_subcommand("add-key-file", "Make a key file that unlocks your key");
  add->add_option("PATH", options->path, "The file to make, on a medium you keep")->required();
  AddCredentialOptions(*add, options->credential);
  add->callback([&globals, &selected, options] {
    selected = {.verb = "protectors add-key-file",
                .run = [&globals, options] { return AddKeyFile(globals, *options); }};
  });

  CLI::App* more = group->add_subcommand("add", "Let a security key unlock your key");
  more->add_flag("--fido2", options->by_fido2,
                 "A security key (FIDO2) that is plugged in: touch it twice")
      ->required();
  more->add_option("--token", options->token, "Which, when several are plugged in")
      ->type_name("PATH");
  more->add_option("--name", options->name, "What to call it; else what its maker does")
      ->type_name("NAME");
  AddTypedCredentialOptions(*more, options->credential);
  more->callback([&globals, &selected, options] {
    selected = {.verb = "protectors add",
                .run = [&globals, options] { return AddFido2(globals, *options); }};
  });

  CLI::App* remove = group->add_subcommand("remove", "Remove one; never the last");
  remove->add_option("ID", options->id, "Its id, as `protectors list` shows it")->required();
  AddCredentialOptions(*remove, options->credential);
  remove->callback([&globals, &selected, options] {
    selected = {.verb = "protectors remove",
                .run = [&globals, options] { return Remove(globals, *options); }};
  });

  CLI::App* rename = group->add_subcommand("rename", "Give one a name, for you to tell it by");
  rename->add_option("ID", options->id, "Its id, as `protectors list` shows it")->required();
  rename->add_option("NAME", options->name, "Any text on one line")->required();
  rename->callback([&globals, &selected, options] {
    selected = {.verb = "protectors rename",
                .run = [&globals, options] { return Rename(globals, *options); }};
  });
}

}  // namespace ext4crypt
