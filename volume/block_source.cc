// SPDX-License-Identifier: Apache-2.0
#include "volume/block_source.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "volume/reason.h"

namespace ext4crypt::volume {
namespace {

absl::Status PastTheEnd(uint64_t offset) {
  return Fail(Reason::kPageUnreadable, absl::StrCat("byte ", offset, " is past the end"));
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

absl::Status MemorySource::Read(uint64_t offset, absl::Span<uint8_t> out) const {
  if (offset > bytes_.size() || out.size() > bytes_.size() - offset) return PastTheEnd(offset);
  std::copy_n(bytes_.data() + offset, out.size(), out.data());
  return absl::OkStatus();
}

}  // namespace ext4crypt::volume
