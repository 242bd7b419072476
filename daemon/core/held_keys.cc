// SPDX-License-Identifier: Apache-2.0
#include "daemon/core/held_keys.h"

#include <algorithm>
#include <iterator>

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

}  // namespace

void MergeReports(LockReport from, LockReport& into) {
  if (from.state == KeyState::kBusy || into.state == KeyState::kLocked) into.state = from.state;
  std::move(from.volumes.begin(), from.volumes.end(), std::back_inserter(into.volumes));
  std::move(from.busy.begin(), from.busy.end(), std::back_inserter(into.busy));
}

std::shared_ptr<const HeldKey> HeldKeys::Find(Uid uid, const KeyIdentifier& identifier) const {
  const std::lock_guard lock(mutex_);
  const auto it = held_.find({uid, identifier});
  return it == held_.end() ? nullptr : it->second;
}

std::shared_ptr<const HeldKey> HeldKeys::FindDefault(Uid uid) const {
  const std::lock_guard lock(mutex_);
  for (auto it = held_.lower_bound({uid, {}}); it != held_.end() && it->first.first == uid; ++it) {
    if (it->second->is_default) return it->second;
  }
  return nullptr;
}

std::vector<Uid> HeldKeys::Users() const {
  const std::lock_guard lock(mutex_);
  std::vector<Uid> users;
  for (const auto& [id, key] : held_) {
    if (users.empty() || users.back() != id.first) users.push_back(id.first);
  }
  return users;
}

std::vector<KeyIdentifier> HeldKeys::KeysOf(Uid uid) const {
  const std::lock_guard lock(mutex_);
  std::vector<KeyIdentifier> keys;
  for (auto it = held_.lower_bound({uid, {}}); it != held_.end() && it->first.first == uid; ++it) {
    keys.push_back(it->first.second);
  }
  return keys;
}

void HeldKeys::Hold(Uid uid, std::shared_ptr<const HeldKey> key) {
  const std::lock_guard lock(mutex_);
  if (key->is_default) {
    std::erase_if(held_, [uid](const auto& entry) {
      return entry.first.first == uid && entry.second->is_default;
    });
  }
  const Id id(uid, key->identifier);
  busy_.erase(id);
  held_[id] = std::move(key);
}

absl::StatusOr<UnlockReport> HeldKeys::Give(const Turn& turn, HeldKey key) {
  ASSIGN_OR_RETURN(const std::vector<Volume> volumes, volumes_.ListVolumes());
  const auto held = std::make_shared<const HeldKey>(std::move(key));
  Hold(turn.uid(), held);
  UnlockReport report{.identifier = held->identifier};
  report.volumes = AddToVolumes(turn.uid(), *held, volumes);
  return report;
}

void HeldKeys::Forget(const Turn& turn, const KeyIdentifier& identifier) {
  const std::lock_guard lock(mutex_);
  held_.erase({turn.uid(), identifier});
}

absl::StatusOr<LockReport> HeldKeys::Take(const Turn& turn, const KeyIdentifier& identifier) {
  Forget(turn, identifier);
  ASSIGN_OR_RETURN(LockReport report, RemoveFromVolumes(turn.uid(), identifier));
  const std::lock_guard lock(mutex_);
  if (report.state == KeyState::kBusy) {
    busy_[{turn.uid(), identifier}] = {.next_ms = clock_.MonotonicMs() + kFirstBusyWaitMs};
  } else {
    busy_.erase({turn.uid(), identifier});
  }
  return report;
}

absl::StatusOr<bool> HeldKeys::HasOpenFiles(const Turn& turn) {
  ASSIGN_OR_RETURN(const std::vector<Volume> volumes, volumes_.ListVolumes());
  const std::vector<KeyIdentifier> keys = KeysOf(turn.uid());
  return std::any_of(keys.begin(), keys.end(), [&](const KeyIdentifier& identifier) {
    return !scanner_.FindBusy(volumes, identifier).empty();
  });
}

std::vector<VolumeReport> HeldKeys::AddToVolumes(Uid uid, const HeldKey& key,
                                                 const std::vector<Volume>& volumes) {
  std::vector<VolumeReport> reports;
  for (const Volume& volume : volumes) {
    if (!IsUsable(volume)) continue;
    absl::Status added = volumes_.AddKey(volume, uid, key.identifier, key.key);
    if (added.ok()) {
      reports.push_back(VolumeReport{.volume = volume, .state = KeyState::kUnlocked});
    } else {
      Log(LogLevel::kWarning, absl::StrCat("uid ", uid, ": ", added.message()));
      reports.push_back(Failed(volume, KeyState::kLocked, std::move(added)));
    }
  }
  return reports;
}

absl::StatusOr<LockReport> HeldKeys::RemoveFromVolumes(Uid uid, const KeyIdentifier& identifier) {
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

VolumeReport HeldKeys::RemoveFromVolume(Uid uid, const KeyIdentifier& identifier,
                                        const Volume& volume, bool& involved) {
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

absl::StatusOr<std::vector<KeyReport>> HeldKeys::ReportOn(Uid uid, std::vector<KeyRecord> records) {
  ASSIGN_OR_RETURN(const std::vector<Volume> volumes, volumes_.ListVolumes());
  std::vector<KeyReport> reports;
  for (KeyRecord& record : records) reports.push_back(ReportOn(uid, std::move(record), volumes));
  return reports;
}

KeyReport HeldKeys::ReportOn(Uid uid, KeyRecord record, const std::vector<Volume>& volumes) {
  KeyReport report{.held_by_service = Find(uid, record.identifier) != nullptr};
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
  return report;
}

void HeldKeys::AddKeysToNewVolumes() {
  const auto volumes = volumes_.ListVolumes();
  if (!volumes.ok()) {
    Log(LogLevel::kWarning, absl::StrCat("mounts cannot be listed: ", volumes.status().message()));
    return;
  }
  for (const Uid uid : Users()) {
    const Turn turn = TurnOf(uid);
    // Asked for here: the user may have locked meanwhile.
    for (const KeyIdentifier& identifier : KeysOf(uid)) {
      AddToNewVolumes(turn, identifier, *volumes);
    }
  }
}

void HeldKeys::AddToNewVolumes(const Turn& turn, const KeyIdentifier& identifier,
                               const std::vector<Volume>& volumes) {
  const Uid uid = turn.uid();
  const auto key = Find(uid, identifier);
  if (key == nullptr) return;
  std::vector<Volume> missing;
  for (const Volume& volume : volumes) {
    const auto status = volumes_.GetKeyStatus(volume, uid, identifier);
    if (status.ok() && StateOf(*status) != KeyState::kUnlocked) missing.push_back(volume);
  }
  for (const VolumeReport& report : AddToVolumes(uid, *key, missing)) {
    if (!report.error.ok()) continue;
    Log(LogLevel::kInfo,
        absl::StrCat("uid ", uid, ": key added to new volume ", report.volume.mount_point));
  }
}

bool HeldKeys::IsStillBusy(Uid uid, const KeyIdentifier& identifier) {
  const auto volumes = volumes_.ListVolumes();
  if (!volumes.ok()) return true;
  bool busy = false;
  for (const Volume& volume : *volumes) {
    bool involved = false;
    busy |= RemoveFromVolume(uid, identifier, volume, involved).state == KeyState::kBusy;
  }
  return busy;
}

bool HeldKeys::FinishBusyLocks() {
  const int64_t now = clock_.MonotonicMs();
  std::map<Id, BusyLock> due;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, busy] : busy_) {
      if (now >= busy.next_ms) due[id] = busy;
    }
  }
  for (const auto& [id, busy] : due) FinishBusyLock(id, busy, now);
  const std::lock_guard lock(mutex_);
  return !busy_.empty();
}

void HeldKeys::FinishBusyLock(const Id& id, BusyLock busy, int64_t now) {
  const auto& [uid, identifier] = id;
  const Turn turn = TurnOf(uid);
  if (Find(uid, identifier) != nullptr) return;  // unlocked again meanwhile
  const bool still_busy = IsStillBusy(uid, identifier);
  if (!still_busy) {
    Log(LogLevel::kInfo, absl::StrCat("uid ", uid, ": the last busy file is closed; locked"));
  }
  const std::lock_guard lock(mutex_);
  if (still_busy) {
    busy.wait_ms = std::min(busy.wait_ms * 2, kMaxBusyWaitMs);
    busy.next_ms = now + busy.wait_ms;
    busy_[id] = busy;
  } else {
    busy_.erase(id);
  }
}

}  // namespace ext4crypt
