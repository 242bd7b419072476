// SPDX-License-Identifier: Apache-2.0
// /proc/self/mountinfo, parsed.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ext4crypt {

struct Mount {
  int mount_id = 0;
  dev_t device = 0;
  std::string root;         // the directory of the file system that is mounted
  std::string mount_point;  // with the kernel's octal escapes undone
  std::string fs_type;
  std::string source;
  std::string options;        // of this mount: "rw,nosuid"
  std::string super_options;  // of the file system: "rw,errors=remount-ro"
};

// The kernel, and who writes /etc/fstab, put space, tab, newline and backslash as \ooo.
[[nodiscard]] std::string UnescapeOctal(absl::string_view text);

// In the kernel's order: a later mount covers an earlier one at the same place. Lines that cannot
// be understood are left out: one odd mount must not hide the others.
[[nodiscard]] std::vector<Mount> ParseMountInfo(absl::string_view text);
[[nodiscard]] absl::StatusOr<std::vector<Mount>> ReadMountInfo();

}  // namespace ext4crypt
