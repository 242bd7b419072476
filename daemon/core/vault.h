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
#pragma once

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/core/clock.h"
#include "daemon/core/key_opener.h"
#include "daemon/core/key_store.h"
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
};

// Safe to call from any thread. Calls for one uid that change kernel state run one at a time.
class Vault {
 public:
  Vault(KeyStore& store, KeyOpener& opener, VolumeKeys& volumes, UserKeyring& keyring,
        BusyScanner& scanner, const Clock& clock, VaultOptions options)
      : store_(store),
        opener_(opener),
        volumes_(volumes),
        keyring_(keyring),
        scanner_(scanner),
        clock_(clock),
        options_(options) {}

  [[nodiscard]] const VaultOptions& options() const { return options_; }

  // OK when the credential fitted, even if a volume refused the key: see the report.
  [[nodiscard]] absl::StatusOr<UnlockReport> Unlock(Uid uid, const Credential& credential);
  // May be called again while busy, and after a restart of the service.
  [[nodiscard]] absl::StatusOr<LockReport> Lock(Uid uid);
  // Empty when the user is not enrolled.
  [[nodiscard]] absl::StatusOr<std::vector<KeyReport>> GetStatus(Uid uid);

  // Gives the keys we hold to volumes that do not have them yet. Called when mounts change.
  void AddKeysToNewVolumes();
  // Tries again for those whose files were busy at Lock(), when it is time. True while some still
  // are.
  bool FinishBusyLocks();

  // Each attempt makes the kernel write the whole volume back, so the waits between them double
  // while a file stays open.
  static constexpr int64_t kFirstBusyWaitMs = 1000;
  static constexpr int64_t kMaxBusyWaitMs = 30'000;

 private:
  struct HeldKey {
    KeyIdentifier identifier;
    SecretBuffer key;
  };

  struct BusyLock {
    KeyIdentifier identifier{};
    int64_t wait_ms = kFirstBusyWaitMs;
    int64_t next_ms = 0;
  };

  std::mutex& UserMutex(Uid uid) { return user_mutexes_[uid % user_mutexes_.size()]; }
  [[nodiscard]] std::shared_ptr<const HeldKey> Held(Uid uid);
  [[nodiscard]] std::vector<Uid> HeldUids();
  [[nodiscard]] bool IsUsable(const Volume& volume) const {
    return volume.authenticated || options_.allow_unauthenticated;
  }
  // The four below: with the user's mutex held.
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
  const Clock& clock_;
  const VaultOptions options_;

  // Order: a user mutex first, then mutex_.
  std::array<std::mutex, 64> user_mutexes_;
  std::mutex mutex_;
  std::map<Uid, std::shared_ptr<const HeldKey>> held_;  // guarded by mutex_
  std::map<Uid, BusyLock> busy_;                        // guarded by mutex_
};

}  // namespace ext4crypt
