// SPDX-License-Identifier: Apache-2.0
// /proc/self/mountinfo, parsed. Format: proc(5).
#include "common/mountinfo.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "common/error.h"
#include "common/unique_fd.h"

namespace ext4crypt {
namespace {

std::optional<Mount> ParseLine(absl::string_view line) {
  const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ', absl::SkipEmpty());
  // Any number of optional fields stands between the sixth field and a lone hyphen.
  const auto hyphen =
      std::find(fields.begin() + std::min<ptrdiff_t>(6, std::ssize(fields)), fields.end(), "-");
  if (std::distance(hyphen, fields.end()) < 3) return std::nullopt;
  const std::vector<absl::string_view> numbers = absl::StrSplit(fields[2], ':');
  Mount mount;
  unsigned int major = 0;
  unsigned int minor = 0;
  if (numbers.size() != 2 || !absl::SimpleAtoi(numbers[0], &major) ||
      !absl::SimpleAtoi(numbers[1], &minor) || !absl::SimpleAtoi(fields[0], &mount.mount_id)) {
    return std::nullopt;
  }
  mount.device = makedev(major, minor);
  mount.root = UnescapeOctal(fields[3]);
  mount.mount_point = UnescapeOctal(fields[4]);
  mount.fs_type = std::string(hyphen[1]);
  mount.source = UnescapeOctal(hyphen[2]);
  mount.options = std::string(fields[5]);
  if (std::distance(hyphen, fields.end()) > 3) mount.super_options = std::string(hyphen[3]);
  return mount;
}

}  // namespace

std::string UnescapeOctal(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](size_t k) { return text[i + k] >= '0' && text[i + k] <= '7'; };
    if (text[i] == '\\' && i + 3 < text.size() && digit(1) && digit(2) && digit(3)) {
      out.push_back(static_cast<char>((text[i + 1] - '0') << 6 | (text[i + 2] - '0') << 3 |
                                      (text[i + 3] - '0')));
      i += 3;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

std::vector<Mount> ParseMountInfo(absl::string_view text) {
  std::vector<Mount> mounts;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    if (auto mount = ParseLine(line); mount.has_value()) mounts.push_back(*std::move(mount));
  }
  return mounts;
}

absl::StatusOr<std::vector<Mount>> ReadMountInfo() {
  const UniqueFd fd(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    return ErrnoError(ErrorReason::kInternal, errno, "cannot open /proc/self/mountinfo");
  }
  std::string text;
  std::array<char, 16384> chunk;
  for (;;) {
    const ssize_t n = ::read(fd.get(), chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError(ErrorReason::kInternal, errno, "cannot read mountinfo");
    if (n == 0) break;
    text.append(chunk.data(), static_cast<size_t>(n));
  }
  return ParseMountInfo(text);
}

}  // namespace ext4crypt
