// SPDX-License-Identifier: Apache-2.0
// Pages, slots, seals and tag blocks.
#include "edits.h"

namespace tamper {
namespace {

void SwapPages(Scene& s) { Swap(s.now, PageAt(s.now, s.file, 13), PageAt(s.now, s.other, 13)); }

}  // namespace

std::vector<Row> ContentRows() {
  return {
      {"ciphertext-bit", "flip a bit of page 13", "EIO 13", "page_not_authentic", [](Scene& s) { Flip(s.now, PageAt(s.now, s.file, 13) + 1000); }},
      {"ciphertext-bit-past-end", "flip a bit of the last block, past the text of its page", "true", "clean",
       [](Scene& s) { Flip(s.now, PageAt(s.now, s.file, 256) + 4095); }},
      {"tag-bit", "flip a bit of the tag of page 13", "EIO group 0", "seal_not_authentic, page_not_authentic", [](Scene& s) { Flip(s.now, SlotAt(s.now, s.file, 13)); }},
      {"nonce-bit", "flip a bit of the nonce of page 13", "EIO group 0", "seal_not_authentic, page_not_authentic", [](Scene& s) { Flip(s.now, SlotAt(s.now, s.file, 13) + 16); }},
      {"length-bit", "flip a bit of the length of page 13 in its slot, every second of the 32 in turn", "EIO group 0", "seal_not_authentic, ...",
       [](Scene& s) { Flip(s.now, SlotAt(s.now, s.file, 13) + 28 + s.number / 4, static_cast<int>(s.number % 4 * 2)); }, Other::kNone, 16},
      {"hole-slot-bit", "flip a bit of the absent slot of page 9, a hole", "EIO group 0", "seal_not_authentic, slot_not_zero", [](Scene& s) { Flip(s.now, SlotAt(s.now, s.file, 9) + 3); }},
      {"seal-tag-bit", "flip a bit of the tag of the seal of group 1", "EIO group 1", "seal_not_authentic", [](Scene& s) { Flip(s.now, TagsAt(s.now, s.file, 1) + 15, 7); }},
      {"seal-nonce-bit", "flip a bit of its nonce", "EIO group 1", "seal_not_authentic", [](Scene& s) { Flip(s.now, TagsAt(s.now, s.file, 1) + 16); }},
      {"seal-info-bit", "flip a bit of its info, every fourth of the 32 in turn", "EIO group 1", "seal_not_authentic",
       [](Scene& s) { Flip(s.now, TagsAt(s.now, s.file, 1) + 28 + s.number / 2, static_cast<int>(s.number % 2 * 4)); }, Other::kNone, 8},
      {"node-slot-bit", "flip a bit of the seal of tag block 1 in the node above it", "open: EIO", "seal_not_authentic, ...", [](Scene& s) { Flip(s.now, NodeAt(s.now, s.file) + 2 * kSlotBytes); }},
      {"node-slot-zeroed", "zero that slot, as if there were no tag block 1", "open: EIO", "seal_not_authentic, ...", [](Scene& s) { Zero(s.now, NodeAt(s.now, s.file) + 2 * kSlotBytes, kSlotBytes); }},
      {"node-slots-swapped", "exchange the slots of tag blocks 0 and 1 in the node", "open: EIO", "seal_not_authentic, ...",
       [](Scene& s) { Swap(s.now, NodeAt(s.now, s.file) + kSlotBytes, NodeAt(s.now, s.file) + 2 * kSlotBytes, kSlotBytes); }},
      {"node-slot-past-end", "put something into the slot of a tag block that does not exist", "open: EIO", "seal_not_authentic, ...", [](Scene& s) { Flip(s.now, NodeAt(s.now, s.file) + 90 * kSlotBytes); }},
      {"node-zeroed", "zero the node", "open: EIO", "head_not_authentic, ...", [](Scene& s) { Zero(s.now, NodeAt(s.now, s.file), kBlock); }},
      {"node-old", "put back the node as it was", "open: EUCLEAN", "head_not_authentic", [](Scene& s) { PutBack(s, NodeAt(s.now, s.file)); }},
      {"node-of-other-file", "exchange the nodes of two files", "open: EIO; file 2: open: EIO", "head_not_authentic; file 2: head_not_authentic",
       [](Scene& s) { Swap(s.now, NodeAt(s.now, s.file), NodeAt(s.now, s.other)); }, Other::kSameDirectory},
      {"node-as-tag-block", "exchange the node and tag block 0", "open: EIO", "head_not_authentic, ...", [](Scene& s) { Swap(s.now, NodeAt(s.now, s.file), TagsAt(s.now, s.file, 0)); }},
      {"node-as-top-tag-block", "put the node in the place of tag block 0, and let the tree have height 0", "open: EIO", "...",
       [](Scene& s) {
         Copy(s.now, TagsAt(s.now, s.file, 0), s.now, NodeAt(s.now, s.file), kBlock);
         SetState(s.now, s.file, StateOf(s.now, s.file) & ~attribute::kHeight);
       }},
      {"tag-block-as-node", "put tag block 0 in the place of the node", "open: EIO", "head_not_authentic, ...", [](Scene& s) { Copy(s.now, NodeAt(s.now, s.file), s.now, TagsAt(s.now, s.file, 0), kBlock); }},
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
      {"tag-blocks-swapped", "exchange tag blocks 0 and 1", "EIO group 0, group 1", "page_not_authentic, seal_not_authentic, ...",
       [](Scene& s) { Swap(s.now, TagsAt(s.now, s.file, 0), TagsAt(s.now, s.file, 1)); }},
      {"tag-blocks-swapped-across-files", "exchange tag block 1 of two files", "EIO group 1; file 2: EIO group 1", "page_not_authentic, seal_not_authentic; file 2: page_not_authentic, seal_not_authentic",
       [](Scene& s) { Swap(s.now, TagsAt(s.now, s.file, 1), TagsAt(s.now, s.other, 1)); }, Other::kSameDirectory},
      {"groups-swapped-across-files", "exchange tag block 1 of two files with the pages it serves", "EIO group 1; file 2: EIO group 1", "page_not_authentic, seal_not_authentic; file 2: page_not_authentic, seal_not_authentic",
       [](Scene& s) {
         Swap(s.now, TagsAt(s.now, s.file, 1), TagsAt(s.now, s.other, 1));
         for (uint32_t page = 127; page < 130; ++page) Swap(s.now, PageAt(s.now, s.file, page), PageAt(s.now, s.other, page));
       },
       Other::kOtherDirectory},
      {"tag-block-zeroed", "zero tag block 1", "EIO group 1", "seal_not_authentic, written_without_slot", [](Scene& s) { Zero(s.now, TagsAt(s.now, s.file, 1), kBlock); }},
      {"all-tag-blocks-zeroed", "zero all tag blocks", "EIO group 0, group 1, group 2", "seal_not_authentic, ...",
       [](Scene& s) {
         for (uint32_t group = 0; group < 3; ++group) Zero(s.now, TagsAt(s.now, s.file, group), kBlock);
       }},
      {"old-page", "put back page 14 as it was", "EIO 14", "page_not_authentic", [](Scene& s) { PutBack(s, PageAt(s.now, s.file, kOverwritten)); }},
      {"old-tag-block", "put back tag block 0 as it was", "EIO group 0", "seal_not_newest, page_not_authentic", [](Scene& s) { PutBack(s, TagsAt(s.now, s.file, 0)); }},
      {"old-page-and-tag-block", "put back page 14 and tag block 0 as they were", "EIO group 0", "seal_not_newest",
       [](Scene& s) {
         PutBack(s, PageAt(s.now, s.file, kOverwritten));
         PutBack(s, TagsAt(s.now, s.file, 0));
       }},
      {"tag-blocks-and-page-old", "put back page 14, tag block 0 and the node as they were", "open: EUCLEAN", "head_not_authentic",
       [](Scene& s) {
         for (const uint64_t at : {PageAt(s.now, s.file, kOverwritten), TagsAt(s.now, s.file, 0), NodeAt(s.now, s.file)}) PutBack(s, at);
       }},
  };
}

}  // namespace tamper
