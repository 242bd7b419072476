// SPDX-License-Identifier: Apache-2.0
// A key wrapped under Argon2id of a passphrase.
#pragma once

#include <mutex>
#include <optional>

#include "keys/crypto/argon2.h"
#include "keys/protector.h"

namespace ext4crypt {

struct PassphraseCost {
  uint32_t memory_mib = 128;
  // Absent: measured once, for kTargetMs.
  std::optional<uint32_t> passes;
};

// Parameters as stored: algorithm u8 = 1 (Argon2id v1.3, one lane), passes u32, memory in MiB u32,
// salt 16; little-endian, 25 bytes.
class PassphraseProtector final : public Protector {
 public:
  static constexpr uint32_t kTargetMs = 500;

  explicit PassphraseProtector(PassphraseCost cost) : cost_(cost) {}

  [[nodiscard]] ProtectorKind kind() const override { return ProtectorKind::kPassphrase; }
  [[nodiscard]] std::optional<CredentialKind> opened_by() const override {
    return CredentialKind::kPassphrase;
  }
  [[nodiscard]] absl::StatusOr<ProtectorRecord> Wrap(const ProtectorBinding& binding,
                                                     const SecretBuffer& key,
                                                     const SecretBuffer& secret,
                                                     const PublicParameters& parameters) override;
  [[nodiscard]] absl::StatusOr<SecretBuffer> Unwrap(const ProtectorBinding& binding,
                                                    const ProtectorRecord& record,
                                                    const SecretBuffer& secret) override;

  [[nodiscard]] bool IsAffordable(const ProtectorRecord& record) const override;
  // Some seconds: ten times and more of what half a second is on a fast machine.
  static constexpr uint64_t kMaxImportedPassesTimesMib = 8192;

 private:
  [[nodiscard]] absl::StatusOr<Argon2Cost> CostForNewRecords();

  const PassphraseCost cost_;
  std::mutex mutex_;
  std::optional<Argon2Cost> calibrated_;  // guarded by mutex_
};

}  // namespace ext4crypt
