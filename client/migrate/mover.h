// SPDX-License-Identifier: Apache-2.0
// Moves what is in a directory, file by file, into the encrypted tree of its WorkDir.
//
// Each file: copy to part/ -> fsync -> read back and compare -> has the source changed? -> rename
// to its place -> fsync of that directory -> has the source changed? -> delete the source. A file
// with several names goes to links/ first, and each of its names becomes a link to that.
// Killed between any two steps, the next run finds one of:
//   part/ has something          it is thrown away; the source is still there
//   a name is in both trees      the copy was complete: compared again, then the source is deleted
//   links/ has the file          used for the names that are left, if it is still the same
//   a source directory is empty  its metadata is set again, and it is removed
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/migrate/node.h"
#include "client/migrate/survey.h"
#include "client/migrate/work_dir.h"

namespace ext4crypt {

struct MoveCounts {
  uint64_t files = 0;
  uint64_t bytes = 0;  // allocated
};

class Mover {
 public:
  // `progress` is called often; `stop` is asked often, and true ends the work (kInterrupted).
  Mover(WorkDir& work, uint64_t mount_id, std::function<void(const MoveCounts&)> progress,
        std::function<bool()> stop)
      : work_(work), mount_id_(mount_id), progress_(std::move(progress)), stop_(std::move(stop)) {}

  // OK when nothing is left in `source`, and work.tree() has its metadata. kFilesLeft: see left().
  // Anything else concerns the whole: kVolumeFull, kKeyLocked, kFilesystemReadOnly.
  [[nodiscard]] absl::Status Run(int source, const std::string& path);

  [[nodiscard]] const MoveCounts& counts() const { return counts_; }
  [[nodiscard]] const std::vector<Obstacle>& left() const { return left_; }

 private:
  class Source;

  [[nodiscard]] absl::StatusOr<bool> MoveDirectory(int from, int to, const std::string& path);
  [[nodiscard]] absl::Status MoveEntry(int from, int to, const std::string& name,
                                       const std::string& path);
  [[nodiscard]] absl::Status MoveChild(const At& from, const At& to, const Node& node,
                                       const std::string& path);
  [[nodiscard]] absl::Status MoveFile(const At& from, const At& to, const std::string& path);
  [[nodiscard]] absl::Status MoveFileOnce(const At& from, const At& to, const Node& node,
                                          const std::string& path);
  [[nodiscard]] absl::Status Place(Source& source, const At& to, const std::string& path);
  [[nodiscard]] absl::Status PlaceLink(Source& source, const At& pool, const At& to,
                                       const std::string& path);
  [[nodiscard]] absl::Status Copy(Source& source, const At& to, const std::string& path);
  [[nodiscard]] absl::Status Fill(Source& source, const At& to, const std::string& path);
  [[nodiscard]] absl::StatusOr<bool> SameFile(Source& source, const At& to,
                                              const std::string& path);
  [[nodiscard]] absl::Status CheckRoom(const Node& node, const std::string& path);
  [[nodiscard]] absl::Status Tick(Source& source, uint64_t bytes, const std::string& path);

  WorkDir& work_;
  const uint64_t mount_id_;
  const std::function<void(const MoveCounts&)> progress_;
  const std::function<bool()> stop_;
  MoveCounts counts_;
  std::vector<Obstacle> left_;
};

}  // namespace ext4crypt
