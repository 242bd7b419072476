// SPDX-License-Identifier: Apache-2.0
// Does the operations of one worker on real files, and says before each which it is.
#pragma once

#include <string>

#include "../model/model.h"
#include "marks.h"

namespace crash {

class Worker {
 public:
  Worker(const Session& session, const Marks& marks, uint32_t number, std::string directory);
  void Run();

 private:
  // -errno only where the disk may be full; every other failure ends the program.
  int64_t Do(const Op& op);
  int64_t Start();
  int64_t Replace(const Op& op);
  int64_t QuietReplace(const Op& op);
  int64_t UnnamedReplace(const Op& op);
  int64_t Move(const Op& op);
  int64_t Relink(const Op& op);
  int64_t Exchange(const Op& op);
  int64_t Links(const Op& op);
  int64_t Tall(const Op& op);
  int64_t Remove(const Op& op);
  int64_t Write(const Op& op, int flags);
  int64_t Mapped(const Op& op, bool sync);
  int64_t Allocate(const Op& op, int mode);
  int64_t ZeroRange(const Op& op);
  int64_t Orphan(const Op& op);
  int64_t Verify(const Op& op);
  int64_t Sync(const Op& op);
  void SyncDirectory();
  int64_t Checked(int64_t result, const char* what);
  [[nodiscard]] int Open(const Op& op, int flags);
  [[nodiscard]] std::string PathOf(int file) const {
    return directory_ + "/f" + std::to_string(file);
  }
  [[nodiscard]] uint64_t SizeOf(int file) const;

  const Session& session_;
  const Marks& marks_;
  uint32_t number_;
  std::string directory_;
  OpSource source_;
  Model model_;
  uint32_t op_ = 0;
  int orphan_ = -1;
};

}  // namespace crash
