// SPDX-License-Identifier: Apache-2.0
// What a file must contain: see model.h.
#include "model.h"

#include <algorithm>
#include <cstddef>

namespace fsx {
namespace {

constexpr size_t kHistory = 60;

// Calls visit(page number, offset in the page, offset in the range, bytes) for each page of a range.
template <typename Visit>
void for_each_page(uint64_t offset, uint64_t length, Visit visit) {
  for (uint64_t done = 0; done < length;) {
    const uint64_t at = offset + done;
    const uint64_t bytes = std::min(kPage - at % kPage, length - done);
    visit(at / kPage, at % kPage, done, bytes);
    done += bytes;
  }
}

}  // namespace

void Model::write(uint64_t op, uint64_t offset, const std::vector<uint8_t>& data) {
  for_each_page(offset, data.size(), [&](uint64_t number, uint64_t start, uint64_t from, uint64_t bytes) {
    Page& page = pages_[number];
    std::copy_n(data.begin() + static_cast<ptrdiff_t>(from), bytes, page.bytes.begin() + static_cast<ptrdiff_t>(start));
    page.changed_by = op;
  });
  size_ = std::max(size_, offset + data.size());
}

void Model::zero(uint64_t op, uint64_t offset, uint64_t length) {
  if (offset >= size_) return;
  length = std::min(length, size_ - offset);
  // Only what is there can need zeroing: the range may span a gigabyte.
  for (auto it = pages_.lower_bound(offset / kPage); it != pages_.end() && it->first * kPage < offset + length; ++it) {
    const uint64_t page_at = it->first * kPage;
    const uint64_t from = std::max(offset, page_at) - page_at;
    const uint64_t to = std::min(offset + length, page_at + kPage) - page_at;
    std::fill(it->second.bytes.begin() + static_cast<ptrdiff_t>(from), it->second.bytes.begin() + static_cast<ptrdiff_t>(to), 0);
    it->second.changed_by = op;
  }
}

void Model::resize(uint64_t op, uint64_t size) {
  if (size < size_) {
    zero(op, size, size_ - size);
    pages_.erase(pages_.lower_bound((size + kPage - 1) / kPage), pages_.end());
  }
  size_ = size;
}

std::vector<uint8_t> Model::read(uint64_t offset, uint64_t length) const {
  std::vector<uint8_t> data(length, 0);
  for_each_page(offset, length, [&](uint64_t number, uint64_t start, uint64_t from, uint64_t bytes) {
    const auto it = pages_.find(number);
    if (it == pages_.end()) return;
    std::copy_n(it->second.bytes.begin() + static_cast<ptrdiff_t>(start), bytes, data.begin() + static_cast<ptrdiff_t>(from));
  });
  return data;
}

bool Model::all_zero(uint64_t offset, uint64_t length) const {
  for (auto it = pages_.lower_bound(offset / kPage); it != pages_.end() && it->first * kPage < offset + length; ++it) {
    const uint64_t page_at = it->first * kPage;
    const auto from = it->second.bytes.begin() + static_cast<ptrdiff_t>(std::max(offset, page_at) - page_at);
    const auto to = it->second.bytes.begin() + static_cast<ptrdiff_t>(std::min(offset + length, page_at + kPage) - page_at);
    if (std::any_of(from, to, [](uint8_t byte) { return byte != 0; })) return false;
  }
  return true;
}

std::vector<uint64_t> Model::pages() const {
  std::vector<uint64_t> starts;
  for (const auto& [number, page] : pages_) {
    if (number * kPage < size_) starts.push_back(number * kPage);
  }
  return starts;
}

uint64_t Model::last_change(uint64_t offset) const {
  const auto it = pages_.find(offset / kPage);
  return it == pages_.end() ? 0 : it->second.changed_by;
}

void Model::remember(std::string what) {
  history_.push_back(std::move(what));
  if (history_.size() > kHistory) history_.pop_front();
}

}  // namespace fsx
