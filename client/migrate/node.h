// SPDX-License-Identifier: Apache-2.0
// One entry of a directory, always named relative to an open directory: a path could lead elsewhere
// by the time it is looked up again.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/unique_fd.h"

namespace ext4crypt {

struct At {
  int dir = -1;
  std::string name;  // "." for the directory itself
};

// Numbers of inodes are used again; together with its time of birth one is unique.
struct NodeId {
  uint64_t ino = 0;
  int64_t birth_ns = 0;  // 0 where the file system keeps none

  bool operator==(const NodeId&) const = default;
  auto operator<=>(const NodeId&) const = default;
};

struct Node {
  NodeId id;
  struct stat stat = {};
  uint64_t mount_id = 0;
  bool encrypted = false;
  bool undeletable = false;  // immutable, append-only
  bool verity = false;

  [[nodiscard]] bool IsDirectory() const { return S_ISDIR(stat.st_mode); }
  [[nodiscard]] bool IsRegular() const { return S_ISREG(stat.st_mode); }
};

// Errors of all below carry `path` as subject, and tell a full volume (kVolumeFull), a locked key
// (kKeyLocked), a read-only volume and a disk that fails (kDiskFailed: it may be all of it, or
// only this file) from what concerns only this one file (kFileUnmovable).
[[nodiscard]] absl::Status NodeError(int err, absl::string_view what, const std::string& path);

// Follows no symbolic link.
[[nodiscard]] absl::StatusOr<Node> Look(const At& at, const std::string& path);
[[nodiscard]] absl::StatusOr<Node> LookAtFd(int fd, const std::string& path);
[[nodiscard]] absl::StatusOr<UniqueFd> OpenDirectory(const At& at, const std::string& path);
// Without "." and "..", sorted, so that a run repeats the order of the one before it.
[[nodiscard]] absl::StatusOr<std::vector<std::string>> ListDirectory(int dir,
                                                                     const std::string& path);
[[nodiscard]] absl::Status Sync(int fd, const std::string& path);

}  // namespace ext4crypt
