// SPDX-License-Identifier: Apache-2.0
// A key wrapped under a secret that is random itself: a recovery code, a key file.
#pragma once

#include "keys/protector.h"

namespace ext4crypt {

// No slow derivation: nobody guesses 160 random bits or more. HKDF-SHA512 with a salt of its own
// makes the wrapping key, with an info that differs by kind. Parameters as stored: algorithm u8 =
// 1, salt 16. The secret is bytes: a recovery code's 20, not its written form; a key file's 64.
class HkdfProtector final : public Protector {
 public:
  // `kind` is kRecovery, kKeyFile or kDefaultKey, whose secret is a key's 64 bytes.
  explicit HkdfProtector(ProtectorKind kind) : kind_(kind) {}

  [[nodiscard]] ProtectorKind kind() const override { return kind_; }
  [[nodiscard]] std::optional<CredentialKind> opened_by() const override;
  [[nodiscard]] absl::StatusOr<ProtectorRecord> Wrap(const ProtectorBinding& binding,
                                                     const SecretBuffer& key,
                                                     const SecretBuffer& secret,
                                                     const PublicParameters& parameters) override;
  [[nodiscard]] absl::StatusOr<SecretBuffer> Unwrap(const ProtectorBinding& binding,
                                                    const ProtectorRecord& record,
                                                    const SecretBuffer& secret) override;

 private:
  [[nodiscard]] absl::StatusOr<SecretBuffer> WrappingKey(const SecretBuffer& secret,
                                                         absl::Span<const uint8_t> salt) const;

  const ProtectorKind kind_;
};

}  // namespace ext4crypt
