// SPDX-License-Identifier: Apache-2.0
// A real file beside its model: see subject.h.
#include "subject.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace fsx {
namespace {

constexpr uint64_t kChunk = 1 << 20;     // bytes of one read when whole files are compared
constexpr uint64_t kSmall = 8u << 20;    // files up to this are compared byte by byte, holes included

std::string hex(const std::vector<uint8_t>& data, size_t from) {
  std::string text;
  char two[4];
  for (size_t i = from; i < std::min(data.size(), from + 24); ++i) {
    snprintf(two, sizeof two, "%02x ", data[i]);
    text += two;
  }
  return text;
}

// A mapping that covers [offset, offset + length) of a file.
class Mapping {
 public:
  Mapping(int fd, uint64_t offset, uint64_t length, int protection, int kind = MAP_SHARED)
      : skip_(offset % kPage), length_(length + skip_),
        base_(mmap(nullptr, length_, protection, kind, fd, static_cast<off_t>(offset - skip_))) {}
  ~Mapping() {
    if (good()) munmap(base_, length_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  bool good() const { return base_ != MAP_FAILED; }
  uint8_t* data() const { return static_cast<uint8_t*>(base_) + skip_; }
  bool sync() const { return msync(base_, length_, MS_SYNC) == 0; }

 private:
  uint64_t skip_;
  uint64_t length_;
  void* base_;
};

struct Free {
  void operator()(void* memory) const { free(memory); }
};
using AlignedBuffer = std::unique_ptr<uint8_t, Free>;

AlignedBuffer aligned(uint64_t bytes) { return AlignedBuffer(static_cast<uint8_t*>(aligned_alloc(kPage, bytes))); }

}  // namespace

Subject::Subject(std::string path) : path_(std::move(path)) {}
Subject::~Subject() { close(); }

void Subject::open() {
  close();
  fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd_ < 0) failed("open", 0, 0);
}

void Subject::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void Subject::recreate(uint64_t op) {
  close();
  if (unlink(path_.c_str()) != 0 && errno != ENOENT) failed("unlink", 0, 0);
  model_.resize(op, 0);
  open();
}

void Subject::write(uint64_t op, uint64_t offset, const std::vector<uint8_t>& data) {
  const ssize_t written = pwrite(fd_, data.data(), data.size(), static_cast<off_t>(offset));
  if (written != static_cast<ssize_t>(data.size())) failed("pwrite", offset, data.size());
  model_.write(op, offset, data);
}

bool Subject::write_direct(uint64_t op, uint64_t offset, const std::vector<uint8_t>& data) {
  const int direct = ::open(path_.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC);
  if (direct < 0 && errno == EINVAL) return false;
  if (direct < 0) failed("open(O_DIRECT)", offset, data.size());
  const AlignedBuffer buffer = aligned(data.size());
  std::copy(data.begin(), data.end(), buffer.get());
  const ssize_t written = pwrite(direct, buffer.get(), data.size(), static_cast<off_t>(offset));
  const int error = errno;
  ::close(direct);
  errno = error;
  if (written < 0 && errno == EINVAL) return false;
  if (written != static_cast<ssize_t>(data.size())) failed("pwrite(O_DIRECT)", offset, data.size());
  model_.write(op, offset, data);
  return true;
}

void Subject::write_synced(uint64_t op, uint64_t offset, const std::vector<uint8_t>& data, bool data_only) {
  const int synced = ::open(path_.c_str(), O_RDWR | O_CLOEXEC | (data_only ? O_DSYNC : O_SYNC));
  if (synced < 0) failed("open(O_SYNC)", offset, data.size());
  const ssize_t written = pwrite(synced, data.data(), data.size(), static_cast<off_t>(offset));
  const int error = errno;
  ::close(synced);
  errno = error;
  if (written != static_cast<ssize_t>(data.size())) failed("pwrite(O_SYNC)", offset, data.size());
  model_.write(op, offset, data);
}

void Subject::copy_from(uint64_t op, const Subject& source, uint64_t from, uint64_t offset, uint64_t length, bool by_sendfile) {
  const std::vector<uint8_t> data = source.model_.read(from, length);
  off64_t in = static_cast<off64_t>(from);
  off64_t out = static_cast<off64_t>(offset);
  if (by_sendfile && lseek(fd_, out, SEEK_SET) != out) failed("lseek", offset, length);
  for (uint64_t left = length; left > 0;) {
    const ssize_t copied = by_sendfile ? sendfile(fd_, source.fd_, &in, left) : copy_file_range(source.fd_, &in, fd_, &out, left, 0);
    if (copied <= 0) failed(by_sendfile ? "sendfile" : "copy_file_range", offset, left);
    left -= static_cast<uint64_t>(copied);
  }
  model_.write(op, offset, data);
}

void Subject::write_private(uint64_t offset, const std::vector<uint8_t>& data) {
  const Mapping mapping(fd_, offset, data.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE);
  if (!mapping.good()) failed("mmap(MAP_PRIVATE)", offset, data.size());
  std::copy(data.begin(), data.end(), mapping.data());
  if (!std::equal(data.begin(), data.end(), mapping.data())) {
    throw Mismatch(path_ + ": a private mapping at " + std::to_string(offset) + " lost what was written to it");
  }
  verify(offset, data.size());
}

void Subject::write_mapped(uint64_t op, uint64_t offset, const std::vector<uint8_t>& data, bool sync) {
  const Mapping mapping(fd_, offset, data.size(), PROT_READ | PROT_WRITE);
  if (!mapping.good()) failed("mmap", offset, data.size());
  std::copy(data.begin(), data.end(), mapping.data());
  if (sync && !mapping.sync()) failed("msync", offset, data.size());
  model_.write(op, offset, data);
}

void Subject::truncate(uint64_t op, uint64_t size) {
  if (ftruncate(fd_, static_cast<off_t>(size)) != 0) failed("ftruncate", size, 0);
  model_.resize(op, size);
}

void Subject::allocate(uint64_t op, int mode, uint64_t offset, uint64_t length) {
  if (fallocate(fd_, mode, static_cast<off_t>(offset), static_cast<off_t>(length)) != 0) failed("fallocate", offset, length);
  const bool grows = !(mode & FALLOC_FL_KEEP_SIZE) && offset + length > model_.size();
  if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) model_.zero(op, offset, length);
  if (grows) model_.resize(op, offset + length);
}

void Subject::sync(bool data_only) {
  if ((data_only ? fdatasync(fd_) : fsync(fd_)) != 0) failed(data_only ? "fdatasync" : "fsync", 0, 0);
}

void Subject::forget_cache() {
  sync(false);
  if (const int error = posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED)) {
    errno = error;
    failed("posix_fadvise", 0, 0);
  }
}

void Subject::verify(uint64_t offset, uint64_t length) {
  std::vector<uint8_t> actual(length);
  const ssize_t got = pread(fd_, actual.data(), length, static_cast<off_t>(offset));
  if (got != static_cast<ssize_t>(length)) failed("pread", offset, length);
  compare(offset, actual, "pread");
}

void Subject::verify_mapped(uint64_t offset, uint64_t length) {
  const Mapping mapping(fd_, offset, length, PROT_READ);
  if (!mapping.good()) failed("mmap", offset, length);
  compare(offset, std::vector<uint8_t>(mapping.data(), mapping.data() + length), "mapped read");
}

void Subject::verify_direct(uint64_t offset, uint64_t length) {
  const int direct = ::open(path_.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC);
  if (direct < 0 && errno == EINVAL) return;
  if (direct < 0) failed("open(O_DIRECT)", offset, length);
  const uint64_t rounded = (length + kPage - 1) / kPage * kPage;
  const AlignedBuffer buffer = aligned(rounded);
  const ssize_t got = pread(direct, buffer.get(), rounded, static_cast<off_t>(offset));
  const int error = errno;
  ::close(direct);
  errno = error;
  if (got < 0 && errno == EINVAL) return;
  if (got < static_cast<ssize_t>(length)) failed("pread(O_DIRECT)", offset, length);
  compare(offset, std::vector<uint8_t>(buffer.get(), buffer.get() + length), "direct read");
}

void Subject::verify_all() {
  struct stat info;
  if (fstat(fd_, &info) != 0) failed("fstat", 0, 0);
  if (static_cast<uint64_t>(info.st_size) != model_.size()) {
    throw Mismatch(path_ + ": size is " + std::to_string(info.st_size) + ", expected " + std::to_string(model_.size()));
  }
  verify_holes();
  if (model_.size() <= kSmall) {
    for (uint64_t at = 0; at < model_.size(); at += kChunk) verify(at, std::min(kChunk, model_.size() - at));
    return;
  }
  // What the file system calls data, which may be more than was ever written.
  off_t data = 0;
  while ((data = lseek(fd_, data, SEEK_DATA)) >= 0) {
    const off_t hole = lseek(fd_, data, SEEK_HOLE);
    if (hole < 0) failed("lseek(SEEK_HOLE)", static_cast<uint64_t>(data), 0);
    for (; data < hole; data += static_cast<off_t>(kChunk)) {
      const auto at = static_cast<uint64_t>(data);
      verify(at, std::min(kChunk, static_cast<uint64_t>(hole) - at));
    }
    data = hole;
  }
  if (errno != ENXIO) failed("lseek(SEEK_DATA)", 0, 0);
  // Each page that held data, and one page on either side of it.
  for (const uint64_t start : model_.pages()) {
    const uint64_t from = start >= kPage ? start - kPage : start;
    verify(from, std::min(start + 2 * kPage, model_.size()) - from);
  }
  verify(model_.size() - 1, 1);
}

// What lies in a hole must be zeros, and a file ends in a hole by definition. Where data lies is verify_all's affair.
void Subject::verify_holes() {
  uint64_t at = 0;
  while (at < model_.size()) {
    const off_t hole = lseek(fd_, static_cast<off_t>(at), SEEK_HOLE);
    if (hole < 0) failed("lseek(SEEK_HOLE)", at, 0);
    if (static_cast<uint64_t>(hole) > model_.size()) {
      throw Mismatch(path_ + ": SEEK_HOLE from " + std::to_string(at) + " says " + std::to_string(hole) + ", past the end " +
                     std::to_string(model_.size()));
    }
    const off_t data = lseek(fd_, hole, SEEK_DATA);
    if (data < 0 && errno != ENXIO) failed("lseek(SEEK_DATA)", static_cast<uint64_t>(hole), 0);
    const uint64_t end = data < 0 ? model_.size() : std::min(static_cast<uint64_t>(data), model_.size());
    if (!model_.all_zero(static_cast<uint64_t>(hole), end - static_cast<uint64_t>(hole))) {
      throw Mismatch(path_ + ": SEEK_HOLE says there is a hole at [" + std::to_string(hole) + ", " + std::to_string(end) +
                     "), but data was written there");
    }
    if (end <= at && static_cast<uint64_t>(hole) <= at && data >= 0) throw Mismatch(path_ + ": SEEK_DATA makes no progress at " + std::to_string(at));
    at = std::max(end, at + 1);
  }
}

void Subject::compare(uint64_t offset, const std::vector<uint8_t>& actual, const char* how) const {
  const std::vector<uint8_t> expected = model_.read(offset, actual.size());
  if (actual == expected) return;
  const auto pair = std::mismatch(actual.begin(), actual.end(), expected.begin());
  const auto first = static_cast<size_t>(pair.first - actual.begin());
  size_t wrong = 0;
  for (size_t i = first; i < actual.size(); ++i) wrong += actual[i] != expected[i];
  const uint64_t at = offset + first;
  throw Mismatch(path_ + ": " + how + " of [" + std::to_string(offset) + ", " + std::to_string(offset + actual.size()) +
                 ") is wrong in " + std::to_string(wrong) + " bytes, first at " + std::to_string(at) + " (page " +
                 std::to_string(at / kPage) + " + " + std::to_string(at % kPage) + ", last changed by operation " +
                 std::to_string(model_.last_change(at)) + ", size " + std::to_string(model_.size()) + ")\n  expected " +
                 hex(expected, first) + "\n  actual   " + hex(actual, first));
}

void Subject::failed(const char* call, uint64_t offset, uint64_t length) const {
  throw Mismatch(path_ + ": " + call + " at " + std::to_string(offset) + ", length " + std::to_string(length) + ", size " +
                 std::to_string(model_.size()) + ": " + strerror(errno));
}

}  // namespace fsx
