// SPDX-License-Identifier: Apache-2.0
#include "client/fs/adopt.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/fs/policy.h"
#include "common/directory.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "common/unique_fd.h"
#include "ext4crypt/uapi.h"

namespace ext4crypt {
namespace {

constexpr uint64_t kNumberEnd = uint64_t{1} << 32;

class Adopter {
 public:
  Adopter(std::string path, UniqueFd top, const AdoptOptions& options)
      : path_(std::move(path)), top_(std::move(top)), options_(options) {}

  absl::StatusOr<AdoptOutcome> Run() {
    struct statvfs volume = {};
    if (::fstatvfs(top_.get(), &volume) != 0) return Failed(errno, "asking for its size");
    above_ = volume.f_files + 1;
    // Directories before what is in them; a path from the top is all that waits.
    for (waiting_.emplace_back(); !waiting_.empty();) {
      const std::string below = std::move(waiting_.back());
      waiting_.pop_back();
      RETURN_IF_ERROR(Directory(below));
    }
    return std::move(outcome_);
  }

 private:
  [[nodiscard]] std::string Full(const std::string& below) const {
    return below.empty() ? path_ : absl::StrCat(path_, path_.back() == '/' ? "" : "/", below);
  }

  [[nodiscard]] absl::Status Failed(int error, const char* what) const {
    return ErrnoError(IsDiskError(error) ? ErrorReason::kDiskFailed : ErrorReason::kInternal, error,
                      what, path_);
  }

  // Neither links nor mounts lead out of the tree.
  [[nodiscard]] UniqueFd Open(const std::string& below) const {
    struct open_how how = {};
    how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
    return UniqueFd(static_cast<int>(::syscall(
        SYS_openat2, top_.get(), below.empty() ? "." : below.c_str(), &how, sizeof(how))));
  }

  absl::Status Directory(const std::string& below) {
    const UniqueFd dir = Open(below);
    if (!dir.valid()) {
      // No directory, or a mount: nothing to look at.
      if (errno != ENOTDIR && errno != ELOOP && errno != EXDEV && errno != ENOENT)
        outcome_.refused.push_back({Full(below), errno});
      return absl::OkStatus();
    }
    std::vector<std::string> names;
    const int error = ForEachName(dir.get(), [&names](const char* name) {
      names.emplace_back(name);
      return true;
    });
    if (error != 0) outcome_.refused.push_back({Full(below), error});
    for (const std::string& name : names) {
      RETURN_IF_ERROR(
          Entry(dir.get(), name, below.empty() ? name : absl::StrCat(below, "/", name)));
    }
    return absl::OkStatus();
  }

  absl::Status Entry(int dir, const std::string& name, const std::string& below) {
    uint64_t was = 0;
    const int error = Find(dir, name, was);
    switch (error) {
      case 0:
        Note(dir, name, below, was);
        [[fallthrough]];
      case ENODATA:
        waiting_.push_back(below);
        return absl::OkStatus();
      case EPERM:
        return ErrnoError(ErrorReason::kNotAllowed, error, "adopting", Full(below));
      case ENOTTY:
        return ErrnoError(ErrorReason::kFilesystemUnsupported, error, "adopting", path_);
      case EROFS:
        return ErrnoError(ErrorReason::kFilesystemReadOnly, error, "adopting", path_);
      case EINTR:
        return Error(ErrorReason::kInterrupted, "stopped", path_);
      case ENOENT:  // gone meanwhile
        return absl::OkStatus();
      default:
        outcome_.refused.push_back({Full(below), error});
        return absl::OkStatus();
    }
  }

  void Note(int dir, const std::string& name, const std::string& below, uint64_t was) {
    struct stat info = {};
    if (::fstatat(dir, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && info.st_ino == was) {
      ++outcome_.authentic;
    } else {
      outcome_.adopted.push_back({Full(below), was});
      near_ = was;
    }
  }

  // 0 and the number that it had, or errno.
  int Find(int dir, const std::string& name, uint64_t& was) {
    if (options_.was != 0) return Try(dir, name, options_.was, 1, was);
    // Neighbours had neighbouring numbers.
    constexpr uint64_t kNear = uint64_t{1} << 15;
    const uint64_t near = std::max(near_, above_ + kNear);
    int error = Try(dir, name, near - kNear, 2 * kNear, was);
    const uint64_t end = std::min(above_ + options_.numbers, kNumberEnd);
    for (uint64_t first = above_; error == ESRCH && first < end; first += E4C_ADOPT_NUMBERS) {
      error = Try(dir, name, first, E4C_ADOPT_NUMBERS, was);
    }
    return error;
  }

  static int Try(int dir, const std::string& name, uint64_t first, uint64_t count, uint64_t& was) {
    struct e4c_adopt arg = {};
    arg.name = reinterpret_cast<uintptr_t>(name.data());
    arg.name_len = static_cast<__u32>(name.size());
    first = std::min(first, kNumberEnd - 1);
    arg.first = first;
    arg.count = std::min(count, kNumberEnd - first);
    if (::ioctl(dir, E4C_IOC_ADOPT, &arg) != 0) return errno;
    was = arg.first;
    return 0;
  }

  std::string path_;
  UniqueFd top_;
  const AdoptOptions& options_;
  uint64_t above_ = 0;  // the first number that the volume does not have
  uint64_t near_ = 0;   // the last one found
  std::vector<std::string> waiting_;
  AdoptOutcome outcome_;
};

}  // namespace

absl::StatusOr<AdoptOutcome> Adopt(const std::string& dir, const AdoptOptions& options) {
  ASSIGN_OR_RETURN(const PolicyDir checked, PolicyDir::Open(dir));
  if (!checked.authenticated()) {
    return Error(ErrorReason::kFilesystemUnsupported, checked.fs_type(), dir);
  }
  UniqueFd top(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!top.valid()) return ErrnoError(ErrorReason::kDirectoryUnreadable, errno, "open", dir);
  return Adopter(dir, std::move(top), options).Run();
}

std::string AdoptRefusal(int error) {
  switch (error) {
    case ESRCH:
      return "not authentic under any of the numbers tried";
    case EEXIST:
      return "a copy: the file it was copied from is still there under its number";
    case EUCLEAN:
      return "what is stored of it is not authentic";
    case ENOKEY:
      return "its key is not there: unlock it first";
    default:
      return std::strerror(error);
  }
}

}  // namespace ext4crypt
