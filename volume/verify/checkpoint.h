// SPDX-License-Identifier: Apache-2.0
// What an interrupted verification has done, in a file of its own, so that a further run goes on
// from there. The file only grows: one record for each file, or for each part of a large one, each
// with a checksum; what a kill left half written is cut off.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "common/unique_fd.h"
#include "volume/format/file_keys.h"
#include "volume/verify/file_scan.h"

namespace ext4crypt::volume {

class Checkpoint {
 public:
  struct Result {
    ScanCounts counts;
    std::vector<Finding> findings;
  };

  // `binding` is what the work depends on, as of BindingOf(): a file made for another one is
  // refused (kStateUnusable), as is one that somebody else could have written.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Checkpoint>> Open(const std::string& path,
                                                                        const std::string& binding);

  // From an earlier run. Not while Add...() is called for the same inode.
  [[nodiscard]] bool IsDone(uint32_t inode) const;
  // nullptr: not done.
  [[nodiscard]] const Result* PartOf(uint32_t inode, uint32_t first_group) const;
  // Everything of the files that are done.
  [[nodiscard]] const ScanCounts& counts() const { return counts_; }
  void TakeFindings(const std::function<void(const Finding&)>& take);

  // From any thread. Errors show in status().
  void AddFile(uint32_t inode, const Result& result);
  void AddPart(uint32_t inode, uint32_t first_group, const Result& result);
  [[nodiscard]] absl::Status status() const;
  // The work is done: the file goes.
  void Remove();

 private:
  Checkpoint(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  [[nodiscard]] absl::Status Load(const std::string& binding);
  bool ApplyLine(const std::string& line);
  void Append(const std::string& lines);

  std::string path_;
  UniqueFd fd_;
  std::unordered_map<uint32_t, std::vector<bool>> done_;  // pieces of 32768 inodes
  std::map<std::pair<uint32_t, uint32_t>, Result> parts_;
  ScanCounts counts_;
  std::vector<Finding> pending_;   // of the record that is being read
  std::vector<Finding> findings_;  // of the files that are done
  mutable std::mutex mutex_;
  absl::Status status_;
};

// Identity and state of a volume: its superblock and group descriptors, which every mount for
// writing changes, the journal's replay, the times of an image file, and the keys in use.
[[nodiscard]] std::string BindingOf(const Image& image, const std::string& path,
                                    const KeyRing& keys);

}  // namespace ext4crypt::volume
