// SPDX-License-Identifier: Apache-2.0
// Moves what is in a directory, file by file, into the encrypted tree of its WorkDir.
//
// Small files go in batches, since a sync costs as much for a hundred files as for one:
//   each: copy to part/ -> sync of the volume -> each: read back and compare, has the source
//   changed? rename to its place; metadata of the directories that are done -> sync of the volume
//   -> each: has the source changed? delete the source -> the emptied directories are removed
// Others go by themselves, with an fsync of the file and of its directory in place of those of the
// volume. A file with several names goes to links/ first, and each of its names becomes a link to
// that. Killed between any two steps, the next run finds one of:
//   part/ has something          it is thrown away; the source is still there
//   a name is in both trees      the copy was complete: compared again, then the source is deleted
//   links/ has the file          used for the names that are left, if it is still the same
//   a source directory is empty  its metadata is set again, and it is removed
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/migrate/node.h"
#include "client/migrate/source.h"
#include "client/migrate/survey.h"
#include "client/migrate/work_dir.h"

namespace ext4crypt {

struct MoveCounts {
  uint64_t files = 0;
  uint64_t bytes = 0;  // allocated
};

class Mover {
 public:
  // Of `descriptors`, the process's limit, a batch takes a part. `progress` is called often; `stop`
  // is asked often, and true ends the work (kInterrupted).
  Mover(WorkDir& work, uint64_t mount_id, size_t descriptors,
        std::function<void(const MoveCounts&)> progress, std::function<bool()> stop);

  // OK when nothing is left in `source`, and work.tree() has its metadata. kFilesLeft: see left().
  // Anything else concerns the whole: kVolumeFull, kKeyLocked, kFilesystemReadOnly.
  [[nodiscard]] absl::Status Run(int source, const std::string& path);

  [[nodiscard]] const MoveCounts& counts() const { return counts_; }
  [[nodiscard]] const std::vector<Obstacle>& left() const { return left_; }

 private:
  // A directory that is not done yet, in both trees.
  struct Directory {
    At from_at;                         // in its parent
    std::shared_ptr<Directory> parent;  // none: the top
    UniqueFd own_from;                  // not of the top
    UniqueFd own_to;
    int from = -1;
    int to = -1;
    std::string path;
    struct stat wanted = {};
    bool left = false;     // something in it stays where it is
    bool touched = false;  // changed after its metadata was set
  };
  using DirectoryPtr = std::shared_ptr<Directory>;
  // A file whose copy is in part/.
  struct Copied {
    DirectoryPtr dir;
    Source source;
    std::string part;
    std::string path;
    uint64_t bytes = 0;
  };

  [[nodiscard]] absl::Status MoveDirectory(const DirectoryPtr& dir);
  [[nodiscard]] absl::Status MoveEntry(const DirectoryPtr& dir, const std::string& name,
                                       const std::string& path);
  [[nodiscard]] absl::Status MoveChild(const DirectoryPtr& parent, const std::string& name,
                                       const std::string& path);
  [[nodiscard]] absl::Status MoveFile(const At& from, const At& to, const std::string& path);
  [[nodiscard]] absl::Status MoveFileOnce(const At& from, const At& to, const Node& node,
                                          const std::string& path);
  [[nodiscard]] absl::Status Place(Source& source, const At& to, const std::string& path);
  [[nodiscard]] absl::Status PlaceLink(Source& source, const At& pool, const At& to,
                                       const std::string& path);
  [[nodiscard]] absl::Status Copy(Source& source, const At& to, const std::string& path);
  [[nodiscard]] absl::Status Fill(Source& source, const At& to, const std::string& path);
  [[nodiscard]] absl::Status FillUnsynced(Source& source, int to_fd, const At& to,
                                          const std::string& path);
  [[nodiscard]] absl::Status Compare(const Source& source, int to_fd, const std::string& path);
  [[nodiscard]] absl::StatusOr<bool> SameFile(Source& source, const At& to,
                                              const std::string& path);
  [[nodiscard]] absl::Status CheckRoom(const Node& node, const std::string& path);
  [[nodiscard]] absl::Status Tick(const Source& source, uint64_t bytes, const std::string& path);
  [[nodiscard]] At PoolOf(const Node& node) const;
  // The file in the list of what is left, unless `status` ends everything: then returns it.
  [[nodiscard]] absl::Status Leave(const DirectoryPtr& dir, const std::string& path,
                                   absl::Status status);

  // batch.cc
  [[nodiscard]] absl::StatusOr<bool> IsForBatch(const DirectoryPtr& dir, const std::string& name,
                                                const Node& node, const std::string& path);
  [[nodiscard]] absl::Status AddToBatch(const DirectoryPtr& dir, const std::string& name,
                                        const Node& node, const std::string& path);
  [[nodiscard]] absl::Status CopyToPart(const DirectoryPtr& dir, const std::string& name,
                                        const Node& node, const std::string& path);
  [[nodiscard]] absl::Status AddFinished(const DirectoryPtr& dir);
  [[nodiscard]] absl::Status FinishBatch();
  [[nodiscard]] bool HasBatch() const { return !copied_.empty() || !finished_.empty(); }
  [[nodiscard]] absl::Status PlacePart(const Copied& copied);
  [[nodiscard]] absl::Status DeleteSource(const Copied& copied);
  [[nodiscard]] absl::Status MoveAlone(const Copied& copied, absl::Status why);
  [[nodiscard]] absl::Status RemoveEmptied(const DirectoryPtr& dir);

  WorkDir& work_;
  const uint64_t mount_id_;
  const size_t batch_files_;
  const std::function<void(const MoveCounts&)> progress_;
  const std::function<bool()> stop_;
  MoveCounts counts_;
  std::vector<Obstacle> left_;
  std::vector<Copied> copied_;
  uint64_t copied_bytes_ = 0;
  std::vector<DirectoryPtr> finished_;  // all that is in them has been looked at; inner ones first
};

}  // namespace ext4crypt
