// SPDX-License-Identifier: Apache-2.0
// Use cases that create keys and change their protectors.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/secret_buffer.h"
#include "daemon/core/clock.h"
#include "daemon/core/key_opener.h"
#include "daemon/core/key_store.h"
#include "daemon/core/types.h"

namespace ext4crypt {

// Bytes. The lower bound is a courtesy, not a measure of strength; the upper one keeps requests
// small.
inline constexpr size_t kMinPassphraseSize = 8;
inline constexpr size_t kMaxPassphraseSize = 1024;

struct EnrolledKey {
  KeyIdentifier identifier{};
  SecretBuffer recovery_code;  // in its written form; nobody keeps a copy
};

class Enrolment {
 public:
  Enrolment(KeyStore& store, const ProtectorKinds& kinds, KeyOpener& opener, const Clock& clock)
      : store_(store), kinds_(kinds), opener_(opener), clock_(clock) {}

  // A random key with a passphrase protector and a recovery protector.
  [[nodiscard]] absl::StatusOr<EnrolledKey> Enrol(Uid uid, const SecretBuffer& passphrase);

  // Replaces the passphrase protector by one for `new_passphrase`. With a recovery code as the
  // credential this is how a forgotten passphrase is replaced.
  [[nodiscard]] absl::Status ChangePassphrase(Uid uid, const Credential& credential,
                                              const SecretBuffer& new_passphrase);

  // Replaces the recovery protector; returns the new code in its written form.
  [[nodiscard]] absl::StatusOr<SecretBuffer> RenewRecovery(Uid uid, const Credential& credential);

 private:
  struct RecoverySecret {
    ProtectorRecord record;
    SecretBuffer code;
  };
  [[nodiscard]] absl::StatusOr<ProtectorRecord> Wrap(ProtectorKind kind,
                                                     const ProtectorBinding& binding,
                                                     const SecretBuffer& key,
                                                     const SecretBuffer& credential);
  [[nodiscard]] absl::StatusOr<RecoverySecret> NewRecovery(const ProtectorBinding& binding,
                                                           const SecretBuffer& key);

  KeyStore& store_;
  const ProtectorKinds& kinds_;
  KeyOpener& opener_;
  const Clock& clock_;
};

}  // namespace ext4crypt
