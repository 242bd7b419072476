// SPDX-License-Identifier: Apache-2.0
// Encrypts a directory with what is in it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/fs/policy.h"
#include "client/migrate/mover.h"
#include "client/migrate/survey.h"

namespace ext4crypt {

struct EncryptCallbacks {
  std::function<void(const Survey&)> begins;
  std::function<void(const MoveCounts&)> progress;
  std::function<bool()> stop;
};

struct EncryptOutcome {
  absl::Status status;
  bool changed = false;
  MoveCounts counts;
  std::vector<Obstacle> left;
  std::string work_dir;  // with something left: where the rest is
};

// Goes on where an earlier run was interrupted. With status OK `path` is encrypted with `policy`
// and holds everything; otherwise every file is in one of two places and whole.
[[nodiscard]] EncryptOutcome EncryptDirectory(const std::string& path, const Policy& policy,
                                              const EncryptCallbacks& callbacks);

}  // namespace ext4crypt
