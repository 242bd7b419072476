// SPDX-License-Identifier: Apache-2.0
// Text files of /proc and /etc, taken apart.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/doctor/machine.h"

namespace ext4crypt::doctor {

// None of a file that is not there.
[[nodiscard]] std::vector<std::string> Lines(const Machine& machine, const std::string& path);
// What stands between spaces and tabulators.
[[nodiscard]] std::vector<std::string> Words(absl::string_view line);

struct FstabLine {
  std::string device;
  std::string mount_point;  // with the octal escapes undone
  std::string type;
  std::vector<std::string> options;

  [[nodiscard]] bool HasOption(absl::string_view option) const;
};
[[nodiscard]] std::vector<FstabLine> ReadFstab(const Machine& machine);

// Those of type ext4crypt, each volume once and by its top where that is mounted.
[[nodiscard]] std::vector<Mount> Volumes(const Machine& machine);

}  // namespace ext4crypt::doctor
