// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernelio/fs_uid_scope.h"

#include <sys/fsuid.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/log.h"

namespace ext4crypt {
namespace {

// The only way to read the fsuid: setting an invalid one changes nothing and returns the current.
Uid CurrentFsUid() { return static_cast<Uid>(setfsuid(static_cast<uid_t>(-1))); }

}  // namespace

FsUidScope::FsUidScope(Uid uid) : previous_(CurrentFsUid()) {
  setfsuid(uid);
  if (CurrentFsUid() != uid) {
    status_ = Error(ErrorReason::kInternal, absl::StrCat("cannot act on files as uid ", uid));
  }
}

FsUidScope::~FsUidScope() {
  setfsuid(previous_);
  if (CurrentFsUid() != previous_) {
    // A thread of the pool would go on as the wrong user: better no service than that.
    Log(LogLevel::kError, "cannot return to the service's own fsuid");
    std::abort();
  }
}

}  // namespace ext4crypt
