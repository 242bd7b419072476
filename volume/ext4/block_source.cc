// SPDX-License-Identifier: Apache-2.0
#include "volume/ext4/block_source.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "volume/ext4/bytes.h"
#include "volume/reason.h"

namespace ext4crypt::volume {
namespace {

absl::Status PastTheEnd(uint64_t offset) {
  return Fail(Reason::kPageUnreadable, absl::StrCat("byte ", offset, " is past the end"));
}

constexpr uint64_t kBlock = E4C_BLOCK_SIZE;
constexpr uint8_t kEscapedMagic[] = {0xC0, 0x3B, 0x39, 0x98};

// "7:0" stands for a mounted device if it is the third field of a line of mountinfo.
bool IsMounted(const std::string& device) {
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    const size_t first = line.find(' ');
    const size_t second = line.find(' ', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    if (line.compare(second + 1, device.size() + 1, device + " ") == 0) return true;
  }
  return false;
}

// The loop device, "loop3", that shows the file and is mounted; empty: none.
std::string MountedLoopOf(const struct stat& image) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/block", error)) {
    std::string backing;
    std::string device;
    std::ifstream backing_file(entry.path() / "loop/backing_file");
    if (!std::getline(backing_file, backing)) continue;
    std::ifstream device_file(entry.path() / "dev");
    struct stat st = {};
    if (std::getline(device_file, device) && ::stat(backing.c_str(), &st) == 0 &&
        st.st_dev == image.st_dev && st.st_ino == image.st_ino && IsMounted(device)) {
      return entry.path().filename();
    }
  }
  return "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<BlockSource>> FileSource::Open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) {
    return Fail(Reason::kCannotOpen, absl::StrCat(path, ": ", std::strerror(errno)));
  }
  struct stat st = {};
  if (::fstat(fd.get(), &st) != 0) {
    return Fail(Reason::kCannotOpen, absl::StrCat(path, ": ", std::strerror(errno)));
  }
  uint64_t size = 0;
  if (S_ISREG(st.st_mode)) {
    size = static_cast<uint64_t>(st.st_size);
  } else if (!S_ISBLK(st.st_mode) || ::ioctl(fd.get(), BLKGETSIZE64, &size) != 0) {
    return Fail(Reason::kCannotOpen, absl::StrCat(path, ": neither a file nor a block device"));
  }
  return std::unique_ptr<BlockSource>(new FileSource(std::move(fd), size));
}

absl::Status FileSource::Read(uint64_t offset, absl::Span<uint8_t> out) const {
  if (offset > size_ || out.size() > size_ - offset) return PastTheEnd(offset);
  while (!out.empty()) {
    const ssize_t n = ::pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Fail(Reason::kPageUnreadable, std::strerror(errno));
    if (n == 0) return PastTheEnd(offset);
    out.remove_prefix(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return absl::OkStatus();
}

// A journal that has to be replayed is also what a mounted volume looks like.
absl::Status FileSource::CheckNotInUse() const {
  struct stat st = {};
  if (::fstat(fd_.get(), &st) != 0) return Fail(Reason::kCannotOpen, std::strerror(errno));
  if (S_ISBLK(st.st_mode)) {
    // Without O_CREAT, O_EXCL on a block device asks whether the kernel uses it.
    const std::string self = absl::StrCat("/proc/self/fd/", fd_.get());
    const UniqueFd alone(::open(self.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC));
    if (!alone.valid() && errno == EBUSY)
      return Fail(Reason::kVolumeInUse, "the device is mounted");
    return absl::OkStatus();
  }
  const std::string loop = MountedLoopOf(st);
  if (loop.empty()) return absl::OkStatus();
  return Fail(Reason::kVolumeInUse, absl::StrCat("the image is mounted through /dev/", loop));
}

absl::Status OverlaySource::Read(uint64_t offset, absl::Span<uint8_t> out) const {
  RETURN_IF_ERROR(below_->Read(offset, out));
  const uint64_t end = offset + out.size();
  auto it = std::lower_bound(patches_.begin(), patches_.end(), offset / kBlock,
                             [](const Patch& p, uint64_t block) { return p.block < block; });
  for (; it != patches_.end() && it->block * kBlock < end; ++it) {
    const uint64_t from = std::max(offset, it->block * kBlock);
    const uint64_t to = std::min(end, (it->block + 1) * kBlock);
    const absl::Span<uint8_t> part = out.subspan(from - offset, to - from);
    const uint64_t within = from - it->block * kBlock;
    RETURN_IF_ERROR(below_->Read(it->by * kBlock + within, part));
    if (!it->escaped) continue;
    for (uint64_t i = within; i < sizeof(kEscapedMagic) && i - within < part.size(); ++i) {
      part[i - within] = kEscapedMagic[i];
    }
  }
  return absl::OkStatus();
}

absl::Status MemorySource::Read(uint64_t offset, absl::Span<uint8_t> out) const {
  if (offset > bytes_.size() || out.size() > bytes_.size() - offset) return PastTheEnd(offset);
  std::copy_n(bytes_.data() + offset, out.size(), out.data());
  return absl::OkStatus();
}

}  // namespace ext4crypt::volume
