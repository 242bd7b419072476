// SPDX-License-Identifier: Apache-2.0
// A person at a terminal, or a script that hands PINs over, asked for a touch and a PIN.
#pragma once

#include <string>

#include "fido2/security_key.h"
#include "terminal/prompt.h"

namespace ext4crypt {

class TerminalTokenPrompt final : public TokenPrompt {
 public:
  explicit TerminalTokenPrompt(const SecretReader& reader) : reader_(reader) {}
  // On standard error: standard output is for what a program reads.
  void AskForTouch(const std::string& token) override;
  [[nodiscard]] absl::StatusOr<SecretBuffer> AskForPin(const std::string& token,
                                                       int tries_left) override;

 private:
  const SecretReader& reader_;
};

}  // namespace ext4crypt
