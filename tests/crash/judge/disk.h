// SPDX-License-Identifier: Apache-2.0
// The disk after a crash, as a file that repair tools can work on. Lives in a directory in memory
// and goes with it.
#pragma once

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "repair.h"
#include "verdict.h"

namespace crash {

class CrashedDisk {
 public:
  // `directory` is made, and removed in the end.
  explicit CrashedDisk(std::string directory);
  ~CrashedDisk();
  CrashedDisk(const CrashedDisk&) = delete;
  CrashedDisk& operator=(const CrashedDisk&) = delete;

  void Set(const std::vector<uint8_t>& bytes);
  [[nodiscard]] RepairReport Repair(crash::Repair repair) const;
  // Only between Set() calls.
  [[nodiscard]] absl::Span<uint8_t> bytes();
  [[nodiscard]] const std::string& directory() const { return directory_; }

 private:
  std::string directory_;
  std::string image_;
  uint8_t* base_ = nullptr;
  size_t size_ = 0;
};

}  // namespace crash
