// SPDX-License-Identifier: Apache-2.0
// ext4crypt status: keys, protectors, volumes.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands/command.h"
#include "client/commands/key_name.h"
#include "client/commands/render.h"
#include "client/rpc/keyd_client.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

struct StatusOptions {
  std::string user;
};

std::string KeyText(const keyd::v1::KeyStatus& key) {
  const std::string protectors = absl::StrJoin(
      key.protectors(), ", ",
      [](std::string* out, const keyd::v1::ProtectorInfo& protector) { *out += protector.kind(); });
  std::string text = absl::StrCat("Key ", FromServiceName(key.name()), " ",
                                  IdentifierHex(key.identifier()), ": ", StateWord(key.state()),
                                  "\n  protectors: ", protectors, "\n", VolumesText(key.volumes()));
  if (key.state() == keyd::v1::UNLOCKED && !key.held_by_service()) {
    // After a restart, or when something else gave the kernel the key: which it was is not known.
    text +=
        "  The key service itself does not hold it: unlock again before mounting further "
        "volumes.\n";
  }
  return text;
}

Json KeyJson(const keyd::v1::KeyStatus& key) {
  Json json = Json::Object();
  json.Set("name", FromServiceName(key.name()));
  json.Set("identifier", IdentifierHex(key.identifier()));
  json.Set("state", StateWord(key.state()));
  json.SetBool("held_by_service", key.held_by_service());
  json.Set("protectors", ProtectorsJson(key));
  json.Set("volumes", VolumesJson(key.volumes()));
  return json;
}

CommandResult Status(const GlobalOptions& globals, const StatusOptions& options,
                     keyd::v1::GetStatusResponse* answer = nullptr) {
  ASSIGN_OR_FAIL(const std::optional<unsigned> user, ResolveUser(options.user));
  ASSIGN_OR_FAIL(KeydClient client, KeydClient::Connect(globals.socket));
  ASSIGN_OR_FAIL(const keyd::v1::GetStatusResponse response, client.GetStatus(user));
  if (answer != nullptr) *answer = response;
  CommandResult result;
  Json keys = Json::Array();
  for (const keyd::v1::KeyStatus& key : response.keys()) {
    result.text += KeyText(key);
    keys.Append(KeyJson(key));
  }
  if (response.sessions() > 0) {
    absl::StrAppend(&result.text, "Sessions: ", response.sessions(), "\n");
  }
  if (!response.enrolled()) result.text = "Not enrolled. Create a key with: ext4crypt enrol\n";
  result.json.SetInt("uid", response.user());
  result.json.SetBool("enrolled", response.enrolled());
  result.json.SetBool("allow_unauthenticated", response.allow_unauthenticated());
  result.json.SetInt("sessions", response.sessions());
  result.json.Set("keys", std::move(keys));
  return result;
}

const char* NextStep(const keyd::v1::GetStatusResponse& response) {
  if (!response.enrolled()) return "ext4crypt enrol";
  const auto& keys = response.keys();
  const bool unlocked = std::any_of(keys.begin(), keys.end(), [](const auto& key) {
    return key.name() == "default" && key.state() == keyd::v1::UNLOCKED;
  });
  return unlocked ? "ext4crypt encrypt DIR" : "ext4crypt unlock";
}

}  // namespace

SelectedCommand StatusAndNextStep(const GlobalOptions& globals) {
  return {.verb = "status", .run = [&globals] {
            keyd::v1::GetStatusResponse response;
            CommandResult result = Status(globals, {}, &response);
            if (!result.status.ok()) return result;
            const char* next = NextStep(response);
            // Without a key the status says it.
            if (response.enrolled()) absl::StrAppend(&result.text, "Next: ", next, "\n");
            result.text += "All verbs: ext4crypt --help\n";
            result.json.Set("next", next);
            return result;
          }};
}

void AddStatus(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected) {
  CLI::App* verb = app.add_subcommand("status", "Show your keys and where they are unlocked");
  const auto options = std::make_shared<StatusOptions>();
  AddUser(*verb, options->user);
  verb->callback([&globals, &selected, options] {
    selected = {.verb = "status", .run = [&globals, options] { return Status(globals, *options); }};
  });
}

}  // namespace ext4crypt
