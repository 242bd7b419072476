// SPDX-License-Identifier: Apache-2.0
#include "model.h"

#include <algorithm>
#include <cstring>

namespace crash {

PagePtr Generation::Now(uint64_t page) const {
  const auto it = pages_.find(page);
  return it == pages_.end() ? nullptr : it->second.back().page;
}

int64_t Generation::DurableOp(uint64_t page, int64_t started) const {
  int64_t durable = -1;
  for (const SyncPoint& sync : syncs_) {
    if (Returned(sync.op, started) && page >= sync.first && page < sync.end) durable = sync.op;
  }
  return durable;
}

std::vector<Generation::Version> Generation::Allowed(uint64_t page, int64_t started) const {
  const int64_t durable = DurableOp(page, started);
  std::vector<Version> allowed = {{-1, nullptr, false}};
  const auto it = pages_.find(page);
  if (it == pages_.end()) return allowed;
  for (const Version& version : it->second) {
    if (version.op > started) break;
    if (version.op <= durable) allowed.clear();
    allowed.push_back(version);
  }
  return allowed;
}

std::vector<Generation::Size> Generation::AllowedSizes(int64_t started) const {
  int64_t durable = -1;
  for (const SyncPoint& sync : syncs_) {
    if (Returned(sync.op, started) && sync.size) durable = sync.op;
  }
  std::vector<Size> allowed;
  for (const Size& size : sizes_) {
    if (size.op > started) break;
    if (size.op <= durable) allowed.clear();
    allowed.push_back(size);
  }
  return allowed;
}

void Generation::SetPage(int64_t op, uint64_t page, PagePtr contents, bool mapped) {
  auto& versions = pages_[page];
  // Pages that start as zeros: the state before the first change is allowed until something makes
  // it durable.
  if (versions.empty()) versions.push_back({-1, nullptr, false});
  versions.push_back({op, std::move(contents), mapped});
}

void Generation::Put(int64_t op, uint32_t worker, uint64_t offset, uint64_t length, bool mapped) {
  for (uint64_t at = offset; at < offset + length;) {
    const uint64_t page = at / kPage;
    const uint64_t end = std::min((page + 1) * kPage, offset + length);
    auto fresh = std::make_shared<Page>();
    if (const PagePtr old = Now(page)) {
      *fresh = *old;
    } else {
      fresh->fill(0);
    }
    FillPattern(worker, static_cast<uint32_t>(op), at, fresh->data() + at % kPage, end - at);
    SetPage(op, page, std::move(fresh), mapped);
    at = end;
  }
  if (offset + length > size()) sizes_.push_back({op, offset + length});
}

void Generation::Clear(int64_t op, uint64_t offset, uint64_t length) {
  const uint64_t end = length > UINT64_MAX - offset ? UINT64_MAX : offset + length;
  for (auto it = pages_.lower_bound(offset / kPage); it != pages_.end() && it->first * kPage < end;
       ++it) {
    const PagePtr old = it->second.back().page;
    if (old == nullptr) continue;
    const uint64_t from = std::max(offset, it->first * kPage) - it->first * kPage;
    const uint64_t to = std::min(end - it->first * kPage, kPage);
    auto fresh = std::make_shared<Page>(*old);
    std::memset(fresh->data() + from, 0, to - from);
    const bool zeros =
        std::all_of(fresh->begin(), fresh->end(), [](uint8_t byte) { return byte == 0; });
    SetPage(op, it->first, zeros ? nullptr : std::move(fresh), false);
  }
}

void Generation::Resize(int64_t op, uint64_t size) {
  if (size == this->size()) return;
  if (size < this->size()) Clear(op, size, UINT64_MAX);
  sizes_.push_back({op, size});
}

void Generation::Sync(int64_t op, uint64_t offset, uint64_t length) {
  const uint64_t end =
      length > UINT64_MAX - kPage - offset ? UINT64_MAX : (offset + length + kPage - 1) / kPage;
  // A sync of a range says nothing of a size that waits for other pages to be written.
  syncs_.push_back({op, offset / kPage, end, end > (size() == 0 ? 0 : (size() - 1) / kPage)});
}

Model::Model(uint32_t worker) : worker_(worker) {
  for (auto& generations : generations_) generations.emplace_back(-1, true);
}

void Model::Apply(int64_t number, const Op& op, const Outcome& outcome) {
  const bool good = outcome.result >= 0;
  const auto done = static_cast<uint64_t>(std::max<int64_t>(outcome.result, 0));
  auto& generations = generations_[static_cast<size_t>(op.file)];
  const bool synced = op.kind == OpKind::kReplace || op.kind == OpKind::kUnnamedReplace;
  if ((synced || op.kind == OpKind::kQuietReplace) && good) {
    Generation fresh(number, false);
    fresh.Put(number, worker_, 0, op.length, false);
    if (synced) fresh.Sync(number, 0, UINT64_MAX);
    generations.push_back(std::move(fresh));
    return;
  }
  if (op.kind == OpKind::kRemove && good) {
    generations.emplace_back(number, true);
    return;
  }
  if (op.kind == OpKind::kSyncAll) {
    for (auto& each : generations_) each.back().Sync(number, 0, UINT64_MAX);
    return;
  }
  Generation& file = generations.back();
  if (file.absent()) return;
  switch (op.kind) {
    case OpKind::kWrite:
    case OpKind::kSyncWrite:
      if (done > 0) file.Put(number, worker_, op.offset, done, false);
      if (done > 0 && op.kind == OpKind::kSyncWrite) file.Sync(number, op.offset, done);
      break;
    case OpKind::kMapped:
    case OpKind::kMappedSync:
      if (done > 0) file.Put(number, worker_, op.offset, done, true);
      if (done > 0 && op.kind == OpKind::kMappedSync) file.Sync(number, 0, UINT64_MAX);
      break;
    case OpKind::kTruncate:
      if (good) file.Resize(number, op.offset);
      break;
    case OpKind::kPunch:
    case OpKind::kZero:
      if (good) file.Clear(number, op.offset, op.length);
      // What a mode of fallocate without KEEP_SIZE extends, it may also extend in part, then fail.
      if (op.kind == OpKind::kZero && outcome.size > file.size()) file.Resize(number, outcome.size);
      break;
    case OpKind::kAllocate:
      if (outcome.size > file.size()) file.Resize(number, outcome.size);
      break;
    case OpKind::kFsync:
    case OpKind::kFdatasync:
    case OpKind::kForget:
      if (good) file.Sync(number, 0, UINT64_MAX);
      break;
    default:
      break;
  }
}

std::vector<const Generation*> Model::Allowed(int file, int64_t started) const {
  std::vector<const Generation*> allowed;
  for (const Generation& generation : generations_[static_cast<size_t>(file)]) {
    if (generation.first_op() > started) break;
    if (generation.first_op() < started) allowed.clear();
    allowed.push_back(&generation);
  }
  return allowed;
}

std::string DescribeWord(const uint8_t* word) {
  uint64_t value;
  std::memcpy(&value, word, sizeof value);
  if (value == 0) return "zeros";
  const uint64_t worker = value >> 56;
  if (worker == 0 || worker > 16) return "something else";
  return "worker " + std::to_string(worker - 1) + " op " + std::to_string(value >> 32 & 0xFFFFFF) +
         " byte " + std::to_string((value & 0xFFFFFFFF) * 8);
}

}  // namespace crash
