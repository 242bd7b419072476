// SPDX-License-Identifier: Apache-2.0
// Each user's default key: opened by a credential, given to the volumes and to the user's keyring,
// locked by the user, by the end of the last session, or when it is idle.
//
// The end of a user's last session locks, unless the key was unlocked while no session was open:
// what was unlocked outside sessions stays until Lock, or until it is idle.
#pragma once

#include <map>
#include <mutex>
#include <set>

#include "absl/status/statusor.h"
#include "daemon/core/clock.h"
#include "daemon/core/held_keys.h"
#include "daemon/core/key_opener.h"
#include "daemon/core/key_store.h"
#include "daemon/core/sessions.h"

namespace ext4crypt {

struct DefaultKeyOptions {
  // Lock when for this long the user had no session and no file of a key was seen open. 0: never.
  int64_t idle_lock_ms = 0;
};

enum class UnlockFor {
  kUser,     // whoever asks
  kSession,  // a login: of no use any more when its session has ended meanwhile
};

// Safe to call from any thread.
class DefaultKey {
 public:
  DefaultKey(KeyStore& store, KeyOpener& opener, HeldKeys& held, UserKeyring& keyring,
             const Sessions& sessions, const Clock& clock, DefaultKeyOptions options)
      : store_(store),
        opener_(opener),
        held_(held),
        keyring_(keyring),
        sessions_(sessions),
        clock_(clock),
        options_(options) {}

  // OK when the credential fitted, even if a volume refused the key: see the report.
  // kChangedMeanwhile for a session that is over.
  [[nodiscard]] absl::StatusOr<UnlockReport> Unlock(Uid uid, const Credential& credential,
                                                    UnlockFor purpose = UnlockFor::kUser);
  // May be called again while busy, and after a restart of the service.
  [[nodiscard]] absl::StatusOr<LockReport> Lock(Uid uid);
  // For the end of a session. Does nothing while the user has another one, or when the key was
  // unlocked outside sessions. True when it locked: the keys beside the default one are then to go
  // too.
  [[nodiscard]] bool LockAfterLastSession(Uid uid);
  // Call it now and then: locks what has been idle for DefaultKeyOptions::idle_lock_ms. The user's
  // other keys end with it: their use is its use.
  void LockIdle();

  // How often open files are looked for while a key may be idle: what is open for less may be
  // missed.
  static constexpr int64_t kIdleSampleMs = 30'000;

 private:
  struct Use {
    int64_t seen_ms = 0;    // when it was last seen in use
    int64_t looked_ms = 0;  // when it was last looked for
  };

  // True when `uid`'s key is to be looked at by LockIdle().
  [[nodiscard]] bool IsIdleSampleDue(Uid uid, int64_t now);
  [[nodiscard]] absl::StatusOr<bool> IsInUse(const HeldKeys::Turn& turn);
  [[nodiscard]] absl::StatusOr<LockReport> LockNow(const HeldKeys::Turn& turn);

  KeyStore& store_;
  KeyOpener& opener_;
  HeldKeys& held_;
  UserKeyring& keyring_;
  const Sessions& sessions_;
  const Clock& clock_;
  const DefaultKeyOptions options_;

  // Order: the user's turn first, then mutex_.
  std::mutex mutex_;
  std::set<Uid> outside_sessions_;  // guarded by mutex_
  std::map<Uid, Use> used_;         // guarded by mutex_; of those held
};

}  // namespace ext4crypt
