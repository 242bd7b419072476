// SPDX-License-Identifier: Apache-2.0
// ext4crypt key: keys beside the default one, and sharing them.
#include <CLI/CLI.hpp>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands/command.h"
#include "client/commands/key_name.h"
#include "client/commands/render.h"
#include "client/commands/volume_export.h"
#include "client/rpc/keyd_client.h"
#include "common/error.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

struct KeyVerbOptions {
  std::string name;
  std::string user;
  bool lose_data = false;
};

CommandResult CreateKey(const GlobalOptions& globals, const KeyVerbOptions& options) {
  ASSIGN_OR_FAIL(KeydClient client, KeydClient::Connect(globals.socket));
  ASSIGN_OR_FAIL(const keyd::v1::CreateKeyResponse response, client.CreateKey(options.name));
  const std::string identifier = IdentifierHex(response.key_identifier());
  CommandResult result;
  result.text = absl::StrCat("Key ", options.name, " ", identifier,
                             " is there and unlocked. It opens with your default key.\n"
                             "Use it with: ext4crypt setpolicy DIR --key ",
                             options.name, "\n");
  result.json.Set("name", options.name);
  result.json.Set("key_identifier", identifier);
  UpdateVolumeExports(client, result);
  return result;
}

CommandResult ListKey(const GlobalOptions& globals) {
  ASSIGN_OR_FAIL(KeydClient client, KeydClient::Connect(globals.socket));
  ASSIGN_OR_FAIL(const keyd::v1::GetStatusResponse response, client.GetStatus(std::nullopt));
  if (!response.enrolled()) return Failure(Error(ErrorReason::kNotEnrolled, "no key"));
  CommandResult result;
  Json keys = Json::Array();
  for (const keyd::v1::KeyStatus& key : response.keys()) {
    const std::string name = FromServiceName(key.name());
    Json with = Json::Array();
    std::vector<std::string> names;
    for (const unsigned uid : key.shared_with()) {
      names.push_back(UserName(uid));
      with.Append(Json::Int(uid));
    }
    absl::StrAppend(
        &result.text, name, "  ", IdentifierHex(key.identifier()), "  ", StateWord(key.state()),
        names.empty() ? "" : absl::StrCat(", shared with ", absl::StrJoin(names, ", ")),
        key.has_owner() ? absl::StrCat(", shared by ", UserName(key.owner())) : "", "\n");
    Json item = Json::Object();
    item.Set("name", name);
    item.Set("identifier", IdentifierHex(key.identifier()));
    item.Set("state", StateWord(key.state()));
    if (key.has_owner()) item.SetInt("owner", key.owner());
    item.Set("shared_with", std::move(with));
    keys.Append(std::move(item));
  }
  result.json.Set("keys", std::move(keys));
  return result;
}

CommandResult RemoveKey(const GlobalOptions& globals, const KeyVerbOptions& options) {
  ASSIGN_OR_FAIL(const std::string name, ToServiceName(options.name));
  ASSIGN_OR_FAIL(KeydClient client, KeydClient::Connect(globals.socket));
  FAIL_IF_ERROR(client.RemoveKey(name, options.lose_data));
  CommandResult result;
  result.text = absl::StrCat("Key ", options.name, " is removed.\n");
  result.json.Set("name", options.name);
  result.json.SetBool("removed", true);
  UpdateVolumeExports(client, result);
  return result;
}

CommandResult ShareKey(const GlobalOptions& globals, const KeyVerbOptions& options, bool share) {
  ASSIGN_OR_FAIL(const std::optional<unsigned> user, ResolveUser(options.user));
  ASSIGN_OR_FAIL(KeydClient client, KeydClient::Connect(globals.socket));
  if (!user.has_value()) return Failure(Error(ErrorReason::kNoSuchUser, "no user is named"));
  const unsigned with = *user;
  const absl::Status status =
      share ? client.ShareKey(options.name, with) : client.UnshareKey(options.name, with);
  if (ReasonOf(status) == ErrorReason::kNotEnrolled) {
    return Failure(Error(ErrorReason::kNoSuchUser, "the user has no public key", options.user));
  }
  FAIL_IF_ERROR(status);
  CommandResult result;
  result.text =
      share ? absl::StrCat("Key ", options.name, " is shared with ", options.user,
                           ", who has it from the next unlock on.\nDirectories must let ",
                           options.user, " in as well: see chmod, chgrp or setfacl.\n")
            : absl::StrCat("Key ", options.name, " is no longer shared with ", options.user, ".\n");
  result.json.Set("name", options.name);
  result.json.SetInt("user", with);
  result.json.SetBool("shared", share);
  return result;
}

}  // namespace

void AddKey(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected) {
  CLI::App* group = app.add_subcommand("key", "Keys beside your default one; sharing them");
  group->require_subcommand(1);
  const auto options = std::make_shared<KeyVerbOptions>();
  const auto add = [&](const char* verb, const char* help, auto run) {
    CLI::App* sub = group->add_subcommand(verb, help);
    sub->callback([&globals, &selected, options, run, name = absl::StrCat("key ", verb)] {
      selected = {.verb = name, .run = [&globals, options, run] { return run(globals, *options); }};
    });
    return sub;
  };
  const auto list = [](const GlobalOptions& g, const KeyVerbOptions& /*o*/) { return ListKey(g); };
  add("list", "List them", list);
  add("create", "Make one, which opens with your default key", CreateKey)
      ->add_option("NAME", options->name, "Letters, digits, dots, hyphens, underscores")
      ->required();
  CLI::App* remove =
      add("remove", "Remove one of yours, or give back one that is shared", RemoveKey);
  remove->add_option("NAME", options->name, "Of yours, or OWNER/NAME")->required();
  remove->add_flag("--lose-data", options->lose_data,
                   "Although everything encrypted with it can never be read again");
  const auto share = [](const GlobalOptions& g, const KeyVerbOptions& o) {
    return ShareKey(g, o, true);
  };
  const auto unshare = [](const GlobalOptions& g, const KeyVerbOptions& o) {
    return ShareKey(g, o, false);
  };
  for (CLI::App* sub : {add("share", "Give one to another user of this machine", share),
                        add("unshare", "Take it away again", unshare)}) {
    sub->add_option("NAME", options->name, "Of yours")->required();
    sub->add_option("USER", options->user, "A name or uid")->required();
  }
}

}  // namespace ext4crypt
