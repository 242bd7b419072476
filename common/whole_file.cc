// SPDX-License-Identifier: Apache-2.0
#include "common/whole_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/unique_fd.h"

namespace ext4crypt {
namespace {

bool WriteAll(int fd, absl::Span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

// Without this a crash can lose the name of a file whose contents are on the disk.
bool SyncParent(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const UniqueFd dir(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return dir.valid() && ::fsync(dir.get()) == 0;
}

}  // namespace

absl::StatusOr<SecretBuffer> ReadWholeFile(const std::string& path, size_t limit,
                                           ErrorReason reason) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError(reason, errno, "open", path);
  return ReadWholeFile(fd.get(), path, limit, reason);
}

absl::StatusOr<SecretBuffer> ReadWholeFile(int fd, const std::string& path, size_t limit,
                                           ErrorReason reason) {
  SecretBuffer bytes(limit + 1);
  size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t n = ::read(fd, bytes.data() + size, bytes.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError(reason, errno, "read", path);
    if (n == 0) break;
    size += static_cast<size_t>(n);
  }
  bytes.Shrink(size);
  return bytes;
}

absl::Status WriteNewFile(const std::string& path, absl::Span<const uint8_t> bytes,
                          ErrorReason reason) {
  const UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return ErrnoError(reason, errno, "create", path);
  if (!WriteAll(fd.get(), bytes) || ::fsync(fd.get()) != 0 || !SyncParent(path)) {
    const int err = errno;
    ::unlink(path.c_str());
    return ErrnoError(reason, err, "write", path);
  }
  return absl::OkStatus();
}

}  // namespace ext4crypt
