// SPDX-License-Identifier: Apache-2.0
// Writes markers with O_DIRECT: see model/marker.h.
#pragma once

#include <string>

#include "../model/marker.h"

namespace crash {

struct Session {
  std::string device;
  uint32_t number = 0;
  std::string workload;
  uint64_t seed = 0;
  uint64_t ops = 0;
  uint64_t bytes = 0;  // of the file system
};

class Marks {
 public:
  explicit Marks(const Session& session);
  ~Marks();
  Marks(const Marks&) = delete;
  Marks& operator=(const Marks&) = delete;

  void WriteSession(uint32_t state) const;
  void WriteWorker(uint32_t worker, uint64_t started, int64_t result, uint64_t size) const;

 private:
  void Write(const void* sector, uint64_t offset) const;
  Session session_;
  int fd_;
};

// Prints what failed with its errno, and ends the program.
[[noreturn]] void Die(const std::string& what);

}  // namespace crash
