// SPDX-License-Identifier: Apache-2.0
#include "client/migrate/contents.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "client/migrate/node.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

constexpr size_t kChunk = 1U << 20;

struct Range {
  off_t begin = 0;
  off_t end = 0;
};

// The next range with data at or after `offset`; empty when there is none.
absl::StatusOr<Range> NextData(int fd, off_t offset, const std::string& path) {
  const off_t begin = ::lseek(fd, offset, SEEK_DATA);
  if (begin < 0 && errno == ENXIO) return Range{};
  if (begin < 0) return NodeError(errno, "looking for data", path);
  const off_t end = ::lseek(fd, begin, SEEK_HOLE);
  if (end < 0) return NodeError(errno, "looking for a hole", path);
  return Range{.begin = begin, .end = end};
}

// As many bytes as there are, up to the buffer's size.
absl::StatusOr<size_t> ReadAt(int fd, off_t offset, std::vector<char>& buffer, size_t size,
                              const std::string& path) {
  size_t done = 0;
  while (done < size) {
    const ssize_t n =
        ::pread(fd, buffer.data() + done, size - done, offset + static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return NodeError(errno, "read", path);
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

absl::Status WriteAt(int fd, off_t offset, const char* data, size_t size, const std::string& path) {
  size_t done = 0;
  while (done < size) {
    const ssize_t n = ::pwrite(fd, data + done, size - done, offset + static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return NodeError(errno, "write", path);
    done += static_cast<size_t>(n);
  }
  return absl::OkStatus();
}

// Calls `visit` with pieces of at most kChunk of every range of `fd` that has data.
template <typename Visit>
absl::Status ForEachPiece(int fd, const std::string& path, Visit visit) {
  for (off_t offset = 0;;) {
    ASSIGN_OR_RETURN(const Range range, NextData(fd, offset, path));
    if (range.end == range.begin) return absl::OkStatus();
    for (off_t at = range.begin; at < range.end; at += static_cast<off_t>(kChunk)) {
      RETURN_IF_ERROR(visit(at, std::min<size_t>(kChunk, static_cast<size_t>(range.end - at))));
    }
    offset = range.end;
  }
}

absl::StatusOr<off_t> SizeOf(int fd, const std::string& path) {
  struct stat info = {};
  if (::fstat(fd, &info) != 0) return NodeError(errno, "stat", path);
  return info.st_size;
}

}  // namespace

absl::Status CopyContents(int from, int to, const Tick& tick, const std::string& path) {
  ASSIGN_OR_RETURN(const off_t size, SizeOf(from, path));
  std::vector<char> buffer(std::min<size_t>(kChunk, static_cast<size_t>(size) + 1));
  const auto copy = [&](off_t at, size_t length) -> absl::Status {
    // A file that grows meanwhile is noticed by who called.
    ASSIGN_OR_RETURN(const size_t n,
                     ReadAt(from, at, buffer, std::min(length, buffer.size()), path));
    RETURN_IF_ERROR(WriteAt(to, at, buffer.data(), n, path));
    return tick(n);
  };
  RETURN_IF_ERROR(ForEachPiece(from, path, copy));
  return ::ftruncate(to, size) == 0 ? absl::OkStatus() : NodeError(errno, "truncate", path);
}

absl::StatusOr<bool> SameContents(int a, int b, const Tick& tick, const std::string& path) {
  ASSIGN_OR_RETURN(const off_t size_a, SizeOf(a, path));
  ASSIGN_OR_RETURN(const off_t size_b, SizeOf(b, path));
  if (size_a != size_b) return false;
  std::vector<char> of_a(std::min<size_t>(kChunk, static_cast<size_t>(size_a) + 1));
  std::vector<char> of_b(of_a.size());
  bool same = true;
  const auto compare = [&](off_t at, size_t length) -> absl::Status {
    if (!same) return absl::OkStatus();
    const size_t wanted = std::min(length, of_a.size());
    ASSIGN_OR_RETURN(const size_t n_a, ReadAt(a, at, of_a, wanted, path));
    ASSIGN_OR_RETURN(const size_t n_b, ReadAt(b, at, of_b, wanted, path));
    same = n_a == n_b && std::memcmp(of_a.data(), of_b.data(), n_a) == 0;
    return tick(n_a);
  };
  RETURN_IF_ERROR(ForEachPiece(a, path, compare));
  // What is data in b only: a hole of a filled with anything but zeros.
  RETURN_IF_ERROR(ForEachPiece(b, path, [&](off_t at, size_t length) -> absl::Status {
    const bool compared = ::lseek(a, at, SEEK_DATA) == at &&
                          ::lseek(a, at, SEEK_HOLE) >= at + static_cast<off_t>(length);
    return compared ? absl::OkStatus() : compare(at, length);
  }));
  return same;
}

}  // namespace ext4crypt
