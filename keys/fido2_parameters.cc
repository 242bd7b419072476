// SPDX-License-Identifier: Apache-2.0
#include "keys/fido2_parameters.h"

#include <algorithm>

#include "common/error.h"

namespace ext4crypt {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint8_t kNeedsPin = 1;
constexpr size_t kFixedSize = 2 + kFido2SecretSize;
constexpr size_t kMaxCredentialId = 1024;

}  // namespace

PublicParameters EncodeFido2(const Fido2Parameters& parameters) {
  PublicParameters bytes = {kVersion, parameters.needs_pin ? kNeedsPin : uint8_t{0}};
  bytes.insert(bytes.end(), parameters.salt.begin(), parameters.salt.end());
  bytes.insert(bytes.end(), parameters.credential_id.begin(), parameters.credential_id.end());
  return bytes;
}

absl::StatusOr<Fido2Parameters> DecodeFido2(const PublicParameters& bytes) {
  if (bytes.size() <= kFixedSize || bytes.size() > kFixedSize + kMaxCredentialId ||
      bytes[0] != kVersion || bytes[1] > kNeedsPin) {
    return Error(ErrorReason::kRecordUnusable, "impossible parameters of a security key");
  }
  Fido2Parameters parameters{.needs_pin = bytes[1] == kNeedsPin};
  const auto id = bytes.begin() + kFixedSize;
  std::copy(bytes.begin() + 2, id, parameters.salt.begin());
  parameters.credential_id.assign(id, bytes.end());
  return parameters;
}

}  // namespace ext4crypt
