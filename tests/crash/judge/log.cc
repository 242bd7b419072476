// SPDX-License-Identifier: Apache-2.0
#include "log.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/unique_fd.h"

namespace crash {
namespace {

// Documentation/admin-guide/device-mapper/log-writes.rst and drivers/md/dm-log-writes.c of Linux.
constexpr uint64_t kMagic = 0x6a736677736872;
constexpr uint64_t kFlush = 1, kFua = 2, kDiscard = 4, kMark = 8;

struct Super {
  uint64_t magic, version, entries;
  uint32_t sector_size;
};
struct Header {
  uint64_t sector, sectors, flags, data_length;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Log>> Log::Open(const std::string& path) {
  const ext4crypt::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat st = {};
  if (!fd.valid() || ::fstat(fd.get(), &st) != 0) return absl::NotFoundError(path);
  std::unique_ptr<Log> log(new Log);
  log->size_ = static_cast<uint64_t>(st.st_size);
  void* base = ::mmap(nullptr, log->size_, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (base == MAP_FAILED) return absl::DataLossError(absl::StrCat(path, ": empty"));
  log->bytes_ = static_cast<const uint8_t*>(base);
  if (const absl::Status status = log->Parse(); !status.ok()) return status;
  return log;
}

Log::~Log() {
  if (bytes_ != nullptr) ::munmap(const_cast<uint8_t*>(bytes_), size_);
}

absl::Status Log::Parse() {
  Super super = {};
  if (size_ < sizeof super) return absl::DataLossError("no log");
  std::memcpy(&super, bytes_, sizeof super);
  if (super.magic != kMagic || super.version != 1 || super.sector_size != 512) {
    return absl::DataLossError("not a log of writes with sectors of 512 bytes");
  }
  uint64_t at = super.sector_size;
  for (uint64_t i = 0; i < super.entries; ++i) {
    Header header = {};
    if (at + super.sector_size > size_)
      return absl::DataLossError(absl::StrCat("the log ends in entry ", i));
    std::memcpy(&header, bytes_ + at, sizeof header);
    at += super.sector_size;
    Entry entry = {.offset = header.sector * super.sector_size,
                   .length = header.sectors * super.sector_size,
                   .flush = (header.flags & kFlush) != 0,
                   .fua = (header.flags & kFua) != 0};
    if ((header.flags & kMark) != 0) {
      at += header.data_length;
      continue;
    }
    if ((header.flags & kDiscard) == 0) {
      entry.data = bytes_ + at;
      at += entry.length;
      if (at > size_) return absl::DataLossError(absl::StrCat("the log ends in entry ", i));
    }
    entries_.push_back(entry);
  }
  return absl::OkStatus();
}

}  // namespace crash
