// SPDX-License-Identifier: Apache-2.0
#include "client/migrate/source.h"

#include <fcntl.h>

#include <cerrno>

#include "common/error.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

bool Unchanged(const struct stat& a, const struct stat& b) {
  const auto same = [](const struct timespec& x, const struct timespec& y) {
    return x.tv_sec == y.tv_sec && x.tv_nsec == y.tv_nsec;
  };
  return a.st_ino == b.st_ino && a.st_size == b.st_size && same(a.st_mtim, b.st_mtim) &&
         same(a.st_ctim, b.st_ctim);
}

}  // namespace

absl::StatusOr<Source> Source::Open(const At& at, const Node& node, const std::string& path) {
  Source source(at, node);
  if (!node.IsRegular()) return source;
  const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  source.fd_.reset(::openat(at.dir, at.name.c_str(), flags | O_NOATIME));
  if (!source.fd_.valid()) source.fd_.reset(::openat(at.dir, at.name.c_str(), flags));
  if (!source.fd_.valid()) return NodeError(errno, "open", path);
  source.leased_ = ::fcntl(source.fd(), F_SETLEASE, F_RDLCK) == 0;
  if (!source.leased_ && errno == EAGAIN) {
    return Error(ErrorReason::kFileInUse, "open for writing", path);
  }
  RETURN_IF_ERROR(source.CheckUnchanged(path));
  return source;
}

absl::Status Source::CheckUnwanted(const std::string& path) const {
  if (!leased_ || ::fcntl(fd(), F_GETLEASE) == F_RDLCK) return absl::OkStatus();
  return Error(ErrorReason::kFileInUse, "somebody opens it for writing", path);
}

absl::Status Source::CheckUnchanged(const std::string& path) const {
  RETURN_IF_ERROR(CheckUnwanted(path));
  ASSIGN_OR_RETURN(const Node now, Look(at_, path));
  if (now.id != node_.id || !Unchanged(now.stat, node_.stat)) {
    return Error(ErrorReason::kChangedMeanwhile, "changed while it was copied", path);
  }
  return absl::OkStatus();
}

}  // namespace ext4crypt
