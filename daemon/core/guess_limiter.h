// SPDX-License-Identifier: Apache-2.0
// Slows wrong guesses down, per uid.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>

#include "absl/status/status.h"
#include "daemon/core/clock.h"
#include "keys/records.h"

namespace ext4crypt {

// The first kFreeGuesses wrong guesses cost nothing extra; each further one doubles the wait, up
// to kMaxDelayMs. Bounded, because any process of a user can guess wrong in the user's name and
// must not be able to lock the user out; per uid, so that nobody can lock out somebody else.
// Kept in memory only: a restart needs root, who has no need to guess through this door.
class GuessLimiter {
 public:
  static constexpr int kFreeGuesses = 5;
  static constexpr int64_t kFirstDelayMs = 1000;
  static constexpr int64_t kMaxDelayMs = 30'000;

  explicit GuessLimiter(const Clock& clock) : clock_(clock) {}

  // Call before trying a credential. The guess counts as wrong from here until Succeeded(), so
  // that guesses made in parallel count too. kThrottled, with the wait, when it is too early.
  [[nodiscard]] absl::Status Begin(Uid uid);
  // The credential fitted: all is forgotten.
  void Succeeded(Uid uid);
  // The attempt ended without saying anything about the credential: takes it back.
  void Cancelled(Uid uid);

 private:
  struct Entry {
    int guesses = 0;
    int64_t not_before_ms = 0;
  };

  const Clock& clock_;
  std::mutex mutex_;
  std::map<Uid, Entry> entries_;  // guarded by mutex_
};

}  // namespace ext4crypt
