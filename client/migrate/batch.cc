// SPDX-License-Identifier: Apache-2.0
// Mover's batches: small files, and directories that are done, made durable together.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/migrate/metadata.h"
#include "client/migrate/mover.h"
#include "common/error.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

// Of one file, and of all in a batch. More than so much is in a batch for long: who wants to write
// to one of the files waits meanwhile.
constexpr uint64_t kMaxFileBytes = 1U << 20;
constexpr uint64_t kMaxBatchBytes = 32U << 20;

uint64_t AllocatedBytes(const Node& node) {
  return static_cast<uint64_t>(node.stat.st_blocks) * 512;
}

absl::StatusOr<bool> IsThere(const At& at, const std::string& path) {
  if (::faccessat(at.dir, at.name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) return true;
  if (errno == ENOENT) return false;
  return NodeError(errno, "look", path);
}

}  // namespace

absl::StatusOr<bool> Mover::IsForBatch(const DirectoryPtr& dir, const std::string& name,
                                       const Node& node, const std::string& path) {
  if (!node.IsRegular() || node.stat.st_nlink != 1 || AllocatedBytes(node) > kMaxFileBytes ||
      node.stat.st_size > static_cast<off_t>(kMaxFileBytes)) {
    return false;
  }
  // The last of several names, or what a run that was killed has copied already.
  ASSIGN_OR_RETURN(const bool pooled, IsThere(PoolOf(node), path));
  ASSIGN_OR_RETURN(const bool placed, IsThere({.dir = dir->to, .name = name}, path));
  return !pooled && !placed;
}

absl::Status Mover::AddToBatch(const DirectoryPtr& dir, const std::string& name, const Node& node,
                               const std::string& path) {
  const MoveCounts before = counts_;
  absl::Status copied = CopyToPart(dir, name, node, path);
  // The sources of the batch take the room that is lacking.
  if (ReasonOf(copied) == ErrorReason::kVolumeFull && HasBatch()) {
    counts_.bytes = before.bytes;
    RETURN_IF_ERROR(FinishBatch());
    copied = CopyToPart(dir, name, node, path);
  }
  if (ReasonOf(copied) == ErrorReason::kChangedMeanwhile) {
    counts_.bytes = before.bytes;
    RETURN_IF_ERROR(
        MoveFile({.dir = dir->from, .name = name}, {.dir = dir->to, .name = name}, path));
    ++counts_.files;
    return absl::OkStatus();
  }
  if (!copied.ok()) {
    counts_.bytes = before.bytes;
    return copied;
  }
  copied_.back().bytes = counts_.bytes - before.bytes;
  copied_bytes_ += copied_.back().bytes;
  const bool full = copied_.size() >= batch_files_ || copied_bytes_ >= kMaxBatchBytes;
  return full ? FinishBatch() : absl::OkStatus();
}

absl::Status Mover::CopyToPart(const DirectoryPtr& dir, const std::string& name, const Node& node,
                               const std::string& path) {
  RETURN_IF_ERROR(CheckRoom(node, path));
  ASSIGN_OR_RETURN(Source source, Source::Open({.dir = dir->from, .name = name}, node, path));
  const At part{.dir = work_.part(), .name = absl::StrCat(copied_.size())};
  const UniqueFd fd(::openat(part.dir, part.name.c_str(),
                             O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return NodeError(errno, "create", path);
  if (absl::Status filled = FillUnsynced(source, fd.get(), part, path); !filled.ok()) {
    ::unlinkat(part.dir, part.name.c_str(), 0);
    return filled;
  }
  copied_.push_back(
      {.dir = dir, .source = std::move(source), .part = part.name, .path = path, .bytes = 0});
  return absl::OkStatus();
}

absl::Status Mover::AddFinished(const DirectoryPtr& dir) {
  finished_.push_back(dir);
  // Each holds two descriptors.
  return finished_.size() >= (batch_files_ + 1) / 2 ? FinishBatch() : absl::OkStatus();
}

absl::Status Mover::FinishBatch() {
  const std::vector<Copied> copied = std::exchange(copied_, {});
  const std::vector<DirectoryPtr> finished = std::exchange(finished_, {});
  copied_bytes_ = 0;
  if (copied.empty() && finished.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(work_.SyncVolume());
  std::vector<const Copied*> placed;
  for (const Copied& one : copied) {
    absl::Status status = PlacePart(one);
    if (status.ok()) {
      placed.push_back(&one);
    } else {
      RETURN_IF_ERROR(MoveAlone(one, std::move(status)));
    }
  }
  for (const DirectoryPtr& dir : finished) {
    if (dir->left) continue;
    absl::Status set = CopyMetadata({.dir = dir->from, .name = "."}, {.dir = dir->to, .name = "."},
                                    dir->wanted, dir->path);
    if (!set.ok()) RETURN_IF_ERROR(Leave(dir, dir->path, std::move(set)));
  }
  RETURN_IF_ERROR(work_.SyncVolume());
  for (const Copied* one : placed) {
    if (absl::Status deleted = DeleteSource(*one); !deleted.ok()) {
      RETURN_IF_ERROR(MoveAlone(*one, std::move(deleted)));
    }
  }
  for (const DirectoryPtr& dir : finished) {
    if (dir->left) continue;
    if (absl::Status removed = RemoveEmptied(dir); !removed.ok()) {
      RETURN_IF_ERROR(Leave(dir, dir->path, std::move(removed)));
    }
  }
  return absl::OkStatus();
}

absl::Status Mover::PlacePart(const Copied& copied) {
  const At part{.dir = work_.part(), .name = copied.part};
  const absl::Status same = [&]() -> absl::Status {
    const UniqueFd fd(::openat(part.dir, part.name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd.valid()) return NodeError(errno, "open", copied.path);
    RETURN_IF_ERROR(Compare(copied.source, fd.get(), copied.path));
    return copied.source.CheckUnchanged(copied.path);
  }();
  if (same.ok() && ::renameat2(part.dir, part.name.c_str(), copied.dir->to,
                               copied.source.at().name.c_str(), RENAME_NOREPLACE) == 0) {
    return absl::OkStatus();
  }
  const absl::Status failed = same.ok() ? NodeError(errno, "rename", copied.path) : same;
  ::unlinkat(part.dir, part.name.c_str(), 0);
  return failed;
}

absl::Status Mover::DeleteSource(const Copied& copied) {
  const At& from = copied.source.at();
  if (absl::Status unchanged = copied.source.CheckUnchanged(copied.path); !unchanged.ok()) {
    // The copy is out of date; the source is what counts.
    copied.dir->touched = true;
    if (::fchmod(copied.dir->to, 0700) != 0 ||
        ::unlinkat(copied.dir->to, from.name.c_str(), 0) != 0) {
      return NodeError(errno, "unlink", copied.path);
    }
    return unchanged;
  }
  if (::unlinkat(from.dir, from.name.c_str(), 0) != 0) {
    return NodeError(errno, "unlink", copied.path);
  }
  ++counts_.files;
  progress_(counts_);
  return absl::OkStatus();
}

absl::Status Mover::MoveAlone(const Copied& copied, absl::Status why) {
  counts_.bytes -= copied.bytes;
  if (ReasonOf(why) == ErrorReason::kChangedMeanwhile) {
    const std::string& name = copied.source.at().name;
    why = MoveFile({.dir = copied.dir->from, .name = name}, {.dir = copied.dir->to, .name = name},
                   copied.path);
    if (why.ok()) {
      ++counts_.files;
      return absl::OkStatus();
    }
  }
  return Leave(copied.dir, copied.path, std::move(why));
}

absl::Status Mover::RemoveEmptied(const DirectoryPtr& dir) {
  ASSIGN_OR_RETURN(const std::vector<std::string> rest, ListDirectory(dir->from, dir->path));
  if (!rest.empty()) {
    return Error(ErrorReason::kFileInUse, "new files appeared in it", dir->path);
  }
  if (dir->touched) {
    RETURN_IF_ERROR(CopyMetadata({.dir = dir->from, .name = "."}, {.dir = dir->to, .name = "."},
                                 dir->wanted, dir->path));
    RETURN_IF_ERROR(Sync(dir->to, dir->path));
  }
  if (dir->parent == nullptr) return absl::OkStatus();
  if (::unlinkat(dir->from_at.dir, dir->from_at.name.c_str(), AT_REMOVEDIR) != 0) {
    return NodeError(errno, "rmdir", dir->path);
  }
  return absl::OkStatus();
}

}  // namespace ext4crypt
