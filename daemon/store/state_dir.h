// SPDX-License-Identifier: Apache-2.0
// The service's own directory: private, and used by one service at a time.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/unique_fd.h"

namespace ext4crypt {

class StateDir {
 public:
  // Creates the directory (0700) when it is missing, and locks it. kStoreInUse when another
  // process has it; kStoreUnwritable when others could write or read it.
  [[nodiscard]] static absl::StatusOr<StateDir> Acquire(const std::string& path);

  [[nodiscard]] std::string PathOf(const std::string& name) const { return path_ + "/" + name; }

 private:
  StateDir(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  UniqueFd lock_;  // released by the kernel however the process ends
};

}  // namespace ext4crypt
