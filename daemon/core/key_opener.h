// SPDX-License-Identifier: Apache-2.0
// From a credential to a key: protectors tried, wrong guesses slowed.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "common/secret_buffer.h"
#include "daemon/core/guess_limiter.h"
#include "daemon/core/protector.h"
#include "daemon/core/types.h"

namespace ext4crypt {

struct Credential {
  ProtectorKind kind{};
  // The passphrase, the recovery code in its written form, or the key file's bytes.
  SecretBuffer secret;
};

struct OpenedKey {
  SecretBuffer key;
  // The protector that fitted.
  ProtectorId protector{};
};

// The kinds of protectors this build knows.
using ProtectorKinds = std::map<ProtectorKind, std::unique_ptr<Protector>>;

class KeyOpener {
 public:
  KeyOpener(const ProtectorKinds& kinds, const Clock& clock) : kinds_(kinds), limiter_(clock) {}

  // kThrottled, kRecoveryCodeMistyped (which is not counted as a guess: a typo is told by its
  // check symbols), or the wrong-credential reason of the kind.
  [[nodiscard]] absl::StatusOr<OpenedKey> Open(const KeyRecord& record,
                                               const Credential& credential) {
    return Open(record, credential, record.uid);
  }
  // For a record that is not the store's: a wrong guess counts for `guesser`.
  [[nodiscard]] absl::StatusOr<OpenedKey> Open(const KeyRecord& record,
                                               const Credential& credential, Uid guesser);

 private:
  [[nodiscard]] absl::StatusOr<OpenedKey> TryProtectors(const KeyRecord& record, ProtectorKind kind,
                                                        const SecretBuffer& secret);

  const ProtectorKinds& kinds_;
  GuessLimiter limiter_;
};

}  // namespace ext4crypt
