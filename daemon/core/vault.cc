// SPDX-License-Identifier: Apache-2.0
#include "daemon/core/vault.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/log.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

VolumeReport Failed(const Volume& volume, KeyState state, absl::Status error) {
  return VolumeReport{.volume = volume, .state = state, .error = std::move(error)};
}

KeyState StateOf(const VolumeKeyStatus& status) {
  if (status.presence == KeyPresence::kRemovalIncomplete) return KeyState::kBusy;
  return status.presence == KeyPresence::kPresent && status.claimed_by_user ? KeyState::kUnlocked
                                                                            : KeyState::kLocked;
}

bool HasState(const std::vector<VolumeReport>& reports, KeyState state) {
  return std::any_of(reports.begin(), reports.end(),
                     [state](const VolumeReport& report) { return report.state == state; });
}

// Nobody has asked for this lock, so nobody is told by a response.
void LogLockByItself(Uid uid, absl::string_view why, const absl::StatusOr<LockReport>& report) {
  if (!report.ok()) {
    if (ReasonOf(report.status()) == ErrorReason::kNotEnrolled) return;
    Log(LogLevel::kError,
        absl::StrCat("uid ", uid, ": ", why, ", but locking failed: ", report.status().message()));
    return;
  }
  Log(LogLevel::kInfo,
      absl::StrCat(
          "uid ", uid, ": ", why,
          report->state == KeyState::kBusy ? "; busy until open files are closed" : "; locked"));
  for (const BusyProcess& process : report->busy) {
    Log(LogLevel::kInfo, absl::StrCat("uid ", uid, ": files held open by ", process.command,
                                      " (pid ", process.pid, ")"));
  }
}

}  // namespace

std::shared_ptr<const Vault::HeldKey> Vault::Held(Uid uid) {
  const std::lock_guard lock(mutex_);
  const auto it = held_.find(uid);
  return it == held_.end() ? nullptr : it->second;
}

std::vector<Uid> Vault::HeldUids() {
  const std::lock_guard lock(mutex_);
  std::vector<Uid> uids;
  for (const auto& [uid, held] : held_) uids.push_back(uid);
  return uids;
}

absl::StatusOr<UnlockReport> Vault::Unlock(Uid uid, const Credential& credential,
                                           UnlockFor purpose) {
  ASSIGN_OR_RETURN(const KeyRecord record, store_.FindKey(uid, kDefaultKeyName));
  // Half a second of derivation: outside the mutex, so that status and lock do not wait for it.
  ASSIGN_OR_RETURN(OpenedKey opened, opener_.Open(record, credential));
  const auto held = std::make_shared<const HeldKey>(
      HeldKey{.identifier = record.identifier, .key = std::move(opened.key)});

  const std::lock_guard user_lock(UserMutex(uid));
  ASSIGN_OR_RETURN(const std::vector<Volume> volumes, volumes_.ListVolumes());
  // Asked here, where no lock of this user's can run: a session that ends later finds the key.
  const bool in_session = sessions_.Of(uid) != 0;
  if (purpose == UnlockFor::kSession && !in_session) {
    return Error(ErrorReason::kChangedMeanwhile, "the session ended before its key was unlocked");
  }
  {
    const std::lock_guard lock(mutex_);
    if (!in_session && !held_.contains(uid)) outside_sessions_.insert(uid);
    held_[uid] = held;
    used_[uid] = {.seen_ms = clock_.MonotonicMs(), .looked_ms = clock_.MonotonicMs()};
    busy_.erase(uid);
  }
  UnlockReport report{.identifier = record.identifier};
  report.volumes = AddToVolumes(uid, *held, volumes);
  const absl::Status keyring = keyring_.InstallDefaultKey(uid, held->key);
  report.keyring_installed = keyring.ok();
  if (!keyring.ok()) {
    Log(LogLevel::kWarning,
        absl::StrCat("uid ", uid, ": no default key in the user's keyring: ", keyring.message()));
  }
  return report;
}

std::vector<VolumeReport> Vault::AddToVolumes(Uid uid, const HeldKey& held,
                                              const std::vector<Volume>& volumes) {
  std::vector<VolumeReport> reports;
  for (const Volume& volume : volumes) {
    if (!IsUsable(volume)) continue;
    absl::Status added = volumes_.AddKey(volume, uid, held.identifier, held.key);
    if (added.ok()) {
      reports.push_back(VolumeReport{.volume = volume, .state = KeyState::kUnlocked});
    } else {
      Log(LogLevel::kWarning, absl::StrCat("uid ", uid, ": ", added.message()));
      reports.push_back(Failed(volume, KeyState::kLocked, std::move(added)));
    }
  }
  return reports;
}

absl::StatusOr<LockReport> Vault::Lock(Uid uid) {
  const std::lock_guard user_lock(UserMutex(uid));
  return LockNow(uid);
}

absl::StatusOr<LockReport> Vault::LockNow(Uid uid) {
  ASSIGN_OR_RETURN(const KeyRecord record, store_.FindKey(uid, kDefaultKeyName));
  {
    const std::lock_guard lock(mutex_);
    held_.erase(uid);
    used_.erase(uid);
    outside_sessions_.erase(uid);
  }
  // Before the volumes: nothing new may be created with the key while it is being taken away.
  const absl::Status keyring = keyring_.RemoveDefaultKey(uid);
  ASSIGN_OR_RETURN(LockReport report, RemoveFromVolumes(uid, record.identifier));
  {
    const std::lock_guard lock(mutex_);
    if (report.state == KeyState::kBusy) {
      busy_[uid] = {.identifier = record.identifier,
                    .next_ms = clock_.MonotonicMs() + kFirstBusyWaitMs};
    } else {
      busy_.erase(uid);
    }
  }
  RETURN_IF_ERROR(keyring);
  return report;
}

bool Vault::LockAfterLastSession(Uid uid) {
  const std::lock_guard user_lock(UserMutex(uid));
  if (sessions_.Of(uid) != 0) return false;  // a new one has begun meanwhile
  {
    const std::lock_guard lock(mutex_);
    if (outside_sessions_.contains(uid)) return false;
  }
  LogLockByItself(uid, "the last session ended", LockNow(uid));
  return true;
}

bool Vault::IsInUse(Uid uid, const HeldKey& held, const std::vector<Volume>& volumes) {
  if (sessions_.Of(uid) != 0) return true;
  // The others are unlocked by the default key and end with it: their use is its use.
  std::set<KeyIdentifier> keys = {held.identifier};
  {
    const std::lock_guard lock(mutex_);
    if (const auto it = given_.find(uid); it != given_.end()) {
      keys.insert(it->second.begin(), it->second.end());
    }
  }
  return std::any_of(keys.begin(), keys.end(), [&](const KeyIdentifier& identifier) {
    return !scanner_.FindBusy(volumes, identifier).empty();
  });
}

bool Vault::IsIdleSampleDue(Uid uid, int64_t now) {
  const bool in_session = sessions_.Of(uid) != 0;
  const std::lock_guard lock(mutex_);
  const auto it = used_.find(uid);
  if (it == used_.end()) return false;
  if (in_session) it->second.seen_ms = now;
  if (in_session || now - it->second.looked_ms < kIdleSampleMs) return false;
  it->second.looked_ms = now;
  return true;
}

void Vault::LockIdle() {
  if (options_.idle_lock_ms == 0) return;
  const int64_t now = clock_.MonotonicMs();
  for (const Uid uid : HeldUids()) {
    if (!IsIdleSampleDue(uid, now)) continue;
    const std::lock_guard user_lock(UserMutex(uid));
    const auto held = Held(uid);
    const auto volumes = volumes_.ListVolumes();
    if (held == nullptr || !volumes.ok()) continue;
    const bool in_use = IsInUse(uid, *held, *volumes);
    {
      const std::lock_guard lock(mutex_);
      Use& use = used_[uid];
      if (in_use) use.seen_ms = now;
      if (now - use.seen_ms < options_.idle_lock_ms) continue;
    }
    LogLockByItself(uid, "idle", LockNow(uid));
  }
}

absl::StatusOr<LockReport> Vault::RemoveFromVolumes(Uid uid, const KeyIdentifier& identifier) {
  LockReport report;
  // All volumes, not only the usable ones: an earlier run of the service may have had other
  // options, and what it added must go all the same.
  ASSIGN_OR_RETURN(const std::vector<Volume> volumes, volumes_.ListVolumes());
  std::vector<Volume> busy_volumes;
  for (const Volume& volume : volumes) {
    bool involved = false;
    VolumeReport removal = RemoveFromVolume(uid, identifier, volume, involved);
    if (!involved) continue;
    if (removal.state == KeyState::kBusy) busy_volumes.push_back(volume);
    if (!removal.error.ok()) {
      Log(LogLevel::kWarning, absl::StrCat("uid ", uid, ": ", removal.error.message()));
    }
    report.volumes.push_back(std::move(removal));
  }
  if (!busy_volumes.empty()) {
    report.state = KeyState::kBusy;
    report.busy = scanner_.FindBusy(busy_volumes, identifier);
  } else if (HasState(report.volumes, KeyState::kUnlocked)) {
    report.state = KeyState::kUnlocked;
  }
  return report;
}

VolumeReport Vault::RemoveFromVolume(Uid uid, const KeyIdentifier& identifier, const Volume& volume,
                                     bool& involved) {
  const auto before = volumes_.GetKeyStatus(volume, uid, identifier);
  involved = !before.ok() || before->claimed_by_user ||
             before->presence == KeyPresence::kRemovalIncomplete;
  if (!before.ok()) return Failed(volume, KeyState::kLocked, before.status());
  if (!involved) return VolumeReport{.volume = volume};
  const auto removed = volumes_.RemoveKey(volume, uid, identifier);
  if (!removed.ok()) return Failed(volume, StateOf(*before), removed.status());
  return VolumeReport{.volume = volume,
                      .state = removed->files_busy ? KeyState::kBusy : KeyState::kLocked,
                      .claimed_by_others = removed->claimed_by_others};
}

absl::StatusOr<std::vector<KeyReport>> Vault::GetStatus(Uid uid) {
  ASSIGN_OR_RETURN(std::vector<KeyRecord> records, store_.ListKeys(uid));
  return ReportOn(uid, std::move(records));
}

absl::StatusOr<std::vector<KeyReport>> Vault::ReportOn(Uid uid, std::vector<KeyRecord> records) {
  ASSIGN_OR_RETURN(const std::vector<Volume> volumes, volumes_.ListVolumes());
  const auto held = Held(uid);
  std::vector<KeyReport> reports;
  for (KeyRecord& record : records) {
    KeyReport report{.held_by_service = held && held->identifier == record.identifier};
    for (const Volume& volume : volumes) {
      const auto status = volumes_.GetKeyStatus(volume, uid, record.identifier);
      if (!status.ok()) {
        if (IsUsable(volume)) {
          report.volumes.push_back(Failed(volume, KeyState::kLocked, status.status()));
        }
        continue;
      }
      if (!IsUsable(volume) && status->presence == KeyPresence::kAbsent) continue;
      report.volumes.push_back(VolumeReport{.volume = volume,
                                            .state = StateOf(*status),
                                            .claimed_by_others = status->claimed_by_others});
    }
    if (report.held_by_service) {
      report.state = KeyState::kUnlocked;
    } else if (HasState(report.volumes, KeyState::kBusy)) {
      report.state = KeyState::kBusy;
    } else if (HasState(report.volumes, KeyState::kUnlocked)) {
      report.state = KeyState::kUnlocked;
    }
    report.record = std::move(record);
    reports.push_back(std::move(report));
  }
  return reports;
}

void Vault::AddKeysToNewVolumes() {
  const auto volumes = volumes_.ListVolumes();
  if (!volumes.ok()) {
    Log(LogLevel::kWarning, absl::StrCat("mounts cannot be listed: ", volumes.status().message()));
    return;
  }
  for (const Uid uid : HeldUids()) {
    const std::lock_guard user_lock(UserMutex(uid));
    const auto held = Held(uid);  // asked again: the user may have locked meanwhile
    if (held == nullptr) continue;
    std::vector<Volume> missing;
    for (const Volume& volume : *volumes) {
      const auto status = volumes_.GetKeyStatus(volume, uid, held->identifier);
      if (status.ok() && StateOf(*status) != KeyState::kUnlocked) missing.push_back(volume);
    }
    for (const VolumeReport& report : AddToVolumes(uid, *held, missing)) {
      if (report.error.ok()) {
        Log(LogLevel::kInfo,
            absl::StrCat("uid ", uid, ": key added to new volume ", report.volume.mount_point));
      }
    }
  }
}

absl::StatusOr<UnlockReport> Vault::GiveToVolumes(Uid uid, const HeldKey& held) {
  const std::lock_guard user_lock(UserMutex(uid));
  ASSIGN_OR_RETURN(const std::vector<Volume> volumes, volumes_.ListVolumes());
  UnlockReport report{.identifier = held.identifier};
  report.volumes = AddToVolumes(uid, held, volumes);
  const std::lock_guard lock(mutex_);
  given_[uid].insert(held.identifier);
  return report;
}

absl::StatusOr<LockReport> Vault::TakeFromVolumes(Uid uid, const KeyIdentifier& identifier) {
  const std::lock_guard user_lock(UserMutex(uid));
  {
    const std::lock_guard lock(mutex_);
    if (const auto it = given_.find(uid); it != given_.end()) {
      it->second.erase(identifier);
      if (it->second.empty()) given_.erase(it);
    }
  }
  return RemoveFromVolumes(uid, identifier);
}

bool Vault::IsStillBusy(Uid uid, const KeyIdentifier& identifier) {
  const auto volumes = volumes_.ListVolumes();
  if (!volumes.ok()) return true;
  bool busy = false;
  for (const Volume& volume : *volumes) {
    bool involved = false;
    busy |= RemoveFromVolume(uid, identifier, volume, involved).state == KeyState::kBusy;
  }
  return busy;
}

bool Vault::FinishBusyLocks() {
  const int64_t now = clock_.MonotonicMs();
  std::map<Uid, BusyLock> due;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [uid, pending] : busy_) {
      if (now >= pending.next_ms) due[uid] = pending;
    }
  }
  for (auto& [uid, pending] : due) {
    const std::lock_guard user_lock(UserMutex(uid));
    if (Held(uid) != nullptr) continue;  // unlocked again meanwhile
    const bool busy = IsStillBusy(uid, pending.identifier);
    if (!busy) {
      Log(LogLevel::kInfo, absl::StrCat("uid ", uid, ": the last busy file is closed; locked"));
    }
    const std::lock_guard lock(mutex_);
    if (busy) {
      pending.wait_ms = std::min(pending.wait_ms * 2, kMaxBusyWaitMs);
      pending.next_ms = now + pending.wait_ms;
      busy_[uid] = pending;
    } else {
      busy_.erase(uid);
    }
  }
  const std::lock_guard lock(mutex_);
  return !busy_.empty();
}

}  // namespace ext4crypt
