// SPDX-License-Identifier: Apache-2.0
#include "daemon/core/guess_limiter.h"

#include <algorithm>

#include "common/error.h"

namespace ext4crypt {

absl::Status GuessLimiter::Begin(Uid uid) {
  const int64_t now = clock_.MonotonicMs();
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_[uid];
  if (now < entry.not_before_ms) {
    return Error(ErrorInfo{.reason = ErrorReason::kThrottled,
                           .retry_after_ms = static_cast<uint32_t>(entry.not_before_ms - now)},
                 "too many wrong guesses");
  }
  ++entry.guesses;
  if (entry.guesses >= kFreeGuesses) {
    const int doublings = std::min(entry.guesses - kFreeGuesses, 10);
    entry.not_before_ms = now + std::min(kFirstDelayMs << doublings, kMaxDelayMs);
  }
  return absl::OkStatus();
}

void GuessLimiter::Succeeded(Uid uid) {
  const std::lock_guard lock(mutex_);
  entries_.erase(uid);
}

void GuessLimiter::Cancelled(Uid uid) {
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(uid);
  if (it == entries_.end()) return;
  if (--it->second.guesses < kFreeGuesses) it->second.not_before_ms = 0;
  if (it->second.guesses <= 0) entries_.erase(it);
}

}  // namespace ext4crypt
