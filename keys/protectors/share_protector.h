// SPDX-License-Identifier: Apache-2.0
// A key sealed to another user's public key, by someone who cannot open it again.
#pragma once

#include "keys/protector.h"

namespace ext4crypt {

// Wrap()'s secret is the receiver's public key, Unwrap()'s the secret one. A fresh pair for
// each record agrees with the receiver's; HKDF-SHA512 of what they agree on, with both public keys
// as salt, makes the wrapping key. Parameters as stored: algorithm u8 = 1, the record's public key.
class ShareProtector final : public Protector {
 public:
  [[nodiscard]] ProtectorKind kind() const override { return ProtectorKind::kShare; }
  [[nodiscard]] std::optional<CredentialKind> opened_by() const override { return std::nullopt; }
  [[nodiscard]] absl::StatusOr<ProtectorRecord> Wrap(const ProtectorBinding& binding,
                                                     const SecretBuffer& key,
                                                     const SecretBuffer& secret,
                                                     const PublicParameters& parameters) override;
  [[nodiscard]] absl::StatusOr<SecretBuffer> Unwrap(const ProtectorBinding& binding,
                                                    const ProtectorRecord& record,
                                                    const SecretBuffer& secret) override;
};

}  // namespace ext4crypt
