// SPDX-License-Identifier: Apache-2.0
#include "client/migrate/encrypt.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/migrate/work_dir.h"
#include "common/error.h"
#include "common/process.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

struct Place {
  std::string parent_path;
  std::string name;
  std::string path;
  UniqueFd parent;
  UniqueFd dir;
  Node node;
};

// Here the work directory is made, and DIR exchanged in the end.
absl::StatusOr<UniqueFd> OpenParent(const std::string& path) {
  auto parent = OpenDirectory({.dir = AT_FDCWD, .name = path}, path);
  if (parent.ok() && ::faccessat(parent->get(), ".", W_OK | X_OK, AT_EACCESS) == 0) return parent;
  const int err = parent.ok() ? errno : InfoOf(parent.status()).err;
  if (err != EACCES && err != EPERM) return NodeError(err, "opening the directory it is in", path);
  return ErrnoError(ErrorReason::kParentUnwritable, err, "making a directory in it", path);
}

absl::StatusOr<Place> Locate(const std::string& path) {
  char resolved[PATH_MAX];
  if (::realpath(path.c_str(), resolved) == nullptr) {
    return ErrnoError(
        IsDiskError(errno) ? ErrorReason::kDiskFailed : ErrorReason::kDirectoryUnreadable, errno,
        "realpath", path);
  }
  Place place;
  place.path = resolved;
  const size_t slash = place.path.rfind('/');
  place.parent_path = slash == 0 ? "/" : place.path.substr(0, slash);
  place.name = place.path.substr(slash + 1);
  if (place.name.empty()) {
    return Error(ErrorReason::kDirectorySpansMounts, "the root of everything", path);
  }
  ASSIGN_OR_RETURN(place.parent, OpenParent(place.parent_path));
  ASSIGN_OR_RETURN(place.dir, OpenDirectory({.dir = place.parent.get(), .name = place.name}, path));
  ASSIGN_OR_RETURN(place.node, LookAtFd(place.dir.get(), path));
  ASSIGN_OR_RETURN(const Node parent, LookAtFd(place.parent.get(), path));
  if (parent.mount_id != place.node.mount_id) {
    return Error(ErrorReason::kDirectorySpansMounts, "it is a mount point", path);
  }
  return place;
}

// From here on the new tree has the name, and the old directory, empty, is in the work directory.
absl::Status Exchange(const Place& place, WorkDir& work) {
  if (::renameat2(place.parent.get(), place.name.c_str(), work.fd(), "tree", RENAME_EXCHANGE) !=
      0) {
    return NodeError(errno, "exchange", place.path);
  }
  RETURN_IF_ERROR(Sync(place.parent.get(), place.parent_path));
  RETURN_IF_ERROR(Sync(work.fd(), work.path()));
  return work.Remove(place.parent.get());
}

absl::Status CheckRoom(const Place& place, const Survey& survey) {
  struct statvfs info = {};
  if (::fstatvfs(place.dir.get(), &info) != 0) return NodeError(errno, "statvfs", place.path);
  // For the work directory, its rooms and its records. The rest comes free as the work goes on.
  constexpr uint64_t kInodes = 8;
  if (info.f_favail < kInodes) {
    return ErrnoError(ErrorReason::kVolumeFull, ENOSPC,
                      absl::StrCat(info.f_favail, " free inodes, ", kInodes, " are needed"),
                      place.path);
  }
  const uint64_t blocks = ::geteuid() == 0 ? info.f_bfree : info.f_bavail;
  if (blocks * info.f_frsize > survey.largest_bytes + survey.largest_bytes / 100) {
    return absl::OkStatus();
  }
  return Error(ErrorReason::kVolumeFull, "no room for the largest file", place.path);
}

absl::Status Encrypt(const std::string& path, const Policy& policy,
                     const EncryptCallbacks& callbacks, EncryptOutcome& outcome) {
  ASSIGN_OR_RETURN(const Place place, Locate(path));
  ASSIGN_OR_RETURN(std::optional<WorkDir> work,
                   WorkDir::Find(place.parent.get(), place.parent_path, place.node.id));
  if (work.has_value() && work->tree_id() == place.node.id) {
    outcome.changed = true;
    return work->Remove(place.parent.get());  // killed after the exchange
  }
  if (place.node.encrypted) {
    ASSIGN_OR_RETURN(const PolicyDir dir, PolicyDir::Open(path));
    ASSIGN_OR_RETURN(const std::optional<Policy> present, dir.GetPolicy());
    if (present == policy && !work.has_value()) return absl::OkStatus();
    return Error(ErrorReason::kEncryptedOtherwise, "another policy", path);
  }
  ASSIGN_OR_RETURN(Survey survey, SurveyDirectory(place.dir.get(), path, policy));
  if (!survey.obstacles.empty()) {
    outcome.left = std::move(survey.obstacles);
    return outcome.left.front().status;
  }
  if (!work.has_value()) {
    RETURN_IF_ERROR(CheckRoom(place, survey));
    ASSIGN_OR_RETURN(work,
                     WorkDir::Create(place.parent.get(), place.parent_path, place.node.id, policy));
  } else {
    ASSIGN_OR_RETURN(const PolicyDir dir,
                     PolicyDir::Open("/proc/self/fd/" + std::to_string(work->tree())));
    ASSIGN_OR_RETURN(const std::optional<Policy> present, dir.GetPolicy());
    if (present != policy) {
      return Error(ErrorReason::kEncryptedOtherwise, "begun with another key", work->path());
    }
  }
  callbacks.begins(survey);
  outcome.changed = true;
  outcome.work_dir = work->path();
  // Two for each level of directories, and one for each file in a batch.
  Mover mover(*work, place.node.mount_id, RaiseDescriptorLimit(), callbacks.progress,
              callbacks.stop);
  const absl::Status moved = mover.Run(place.dir.get(), path);
  outcome.counts = mover.counts();
  outcome.left = mover.left();
  RETURN_IF_ERROR(moved);
  RETURN_IF_ERROR(Exchange(place, *work));
  outcome.work_dir.clear();
  return absl::OkStatus();
}

}  // namespace

EncryptOutcome EncryptDirectory(const std::string& path, const Policy& policy,
                                const EncryptCallbacks& callbacks) {
  (void)RaiseDescriptorLimit();
  EncryptOutcome outcome;
  outcome.status = Encrypt(path, policy, callbacks, outcome);
  return outcome;
}

}  // namespace ext4crypt
