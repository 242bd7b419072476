// SPDX-License-Identifier: Apache-2.0
// All that the files of one worker have ever been, operation by operation, and what a crash may
// leave of it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ops.h"

namespace crash {

using Page = std::array<uint8_t, kPage>;
using PagePtr = std::shared_ptr<const Page>;  // nullptr: zeros

struct Outcome {
  int64_t result = 0;  // as WorkerMarker
  uint64_t size = 0;
};

// What there was between two operations that set a file's name.
class Generation {
 public:
  struct Version {
    int64_t op;
    PagePtr page;
    bool mapped;  // written through a mapping: may be caught halfway
  };
  struct Size {
    int64_t op;
    uint64_t size;
  };

  Generation(int64_t op, bool absent) : first_op_(op), absent_(absent), sizes_{{op, 0}} {}
  [[nodiscard]] int64_t first_op() const { return first_op_; }
  [[nodiscard]] bool absent() const { return absent_; }
  [[nodiscard]] uint64_t size() const { return sizes_.back().size; }
  [[nodiscard]] PagePtr Now(uint64_t page) const;

  // What a crash in operation `started`, before it returned, may show.
  [[nodiscard]] std::vector<Version> Allowed(uint64_t page, int64_t started) const;
  [[nodiscard]] std::vector<Size> AllowedSizes(int64_t started) const;
  // Pages that ever were anything but zeros.
  [[nodiscard]] const std::map<uint64_t, std::vector<Version>>& pages() const { return pages_; }

  void Put(int64_t op, uint32_t worker, uint64_t offset, uint64_t length, bool mapped);
  void Clear(int64_t op, uint64_t offset, uint64_t length);
  void Resize(int64_t op, uint64_t size);
  void Sync(int64_t op, uint64_t offset, uint64_t length);  // bytes; all of them up to UINT64_MAX

 private:
  struct SyncPoint {
    int64_t op;
    uint64_t first;  // pages
    uint64_t end;
    bool size;
  };
  // A file that has its name was complete before it got it.
  [[nodiscard]] bool Returned(int64_t op, int64_t started) const {
    return op < started || op == first_op_;
  }
  [[nodiscard]] int64_t DurableOp(uint64_t page, int64_t started) const;
  void SetPage(int64_t op, uint64_t page, PagePtr contents, bool mapped);

  int64_t first_op_;
  bool absent_;
  std::map<uint64_t, std::vector<Version>> pages_;
  std::vector<Size> sizes_;
  std::vector<SyncPoint> syncs_;
};

class Model {
 public:
  explicit Model(uint32_t worker);
  // Operations in their order.
  void Apply(int64_t number, const Op& op, const Outcome& outcome);
  // The one that the file's name stands for now.
  [[nodiscard]] const Generation& Now(int file) const {
    return generations_[static_cast<size_t>(file)].back();
  }
  // Those that it may stand for after a crash in operation `started`.
  [[nodiscard]] std::vector<const Generation*> Allowed(int file, int64_t started) const;

 private:
  Generation& Last(int file) { return generations_[static_cast<size_t>(file)].back(); }
  uint32_t worker_;
  std::array<std::vector<Generation>, kFiles> generations_;
};

// "w3 op 17 at 8192" for the word at an offset.
[[nodiscard]] std::string DescribeWord(const uint8_t* word);

}  // namespace crash
