// SPDX-License-Identifier: Apache-2.0
// Operations of a worker on names, and on files that the model does not know: of those the judge
// asks only that all there is of them is authentic.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string>

#include "fd.h"
#include "worker.h"

namespace crash {
namespace {

int64_t Result(int returned) { return returned == 0 ? 0 : -errno; }

}  // namespace

// What editors and package managers that do not sync do.
int64_t Worker::QuietReplace(const Op& op) {
  const std::string fresh = PathOf(op.file) + ".new";
  int64_t result;
  {
    const Fd fd(open(fresh.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (fd.get() < 0) return -errno;
    result = WriteAll(fd.get(), Pattern(number_, op_, 0, op.length), 0);
    if (result >= 0 && result < static_cast<int64_t>(op.length)) result = -ENOSPC;
  }
  if (result >= 0) result = Result(rename(fresh.c_str(), PathOf(op.file).c_str()));
  if (result < 0) unlink(fresh.c_str());
  SyncDirectory();
  return result;
}

int64_t Worker::UnnamedReplace(const Op& op) {
  const std::string fresh = PathOf(op.file) + ".new";
  int64_t result;
  {
    const Fd fd(open(directory_.c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0644));
    if (fd.get() < 0) return -errno;
    result = WriteAll(fd.get(), Pattern(number_, op_, 0, op.length), 0);
    if (result >= 0 && result < static_cast<int64_t>(op.length)) result = -ENOSPC;
    if (result >= 0) result = Result(fsync(fd.get()));
    const std::string itself = "/proc/self/fd/" + std::to_string(fd.get());
    if (result >= 0)
      result = Result(linkat(AT_FDCWD, itself.c_str(), AT_FDCWD, fresh.c_str(), AT_SYMLINK_FOLLOW));
  }
  if (result >= 0) result = Result(rename(fresh.c_str(), PathOf(op.file).c_str()));
  if (result < 0) unlink(fresh.c_str());
  SyncDirectory();
  return result;
}

int64_t Worker::Move(const Op& op) {
  const std::string path = PathOf(op.file);
  const std::string other = OtherName(path);
  int64_t result = Result(rename(path.c_str(), other.c_str()));
  if (result < 0) return result;
  if (op_ % 2 == 0) SyncDirectory();
  result = Result(rename(other.c_str(), path.c_str()));
  SyncDirectory();
  return result;
}

int64_t Worker::Relink(const Op& op) {
  const std::string path = PathOf(op.file);
  const std::string other = OtherName(path);
  int64_t result = Result(link(path.c_str(), other.c_str()));
  // Every second time the first name is the one that stays.
  if (result >= 0 && op_ % 2 == 0) {
    result = Result(unlink(path.c_str()));
    if (op_ % 4 == 0) SyncDirectory();
    if (result >= 0) result = Result(link(other.c_str(), path.c_str()));
  }
  if (result >= 0) result = Result(unlink(other.c_str()));
  SyncDirectory();
  return result;
}

int64_t Worker::Exchange(const Op& op) {
  const std::string path = PathOf(op.file);
  const std::string other = OtherName(path);
  {
    const Fd fd(open(other.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (fd.get() < 0) return -errno;
    WriteAll(fd.get(), Pattern(number_, op_, 0, op.length), 0);
  }
  int64_t result = 0;
  for (int i = 0; i < 2 && result >= 0; ++i) {
    result = Result(renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE));
    if (op_ % 2 == 0) SyncDirectory();
  }
  unlink(other.c_str());
  SyncDirectory();
  return result;
}

int64_t Worker::Links(const Op& op) {
  const std::string link = directory_ + "/link" + std::to_string(op.offset % 4);
  const std::string moved = directory_ + "/link" + std::to_string(op.offset / 4 % 4);
  // Half of them do not fit into the inode.
  const std::string target(
      std::min<uint64_t>(op.length % 2 == 0 ? op.length % 40 + 1 : op.length, 3000), 't');
  int64_t result = 0;
  if (unlink(link.c_str()) != 0 && errno != ENOENT) return -errno;
  result = Result(symlink(target.c_str(), link.c_str()));
  if (result >= 0) result = Result(rename(link.c_str(), moved.c_str()));
  if (op.offset % 8 < 3) SyncDirectory();
  return result;
}

// Heights 0 to 3: one tag block serves 508 KiB, one node of level 1 63 MiB, one of level 2 7.9 GiB.
int64_t Worker::Tall(const Op& op) {
  static constexpr uint64_t kPlaces[] = {0, 600'000, 70'000'000, 9'000'000'000};
  const std::string path = directory_ + "/tall" + std::to_string(op.offset % 2);
  const Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (fd.get() < 0) return -errno;
  if (op.offset % 5 == 0) {
    const uint64_t end = kPlaces[op.offset / 8 % 4];
    return Result(ftruncate(fd.get(), static_cast<off_t>(end)));
  }
  const uint64_t at = kPlaces[op.offset / 2 % 4] + op.offset * 4096;
  const int64_t result = WriteAll(fd.get(), Pattern(number_, op_, at, op.length), at);
  if (result >= 0 && op.offset % 3 == 0) return Result(fsync(fd.get()));
  return std::min<int64_t>(result, 0);
}

}  // namespace crash
