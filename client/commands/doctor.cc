// SPDX-License-Identifier: Apache-2.0
// ext4crypt doctor: looks whether everything that ext4crypt needs is there and well.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <ctime>
#include <memory>

#include "client/commands/command.h"
#include "client/commands/key_name.h"
#include "client/commands/render.h"
#include "client/doctor/checks.h"
#include "client/doctor/report.h"
#include "client/fs/policy.h"
#include "client/rpc/keyd_client.h"
#include "client/ui/errors.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

struct DoctorOptions {
  bool all = false;
};

absl::StatusOr<keyd::v1::GetStatusResponse> AskService(const std::string& socket) {
  ASSIGN_OR_RETURN(KeydClient client, KeydClient::Connect(socket));
  return client.GetStatus(std::nullopt);
}

doctor::ServiceFacts FactsOf(const absl::StatusOr<keyd::v1::GetStatusResponse>& response) {
  doctor::ServiceFacts facts;
  if (!response.ok()) {
    facts.failure = std::string(response.status().message());
    if (facts.failure.empty()) facts.failure = "no cause was given";
    return facts;
  }
  facts.enrolled = response->enrolled();
  for (const keyd::v1::KeyStatus& key : response->keys()) {
    if (FromServiceName(key.name()) != "default") continue;
    facts.unlocked = key.state() == keyd::v1::UNLOCKED;
    facts.held = key.held_by_service();
    facts.identifier_hex = IdentifierHex(key.identifier());
    for (const auto& protector : key.protectors()) {
      facts.protector_kinds.push_back(protector.kind());
    }
    for (const keyd::v1::VolumeState& volume : key.volumes()) {
      if (volume.error() == keyd::v1::ERROR_REASON_UNSPECIFIED) continue;
      facts.volume_errors.push_back(
          {.mount_point = volume.mount_point(),
           .cause = volume.error_cause().empty() ? "no cause was given" : volume.error_cause()});
    }
  }
  return facts;
}

bool IsPerUserDirectory(const std::string& path) {
  const auto dir = PolicyDir::Open(path);
  return dir.ok() && dir->authenticated() && dir->IsPerUser().value_or(false);
}

CommandResult Doctor(const GlobalOptions& globals, const DoctorOptions& options) {
  doctor::Machine machine("/", ::geteuid(), static_cast<int64_t>(std::time(nullptr)));
  machine.socket = globals.socket;
  machine.service = FactsOf(AskService(globals.socket));
  machine.is_per_user = IsPerUserDirectory;
  const doctor::Findings findings = doctor::RunChecks(machine);
  CommandResult result;
  result.text = doctor::FindingsText(findings, options.all);
  result.json = doctor::FindingsJson(findings);
  result.exit_code = doctor::ExitCodeFor(findings.worst());
  return result;
}

}  // namespace

void AddDoctor(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected) {
  CLI::App* verb =
      app.add_subcommand("doctor", "Look whether everything is there and well, and say what to do");
  const auto options = std::make_shared<DoctorOptions>();
  verb->add_flag("--all", options->all, "List also what is as it should be");
  verb->callback([&globals, &selected, options] {
    selected = {.verb = "doctor", .run = [&globals, options] { return Doctor(globals, *options); }};
  });
}

}  // namespace ext4crypt
