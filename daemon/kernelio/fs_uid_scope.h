// SPDX-License-Identifier: Apache-2.0
// Makes file system calls of this thread count as another user's, for a moment.
#pragma once

#include "absl/status/status.h"
#include "keys/records.h"

namespace ext4crypt {

// fscrypt's claims go by fsuid. setfsuid() is per thread, where glibc's seteuid() would change
// every thread; it leaves the real and effective uid alone, so the user cannot signal us. It does
// drop the file capabilities for a uid other than 0: open files before, not inside.
class FsUidScope {
 public:
  explicit FsUidScope(Uid uid);
  FsUidScope(const FsUidScope&) = delete;
  FsUidScope& operator=(const FsUidScope&) = delete;
  ~FsUidScope();

  // setfsuid() reports no errors; this asked.
  [[nodiscard]] const absl::Status& status() const { return status_; }

 private:
  Uid previous_;
  absl::Status status_;
};

}  // namespace ext4crypt
