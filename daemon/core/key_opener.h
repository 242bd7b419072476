// SPDX-License-Identifier: Apache-2.0
// From a credential to a key: protectors tried, wrong guesses slowed.
#pragma once

#include "absl/status/statusor.h"
#include "daemon/core/guess_limiter.h"
#include "keys/credential.h"
#include "keys/records.h"

namespace ext4crypt {

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
  const ProtectorKinds& kinds_;
  GuessLimiter limiter_;
};

}  // namespace ext4crypt
