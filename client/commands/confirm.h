// SPDX-License-Identifier: Apache-2.0
// Shows a new recovery code and has it typed back: a code that was never written down is none.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "client/commands/command.h"

namespace CLI {
class App;
}

namespace ext4crypt {

struct ConfirmOptions {
  bool no_confirm = false;
};

void AddConfirmOption(CLI::App& verb, ConfirmOptions& options);

// Shows the code on the terminal and asks for it. kRecoveryCodeUnconfirmed after three wrong
// answers.
[[nodiscard]] absl::Status AskBack(const SecretReader& reader, const std::string& code);
// Whether somebody is there to type it.
[[nodiscard]] bool IsTypedBack(const GlobalOptions& globals, const ConfirmOptions& options,
                               const SecretReader& reader);

// Puts the code into the report, or, when somebody is there to type it, onto the terminal only and
// asks for it. kRecoveryCodeUnconfirmed after three wrong answers: what was made is made.
void ReportRecoveryCode(const GlobalOptions& globals, const ConfirmOptions& options,
                        const SecretReader& reader, const std::string& code, CommandResult& result);

}  // namespace ext4crypt
