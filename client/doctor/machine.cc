// SPDX-License-Identifier: Apache-2.0
#include "client/doctor/machine.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/directory.h"
#include "common/unique_fd.h"

namespace ext4crypt::doctor {
namespace {

constexpr size_t kLargestFile = 1U << 20;

UniqueFd OpenToRead(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

// Up to `size` bytes from `offset` on. Files of /proc and /sys have no offset that could be sought
// from their end, so this reads as it comes.
std::optional<std::string> ReadUpTo(int fd, off_t offset, size_t size) {
  std::string text(size, '\0');
  size_t done = 0;
  while (done < size) {
    const ssize_t n =
        ::pread(fd, text.data() + done, size - done, offset + static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::nullopt;
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  text.resize(done);
  return text;
}

}  // namespace

Machine::Machine(std::string root, uid_t uid, int64_t now_unix_s)
    : root_(std::move(root)), uid_(uid), now_unix_s_(now_unix_s) {
  while (!root_.empty() && root_.back() == '/') root_.pop_back();
}

std::string Machine::Below(const std::string& path) const { return root_ + path; }

std::optional<std::string> Machine::Read(const std::string& path) const {
  const UniqueFd fd = OpenToRead(Below(path));
  if (!fd.valid()) return std::nullopt;
  return ReadUpTo(fd.get(), 0, kLargestFile);
}

std::optional<std::string> Machine::ReadAt(const std::string& path, off_t offset,
                                           size_t size) const {
  const UniqueFd fd = OpenToRead(Below(path));
  if (!fd.valid()) return std::nullopt;
  std::optional<std::string> text = ReadUpTo(fd.get(), offset, size);
  if (text.has_value() && text->size() != size) return std::nullopt;
  return text;
}

std::optional<std::string> Machine::ReadEnd(const std::string& path, size_t size) const {
  const UniqueFd fd = OpenToRead(Below(path));
  struct stat info = {};
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode) ||
      info.st_size < static_cast<off_t>(size)) {
    return std::nullopt;
  }
  return ReadUpTo(fd.get(), info.st_size - static_cast<off_t>(size), size);
}

std::optional<struct stat> Machine::Look(const std::string& path) const {
  struct stat info = {};
  if (::lstat(Below(path).c_str(), &info) != 0) return std::nullopt;
  return info;
}

std::vector<std::string> Machine::Names(const std::string& path) const {
  std::vector<std::string> names;
  const UniqueFd fd(::open(Below(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return names;
  (void)ForEachName(fd.get(), [&](const char* name) {
    names.emplace_back(name);
    return true;
  });
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<Mount> Machine::Mounts() const {
  return ParseMountInfo(Read("/proc/self/mountinfo").value_or(""));
}

std::string Machine::KernelRelease() const {
  return std::string(absl::StripAsciiWhitespace(Read("/proc/sys/kernel/osrelease").value_or("")));
}

}  // namespace ext4crypt::doctor
