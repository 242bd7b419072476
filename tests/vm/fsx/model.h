// SPDX-License-Identifier: Apache-2.0
// What a file must contain, kept in memory by pages, so that a sparse gigabyte costs nothing.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

namespace fsx {

inline constexpr uint64_t kPage = 4096;

class Model {
 public:
  uint64_t size() const { return size_; }

  // bytes at [offset, offset + data.size()); grows the file where it must.
  void write(uint64_t op, uint64_t offset, const std::vector<uint8_t>& data);
  // zeros; never grows the file.
  void zero(uint64_t op, uint64_t offset, uint64_t length);
  void resize(uint64_t op, uint64_t size);
  // The expected bytes; offset + length may not exceed size().
  std::vector<uint8_t> read(uint64_t offset, uint64_t length) const;
  bool all_zero(uint64_t offset, uint64_t length) const;

  // First bytes of the pages that ever held data and are not beyond the end, in order.
  std::vector<uint64_t> pages() const;
  // The operation that changed the page at `offset` last, 0 for none.
  uint64_t last_change(uint64_t offset) const;

  void remember(std::string what);
  const std::deque<std::string>& history() const { return history_; }

 private:
  struct Page {
    std::array<uint8_t, kPage> bytes{};
    uint64_t changed_by = 0;
  };
  std::map<uint64_t, Page> pages_;  // by page number; an absent page is zeros
  uint64_t size_ = 0;
  std::deque<std::string> history_;  // the latest operations in words
};

}  // namespace fsx
