// SPDX-License-Identifier: Apache-2.0
// A key wrapped under what a security key answers: CTAP2's hmac-secret, 32 bytes.
#pragma once

#include "keys/protector.h"

namespace ext4crypt {

// The token is asked elsewhere, where it is plugged in; here its answer is a secret like a key
// file's. HKDF-SHA512 of it, with the token's salt and an info of its own, makes the wrapping key.
// Parameters as stored: keys/fido2_parameters.h.
class Fido2Protector final : public Protector {
 public:
  [[nodiscard]] ProtectorKind kind() const override { return ProtectorKind::kFido2; }
  [[nodiscard]] std::optional<CredentialKind> opened_by() const override {
    return CredentialKind::kFido2;
  }
  [[nodiscard]] absl::StatusOr<ProtectorRecord> Wrap(const ProtectorBinding& binding,
                                                     const SecretBuffer& key,
                                                     const SecretBuffer& secret,
                                                     const PublicParameters& parameters) override;
  [[nodiscard]] absl::StatusOr<SecretBuffer> Unwrap(const ProtectorBinding& binding,
                                                    const ProtectorRecord& record,
                                                    const SecretBuffer& secret) override;
};

}  // namespace ext4crypt
