// SPDX-License-Identifier: Apache-2.0
// What the worker's operations are made of.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <vector>

namespace crash {

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

// The bytes of operation `op`.
[[nodiscard]] std::vector<uint8_t> Pattern(uint32_t worker, uint32_t op, uint64_t offset,
                                           uint64_t length);

// All of it, or what fitted; -errno if that is nothing.
int64_t WriteAll(int fd, const std::vector<uint8_t>& bytes, uint64_t offset);

}  // namespace crash
