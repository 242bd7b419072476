// SPDX-License-Identifier: Apache-2.0
// What happens to a disk between the power failure and its next use: the stock tools replay the
// journal, or the offline reader does in memory.
#pragma once

#include <string>
#include <vector>

#include "points.h"

namespace crash {

struct RepairReport {
  std::vector<std::string>
      faults;  // empty: nothing but replay and deletion of unlinked files was done
  bool replayed = false;
  bool orphans = false;
};

// Repairs the image in place. `mount_point`: an empty directory.
[[nodiscard]] RepairReport RepairImage(const std::string& image, const std::string& mount_point,
                                       Repair repair);

}  // namespace crash
