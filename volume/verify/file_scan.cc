// SPDX-License-Identifier: Apache-2.0
#include "volume/verify/file_scan.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "volume/format/tail.h"

namespace ext4crypt::volume {
namespace {

constexpr uint64_t kNoPage = UINT64_MAX;

// Of the slot of a page that has to have one.
Reason FaultOfSlot(const e4c_slot& slot) {
  const uint32_t info = le32toh(slot.info);
  if (info == 0) return IsZero(slot) ? Reason::kWrittenWithoutSlot : Reason::kSlotNotZero;
  return info > kBlockSize ? Reason::kSlotStateUnknown : Reason::kNone;
}

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
                 FindingList& findings, const ScanOptions& options)
    : image_(image),
      layout_(layout),
      opener_(opener),
      sink_(sink),
      findings_(findings),
      options_(options),
      tree_(image, layout, opener) {}

void Scanner::ScanFile() {
  findings_.AddAll(layout_.findings);
  for (const Extent& extent : layout_.tags) {
    if (extent.unwritten) continue;
    const uint64_t end = std::min<uint64_t>(extent.end(), E4C_LEVEL_1_LBLK) - E4C_TAG_LBLK;
    const uint64_t first = extent.logical - E4C_TAG_LBLK;
    if (first < end) {
      findings_.AddPages(Reason::kTagExtentWritten, FirstPageOfGroup(first),
                         PagesFrom(FirstPageOfGroup(first), EndPageOfGroup(end - 1)));
    } else {
      findings_.Add(Reason::kTagExtentWritten, absl::StrCat("logical block ", extent.logical));
    }
  }
  for (const Extent& extent : layout_.data) {
    if (extent.unwritten || extent.end() <= layout_.pages) continue;
    const uint64_t first = std::max(extent.logical, layout_.pages);
    findings_.AddPages(Reason::kWrittenPastEnd, first, extent.end() - first);
  }
  if (opener_ != nullptr && options_.head_failed) return;
  if (layout_.form == Form::kTail) {
    if (const auto tail = ReadTail(image_, layout_); !tail.ok()) {
      findings_.Add(ReasonOf(tail.status()), tail.status().message());
    }
  }
  ScanNodes();
}

void Scanner::ScanNodes() {
  tree_.Walk({.fault = [this](Reason reason, unsigned level, uint32_t number) {
    const uint64_t each = kLevels[level].groups_each;
    const uint64_t first = FirstPageOfGroup(number * each);
    const std::string detail = level == 0 ? "" : absl::StrCat("node ", number, " of level ", level);
    findings_.AddPages(reason, first, PagesFrom(first, FirstPageOfGroup((number + 1) * each)),
                       detail);
  }});
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

template <typename Visit>
void Scanner::ForEachWrittenRun(uint64_t first, uint64_t end, const Visit& visit) {
  for (uint64_t page = first; page < end;) {
    const Extent* extent = nullptr;
    const uint64_t stop = EndOfRun(page, end, extent);
    if (extent != nullptr && !extent->unwritten) visit(page, stop, *extent);
    page = stop;
  }
}

// For reports: the pages from `first` up to `end` or the end of the file, but at least one.
uint64_t Scanner::PagesFrom(uint64_t first, uint64_t end) const {
  return std::clamp<uint64_t>(layout_.pages, first + 1, end) - first;
}

// `report` false: a finding about the head or a node says it already.
void Scanner::FailWritten(uint32_t group, Reason reason, bool report) {
  ForEachWrittenRun(FirstPageOfGroup(group), EndPageOfGroup(group),
                    [&](uint64_t first, uint64_t end, const Extent&) {
                      if (report) return FailPages(reason, first, end - first);
                      counts_.pages_failed += end - first;
                      if (sink_ != nullptr) sink_->OnFailedPages(first, end - first, reason);
                    });
}

void Scanner::ScanGroup(uint32_t number) {
  if (opener_ != nullptr && options_.head_failed) return ScanUnproved(number);
  if (layout_.form == Form::kTail && number == 0) return ScanTail();
  const SlotTree::Found found = tree_.Find(number);
  if (found.presence == SlotTree::Presence::kBroken) return ScanUnproved(number);
  if (found.presence == SlotTree::Presence::kExists) return ScanExisting(number, found.slot);
  FailWritten(number, Reason::kWrittenWithoutGroup, true);
}

void Scanner::ScanExisting(uint32_t number, const e4c_slot* named) {
  const auto at = layout_.BlockOf(0, number);
  // Reported by the walk over the nodes.
  if (!at.has_value()) return FailWritten(number, Reason::kTagBlockMissing, false);
  const uint64_t first = FirstPageOfGroup(number);
  Group group = {.number = number};
  const absl::Span<uint8_t> bytes(reinterpret_cast<uint8_t*>(&group.block), sizeof(group.block));
  if (!image_.ReadBlocks(*at, bytes).ok()) {
    ++counts_.groups_failed;
    FailPages(Reason::kGroupUnreadable, first, PagesFrom(first, EndPageOfGroup(number)));
    return;
  }
  const Reason fault = CheckSeal(opener_, 0, number, group.block, named);
  if (fault != Reason::kNone) {
    findings_.AddPages(fault, first, PagesFrom(first, EndPageOfGroup(number)));
    ++counts_.groups_failed;
  } else if (opener_ != nullptr) {
    ++counts_.groups_authentic;
  }
  CheckSlots(group, fault == Reason::kNone);
}

// Nothing leads to the group that can be believed. What its pages say for themselves is of use only
// to who wants to rescue something.
void Scanner::ScanUnproved(uint32_t number) {
  if (opener_ == nullptr || !options_.salvage) {
    return FailWritten(number, Reason::kHeadNotAuthentic, false);
  }
  // After a failed head the form is in doubt as well.
  if (number == 0 && options_.head_failed) {
    const auto tail = ReadTail(image_, layout_);
    if (tail.ok() && opener_->TailSealMatches(tail->seal, tail->slots)) return ScanTail();
  }
  const auto at = layout_.BlockOf(0, number);
  Group group = {.number = number};
  const absl::Span<uint8_t> bytes(reinterpret_cast<uint8_t*>(&group.block), sizeof(group.block));
  if (!at.has_value()) return FailWritten(number, Reason::kWrittenWithoutGroup, true);
  if (!image_.ReadBlocks(*at, bytes).ok()) {
    return FailWritten(number, Reason::kGroupUnreadable, true);
  }
  ForEachWrittenRun(FirstPageOfGroup(number), EndPageOfGroup(number),
                    [&](uint64_t first, uint64_t end, const Extent& extent) {
                      CheckPages(&group.block.slot[PlaceOfPage(first)], first, end, extent, false,
                                 kNoPage);
                    });
}

void Scanner::ScanTail() {
  const auto tail = ReadTail(image_, layout_);
  // Reported with the file as a whole.
  if (!tail.ok()) return FailWritten(0, Reason::kTailMalformed, false);
  Reason fault = Reason::kNone;
  if (opener_ != nullptr && !opener_->TailSealMatches(tail->seal, tail->slots)) {
    fault = Reason::kSealNotAuthentic;
  } else if (le32toh(tail->seal.info) != E4C_INFO_SEAL) {
    fault = Reason::kSlotStateUnknown;
  }
  if (fault != Reason::kNone) {
    findings_.AddPages(fault, 0, layout_.pages);
    ++counts_.groups_failed;
  } else if (opener_ != nullptr) {
    ++(options_.head_failed ? counts_.groups_failed : counts_.groups_authentic);
  }
  ForEachWrittenRun(0, layout_.pages, [&](uint64_t first, uint64_t end, const Extent& extent) {
    CheckPages(&tail->slots[first], first, end, extent,
               fault == Reason::kNone && !options_.head_failed, layout_.pages - 1);
  });
  ForEachWrittenRun(layout_.pages, EndPageOfGroup(0),
                    [&](uint64_t first, uint64_t end, const Extent&) {
                      FailPages(Reason::kWrittenWithoutSlot, first, end - first);
                    });
}

void Scanner::CheckSlots(const Group& group, bool proved) {
  const uint64_t end = EndPageOfGroup(group.number);
  for (uint64_t page = FirstPageOfGroup(group.number); page < end;) {
    const Extent* extent = nullptr;
    const uint64_t stop = EndOfRun(page, end, extent);
    if (extent != nullptr && !extent->unwritten) {
      CheckPages(&group.block.slot[PlaceOfPage(page)], page, stop, *extent, proved, kNoPage);
      page = stop;
      continue;
    }
    for (; page < stop; ++page) {
      const e4c_slot& slot = group.block.slot[PlaceOfPage(page)];
      if (IsZero(slot)) continue;
      const Reason fault = FaultOfSlot(slot);
      FailPages(fault != Reason::kNone ? fault
                : extent == nullptr    ? Reason::kSlotOverHole
                                       : Reason::kSlotOverUnwritten,
                page, 1);
    }
  }
}

// Pages [first, end), all of them mapped by the written `extent`; `slots` are theirs. `tail_page`
// is the last one of form TAIL.
void Scanner::CheckPages(const e4c_slot* slots, uint64_t first, uint64_t end, const Extent& extent,
                         bool proved, uint64_t tail_page) {
  const size_t bytes = static_cast<size_t>(end - first) * kBlockSize;
  // Grown when needed: most files are small.
  if (ciphertext_.size() < bytes) ciphertext_.resize(bytes);
  const absl::Span<uint8_t> run = absl::MakeSpan(ciphertext_).first(bytes);
  const uint64_t physical = extent.physical + (first - extent.logical);
  const bool whole = opener_ != nullptr && image_.ReadBlocks(physical, run).ok();
  Block text;
  for (uint64_t page = first; page < end; ++page) {
    const e4c_slot& slot = slots[page - first];
    const absl::Span<uint8_t> cipher =
        run.subspan(static_cast<size_t>(page - first) * kBlockSize, kBlockSize);
    const auto place = page == tail_page ? PageOpener::Place::kTail : PageOpener::Place::kUsual;
    if (const Reason fault = FaultOfSlot(slot); fault != Reason::kNone) {
      FailPages(fault, page, 1);
    } else if (opener_ == nullptr) {
      ++counts_.pages_unchecked;
    } else if (!whole && !image_.ReadBlocks(physical + (page - first), cipher).ok()) {
      FailPages(Reason::kPageUnreadable, page, 1);
    } else if (!opener_->OpenPage(page, slot, cipher, absl::MakeSpan(text), place)) {
      FailPages(Reason::kPageNotAuthentic, page, 1);
    } else {
      ++(proved ? counts_.pages_authentic : counts_.pages_failed);
      if (!proved && options_.salvage) findings_.AddPages(Reason::kNotProvedNewest, page, 1);
      if (sink_ != nullptr) sink_->OnPage(page, proved, text);
    }
  }
}

}  // namespace ext4crypt::volume
