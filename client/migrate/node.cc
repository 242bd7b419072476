// SPDX-License-Identifier: Apache-2.0
#include "client/migrate/node.h"

#include <fcntl.h>
#include <linux/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/directory.h"
#include "common/error.h"

namespace ext4crypt {
namespace {

struct timespec ToTimespec(const struct statx_timestamp& time) {
  return {.tv_sec = time.tv_sec, .tv_nsec = time.tv_nsec};
}

Node FromStatx(const struct statx& in) {
  Node node;
  node.id = {.ino = in.stx_ino};
  if ((in.stx_mask & STATX_BTIME) != 0) {
    node.id.birth_ns = in.stx_btime.tv_sec * 1'000'000'000 + in.stx_btime.tv_nsec;
  }
  node.mount_id = in.stx_mnt_id;
  node.encrypted = (in.stx_attributes & STATX_ATTR_ENCRYPTED) != 0;
  node.undeletable = (in.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)) != 0;
  node.verity = (in.stx_attributes & STATX_ATTR_VERITY) != 0;
  struct stat& out = node.stat;
  out.st_dev = makedev(in.stx_dev_major, in.stx_dev_minor);
  out.st_ino = in.stx_ino;
  out.st_mode = in.stx_mode;
  out.st_nlink = in.stx_nlink;
  out.st_uid = in.stx_uid;
  out.st_gid = in.stx_gid;
  out.st_rdev = makedev(in.stx_rdev_major, in.stx_rdev_minor);
  out.st_size = static_cast<off_t>(in.stx_size);
  out.st_blocks = static_cast<blkcnt_t>(in.stx_blocks);
  out.st_atim = ToTimespec(in.stx_atime);
  out.st_mtim = ToTimespec(in.stx_mtime);
  out.st_ctim = ToTimespec(in.stx_ctime);
  return node;
}

absl::StatusOr<Node> Statx(int dir, const char* name, int flags, const std::string& path) {
  struct statx info = {};
  if (::statx(dir, name, flags | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
              STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, &info) != 0) {
    return NodeError(errno, "stat", path);
  }
  return FromStatx(info);
}

}  // namespace

absl::Status NodeError(int err, absl::string_view what, const std::string& path) {
  ErrorReason reason = ErrorReason::kFileUnmovable;
  switch (err) {
    case ENOSPC:
    case EDQUOT:
      reason = ErrorReason::kVolumeFull;
      break;
    case ENOKEY:
      reason = ErrorReason::kKeyLocked;
      break;
    case EROFS:
      reason = ErrorReason::kFilesystemReadOnly;
      break;
    default:
      if (IsDiskError(err)) reason = ErrorReason::kDiskFailed;
      break;
  }
  return ErrnoError(reason, err, what, path);
}

absl::StatusOr<Node> Look(const At& at, const std::string& path) {
  return Statx(at.dir, at.name.c_str(), 0, path);
}

absl::StatusOr<Node> LookAtFd(int fd, const std::string& path) {
  return Statx(fd, "", AT_EMPTY_PATH, path);
}

absl::StatusOr<UniqueFd> OpenDirectory(const At& at, const std::string& path) {
  UniqueFd fd(::openat(at.dir, at.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return NodeError(errno, "open", path);
  return fd;
}

absl::StatusOr<std::vector<std::string>> ListDirectory(int dir, const std::string& path) {
  std::vector<std::string> names;
  const int error = ForEachName(dir, [&names](const char* name) {
    names.emplace_back(name);
    return true;
  });
  if (error != 0) return NodeError(error, "readdir", path);
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status Sync(int fd, const std::string& path) {
  return ::fsync(fd) == 0 ? absl::OkStatus() : NodeError(errno, "fsync", path);
}

}  // namespace ext4crypt
