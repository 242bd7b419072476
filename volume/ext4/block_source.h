// SPDX-License-Identifier: Apache-2.0
// Where the bytes of a volume come from. Read-only by construction: there is no way to write.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/unique_fd.h"

namespace ext4crypt::volume {

class BlockSource {
 public:
  virtual ~BlockSource() = default;
  // All of `out` or an error (kPageUnreadable). Safe to call from several threads.
  [[nodiscard]] virtual absl::Status Read(uint64_t offset, absl::Span<uint8_t> out) const = 0;
  [[nodiscard]] virtual uint64_t size() const = 0;
  // Error kVolumeInUse: somebody has it mounted, so that what is read here may change meanwhile.
  [[nodiscard]] virtual absl::Status CheckNotInUse() const { return absl::OkStatus(); }
};

class FileSource : public BlockSource {
 public:
  // A regular file or a block device.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<BlockSource>> Open(const std::string& path);
  [[nodiscard]] absl::Status Read(uint64_t offset, absl::Span<uint8_t> out) const override;
  [[nodiscard]] uint64_t size() const override { return size_; }
  [[nodiscard]] absl::Status CheckNotInUse() const override;

 private:
  FileSource(UniqueFd fd, uint64_t size) : fd_(std::move(fd)), size_(size) {}
  UniqueFd fd_;
  uint64_t size_;
};

// For fuzzing and tests. Does not own the bytes.
class MemorySource : public BlockSource {
 public:
  explicit MemorySource(absl::Span<const uint8_t> bytes) : bytes_(bytes) {}
  [[nodiscard]] absl::Status Read(uint64_t offset, absl::Span<uint8_t> out) const override;
  [[nodiscard]] uint64_t size() const override { return bytes_.size(); }

 private:
  absl::Span<const uint8_t> bytes_;
};

// Another source with blocks (kBlockSize) of it put in place of others: a journal replayed in
// memory. Holds no contents, only places.
class OverlaySource : public BlockSource {
 public:
  struct Patch {
    uint64_t block = 0;    // what is replaced
    uint64_t by = 0;       // the block of the same source that has the contents
    bool escaped = false;  // its first four bytes are the journal's magic number
  };
  // `patches` ascending by block, each block once.
  OverlaySource(std::unique_ptr<BlockSource> below, std::vector<Patch> patches)
      : below_(std::move(below)), patches_(std::move(patches)) {}
  [[nodiscard]] absl::Status Read(uint64_t offset, absl::Span<uint8_t> out) const override;
  [[nodiscard]] uint64_t size() const override { return below_->size(); }
  [[nodiscard]] absl::Status CheckNotInUse() const override { return below_->CheckNotInUse(); }

 private:
  std::unique_ptr<BlockSource> below_;
  std::vector<Patch> patches_;
};

}  // namespace ext4crypt::volume
