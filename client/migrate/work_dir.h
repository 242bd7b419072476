// SPDX-License-Identifier: Apache-2.0
// The directory beside the one being encrypted, in which the work is done and remembered:
//
//   DIR/..  /.ext4crypt-encrypt-INODE/      plain, 0700
//             state      which directory this is about, written before anything is moved
//             dirs       times and modes of directories from before anything was taken out of them
//             tree/      encrypted: what is to become DIR
//             links/     encrypted: one name for each file with several, so that they stay one file
//             part/      encrypted: the files that are being copied
//
// All else is told by the two trees themselves: a name in DIR is still to be done, whatever tree/
// has. So there is no record of progress that could disagree with the disk after a crash.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/fs/policy.h"
#include "client/migrate/node.h"
#include "common/unique_fd.h"

namespace ext4crypt {

inline constexpr char kWorkDirPrefix[] = ".ext4crypt-encrypt-";

class WorkDir {
 public:
  // The one that was begun for this directory, before or after the final exchange; nullopt when
  // there is none, or one that had come to nothing yet, which is removed. kMoveRunning,
  // kEncryptionUnfinished.
  [[nodiscard]] static absl::StatusOr<std::optional<WorkDir>> Find(int parent,
                                                                   const std::string& parent_path,
                                                                   const NodeId& dir);
  // Durable when OK. kEncryptedOtherwise where everything new is encrypted with another key.
  [[nodiscard]] static absl::StatusOr<WorkDir> Create(int parent, const std::string& parent_path,
                                                      const NodeId& source, const Policy& policy);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const NodeId& source() const { return source_; }
  [[nodiscard]] const NodeId& tree_id() const { return tree_id_; }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] int tree() const { return tree_.get(); }
  [[nodiscard]] int links() const { return links_.get(); }
  [[nodiscard]] int part() const { return part_.get(); }

  // The directory as it was when first seen. Remembered durably by the next sync; before that,
  // nothing may be changed in the directory.
  [[nodiscard]] absl::StatusOr<struct stat> Remember(const Node& dir, const std::string& path);
  // Costs nothing when there is no new record.
  [[nodiscard]] absl::Status SyncRecords();
  // Everything on the volume, records included.
  [[nodiscard]] absl::Status SyncVolume();
  // Removes copies that an earlier run has not finished.
  [[nodiscard]] absl::Status ClearPart();
  // Removes everything; what is still in tree/ stays, with an error that names it.
  [[nodiscard]] absl::Status Remove(int parent);

 private:
  WorkDir() = default;
  [[nodiscard]] absl::Status MakeRooms(const std::string& parent_path, const Policy& policy);
  [[nodiscard]] absl::Status OpenRooms();
  [[nodiscard]] absl::Status ReadRecords();
  [[nodiscard]] absl::Status WriteState();

  std::string name_;
  std::string path_;
  UniqueFd fd_;  // holds the lock
  UniqueFd tree_;
  UniqueFd links_;
  UniqueFd part_;
  UniqueFd records_file_;
  NodeId source_;
  NodeId tree_id_;
  std::map<NodeId, struct stat> records_;
  bool records_synced_ = true;
};

}  // namespace ext4crypt
