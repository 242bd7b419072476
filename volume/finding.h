// SPDX-License-Identifier: Apache-2.0
// Faults and their places, and the list of them that one inode gets.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "volume/reason.h"

namespace ext4crypt::volume {

// One fault and its place. byte_count 0: the whole inode, not a range of its contents.
struct Finding {
  Reason reason = Reason::kNone;
  uint32_t inode = 0;
  std::string path;
  uint64_t first_byte = 0;
  uint64_t byte_count = 0;
  std::string detail;
};

// How many findings of each severity there were.
struct FindingCounts {
  uint64_t authentication_findings = 0;
  uint64_t structure_findings = 0;
  uint64_t key_findings = 0;

  void Count(Reason reason);
};

// The findings of one inode: neighbours with the same reason become one, and there is a limit, so
// that a volume damaged everywhere does not fill the memory.
class FindingList {
 public:
  explicit FindingList(uint32_t inode) : inode_(inode) { last_.fill(kNowhere); }

  void Add(Reason reason, absl::string_view detail = {}) { AddBytes(reason, 0, 0, detail); }
  void AddPages(Reason reason, uint64_t first, uint64_t count, absl::string_view detail = {});
  void AddAll(const std::vector<Finding>& findings);
  [[nodiscard]] std::vector<Finding>& findings() { return findings_; }

 private:
  static constexpr size_t kNowhere = SIZE_MAX;
  static constexpr size_t kLimit = 1000;
  void AddBytes(Reason reason, uint64_t first, uint64_t count, absl::string_view detail);

  uint32_t inode_;
  std::vector<Finding> findings_;
  std::array<size_t, static_cast<size_t>(Reason::kLast) + 1> last_;
};

}  // namespace ext4crypt::volume
