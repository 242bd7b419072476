// SPDX-License-Identifier: Apache-2.0
// Reads a log of writes in the format of dm-log-writes, as QEMU's blklogwrites driver makes it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace crash {

struct Entry {
  uint64_t offset = 0;  // bytes
  uint64_t length = 0;
  const uint8_t* data = nullptr;  // nullptr: zeros (a discard)
  bool flush = false;
  bool fua = false;
};

class Log {
 public:
  // Error: not such a log.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Log>> Open(const std::string& path);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

 private:
  Log() = default;
  [[nodiscard]] absl::Status Parse();
  const uint8_t* bytes_ = nullptr;
  uint64_t size_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace crash
