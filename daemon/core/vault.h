// SPDX-License-Identifier: Apache-2.0
// Use cases that move keys between the store, the kernel and memory: unlock, lock, status.
//
//            Unlock                    Lock, files open              last file closed
//   LOCKED ----------> UNLOCKED ----------------------> BUSY -----------------------> LOCKED
//                         |  Lock, no file open                                         ^
//                         +-------------------------------------------------------------+
//
// BUSY is the kernel's state, not ours: the key is gone from the volume's keyring and from our
// memory, but the inodes that were open still carry what was derived from it. Unlock leads from
// BUSY to UNLOCKED.
//
// The end of a user's last session locks, unless the key was unlocked while no session was open:
// what was unlocked outside sessions stays until Lock, or until it is idle.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/core/clock.h"
#include "daemon/core/key_opener.h"
#include "daemon/core/key_store.h"
#include "daemon/core/sessions.h"
#include "daemon/core/types.h"
#include "daemon/core/volume_keys.h"

namespace ext4crypt {

enum class KeyState { kLocked, kUnlocked, kBusy };

struct VolumeReport {
  Volume volume;
  KeyState state = KeyState::kLocked;
  bool claimed_by_others = false;
  absl::Status error;  // why the key could not be added, removed or asked for there
};

struct UnlockReport {
  KeyIdentifier identifier{};
  std::vector<VolumeReport> volumes;
  bool keyring_installed = false;
};

struct LockReport {
  KeyState state = KeyState::kLocked;
  std::vector<VolumeReport> volumes;
  std::vector<BusyProcess> busy;
};

struct KeyReport {
  KeyRecord record;
  KeyState state = KeyState::kLocked;
  bool held_by_service = false;
  std::vector<VolumeReport> volumes;
};

struct VaultOptions {
  // Also give keys to plain ext4 volumes, where contents are not authenticated.
  bool allow_unauthenticated = false;
  // Lock when for this long the user had no session and no file of the key was seen open. 0: never.
  int64_t idle_lock_ms = 0;
};

enum class UnlockFor {
  kUser,     // whoever asks
  kSession,  // a login: of no use any more when its session has ended meanwhile
};

// Safe to call from any thread. Calls for one uid that change kernel state run one at a time.
class Vault {
 public:
  Vault(KeyStore& store, KeyOpener& opener, VolumeKeys& volumes, UserKeyring& keyring,
        BusyScanner& scanner, const Sessions& sessions, const Clock& clock, VaultOptions options)
      : store_(store),
        opener_(opener),
        volumes_(volumes),
        keyring_(keyring),
        scanner_(scanner),
        sessions_(sessions),
        clock_(clock),
        options_(options) {}

  [[nodiscard]] const VaultOptions& options() const { return options_; }

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
  // Call it now and then: locks what has been idle for options().idle_lock_ms.
  void LockIdle();
  [[nodiscard]] size_t SessionsOf(Uid uid) const { return sessions_.Of(uid); }
  // Empty when the user is not enrolled.
  [[nodiscard]] absl::StatusOr<std::vector<KeyReport>> GetStatus(Uid uid);
  // The same of these keys, whoever's they are, with this user's claims.
  [[nodiscard]] absl::StatusOr<std::vector<KeyReport>> ReportOn(Uid uid,
                                                                std::vector<KeyRecord> records);

  struct HeldKey {
    KeyIdentifier identifier;
    SecretBuffer key;
  };
  // The user's default key while it is unlocked; nullptr else, and after a restart of the service.
  [[nodiscard]] std::shared_ptr<const HeldKey> Held(Uid uid);
  // For keys beside the default one: the same steps on every volume.
  [[nodiscard]] absl::StatusOr<UnlockReport> GiveToVolumes(Uid uid, const HeldKey& held);
  [[nodiscard]] absl::StatusOr<LockReport> TakeFromVolumes(Uid uid,
                                                           const KeyIdentifier& identifier);

  // Gives the keys we hold to volumes that do not have them yet. Called when mounts change.
  void AddKeysToNewVolumes();
  // Tries again for those whose files were busy at Lock(), when it is time. True while some still
  // are.
  bool FinishBusyLocks();

  // Each attempt makes the kernel write the whole volume back, so the waits between them double
  // while a file stays open.
  static constexpr int64_t kFirstBusyWaitMs = 1000;
  static constexpr int64_t kMaxBusyWaitMs = 30'000;
  // How often open files are looked for while a key may be idle: what is open for less may be
  // missed.
  static constexpr int64_t kIdleSampleMs = 30'000;

 private:
  struct Use {
    int64_t seen_ms = 0;    // when it was last seen in use
    int64_t looked_ms = 0;  // when it was last looked for
  };

  struct BusyLock {
    KeyIdentifier identifier{};
    int64_t wait_ms = kFirstBusyWaitMs;
    int64_t next_ms = 0;
  };

  std::mutex& UserMutex(Uid uid) { return user_mutexes_[uid % user_mutexes_.size()]; }
  [[nodiscard]] std::vector<Uid> HeldUids();
  [[nodiscard]] bool IsUsable(const Volume& volume) const {
    return volume.authenticated || options_.allow_unauthenticated;
  }
  // True when `uid`'s key is to be looked at by LockIdle().
  [[nodiscard]] bool IsIdleSampleDue(Uid uid, int64_t now);
  // Those below: with the user's mutex held.
  [[nodiscard]] bool IsInUse(Uid uid, const HeldKey& held, const std::vector<Volume>& volumes);
  [[nodiscard]] absl::StatusOr<LockReport> LockNow(Uid uid);
  [[nodiscard]] std::vector<VolumeReport> AddToVolumes(Uid uid, const HeldKey& held,
                                                       const std::vector<Volume>& volumes);
  [[nodiscard]] bool IsStillBusy(Uid uid, const KeyIdentifier& identifier);
  [[nodiscard]] VolumeReport RemoveFromVolume(Uid uid, const KeyIdentifier& identifier,
                                              const Volume& volume, bool& involved);
  [[nodiscard]] absl::StatusOr<LockReport> RemoveFromVolumes(Uid uid,
                                                             const KeyIdentifier& identifier);

  KeyStore& store_;
  KeyOpener& opener_;
  VolumeKeys& volumes_;
  UserKeyring& keyring_;
  BusyScanner& scanner_;
  const Sessions& sessions_;
  const Clock& clock_;
  const VaultOptions options_;

  // Order: a user mutex first, then mutex_.
  std::array<std::mutex, 64> user_mutexes_;
  std::mutex mutex_;
  std::map<Uid, std::shared_ptr<const HeldKey>> held_;  // guarded by mutex_
  std::map<Uid, BusyLock> busy_;                        // guarded by mutex_
  std::map<Uid, std::set<KeyIdentifier>> given_;        // guarded by mutex_; beside the default key
  std::set<Uid> outside_sessions_;                      // guarded by mutex_
  std::map<Uid, Use> used_;                             // guarded by mutex_; of those held
};

}  // namespace ext4crypt
