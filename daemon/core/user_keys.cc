// SPDX-License-Identifier: Apache-2.0
#include "daemon/core/user_keys.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status_macros.h"

namespace ext4crypt {

absl::StatusOr<UnlockReport> UserKeys::Unlock(Uid uid, const Credential& credential,
                                              UnlockFor purpose) {
  ASSIGN_OR_RETURN(UnlockReport report, default_key_.Unlock(uid, credential, purpose));
  report.others = named_keys_.UnlockAll(uid);
  return report;
}

absl::StatusOr<LockReport> UserKeys::Lock(Uid uid) {
  ASSIGN_OR_RETURN(LockReport report, default_key_.Lock(uid));
  ASSIGN_OR_RETURN(LockReport others, named_keys_.LockAll(uid));
  MergeReports(std::move(others), report);
  return report;
}

void UserKeys::LockAfterLastSession(Uid uid) {
  if (!default_key_.LockAfterLastSession(uid)) return;
  // By name and not only those we hold: a restart forgets.
  const auto others = named_keys_.LockAll(uid);
  if (others.ok()) return;
  Log(LogLevel::kError, absl::StrCat("uid ", uid, ": named keys: ", others.status().message()));
}

absl::StatusOr<UserReport> UserKeys::GetStatus(Uid uid) {
  UserReport report{.sessions = sessions_.Of(uid),
                    .allow_unauthenticated = held_.options().allow_unauthenticated};
  RETURN_IF_ERROR(AddOwn(uid, report));
  report.enrolled = !report.keys.empty();
  RETURN_IF_ERROR(AddGiven(uid, report));
  return report;
}

absl::Status UserKeys::AddOwn(Uid uid, UserReport& report) {
  ASSIGN_OR_RETURN(std::vector<KeyRecord> records, store_.ListKeys(uid));
  ASSIGN_OR_RETURN(report.keys, held_.ReportOn(uid, std::move(records)));
  for (KeyReport& key : report.keys) {
    if (key.record.name == kDefaultKeyName) continue;
    ASSIGN_OR_RETURN(key.shared_with, named_keys_.ListShares(uid, key.record.name));
  }
  // The store sorts by name.
  std::stable_partition(report.keys.begin(), report.keys.end(),
                        [](const KeyReport& key) { return key.record.name == kDefaultKeyName; });
  return absl::OkStatus();
}

absl::Status UserKeys::AddGiven(Uid uid, UserReport& report) {
  ASSIGN_OR_RETURN(std::vector<KeyRecord> given, named_keys_.ListSharedWith(uid));
  ASSIGN_OR_RETURN(std::vector<KeyReport> keys, held_.ReportOn(uid, std::move(given)));
  for (KeyReport& key : keys) {
    key.record.name = FormatKeyName(uid, {.owner = key.record.uid, .name = key.record.name});
    report.keys.push_back(std::move(key));
  }
  return absl::OkStatus();
}

void UserKeys::Tick() {
  held_.FinishBusyLocks();
  default_key_.LockIdle();
  named_keys_.LockWithoutDefault();
}

}  // namespace ext4crypt
