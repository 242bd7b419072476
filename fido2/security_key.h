// SPDX-License-Identifier: Apache-2.0
// Security keys (FIDO2): a secret that only a token gives, and only to who touches it.
//
// The token must be plugged into this machine. Everything ends by itself: who does not touch it
// within the time it and we allow gets an error.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/secret_buffer.h"
#include "fido2/bus.h"
#include "keys/protector.h"

namespace ext4crypt {

// How its owner is spoken to while a token waits.
class TokenPrompt {
 public:
  virtual ~TokenPrompt() = default;
  // The token waits for a finger from now on.
  virtual void AskForTouch(const std::string& token) = 0;
  // `tries_left` before the token blocks itself; negative when it does not say.
  [[nodiscard]] virtual absl::StatusOr<SecretBuffer> AskForPin(const std::string& token,
                                                               int tries_left) = 0;
};

struct NewFido2Protector {
  PublicParameters parameters;
  SecretBuffer secret;
  std::string token;  // its name
};

// Makes a credential on a token, on the one at `path` when there are several, and asks it for the
// first secret: two touches. `user` is what the token's own list of credentials shows.
// kTokenRemote, kNoToken, kSeveralTokens, kTokenUnsuitable, kTokenPinWrong, kTokenUntouched,
// kTokenFailed, and what `prompt` says.
[[nodiscard]] absl::StatusOr<NewFido2Protector> MakeFido2Protector(const std::string& user,
                                                                   const std::string& path,
                                                                   TokenPrompt& prompt);

// Asks whichever token is plugged in and knows one of these protectors. kWrongToken when none
// does, kNoSuchProtector when there is none to ask for, and the errors above.
[[nodiscard]] absl::StatusOr<SecretBuffer> AskToken(const std::vector<PublicParameters>& protectors,
                                                    TokenPrompt& prompt);

}  // namespace ext4crypt
