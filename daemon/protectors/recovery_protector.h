// SPDX-License-Identifier: Apache-2.0
// A key wrapped under a recovery code's 160 random bits.
#pragma once

#include "daemon/core/protector.h"

namespace ext4crypt {

// No slow derivation: nobody guesses 160 random bits. HKDF-SHA512 with a salt of its own makes the
// wrapping key. Parameters as stored: algorithm u8 = 1, salt 16. The credential is the code's 20
// bytes, not its written form.
class RecoveryProtector final : public Protector {
 public:
  [[nodiscard]] ProtectorKind kind() const override { return ProtectorKind::kRecovery; }
  [[nodiscard]] absl::StatusOr<ProtectorRecord> Wrap(const ProtectorBinding& binding,
                                                     const SecretBuffer& key,
                                                     const SecretBuffer& credential) override;
  [[nodiscard]] absl::StatusOr<SecretBuffer> Unwrap(const ProtectorBinding& binding,
                                                    const ProtectorRecord& record,
                                                    const SecretBuffer& credential) override;
};

}  // namespace ext4crypt
