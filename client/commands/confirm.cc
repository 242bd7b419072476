// SPDX-License-Identifier: Apache-2.0
#include "client/commands/confirm.h"

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/recovery_code.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

constexpr int kTries = 3;

}  // namespace

absl::Status AskBack(const SecretReader& reader, const std::string& code) {
  ASSIGN_OR_RETURN(const SecretBuffer wanted, ParseRecoveryCode(code));
  std::string prompt = absl::StrCat(
      "\n  Recovery code: ", code,
      "\n\nWrite it down now; it is not shown again. It opens your files when the passphrase is\n"
      "forgotten. Type it back from what you wrote");
  for (int i = 0; i < kTries; ++i) {
    ASSIGN_OR_RETURN(const SecretBuffer typed, reader.Read(prompt));
    const auto parsed = ParseRecoveryCode(typed.text());
    if (parsed.ok() && SecretsEqual(*parsed, wanted)) return absl::OkStatus();
    prompt = parsed.ok()
                 ? "That is another code. Once more"
                 : absl::StrCat("Mistyped in ", InfoOf(parsed.status()).subject, ". Once more");
  }
  return Error(ErrorReason::kRecoveryCodeUnconfirmed, "three wrong answers");
}

bool IsTypedBack(const GlobalOptions& globals, const ConfirmOptions& options,
                 const SecretReader& reader) {
  return !globals.json && !options.no_confirm && reader.HasTerminal();
}

void AddConfirmOption(CLI::App& verb, ConfirmOptions& options) {
  verb.add_flag("--no-confirm", options.no_confirm,
                "Do not ask for the recovery code to be typed back");
}

void ReportRecoveryCode(const GlobalOptions& globals, const ConfirmOptions& options,
                        const SecretReader& reader, const std::string& code,
                        CommandResult& result) {
  result.json.Set("recovery_code", code);
  if (IsTypedBack(globals, options, reader)) {
    result.status = AskBack(reader, code);
    if (!result.status.ok()) {
      result.status = Error(ErrorReason::kRecoveryCodeUnconfirmed, "the key is there all the same");
    }
    return;
  }
  absl::StrAppend(
      &result.text, "\n  Recovery code: ", code,
      "\n\nWrite the recovery code down now; it is not shown again. It opens your files "
      "when the\npassphrase is forgotten.\n");
}

}  // namespace ext4crypt
