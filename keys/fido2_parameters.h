// SPDX-License-Identifier: Apache-2.0
// What is public of a protector that a security key opens: what the key must be asked with.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "keys/protector.h"

namespace ext4crypt {

// Of CTAP2's hmac-secret, and of what it gives.
inline constexpr size_t kFido2SecretSize = 32;
// The relying party of all credentials that are made: what a token's own list of them shows.
inline constexpr char kFido2RelyingParty[] = "ext4crypt";

// As stored: version u8 = 1, flags u8 (1: the PIN is needed), salt 32, credential id 1 to 1024.
struct Fido2Parameters {
  // A token gives one secret with its PIN and another without it.
  bool needs_pin = false;
  std::array<uint8_t, kFido2SecretSize> salt{};
  std::vector<uint8_t> credential_id;
};

[[nodiscard]] PublicParameters EncodeFido2(const Fido2Parameters& parameters);
// kRecordUnusable.
[[nodiscard]] absl::StatusOr<Fido2Parameters> DecodeFido2(const PublicParameters& bytes);

}  // namespace ext4crypt
