// SPDX-License-Identifier: Apache-2.0
// What every process of ours that sees a secret does first.
#include "common/process.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <utility>

#include "common/error.h"

namespace ext4crypt {

absl::Status ForbidCoreDumps() {
  // Both: a limit of 0 is ignored when core_pattern is a pipe, as with systemd-coredump.
  const struct rlimit none = {0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    return ErrnoError(ErrorReason::kInternal, errno, "core dumps cannot be switched off");
  }
  return absl::OkStatus();
}

size_t RaiseDescriptorLimit() {
  struct rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t before = std::exchange(limit.rlim_cur, limit.rlim_max);
  return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : before;
}

}  // namespace ext4crypt
