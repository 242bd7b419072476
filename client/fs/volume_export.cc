// SPDX-License-Identifier: Apache-2.0
#include "client/fs/volume_export.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/hex.h"
#include "common/mountinfo.h"
#include "common/paths.h"
#include "common/status_macros.h"
#include "common/unique_fd.h"
#include "keys/export.h"

namespace ext4crypt {
namespace {

constexpr char kPlaceName[] = ".ext4crypt";
constexpr size_t kIdentifierHexSize = 32;

absl::Status ExportError(int err, absl::string_view what, const std::string& path) {
  return ErrnoError(ErrorReason::kRecordUnusable, err, what, path);
}

// The top of the volume that `path` is on, wherever else parts of it are mounted.
absl::StatusOr<std::string> TopOf(const std::string& path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0) return ExportError(errno, "find", path);
  ASSIGN_OR_RETURN(const std::vector<Mount> mounts, ReadMountInfo());
  for (const Mount& mount : mounts) {
    struct stat top = {};
    // The mount may be covered by another: then its place shows something else.
    if (mount.device == info.st_dev && ::stat(mount.mount_point.c_str(), &top) == 0 &&
        top.st_dev == info.st_dev && top.st_ino == kTopInode) {
      return mount.mount_point;
    }
  }
  return Error(ErrorReason::kRecordUnusable, "the top of the volume is not mounted", path);
}

std::string PlaceOn(const std::string& top) {
  return absl::StrCat(top, top == "/" ? "" : "/", kPlaceName);
}

// Nobody but root and the user may move things about in it, or exchange it.
absl::StatusOr<UniqueFd> OpenPlace(const std::string& place) {
  UniqueFd fd(::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return ExportError(errno, "open", place);
  struct stat info = {};
  if (::fstat(fd.get(), &info) != 0) return ExportError(errno, "look at", place);
  const bool others_write = (info.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  if ((info.st_uid != 0 && info.st_uid != ::geteuid()) ||
      (others_write && (info.st_mode & S_ISVTX) == 0)) {
    return Error(ErrorReason::kRecordUnusable, "belongs to somebody else, or lacks the sticky bit",
                 place);
  }
  return fd;
}

// On a volume of the user's own, or by root for everybody.
bool MakePlace(const std::string& top, const std::string& place) {
  struct stat info = {};
  if (::stat(top.c_str(), &info) != 0 || info.st_uid != ::geteuid()) return false;
  if (::mkdir(place.c_str(), 0755) != 0) return false;
  // Not by mkdir(), whose mode the umask changes. Root's is for all users, each of whom makes a
  // file.
  const UniqueFd fd(::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  return fd.valid() && ::fchmod(fd.get(), ::geteuid() == 0 ? 01777 : 0755) == 0 &&
         ::fsync(fd.get()) == 0;
}

UniqueFd OpenExportFile(int place, const std::string& name) {
  return UniqueFd(
      ::openat(place, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

bool IsOwnFile(int fd) {
  struct stat info = {};
  return ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == ::geteuid();
}

absl::Status Replace(int place, const std::string& name, const std::string& path,
                     const std::string& bytes) {
  const std::string fresh = "." + name + ".new";
  ::unlinkat(place, fresh.c_str(), 0);  // of a run that was killed
  const UniqueFd fd(
      ::openat(place, fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return ExportError(errno, "create", path);
  struct statx info = {};
  absl::Status status;
  if (::statx(fd.get(), "", AT_EMPTY_PATH, STATX_BASIC_STATS, &info) != 0) {
    status = ExportError(errno, "look at", path);
  } else if ((info.stx_attributes & STATX_ATTR_ENCRYPTED) != 0) {
    status = Error(ErrorReason::kRecordUnusable,
                   "the place is encrypted itself: an export there opens nothing", path);
  } else if (errno = 0;
             ::write(fd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
             ::fsync(fd.get()) != 0 || ::renameat(place, fresh.c_str(), place, name.c_str()) != 0 ||
             ::fsync(place) != 0) {
    status = ExportError(errno != 0 ? errno : ENOSPC, "write", path);
  }
  if (!status.ok()) ::unlinkat(place, fresh.c_str(), 0);
  return status;
}

std::string CauseOf(const absl::Status& status) { return std::string(status.message()); }

}  // namespace

VolumeExportResult WriteVolumeExport(const std::string& path, const std::string& identifier_hex,
                                     const std::string& bytes, bool make_place) {
  VolumeExportResult result;
  const auto top = TopOf(path);
  if (!top.ok()) {
    result.path = path;
    result.cause = CauseOf(top.status());
    return result;
  }
  const std::string place = PlaceOn(*top);
  struct stat info = {};
  if (::lstat(place.c_str(), &info) != 0 && errno == ENOENT &&
      !(make_place && MakePlace(*top, place))) {
    return {.state = VolumeExportState::kNoPlace, .path = place};
  }
  result.path = absl::StrCat(place, "/", identifier_hex);
  const auto dir = OpenPlace(place);
  if (!dir.ok()) {
    result.cause = CauseOf(dir.status());
    return result;
  }
  const UniqueFd present = OpenExportFile(dir->get(), identifier_hex);
  if (present.valid() || errno != ENOENT) {
    if (!present.valid() || !IsOwnFile(present.get())) {
      result.cause = present.valid() || errno == ELOOP
                         ? "something of somebody else has its name"
                         : absl::StrCat("open: ", strerrordesc_np(errno));
      return result;
    }
    const auto old = ReadExportFile(present.get(), result.path);
    if (old.ok() && *old == bytes) {
      result.state = VolumeExportState::kUnchanged;
      return result;
    }
  }
  const absl::Status replaced = Replace(dir->get(), identifier_hex, result.path, bytes);
  if (replaced.ok()) {
    result.state = VolumeExportState::kWritten;
  } else {
    result.cause = CauseOf(replaced);
  }
  return result;
}

absl::StatusOr<VolumeExport> FindVolumeExport(const std::string& path,
                                              const std::string& not_this_hex) {
  ASSIGN_OR_RETURN(const std::string top, TopOf(path));
  const std::string place = PlaceOn(top);
  ASSIGN_OR_RETURN(UniqueFd dir, OpenPlace(place));
  const int place_fd = dir.get();
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(dir.release()), &::closedir);
  if (entries == nullptr) return ExportError(errno, "list", place);
  std::vector<VolumeExport> found;
  while (const struct dirent* entry = ::readdir(entries.get())) {
    const std::string name = entry->d_name;
    if (name.size() != kIdentifierHexSize || !FromHex(name).has_value() || name == not_this_hex) {
      continue;
    }
    const UniqueFd fd = OpenExportFile(place_fd, name);
    // Others' are others', whatever their names say.
    if (!fd.valid() || !IsOwnFile(fd.get())) continue;
    VolumeExport one{.path = absl::StrCat(place, "/", name), .identifier_hex = name};
    ASSIGN_OR_RETURN(one.bytes, ReadExportFile(fd.get(), one.path));
    found.push_back(std::move(one));
  }
  if (found.empty()) return Error(ErrorReason::kRecordUnusable, "no export of yours", place);
  if (found.size() > 1) {
    return Error(ErrorReason::kRecordUnusable, "several exports of yours: name one as FILE", place);
  }
  return std::move(found[0]);
}

}  // namespace ext4crypt
