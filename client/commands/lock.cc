// SPDX-License-Identifier: Apache-2.0
// ext4crypt lock: takes the user's key away from the kernel and the service.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands/command.h"
#include "client/commands/key_name.h"
#include "client/commands/render.h"
#include "client/rpc/keyd_client.h"
#include "common/error.h"
#include "common/printable.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

struct LockOptions {
  std::string user;
  std::string key;
  unsigned wait_s = 0;
};

// Locks, and while files are busy, locks again until they are closed or the time is up.
absl::StatusOr<keyd::v1::LockResponse> LockAndWait(KeydClient& client, std::optional<unsigned> user,
                                                   const std::string& key, unsigned wait_s) {
  using Clock = std::chrono::steady_clock;
  const auto give_up = Clock::now() + std::chrono::seconds(wait_s);
  // Each attempt makes the kernel write the volume back: seldom, then more seldom.
  auto pause = std::chrono::milliseconds(250);
  for (;;) {
    auto response = client.Lock(user, key);
    const auto now = Clock::now();
    if (!response.ok() || response->state() != keyd::v1::BUSY || now >= give_up) return response;
    std::this_thread::sleep_for(std::min<Clock::duration>(pause, give_up - now));
    pause = std::min(pause * 2, std::chrono::milliseconds(5000));
  }
}

Json BusyJson(const keyd::v1::LockResponse& response) {
  Json list = Json::Array();
  for (const keyd::v1::BusyProcess& busy : response.busy()) {
    Json paths = Json::Array();
    for (const std::string& path : busy.paths()) paths.Append(Json::String(path));
    Json item = Json::Object();
    item.SetInt("pid", busy.pid());
    item.SetInt("uid", busy.uid());
    item.Set("command", busy.command());
    item.Set("paths", std::move(paths));
    list.Append(std::move(item));
  }
  return list;
}

std::string BusyText(const keyd::v1::LockResponse& response) {
  std::string text;
  for (const keyd::v1::BusyProcess& busy : response.busy()) {
    const std::string paths =
        absl::StrJoin(busy.paths(), ", ",
                      [](std::string* out, const std::string& path) { *out += Printable(path); });
    absl::StrAppend(&text, "  held by ", Printable(busy.command()), " (pid ", busy.pid(), ", uid ",
                    busy.uid(), "): ", paths, "\n");
  }
  return text;
}

CommandResult Lock(const GlobalOptions& globals, const LockOptions& options) {
  ASSIGN_OR_FAIL(const std::optional<unsigned> user, ResolveUser(options.user));
  ASSIGN_OR_FAIL(const std::string key, ToServiceName(options.key));
  ASSIGN_OR_FAIL(KeydClient client, KeydClient::Connect(globals.socket));
  ASSIGN_OR_FAIL(const keyd::v1::LockResponse response,
                 LockAndWait(client, user, key, options.wait_s));
  CommandResult result;
  const bool busy = response.state() == keyd::v1::BUSY;
  result.text = absl::StrCat(response.state() == keyd::v1::LOCKED ? "Locked.\n"
                             : busy                               ? "Busy.\n"
                                                                  : "Not locked.\n",
                             VolumesText(response.volumes()), BusyText(response));
  result.json.Set("state", StateWord(response.state()));
  result.json.Set("volumes", VolumesJson(response.volumes()));
  result.json.Set("busy", BusyJson(response));
  result.status = FirstVolumeError(response.volumes());
  if (result.status.ok() && busy) {
    result.status = Error(ErrorReason::kFilesBusy, "files are open");
  }
  return result;
}

}  // namespace

void AddLock(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected) {
  CLI::App* verb =
      app.add_subcommand("lock", "Lock your keys; says which programs hold files open");
  const auto options = std::make_shared<LockOptions>();
  AddUser(*verb, options->user);
  AddKeyOption(*verb, options->key, "Only this one (the default key takes the others with it)");
  verb->add_option("--wait", options->wait_s, "Wait so long for files to be closed")
      ->type_name("SECONDS")
      ->check(CLI::Range(0U, 86400U));
  verb->callback([&globals, &selected, options] {
    selected = {.verb = "lock", .run = [&globals, options] { return Lock(globals, *options); }};
  });
}

}  // namespace ext4crypt
