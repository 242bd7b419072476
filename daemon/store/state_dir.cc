// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/state_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "common/error.h"

namespace ext4crypt {

absl::StatusOr<StateDir> StateDir::Acquire(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return ErrnoError(ErrorReason::kStoreUnwritable, errno, "cannot create the state directory",
                      path);
  }
  const UniqueFd dir(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat info = {};
  if (!dir.valid() || ::fstat(dir.get(), &info) != 0) {
    return ErrnoError(ErrorReason::kStoreUnwritable, errno, "cannot open the state directory",
                      path);
  }
  if (info.st_uid != ::geteuid() || (info.st_mode & 077) != 0) {
    return Error(ErrorReason::kStoreUnwritable,
                 "the state directory must belong to the service and have mode 0700", path);
  }
  UniqueFd lock(::openat(dir.get(), "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!lock.valid()) {
    return ErrnoError(ErrorReason::kStoreUnwritable, errno, "cannot open the lock file", path);
  }
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return errno == EWOULDBLOCK
               ? Error(ErrorReason::kStoreInUse, "another key service uses the state directory",
                       path)
               : ErrnoError(ErrorReason::kStoreUnwritable, errno, "cannot lock", path);
  }
  return StateDir(path, std::move(lock));
}

}  // namespace ext4crypt
