// SPDX-License-Identifier: Apache-2.0
// Looks at everything in a directory before anything is touched.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/fs/policy.h"
#include "client/migrate/node.h"

namespace ext4crypt {

struct Obstacle {
  std::string path;
  absl::Status status;
};

struct Survey {
  uint64_t files = 0;  // all but directories
  uint64_t directories = 0;
  uint64_t bytes = 0;          // allocated
  uint64_t largest_bytes = 0;  // of one file
  // What cannot be moved with everything that belongs to it.
  std::vector<Obstacle> obstacles;
};

// `root` is open, `path` its name in messages. `policy` is the one everything will have.
[[nodiscard]] absl::StatusOr<Survey> SurveyDirectory(int root, const std::string& path,
                                                     const Policy& policy);

}  // namespace ext4crypt
