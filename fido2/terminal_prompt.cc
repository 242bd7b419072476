// SPDX-License-Identifier: Apache-2.0
#include "fido2/terminal_prompt.h"

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "common/printable.h"

namespace ext4crypt {

void TerminalTokenPrompt::AskForTouch(const std::string& token) {
  std::fprintf(stderr, "Touch your security key now: %s\n", Printable(token).c_str());
}

absl::StatusOr<SecretBuffer> TerminalTokenPrompt::AskForPin(const std::string& token,
                                                            int tries_left) {
  const std::string left =
      tries_left < 0 ? ""
                     : absl::StrCat(", ", tries_left, tries_left == 1 ? " try" : " tries", " left");
  return reader_.Read(absl::StrCat("PIN of ", Printable(token), left));
}

}  // namespace ext4crypt
