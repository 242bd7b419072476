// SPDX-License-Identifier: Apache-2.0
#include "client/doctor/lines.h"

#include <algorithm>

#include "absl/strings/str_split.h"
#include "common/paths.h"

namespace ext4crypt::doctor {

std::vector<std::string> Lines(const Machine& machine, const std::string& path) {
  return absl::StrSplit(machine.Read(path).value_or(""), '\n', absl::SkipEmpty());
}

std::vector<std::string> Words(absl::string_view line) {
  return absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
}

bool FstabLine::HasOption(absl::string_view option) const {
  return std::find(options.begin(), options.end(), option) != options.end();
}

std::vector<FstabLine> ReadFstab(const Machine& machine) {
  std::vector<FstabLine> lines;
  for (const std::string& line : Lines(machine, "/etc/fstab")) {
    const std::vector<std::string> words = Words(line);
    if (words.size() < 4 || words[0][0] == '#') continue;
    lines.push_back({.device = words[0],
                     .mount_point = UnescapeOctal(words[1]),
                     .type = words[2],
                     .options = absl::StrSplit(words[3], ',', absl::SkipEmpty())});
  }
  return lines;
}

std::vector<Mount> Volumes(const Machine& machine) {
  std::vector<Mount> volumes;
  for (const Mount& mount : machine.Mounts()) {
    if (mount.fs_type != kAuthenticatedFsType) continue;
    const auto known = std::find_if(volumes.begin(), volumes.end(), [&](const Mount& other) {
      return other.device == mount.device;
    });
    if (known == volumes.end()) {
      volumes.push_back(mount);
    } else if (known->root != "/" && mount.root == "/") {
      *known = mount;
    }
  }
  return volumes;
}

}  // namespace ext4crypt::doctor
