// SPDX-License-Identifier: Apache-2.0
#include "daemon/core/default_key.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/log.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

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

absl::StatusOr<UnlockReport> DefaultKey::Unlock(Uid uid, const Credential& credential,
                                                UnlockFor purpose) {
  ASSIGN_OR_RETURN(const KeyRecord record, store_.FindKey(uid, kDefaultKeyName));
  // Half a second of derivation: outside the turn, so that status and lock do not wait for it.
  ASSIGN_OR_RETURN(OpenedKey opened, opener_.Open(record, credential));

  const HeldKeys::Turn turn = held_.TurnOf(uid);
  // Asked here, where no lock of this user's can run: a session that ends later finds the key.
  const bool in_session = sessions_.Of(uid) != 0;
  if (purpose == UnlockFor::kSession && !in_session) {
    return Error(ErrorReason::kChangedMeanwhile, "the session ended before its key was unlocked");
  }
  const bool was_held = held_.FindDefault(uid) != nullptr;
  ASSIGN_OR_RETURN(UnlockReport report, held_.Give(turn, {.identifier = record.identifier,
                                                          .key = std::move(opened.key),
                                                          .is_default = true}));
  {
    const std::lock_guard lock(mutex_);
    if (!in_session && !was_held) outside_sessions_.insert(uid);
    used_[uid] = {.seen_ms = clock_.MonotonicMs(), .looked_ms = clock_.MonotonicMs()};
  }
  const absl::Status keyring = keyring_.InstallDefaultKey(uid, held_.FindDefault(uid)->key);
  report.keyring_installed = keyring.ok();
  if (!keyring.ok()) {
    Log(LogLevel::kWarning,
        absl::StrCat("uid ", uid, ": no default key in the user's keyring: ", keyring.message()));
  }
  return report;
}

absl::StatusOr<LockReport> DefaultKey::Lock(Uid uid) {
  const HeldKeys::Turn turn = held_.TurnOf(uid);
  return LockNow(turn);
}

absl::StatusOr<LockReport> DefaultKey::LockNow(const HeldKeys::Turn& turn) {
  const Uid uid = turn.uid();
  ASSIGN_OR_RETURN(const KeyRecord record, store_.FindKey(uid, kDefaultKeyName));
  held_.Forget(turn, record.identifier);
  {
    const std::lock_guard lock(mutex_);
    used_.erase(uid);
    outside_sessions_.erase(uid);
  }
  // Before the volumes: nothing new may be created with the key while it is being taken away.
  const absl::Status keyring = keyring_.RemoveDefaultKey(uid);
  ASSIGN_OR_RETURN(LockReport report, held_.Take(turn, record.identifier));
  RETURN_IF_ERROR(keyring);
  return report;
}

bool DefaultKey::LockAfterLastSession(Uid uid) {
  const HeldKeys::Turn turn = held_.TurnOf(uid);
  if (sessions_.Of(uid) != 0) return false;  // a new one has begun meanwhile
  {
    const std::lock_guard lock(mutex_);
    if (outside_sessions_.contains(uid)) return false;
  }
  LogLockByItself(uid, "the last session ended", LockNow(turn));
  return true;
}

bool DefaultKey::IsIdleSampleDue(Uid uid, int64_t now) {
  const bool in_session = sessions_.Of(uid) != 0;
  const std::lock_guard lock(mutex_);
  const auto it = used_.find(uid);
  if (it == used_.end()) return false;
  if (in_session) it->second.seen_ms = now;
  if (in_session || now - it->second.looked_ms < kIdleSampleMs) return false;
  it->second.looked_ms = now;
  return true;
}

absl::StatusOr<bool> DefaultKey::IsInUse(const HeldKeys::Turn& turn) {
  if (sessions_.Of(turn.uid()) != 0) return true;
  return held_.HasOpenFiles(turn);
}

void DefaultKey::LockIdle() {
  if (options_.idle_lock_ms == 0) return;
  const int64_t now = clock_.MonotonicMs();
  for (const Uid uid : held_.Users()) {
    if (!IsIdleSampleDue(uid, now)) continue;
    const HeldKeys::Turn turn = held_.TurnOf(uid);
    if (held_.FindDefault(uid) == nullptr) continue;
    const absl::StatusOr<bool> in_use = IsInUse(turn);
    if (!in_use.ok()) continue;
    {
      const std::lock_guard lock(mutex_);
      Use& use = used_[uid];
      if (*in_use) use.seen_ms = now;
      if (now - use.seen_ms < options_.idle_lock_ms) continue;
    }
    LogLockByItself(uid, "idle", LockNow(turn));
  }
}

}  // namespace ext4crypt
