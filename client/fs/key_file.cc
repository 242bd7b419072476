// SPDX-License-Identifier: Apache-2.0
#include "client/fs/key_file.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "common/error.h"
#include "common/unique_fd.h"

namespace ext4crypt {
namespace {

constexpr size_t kKeyFileSize = 64;

absl::Status Unusable(int err, absl::string_view what, const std::string& path) {
  return ErrnoError(ErrorReason::kKeyFileUnusable, err, what, path);
}

bool SyncParent(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const UniqueFd dir(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return dir.valid() && ::fsync(dir.get()) == 0;
}

}  // namespace

absl::StatusOr<SecretBuffer> ReadKeyFile(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd.valid()) return Unusable(errno, "open", path);
  SecretBuffer contents(kKeyFileSize + 1);
  size_t size = 0;
  while (size < contents.size()) {
    const ssize_t n = ::read(fd.get(), contents.data() + size, contents.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Unusable(errno, "read", path);
    if (n == 0) break;
    size += static_cast<size_t>(n);
  }
  if (size != kKeyFileSize) return Unusable(EINVAL, "size", path);
  contents.Shrink(size);
  return contents;
}

absl::StatusOr<SecretBuffer> CreateKeyFile(const std::string& path) {
  SecretBuffer contents(kKeyFileSize);
  if (::getrandom(contents.data(), contents.size(), 0) != static_cast<ssize_t>(kKeyFileSize)) {
    return Unusable(errno, "no random bytes", path);
  }
  const UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return Unusable(errno, "create", path);
  if (::write(fd.get(), contents.data(), contents.size()) != static_cast<ssize_t>(kKeyFileSize) ||
      ::fsync(fd.get()) != 0 || !SyncParent(path)) {
    const int err = errno;
    ::unlink(path.c_str());
    return Unusable(err, "write", path);
  }
  return contents;
}

}  // namespace ext4crypt
