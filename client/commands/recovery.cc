// SPDX-License-Identifier: Apache-2.0
// ext4crypt recovery renew: a new recovery code in place of a lost or exposed one.
#include <CLI/CLI.hpp>
#include <memory>
#include <utility>

#include "client/commands/command.h"
#include "client/commands/confirm.h"
#include "client/commands/credential.h"
#include "client/commands/volume_export.h"
#include "client/rpc/keyd_client.h"
#include "common/error.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

struct RecoveryOptions {
  CredentialOptions credential;
  ConfirmOptions confirm;
};

// The new code beside the old one. Opens with itself: that the old one is ended with it proves that
// it works, and asks for no second derivation.
class Renewal {
 public:
  Renewal(KeydClient client, const keyd::v1::RenewRecoveryResponse& response)
      : client_(std::move(client)), id_(response.protector_id()) {
    code_.kind = CredentialKind::kRecoveryCode;
    std::string text = response.recovery_code();
    code_.secret = SecretBuffer::TakeFrom(text);
  }

  [[nodiscard]] KeydClient& client() { return client_; }

  // All but the new one, those of renewals that were given up included.
  [[nodiscard]] absl::Status EndOld() {
    ASSIGN_OR_RETURN(const keyd::v1::GetStatusResponse status, client_.GetStatus(std::nullopt));
    if (!status.enrolled()) return Error(ErrorReason::kNotEnrolled, "no key");
    for (const keyd::v1::ProtectorInfo& protector : status.keys(0).protectors()) {
      if (protector.kind() != kRecoveryKind || protector.id() == id_) continue;
      RETURN_IF_ERROR(client_.RemoveProtector(code_, protector.id()));
    }
    return absl::OkStatus();
  }

  [[nodiscard]] absl::Status GiveUp() { return client_.RemoveProtector(code_, id_); }

 private:
  static constexpr char kRecoveryKind[] = "recovery";
  KeydClient client_;
  TypedCredential code_;
  std::string id_;
};

// With OK the new code has been read; else the old one is the one that counts.
absl::Status Conclude(Renewal& renewal, absl::Status read) {
  if (read.ok()) return renewal.EndOld();
  // Two that work would do no harm; but nobody may have written this one down.
  (void)renewal.GiveUp();
  return read;
}

CommandResult RenewRecovery(const GlobalOptions& globals, const RecoveryOptions& options) {
  FAIL_IF_ERROR(KeydClient::Probe(globals.socket));
  ASSIGN_OR_FAIL(const TypedCredential credential,
                 ReadCredential(globals, options.credential, "Passphrase"));
  ASSIGN_OR_FAIL(KeydClient client, KeydClient::Connect(globals.socket));
  ASSIGN_OR_FAIL(keyd::v1::RenewRecoveryResponse response, client.AddRecovery(credential));
  const auto renewal = std::make_shared<Renewal>(std::move(client), response);
  const SecretReader reader(options.credential.passphrase_fd);
  CommandResult result;
  if (IsTypedBack(globals, options.confirm, reader)) {
    result.status = Conclude(*renewal, AskBack(reader, response.recovery_code()));
    if (ReasonOf(result.status) == ErrorReason::kRecoveryCodeUnconfirmed) {
      result.status =
          Error(ErrorReason::kRecoveryCodeUnconfirmed, "the old one is valid, the new one is not");
    }
    if (!result.status.ok()) return result;
    result.text = "The recovery code is renewed; the old one opens nothing any more.\n";
    UpdateVolumeExports(renewal->client(), result);
    return result;
  }
  result.text = "The recovery code is renewed; the old one opens nothing once this is written.\n";
  ReportRecoveryCode(globals, options.confirm, reader, response.recovery_code(), result);
  UpdateVolumeExports(renewal->client(), result);
  result.after = [renewal](bool written) {
    absl::Status concluded = Conclude(
        *renewal, written
                      ? absl::OkStatus()
                      : Error(ErrorReason::kRecoveryCodeUnconfirmed,
                              "it could not be written; the old one is valid, the new one is not"));
    CommandResult exports;
    UpdateVolumeExports(renewal->client(), exports);
    return concluded;
  };
  return result;
}

}  // namespace

void AddRecovery(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected) {
  CLI::App* group = app.add_subcommand("recovery", "Renew your recovery code");
  group->require_subcommand(1);
  CLI::App* verb =
      group->add_subcommand("renew", "Make a new code; the old one stops working once you have it");
  const auto options = std::make_shared<RecoveryOptions>();
  AddCredentialOptions(*verb, options->credential);
  AddConfirmOption(*verb, options->confirm);
  verb->callback([&globals, &selected, options] {
    selected = {.verb = "recovery renew",
                .run = [&globals, options] { return RenewRecovery(globals, *options); }};
  });
}

}  // namespace ext4crypt
