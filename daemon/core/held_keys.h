// SPDX-License-Identifier: Apache-2.0
// The one table of the keys that are unlocked: held in memory, and given to the mounted volumes.
//
//            Give                      Take, files open              last file closed
//   LOCKED ----------> UNLOCKED ----------------------> BUSY -----------------------> LOCKED
//                         |  Take, no file open                                         ^
//                         +-------------------------------------------------------------+
//
// BUSY is the kernel's state, not ours: the key is gone from the volume's keyring and from our
// memory, but the inodes that were open still carry what was derived from it. Give leads from BUSY
// to UNLOCKED.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/secret_buffer.h"
#include "daemon/core/clock.h"
#include "daemon/core/volume_keys.h"
#include "keys/records.h"

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
  std::vector<std::string> others;  // the names of the keys that opened with the default key
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
  std::vector<Uid> shared_with;
};

// The worst state of both, and everything each has to say.
void MergeReports(LockReport from, LockReport& into);

struct HeldKey {
  KeyIdentifier identifier{};
  SecretBuffer key;
  // The user's default key, which opens the user's others. A user has at most one.
  bool is_default = false;
};

struct HeldKeysOptions {
  // Also give keys to plain ext4 volumes, where contents are not authenticated.
  bool allow_unauthenticated = false;
};

// Safe to call from any thread.
class HeldKeys {
 public:
  // What changes the keys of one user runs one at a time: whoever holds the user's turn does it.
  // Users share mutexes, so a thread must never wait for a second turn.
  class Turn {
   public:
    [[nodiscard]] Uid uid() const { return uid_; }

   private:
    friend class HeldKeys;
    Turn(Uid uid, std::mutex& mutex) : uid_(uid), lock_(mutex) {}
    Uid uid_;
    std::unique_lock<std::mutex> lock_;
  };

  HeldKeys(VolumeKeys& volumes, BusyScanner& scanner, const Clock& clock, HeldKeysOptions options)
      : volumes_(volumes), scanner_(scanner), clock_(clock), options_(options) {}

  [[nodiscard]] const HeldKeysOptions& options() const { return options_; }
  [[nodiscard]] Turn TurnOf(Uid uid) { return {uid, user_mutexes_[uid % user_mutexes_.size()]}; }

  // Holds the key and adds it to every usable volume; a volume's refusal is in the report. Fails,
  // and holds nothing, when the volumes cannot be listed.
  [[nodiscard]] absl::StatusOr<UnlockReport> Give(const Turn& turn, HeldKey key);
  // Drops the key from memory only.
  void Forget(const Turn& turn, const KeyIdentifier& identifier);
  // Forgets it and removes it from every volume, held or not: a restart of the service forgets.
  // May be called again while busy.
  [[nodiscard]] absl::StatusOr<LockReport> Take(const Turn& turn, const KeyIdentifier& identifier);
  // Whether a process has a file of one of the user's held keys open.
  [[nodiscard]] absl::StatusOr<bool> HasOpenFiles(const Turn& turn);

  // nullptr: not held.
  [[nodiscard]] std::shared_ptr<const HeldKey> Find(Uid uid, const KeyIdentifier& identifier) const;
  [[nodiscard]] std::shared_ptr<const HeldKey> FindDefault(Uid uid) const;
  // The users of whom a key is held, and the keys of one.
  [[nodiscard]] std::vector<Uid> Users() const;
  [[nodiscard]] std::vector<KeyIdentifier> KeysOf(Uid uid) const;
  // The state of these keys, whoever's they are, with this user's claims.
  [[nodiscard]] absl::StatusOr<std::vector<KeyReport>> ReportOn(Uid uid,
                                                                std::vector<KeyRecord> records);

  // Gives the keys we hold to volumes that do not have them yet. Called when mounts change.
  void AddKeysToNewVolumes();
  // Tries again for those whose files were busy at Take(), when it is time. True while some still
  // are.
  bool FinishBusyLocks();

  // Each attempt makes the kernel write the whole volume back, so the waits between them double
  // while a file stays open.
  static constexpr int64_t kFirstBusyWaitMs = 1000;
  static constexpr int64_t kMaxBusyWaitMs = 30'000;

 private:
  using Id = std::pair<Uid, KeyIdentifier>;
  struct BusyLock {
    int64_t wait_ms = kFirstBusyWaitMs;
    int64_t next_ms = 0;
  };

  [[nodiscard]] bool IsUsable(const Volume& volume) const {
    return volume.authenticated || options_.allow_unauthenticated;
  }
  void Hold(Uid uid, std::shared_ptr<const HeldKey> key);
  void AddToNewVolumes(const Turn& turn, const KeyIdentifier& identifier,
                       const std::vector<Volume>& volumes);
  void FinishBusyLock(const Id& id, BusyLock busy, int64_t now);
  [[nodiscard]] std::vector<VolumeReport> AddToVolumes(Uid uid, const HeldKey& key,
                                                       const std::vector<Volume>& volumes);
  [[nodiscard]] absl::StatusOr<LockReport> RemoveFromVolumes(Uid uid,
                                                             const KeyIdentifier& identifier);
  [[nodiscard]] VolumeReport RemoveFromVolume(Uid uid, const KeyIdentifier& identifier,
                                              const Volume& volume, bool& involved);
  [[nodiscard]] KeyReport ReportOn(Uid uid, KeyRecord record, const std::vector<Volume>& volumes);
  [[nodiscard]] bool IsStillBusy(Uid uid, const KeyIdentifier& identifier);

  VolumeKeys& volumes_;
  BusyScanner& scanner_;
  const Clock& clock_;
  const HeldKeysOptions options_;

  // Order: a user mutex first, then mutex_.
  std::array<std::mutex, 64> user_mutexes_;
  mutable std::mutex mutex_;
  std::map<Id, std::shared_ptr<const HeldKey>> held_;  // guarded by mutex_
  std::map<Id, BusyLock> busy_;                        // guarded by mutex_
};

}  // namespace ext4crypt
