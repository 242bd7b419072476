// SPDX-License-Identifier: Apache-2.0
// Pages, slots, seals and tag blocks.
#include <algorithm>

#include "rows.h"

namespace tamper {
namespace {

void Flip(Disk& disk, uint64_t at, int bit = 0) { disk.Bytes(at, 1)[0] ^= static_cast<uint8_t>(1 << bit); }
uint64_t PageAt(Disk& disk, uint32_t ino, uint32_t page) { return disk.Physical(ino, page).value() * kBlock; }
uint64_t TagsAt(Disk& disk, uint32_t ino, uint32_t group) { return PageAt(disk, ino, kTagLblk + group); }
uint64_t SlotAt(Disk& disk, uint32_t ino, uint32_t page) { return disk.SlotAt(ino, page).value(); }
void Swap(Disk& disk, uint64_t a, uint64_t b, uint64_t count = kBlock) {
  auto one = disk.Bytes(a, count), other = disk.Bytes(b, count);
  std::swap_ranges(one.begin(), one.end(), other.begin());
}
void Zero(Disk& disk, uint64_t at, uint64_t count) { std::ranges::fill(disk.Bytes(at, count), uint8_t{0}); }
// Puts back what stood at the same place before.
void PutBack(Scene& s, uint64_t at) { std::ranges::copy(s.old.Bytes(at, kBlock), s.now.Bytes(at, kBlock).begin()); }

void SwapPages(Scene& s) { Swap(s.now, PageAt(s.now, s.file, 13), PageAt(s.now, s.other, 13)); }

}  // namespace

std::vector<Row> ContentRows() {
  return {
      {"ciphertext-bit", "flip a bit of page 13", "EIO 13", "page_not_authentic", [](Scene& s) { Flip(s.now, PageAt(s.now, s.file, 13) + 1000); }},
      {"ciphertext-bit-past-end", "flip a bit of the last page, past the end of the file", "EIO 256", "page_not_authentic",
       [](Scene& s) { Flip(s.now, PageAt(s.now, s.file, 256) + 4095); }},
      {"tag-bit", "flip a bit of the tag of page 13", "EIO group 0", "seal_not_authentic, page_not_authentic", [](Scene& s) { Flip(s.now, SlotAt(s.now, s.file, 13)); }},
      {"nonce-bit", "flip a bit of the nonce of page 13", "EIO group 0", "seal_not_authentic, page_not_authentic", [](Scene& s) { Flip(s.now, SlotAt(s.now, s.file, 13) + 16); }},
      {"state-bit", "flip the state of page 13", "EIO group 0", "seal_not_authentic, slot_not_zero", [](Scene& s) { Flip(s.now, SlotAt(s.now, s.file, 13) + 28); }},
      {"info-reserved-bits", "set a reserved bit of the info of page 13, each of the 30 in turn", "EIO group 0", "seal_not_authentic, slot_state_unknown",
       [](Scene& s) { Flip(s.now, SlotAt(s.now, s.file, 13) + 28 + (s.number + 2) / 8, static_cast<int>(s.number + 2) % 8); }, Other::kNone, 30},
      {"hole-slot-bit", "flip a bit of the absent slot of page 9, a hole", "EIO group 0", "seal_not_authentic, slot_not_zero", [](Scene& s) { Flip(s.now, SlotAt(s.now, s.file, 9) + 3); }},
      {"header-slot", "put something into the reserved virtual slot 0", "EIO group 0", "seal_not_authentic, header_slot_in_use", [](Scene& s) { Flip(s.now, TagsAt(s.now, s.file, 0) + kSlotBytes); }},
      {"seal-tag-bit", "flip a bit of the tag of the seal of group 1", "EIO group 1", "seal_not_authentic", [](Scene& s) { Flip(s.now, TagsAt(s.now, s.file, 1) + 15, 7); }},
      {"seal-nonce-bit", "flip a bit of its nonce", "EIO group 1", "seal_not_authentic", [](Scene& s) { Flip(s.now, TagsAt(s.now, s.file, 1) + 16); }},
      {"seal-next-bit", "flip a bit of the next group that it names", "EIO group 1", "seal_not_authentic, chain_broken", [](Scene& s) { Flip(s.now, TagsAt(s.now, s.file, 1) + 28, 5); }},
      {"seal-flags", "set one of its flags, each of the 8 in turn", "EIO group 1", "seal_not_authentic, seal_flags_unknown",
       [](Scene& s) { Flip(s.now, TagsAt(s.now, s.file, 1) + 31, static_cast<int>(s.number)); }, Other::kNone, 8},
      {"pages-swapped", "exchange pages 13 and 127", "EIO 13, 127", "page_not_authentic",
       [](Scene& s) { Swap(s.now, PageAt(s.now, s.file, 13), PageAt(s.now, s.file, 127)); }},
      {"pages-swapped-across-files", "exchange page 13 of two files", "EIO 13; file 2: EIO 13", "page_not_authentic; file 2: page_not_authentic", SwapPages, Other::kSameDirectory},
      {"pages-swapped-across-directories", "exchange page 13 of files in two directories", "EIO 13; file 2: EIO 13", "page_not_authentic; file 2: page_not_authentic", SwapPages, Other::kOtherDirectory},
      {"pages-and-slots-swapped-across-files", "exchange page 13 of two files with its slot", "EIO group 0; file 2: EIO group 0", "seal_not_authentic, page_not_authentic; file 2: seal_not_authentic, page_not_authentic",
       [](Scene& s) {
         SwapPages(s);
         Swap(s.now, SlotAt(s.now, s.file, 13), SlotAt(s.now, s.other, 13), kSlotBytes);
       },
       Other::kSameDirectory},
      {"slots-swapped", "exchange the slots of pages 12 and 13", "EIO group 0", "seal_not_authentic, page_not_authentic",
       [](Scene& s) { Swap(s.now, SlotAt(s.now, s.file, 12), SlotAt(s.now, s.file, 13), kSlotBytes); }},
      {"slot-zeroed", "zero the slot of page 13", "EIO group 0", "seal_not_authentic, written_without_slot", [](Scene& s) { Zero(s.now, SlotAt(s.now, s.file, 13), kSlotBytes); }},
      {"tag-blocks-swapped", "exchange tag blocks 0 and 1", "EIO group 0, group 1", "page_not_authentic, seal_not_authentic, header_slot_in_use, chain_broken, written_without_slot, slot_over_hole",
       [](Scene& s) { Swap(s.now, TagsAt(s.now, s.file, 0), TagsAt(s.now, s.file, 1)); }},
      {"tag-blocks-swapped-across-files", "exchange tag block 1 of two files", "EIO group 1; file 2: EIO group 1", "page_not_authentic, seal_not_authentic; file 2: page_not_authentic, seal_not_authentic",
       [](Scene& s) { Swap(s.now, TagsAt(s.now, s.file, 1), TagsAt(s.now, s.other, 1)); }, Other::kSameDirectory},
      {"groups-swapped-across-files", "exchange tag block 1 of two files with the pages it serves", "EIO group 1; file 2: EIO group 1", "page_not_authentic, seal_not_authentic; file 2: page_not_authentic, seal_not_authentic",
       [](Scene& s) {
         Swap(s.now, TagsAt(s.now, s.file, 1), TagsAt(s.now, s.other, 1));
         for (uint32_t page = 126; page < 130; ++page) Swap(s.now, PageAt(s.now, s.file, page), PageAt(s.now, s.other, page));
       },
       Other::kOtherDirectory},
      {"tag-block-zeroed", "zero tag block 1", "EIO group 1", "seal_not_authentic, written_without_slot, chain_broken", [](Scene& s) { Zero(s.now, TagsAt(s.now, s.file, 1), kBlock); }},
      {"all-tag-blocks-zeroed", "zero all tag blocks", "EIO group 0, group 1, group 2", "seal_not_authentic, written_without_slot, chain_broken, nonce_reused",
       [](Scene& s) {
         for (uint32_t group = 0; group < 3; ++group) Zero(s.now, TagsAt(s.now, s.file, group), kBlock);
       }},
      {"old-page", "put back page 14 as it was", "EIO 14", "page_not_authentic", [](Scene& s) { PutBack(s, PageAt(s.now, s.file, kOverwritten)); }},
      {"old-tag-block", "put back tag block 0 as it was", "EIO 14", "page_not_authentic", [](Scene& s) { PutBack(s, TagsAt(s.now, s.file, 0)); }},
      {"old-page-and-tag-block", "put back page 14 and tag block 0 as they were", "old 14", "clean",
       [](Scene& s) {
         PutBack(s, PageAt(s.now, s.file, kOverwritten));
         PutBack(s, TagsAt(s.now, s.file, 0));
       }},
  };
}

}  // namespace tamper
