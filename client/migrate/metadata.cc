// SPDX-License-Identifier: Apache-2.0
#include "client/migrate/metadata.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

constexpr char kAclAccess[] = "system.posix_acl_access";
constexpr char kAclDefault[] = "system.posix_acl_default";
constexpr int kKeptFlags = FS_NODUMP_FL | FS_NOATIME_FL | FS_SYNC_FL | FS_DIRSYNC_FL;

using Attributes = std::map<std::string, std::string>;

// There is no ...xattrat() yet; through /proc only the last component is looked up by name.
std::string ProcPath(const At& at) { return absl::StrCat("/proc/self/fd/", at.dir, "/", at.name); }

// Calls a function of the listxattr() kind until its result fits.
template <typename Call>
absl::StatusOr<std::string> Grow(Call call, absl::string_view what, const std::string& path) {
  std::string out;
  for (;;) {
    const ssize_t size = call(nullptr, 0);
    if (size < 0) return NodeError(errno, what, path);
    out.resize(static_cast<size_t>(size));
    if (size == 0) return out;
    const ssize_t got = call(out.data(), out.size());
    if (got < 0 && errno == ERANGE) continue;
    if (got < 0) return NodeError(errno, what, path);
    out.resize(static_cast<size_t>(got));
    return out;
  }
}

absl::StatusOr<Attributes> ReadAttributes(const At& at, const std::string& path) {
  const std::string file = ProcPath(at);
  ASSIGN_OR_RETURN(
      const std::string names,
      Grow([&](char* out, size_t size) { return ::llistxattr(file.c_str(), out, size); },
           "listxattr", path));
  Attributes attributes;
  for (size_t begin = 0; begin < names.size(); begin = names.find('\0', begin) + 1) {
    const std::string name = names.c_str() + begin;
    ASSIGN_OR_RETURN(
        attributes[name],
        Grow([&](char* out,
                 size_t size) { return ::lgetxattr(file.c_str(), name.c_str(), out, size); },
             "getxattr", path));
  }
  return attributes;
}

absl::Status CopyAttributes(const At& from, const At& to, const std::string& path) {
  ASSIGN_OR_RETURN(const Attributes wanted, ReadAttributes(from, path));
  ASSIGN_OR_RETURN(const Attributes present, ReadAttributes(to, path));
  const std::string file = ProcPath(to);
  for (const auto& [name, value] : present) {
    if (wanted.contains(name)) continue;
    if (::lremovexattr(file.c_str(), name.c_str()) != 0 && errno != ENODATA) {
      return NodeError(errno, absl::StrCat("removing attribute ", name), path);
    }
  }
  for (const auto& [name, value] : wanted) {
    const auto found = present.find(name);
    if (found != present.end() && found->second == value) continue;
    if (::lsetxattr(file.c_str(), name.c_str(), value.data(), value.size(), 0) != 0) {
      return NodeError(errno, absl::StrCat("setting attribute ", name), path);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> OpenForFlags(const At& at, const std::string& path) {
  UniqueFd fd(
      ::openat(at.dir, at.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd.valid()) return NodeError(errno, "open", path);
  return fd;
}

absl::Status CopyFlags(const At& from, const At& to, const std::string& path) {
  ASSIGN_OR_RETURN(const UniqueFd source, OpenForFlags(from, path));
  ASSIGN_OR_RETURN(const UniqueFd target, OpenForFlags(to, path));
  int wanted = 0;
  int present = 0;
  if (::ioctl(source.get(), FS_IOC_GETFLAGS, &wanted) != 0 ||
      ::ioctl(target.get(), FS_IOC_GETFLAGS, &present) != 0) {
    return NodeError(errno, "reading attributes", path);
  }
  int flags = (present & ~kKeptFlags) | (wanted & kKeptFlags);
  if (flags != present && ::ioctl(target.get(), FS_IOC_SETFLAGS, &flags) != 0) {
    return NodeError(errno, "setting attributes", path);
  }
  return absl::OkStatus();
}

bool SameTime(const struct timespec& a, const struct timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool SameStat(const struct stat& a, const struct stat& b) {
  return a.st_mode == b.st_mode && a.st_uid == b.st_uid && a.st_gid == b.st_gid &&
         a.st_rdev == b.st_rdev && SameTime(a.st_mtim, b.st_mtim);
}

}  // namespace

absl::Status CopyMetadata(const At& from, const At& to, const struct stat& want,
                          const std::string& path) {
  // The owner first: a change of it clears set-id bits and capabilities. The mode after the ACL,
  // which is part of it; the times after everything.
  if (::fchownat(to.dir, to.name.c_str(), want.st_uid, want.st_gid, AT_SYMLINK_NOFOLLOW) != 0) {
    return NodeError(errno, "chown", path);
  }
  RETURN_IF_ERROR(CopyAttributes(from, to, path));
  // Before the mode, which may not let us open it.
  if (S_ISREG(want.st_mode) || S_ISDIR(want.st_mode)) {
    RETURN_IF_ERROR(CopyFlags(from, to, path));
  }
  if (!S_ISLNK(want.st_mode) && ::fchmodat(to.dir, to.name.c_str(), want.st_mode & 07777, 0) != 0) {
    return NodeError(errno, "chmod", path);
  }
  const struct timespec times[2] = {want.st_atim, want.st_mtim};
  if (::utimensat(to.dir, to.name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) {
    return NodeError(errno, "setting the times", path);
  }
  ASSIGN_OR_RETURN(const Node result, Look(to, path));
  if (!SameStat(result.stat, want)) {
    return Error(ErrorReason::kFileUnmovable, "owner, mode or time cannot be kept", path);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> SameMetadata(const At& a, const At& b, const std::string& path) {
  ASSIGN_OR_RETURN(const Node first, Look(a, path));
  ASSIGN_OR_RETURN(const Node second, Look(b, path));
  if (!SameStat(first.stat, second.stat)) return false;
  ASSIGN_OR_RETURN(const Attributes of_first, ReadAttributes(a, path));
  ASSIGN_OR_RETURN(const Attributes of_second, ReadAttributes(b, path));
  return of_first == of_second;
}

absl::Status DropInheritedAcls(const At& at, const std::string& path) {
  for (const char* name : {kAclAccess, kAclDefault}) {
    if (::lremovexattr(ProcPath(at).c_str(), name) != 0 && errno != ENODATA &&
        errno != EOPNOTSUPP) {
      return NodeError(errno, "removing an inherited ACL", path);
    }
  }
  return absl::OkStatus();
}

}  // namespace ext4crypt
