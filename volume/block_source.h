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
};

class FileSource : public BlockSource {
 public:
  // A regular file or a block device.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<BlockSource>> Open(const std::string& path);
  [[nodiscard]] absl::Status Read(uint64_t offset, absl::Span<uint8_t> out) const override;
  [[nodiscard]] uint64_t size() const override { return size_; }

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

}  // namespace ext4crypt::volume
