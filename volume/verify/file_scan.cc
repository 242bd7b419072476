// SPDX-License-Identifier: Apache-2.0
#include "volume/verify/file_scan.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"

namespace ext4crypt::volume {
namespace {

bool IsZero(const e4c_slot& slot) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&slot);
  return std::all_of(bytes, bytes + sizeof(slot), [](uint8_t b) { return b == 0; });
}

uint32_t InfoOf(const e4c_slot& slot) { return le32toh(slot.info); }

bool IsValid(const e4c_slot& slot) { return InfoOf(slot) == E4C_STATE_VALID; }

}  // namespace

void ScanCounts::Add(const ScanCounts& other) {
  pages_authentic += other.pages_authentic;
  pages_failed += other.pages_failed;
  pages_unchecked += other.pages_unchecked;
  groups_authentic += other.groups_authentic;
  groups_failed += other.groups_failed;
}

struct Scanner::Group {
  uint32_t number = 0;
  e4c_tag_block block;
};

Scanner::Scanner(const Image& image, const Layout& layout, PageOpener* opener, PageSink* sink,
                 FindingList& findings)
    : image_(image), layout_(layout), opener_(opener), sink_(sink), findings_(findings) {}

void Scanner::ScanFile() {
  findings_.AddAll(layout_.findings);
  if (!layout_.tags.empty() && layout_.tags.front().logical != 0) {
    findings_.Add(Reason::kGroupZeroMissing,
                  absl::StrCat("the first group is ", layout_.tags.front().logical));
  }
  for (const Extent& extent : layout_.tags) {
    if (extent.unwritten) continue;
    findings_.AddPages(Reason::kTagExtentWritten, FirstPageOfGroup(extent.logical),
                       EndPageOfGroup(extent.end() - 1) - FirstPageOfGroup(extent.logical));
  }
  for (const Extent& extent : layout_.data) {
    if (extent.unwritten || extent.end() <= layout_.pages) continue;
    const uint64_t first = std::max(extent.logical, layout_.pages);
    findings_.AddPages(Reason::kWrittenPastEnd, first, extent.end() - first);
  }
}

void Scanner::ScanGroups(uint32_t first, uint32_t end) {
  for (uint32_t group = first; group < end; ++group) ScanGroup(group);
}

void Scanner::FailPages(Reason reason, uint64_t first, uint64_t count, absl::string_view detail) {
  counts_.pages_failed += count;
  findings_.AddPages(reason, first, count, detail);
  if (sink_ != nullptr) sink_->OnFailedPages(first, count, reason);
}

// The end of the run from `page` that `extent` maps, or, with `extent` nullptr, that nothing maps.
uint64_t Scanner::EndOfRun(uint64_t page, uint64_t end, const Extent*& extent) const {
  extent = FindExtent(layout_.data, page);
  if (extent != nullptr) return std::min(end, extent->end());
  const auto next =
      std::lower_bound(layout_.data.begin(), layout_.data.end(), page,
                       [](const Extent& e, uint64_t block) { return e.logical < block; });
  return next == layout_.data.end() ? end : std::min(end, next->logical);
}

// For reports: the pages of a group up to the end of the file, but at least one.
uint64_t Scanner::PagesOf(uint32_t group) const {
  const uint64_t first = FirstPageOfGroup(group);
  return std::clamp<uint64_t>(layout_.pages, first + 1, EndPageOfGroup(group)) - first;
}

void Scanner::ScanMissingGroup(uint32_t group) {
  const uint64_t end = EndPageOfGroup(group);
  for (uint64_t page = FirstPageOfGroup(group); page < end;) {
    const Extent* extent = nullptr;
    const uint64_t stop = EndOfRun(page, end, extent);
    if (extent != nullptr && !extent->unwritten) {
      FailPages(Reason::kWrittenWithoutGroup, page, stop - page);
    }
    page = stop;
  }
}

void Scanner::ScanGroup(uint32_t number) {
  const Extent* tag = FindExtent(layout_.tags, number);
  if (tag == nullptr) {
    ScanMissingGroup(number);
    return;
  }
  Group group = {.number = number};
  const absl::Span<uint8_t> bytes(reinterpret_cast<uint8_t*>(&group.block), sizeof(group.block));
  if (!image_.ReadBlocks(tag->physical + (number - tag->logical), bytes).ok()) {
    ++counts_.groups_failed;
    FailPages(Reason::kGroupUnreadable, FirstPageOfGroup(number), PagesOf(number));
    return;
  }
  const bool sealed = CheckSeal(group);
  CheckSlots(group, sealed);
}

bool Scanner::CheckSeal(const Group& group) {
  const uint64_t first = FirstPageOfGroup(group.number);
  const uint64_t count = PagesOf(group.number);
  const uint32_t info = InfoOf(group.block.seal);
  bool good = true;
  const auto fault = [&](Reason reason, absl::string_view detail) {
    good = false;
    findings_.AddPages(reason, first, count, detail);
  };
  if ((info & E4C_INFO_FLAGS_MASK) != 0) {
    fault(Reason::kSealFlagsUnknown, absl::StrCat("group ", group.number));
  }
  const uint32_t named = info & E4C_INFO_NEXT_MASK;
  const uint32_t next = layout_.NextGroup(group.number);
  if (named != next) {
    fault(Reason::kChainBroken,
          absl::StrCat("group ", group.number, " names ", named, " and the next is ", next));
  }
  if (opener_ != nullptr && !opener_->SealMatches(group.number, group.block)) {
    fault(Reason::kSealNotAuthentic, "");
  }
  if (opener_ != nullptr || !good) ++(good ? counts_.groups_authentic : counts_.groups_failed);
  return good;
}

void Scanner::CheckSlots(const Group& group, bool sealed) {
  if (group.number == 0 && !IsZero(group.block.slot[0])) {
    findings_.Add(Reason::kHeaderSlotInUse);
    sealed = false;
  }
  const uint64_t end = EndPageOfGroup(group.number);
  for (uint64_t page = FirstPageOfGroup(group.number); page < end;) {
    const Extent* extent = nullptr;
    const uint64_t stop = EndOfRun(page, end, extent);
    if (extent != nullptr && !extent->unwritten) {
      CheckPages(group, page, stop, *extent, sealed);
      page = stop;
      continue;
    }
    for (; page < stop; ++page) {
      const e4c_slot& slot = group.block.slot[PlaceOfPage(page)];
      if (IsZero(slot)) continue;
      const Reason reason = !IsValid(slot)
                                ? (InfoOf(slot) == E4C_STATE_ABSENT ? Reason::kSlotNotZero
                                                                    : Reason::kSlotStateUnknown)
                            : extent == nullptr ? Reason::kSlotOverHole
                                                : Reason::kSlotOverUnwritten;
      FailPages(reason, page, 1);
    }
  }
}

// Pages [first, end), all of them mapped by the written `extent`.
void Scanner::CheckPages(const Group& group, uint64_t first, uint64_t end, const Extent& extent,
                         bool sealed) {
  const size_t bytes = static_cast<size_t>(end - first) * kBlockSize;
  // Grown when needed: most files are small.
  if (ciphertext_.size() < bytes) ciphertext_.resize(bytes);
  const absl::Span<uint8_t> run = absl::MakeSpan(ciphertext_).first(bytes);
  const uint64_t physical = extent.physical + (first - extent.logical);
  const bool whole = opener_ != nullptr && image_.ReadBlocks(physical, run).ok();
  Block text;
  for (uint64_t page = first; page < end; ++page) {
    const e4c_slot& slot = group.block.slot[PlaceOfPage(page)];
    const absl::Span<uint8_t> cipher =
        run.subspan(static_cast<size_t>(page - first) * kBlockSize, kBlockSize);
    if (!IsValid(slot)) {
      FailPages(InfoOf(slot) != E4C_STATE_ABSENT ? Reason::kSlotStateUnknown
                : IsZero(slot)                   ? Reason::kWrittenWithoutSlot
                                                 : Reason::kSlotNotZero,
                page, 1);
    } else if (opener_ == nullptr) {
      ++counts_.pages_unchecked;
    } else if (!whole && !image_.ReadBlocks(physical + (page - first), cipher).ok()) {
      FailPages(Reason::kPageUnreadable, page, 1);
    } else if (!opener_->OpenPage(page, slot, cipher, absl::MakeSpan(text))) {
      FailPages(Reason::kPageNotAuthentic, page, 1);
    } else {
      ++(sealed ? counts_.pages_authentic : counts_.pages_failed);
      if (sink_ != nullptr) sink_->OnPage(page, sealed, text);
    }
  }
}

}  // namespace ext4crypt::volume
