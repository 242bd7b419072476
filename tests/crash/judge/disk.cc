// SPDX-License-Identifier: Apache-2.0
#include "disk.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "common/unique_fd.h"

namespace crash {

CrashedDisk::CrashedDisk(std::string directory)
    : directory_(std::move(directory)), image_(directory_ + "/image") {
  std::filesystem::create_directories(directory_ + "/mnt");
}

CrashedDisk::~CrashedDisk() {
  if (base_ != nullptr) ::munmap(base_, size_);
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void CrashedDisk::Set(const std::vector<uint8_t>& bytes) {
  if (size_ != bytes.size()) {
    if (base_ != nullptr) ::munmap(base_, size_);
    const ext4crypt::UniqueFd fd(::open(image_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    void* base = MAP_FAILED;
    if (fd.valid() && ::ftruncate(fd.get(), static_cast<off_t>(bytes.size())) == 0) {
      base = ::mmap(nullptr, bytes.size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    }
    if (base == MAP_FAILED) throw std::runtime_error("no room for an image in " + directory_);
    base_ = static_cast<uint8_t*>(base);
    size_ = bytes.size();
  }
  std::memcpy(base_, bytes.data(), bytes.size());
}

RepairReport CrashedDisk::Repair(crash::Repair repair) const {
  return RepairImage(image_, directory_ + "/mnt", repair);
}

absl::Span<uint8_t> CrashedDisk::bytes() { return {base_, size_}; }

}  // namespace crash
