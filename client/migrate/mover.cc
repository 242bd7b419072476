// SPDX-License-Identifier: Apache-2.0
#include "client/migrate/mover.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/migrate/contents.h"
#include "client/migrate/metadata.h"
#include "common/error.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

constexpr char kPartName[] = "file";
constexpr size_t kMaxBatchFiles = 256;
// A file that is written to without end is left; one that was touched once is copied again.
constexpr int kAttempts = 3;
// Beyond the file itself: tag blocks (less than a hundredth), extents, directories, the journal.
constexpr uint64_t kSpareBytes = 1U << 20;

// What makes going on with other files pointless.
bool EndsEverything(const absl::Status& status) {
  switch (ReasonOf(status)) {
    case ErrorReason::kInterrupted:
    case ErrorReason::kVolumeFull:
    case ErrorReason::kKeyLocked:
    case ErrorReason::kFilesystemReadOnly:
      return true;
    default:
      return false;
  }
}

absl::Status InUse(absl::string_view why, const std::string& path) {
  return Error(ErrorReason::kFileInUse, why, path);
}

absl::StatusOr<bool> Exists(const At& at, const std::string& path) {
  if (::faccessat(at.dir, at.name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) return true;
  if (errno == ENOENT) return false;
  return NodeError(errno, "look", path);
}

absl::Status MakeDirectory(const At& at, const std::string& path) {
  if (::mkdirat(at.dir, at.name.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
  return NodeError(errno, "mkdir", path);
}

absl::StatusOr<std::string> ReadLink(const At& at, const std::string& path) {
  std::array<char, PATH_MAX> target;
  const ssize_t size = ::readlinkat(at.dir, at.name.c_str(), target.data(), target.size());
  if (size < 0) return NodeError(errno, "readlink", path);
  return std::string(target.data(), static_cast<size_t>(size));
}

}  // namespace

Mover::Mover(WorkDir& work, uint64_t mount_id, size_t descriptors,
             std::function<void(const MoveCounts&)> progress, std::function<bool()> stop)
    : work_(work),
      mount_id_(mount_id),
      batch_files_(std::clamp<size_t>(descriptors / 8, 1, kMaxBatchFiles)),
      progress_(std::move(progress)),
      stop_(std::move(stop)) {}

absl::Status Mover::Run(int source, const std::string& path) {
  // How the kernel tells that somebody wants a file we have a lease on; its default is to end us.
  std::signal(SIGIO, SIG_IGN);
  RETURN_IF_ERROR(work_.ClearPart());
  const auto top = std::make_shared<Directory>();
  top->from = source;
  top->to = work_.tree();
  top->path = path;
  const absl::Status moved = MoveDirectory(top);
  // What is copied is worth keeping, except where nothing can be done any more.
  const ErrorReason reason = ReasonOf(moved);
  if (moved.ok() || reason == ErrorReason::kInterrupted || reason == ErrorReason::kVolumeFull) {
    RETURN_IF_ERROR(FinishBatch());
  }
  RETURN_IF_ERROR(moved);
  return left_.empty() ? absl::OkStatus() : Error(ErrorReason::kFilesLeft, "files are left", path);
}

absl::Status Mover::Leave(const DirectoryPtr& dir, const std::string& path, absl::Status status) {
  if (EndsEverything(status)) return status;
  left_.push_back({.path = path, .status = std::move(status)});
  for (Directory* of = dir.get(); of != nullptr; of = of->parent.get()) of->left = true;
  return absl::OkStatus();
}

absl::Status Mover::MoveDirectory(const DirectoryPtr& dir) {
  ASSIGN_OR_RETURN(const Node node, LookAtFd(dir->from, dir->path));
  ASSIGN_OR_RETURN(dir->wanted, work_.Remember(node, dir->path));
  // A directory we may not write to is made writable for as long as it takes.
  const mode_t mode = node.stat.st_mode & 07777;
  if ((mode & 0700) != 0700) {
    RETURN_IF_ERROR(work_.SyncRecords());
    if (::fchmod(dir->from, mode | 0700) != 0) return NodeError(errno, "chmod", dir->path);
  }
  if (::fchmod(dir->to, 0700) != 0) return NodeError(errno, "chmod", dir->path);
  RETURN_IF_ERROR(DropInheritedAcls({.dir = dir->to, .name = "."}, dir->path));

  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(dir->from, dir->path));
  for (const std::string& name : names) {
    const std::string child = absl::StrCat(dir->path, "/", name);
    if (absl::Status moved = MoveEntry(dir, name, child); !moved.ok()) {
      RETURN_IF_ERROR(Leave(dir, child, std::move(moved)));
    }
  }
  return AddFinished(dir);
}

absl::Status Mover::MoveEntry(const DirectoryPtr& dir, const std::string& name,
                              const std::string& path) {
  const At source{.dir = dir->from, .name = name};
  ASSIGN_OR_RETURN(const Node node, Look(source, path));
  if (node.mount_id != mount_id_) {
    return Error(ErrorReason::kDirectorySpansMounts, "a mount point", path);
  }
  if (stop_()) return Error(ErrorReason::kInterrupted, "told to stop", path);
  if (node.IsDirectory()) return MoveChild(dir, name, path);
  ASSIGN_OR_RETURN(const bool for_batch, IsForBatch(dir, name, node, path));
  if (for_batch) return AddToBatch(dir, name, node, path);
  RETURN_IF_ERROR(MoveFile(source, {.dir = dir->to, .name = name}, path));
  ++counts_.files;
  progress_(counts_);
  return absl::OkStatus();
}

absl::Status Mover::MoveChild(const DirectoryPtr& parent, const std::string& name,
                              const std::string& path) {
  const At to{.dir = parent->to, .name = name};
  absl::Status made = MakeDirectory(to, path);
  // The directories that are done have inodes.
  if (ReasonOf(made) == ErrorReason::kVolumeFull && HasBatch()) {
    RETURN_IF_ERROR(FinishBatch());
    made = MakeDirectory(to, path);
  }
  RETURN_IF_ERROR(made);
  ASSIGN_OR_RETURN(const Node target, Look(to, path));
  if (!target.IsDirectory()) {
    return Error(ErrorReason::kMoveConflict, "a file is in its place", path);
  }
  // Its own rights may not let even its owner in; then they were remembered before.
  if ((target.stat.st_mode & 0700) != 0700 && ::fchmodat(to.dir, name.c_str(), 0700, 0) != 0) {
    return NodeError(errno, "chmod", path);
  }
  const auto dir = std::make_shared<Directory>();
  dir->from_at = {.dir = parent->from, .name = name};
  dir->parent = parent;
  ASSIGN_OR_RETURN(dir->own_from, OpenDirectory(dir->from_at, path));
  ASSIGN_OR_RETURN(dir->own_to, OpenDirectory(to, path));
  dir->from = dir->own_from.get();
  dir->to = dir->own_to.get();
  dir->path = path;
  return MoveDirectory(dir);
}

At Mover::PoolOf(const Node& node) const {
  return {.dir = work_.links(), .name = absl::StrFormat("%d-%x", node.id.ino, node.id.birth_ns)};
}

absl::Status Mover::MoveFile(const At& from, const At& to, const std::string& path) {
  for (int attempt = 1;; ++attempt) {
    ASSIGN_OR_RETURN(const Node node, Look(from, path));
    const MoveCounts before = counts_;
    absl::Status moved = MoveFileOnce(from, to, node, path);
    if (moved.ok()) return moved;
    counts_ = before;
    if (ReasonOf(moved) != ErrorReason::kChangedMeanwhile) return moved;
    if (attempt == kAttempts) return InUse("it keeps changing", path);
  }
}

absl::Status Mover::MoveFileOnce(const At& from, const At& to, const Node& node,
                                 const std::string& path) {
  ASSIGN_OR_RETURN(Source source, Source::Open(from, node, path));
  const At pool = PoolOf(node);
  ASSIGN_OR_RETURN(const bool pooled, Exists(pool, path));
  const bool linked = pooled || node.stat.st_nlink > 1;
  RETURN_IF_ERROR(linked ? PlaceLink(source, pool, to, path) : Place(source, to, path));
  // The name must be durable before the other one goes, and so must what its directory was like.
  RETURN_IF_ERROR(Sync(to.dir, path));
  RETURN_IF_ERROR(work_.SyncRecords());
  if (absl::Status unchanged = source.CheckUnchanged(path); !unchanged.ok()) {
    // The copy is out of date; the source is what counts.
    if (::unlinkat(to.dir, to.name.c_str(), 0) != 0) return NodeError(errno, "unlink", path);
    return unchanged;
  }
  if (::unlinkat(from.dir, from.name.c_str(), 0) != 0) return NodeError(errno, "unlink", path);
  if (linked && node.stat.st_nlink == 1 && ::unlinkat(pool.dir, pool.name.c_str(), 0) != 0) {
    return NodeError(errno, "unlink", path);
  }
  return absl::OkStatus();
}

absl::Status Mover::Place(Source& source, const At& to, const std::string& path) {
  ASSIGN_OR_RETURN(const bool exists, Exists(to, path));
  if (exists) {
    ASSIGN_OR_RETURN(const bool same, SameFile(source, to, path));
    if (same) return absl::OkStatus();
    return Error(ErrorReason::kMoveConflict, "it is in both trees and differs", path);
  }
  const At part{.dir = work_.part(), .name = kPartName};
  RETURN_IF_ERROR(Copy(source, part, path));
  RETURN_IF_ERROR(source.CheckUnchanged(path));
  if (::renameat2(part.dir, part.name.c_str(), to.dir, to.name.c_str(), RENAME_NOREPLACE) != 0) {
    return NodeError(errno, "rename", path);
  }
  return absl::OkStatus();
}

absl::Status Mover::PlaceLink(Source& source, const At& pool, const At& to,
                              const std::string& path) {
  ASSIGN_OR_RETURN(const bool pooled, Exists(pool, path));
  if (!pooled) {
    const At part{.dir = work_.part(), .name = kPartName};
    RETURN_IF_ERROR(Copy(source, part, path));
    RETURN_IF_ERROR(source.CheckUnchanged(path));
    if (::renameat(part.dir, part.name.c_str(), pool.dir, pool.name.c_str()) != 0) {
      return NodeError(errno, "rename", path);
    }
    RETURN_IF_ERROR(Sync(pool.dir, path));
  } else {
    ASSIGN_OR_RETURN(const bool same, SameMetadata(source.at(), pool, path));
    if (!same) {
      // Changed by one of the names that are left. The copy is changed in place, since names that
      // are done lead to it; until it is, the source has everything. Its time says it is not.
      if (!source.node().IsRegular()) return InUse("it changed between its names", path);
      const struct timespec never[2] = {{.tv_sec = 0, .tv_nsec = 0}, {.tv_sec = 0, .tv_nsec = 0}};
      if (::utimensat(pool.dir, pool.name.c_str(), never, 0) != 0) {
        return NodeError(errno, "setting the times", path);
      }
      RETURN_IF_ERROR(Fill(source, pool, path));
      RETURN_IF_ERROR(source.CheckUnchanged(path));
    }
  }
  if (::linkat(pool.dir, pool.name.c_str(), to.dir, to.name.c_str(), 0) == 0) {
    return absl::OkStatus();
  }
  if (errno != EEXIST) return NodeError(errno, "link", path);
  ASSIGN_OR_RETURN(const Node present, Look(to, path));
  ASSIGN_OR_RETURN(const Node ours, Look(pool, path));
  if (present.id == ours.id) return absl::OkStatus();
  return Error(ErrorReason::kMoveConflict, "it is in both trees and differs", path);
}

absl::Status Mover::Copy(Source& source, const At& to, const std::string& path) {
  if (::unlinkat(to.dir, to.name.c_str(), 0) != 0 && errno != ENOENT) {
    return NodeError(errno, "unlink", path);
  }
  const Node& node = source.node();
  RETURN_IF_ERROR(CheckRoom(node, path));
  absl::Status copied;
  if (node.IsRegular()) {
    const UniqueFd fd(::openat(to.dir, to.name.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    copied = fd.valid() ? Fill(source, to, path) : NodeError(errno, "create", path);
  } else {
    copied = [&]() -> absl::Status {
      if (S_ISLNK(node.stat.st_mode)) {
        ASSIGN_OR_RETURN(const std::string target, ReadLink(source.at(), path));
        if (::symlinkat(target.c_str(), to.dir, to.name.c_str()) != 0) {
          return NodeError(errno, "symlink", path);
        }
      } else if (::mknodat(to.dir, to.name.c_str(), (node.stat.st_mode & S_IFMT) | 0600,
                           node.stat.st_rdev) != 0) {
        return NodeError(errno, "mknod", path);
      }
      RETURN_IF_ERROR(CopyMetadata(source.at(), to, node.stat, path));
      return Sync(to.dir, path);
    }();
  }
  // A half copy must not go on taking the room that is lacking.
  if (!copied.ok()) ::unlinkat(to.dir, to.name.c_str(), 0);
  return copied;
}

absl::Status Mover::Fill(Source& source, const At& to, const std::string& path) {
  // The mode may not let even the owner write: set for the time being.
  if (::fchmodat(to.dir, to.name.c_str(), 0600, 0) != 0) return NodeError(errno, "chmod", path);
  const UniqueFd fd(::openat(to.dir, to.name.c_str(), O_RDWR | O_TRUNC | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return NodeError(errno, "open", path);
  RETURN_IF_ERROR(FillUnsynced(source, fd.get(), to, path));
  RETURN_IF_ERROR(Sync(fd.get(), path));
  return Compare(source, fd.get(), path);
}

absl::Status Mover::FillUnsynced(Source& source, int to_fd, const At& to, const std::string& path) {
  const auto tick = [&](uint64_t bytes) { return Tick(source, bytes, path); };
  RETURN_IF_ERROR(CopyContents(source.fd(), to_fd, tick, path));
  return CopyMetadata(source.at(), to, source.node().stat, path);
}

absl::Status Mover::Compare(const Source& source, int to_fd, const std::string& path) {
  // From the disk and through the cipher, not from memory.
  ::posix_fadvise(to_fd, 0, 0, POSIX_FADV_DONTNEED);
  const auto tick = [&](uint64_t /*bytes*/) { return source.CheckUnwanted(path); };
  ASSIGN_OR_RETURN(const bool same, SameContents(source.fd(), to_fd, tick, path));
  if (same) return absl::OkStatus();
  return Error(ErrorReason::kChangedMeanwhile, "the copy does not read as the source", path);
}

absl::StatusOr<bool> Mover::SameFile(Source& source, const At& to, const std::string& path) {
  ASSIGN_OR_RETURN(const bool same, SameMetadata(source.at(), to, path));
  if (!same) return false;
  if (S_ISLNK(source.node().stat.st_mode)) {
    ASSIGN_OR_RETURN(const std::string a, ReadLink(source.at(), path));
    ASSIGN_OR_RETURN(const std::string b, ReadLink(to, path));
    return a == b;
  }
  if (!source.node().IsRegular()) return true;
  const UniqueFd fd(::openat(to.dir, to.name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return NodeError(errno, "open", path);
  const auto tick = [&](uint64_t bytes) { return Tick(source, bytes, path); };
  return SameContents(source.fd(), fd.get(), tick, path);
}

absl::Status Mover::CheckRoom(const Node& node, const std::string& path) {
  struct statvfs info = {};
  if (::fstatvfs(work_.part(), &info) != 0) return NodeError(errno, "statvfs", path);
  const uint64_t blocks = ::geteuid() == 0 ? info.f_bfree : info.f_bavail;
  const uint64_t bytes = static_cast<uint64_t>(node.stat.st_blocks) * 512;
  if (blocks * info.f_frsize >= bytes + bytes / 100 + kSpareBytes) return absl::OkStatus();
  return Error(ErrorReason::kVolumeFull, "no room for a copy of it", path);
}

absl::Status Mover::Tick(const Source& source, uint64_t bytes, const std::string& path) {
  counts_.bytes += bytes;
  progress_(counts_);
  if (stop_()) return Error(ErrorReason::kInterrupted, "told to stop", path);
  return source.CheckUnwanted(path);
}

}  // namespace ext4crypt
