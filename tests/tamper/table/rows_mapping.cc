// SPDX-License-Identifier: Apache-2.0
// Extents: of data, and of the tag area.
#include <algorithm>

#include "edits.h"

namespace tamper {
namespace {

constexpr uint32_t kJournalInode = 8;

// The entry that maps a block.
Extent At(Scene& s, uint32_t logical) { return s.now.Find(s.file, logical).value(); }
void RemoveTags(Scene& s) {
  for (;;) {
    const auto extents = s.now.Extents(s.file);
    const auto tag = std::ranges::find_if(extents, [](const Extent& e) { return e.logical >= kTagLblk; });
    if (tag == extents.end()) return;
    Remove(s.now, s.file, *tag);
  }
}
void Change(Scene& s, uint32_t logical, void (*change)(Extent& extent, Scene& s)) {
  Extent extent = At(s, logical);
  change(extent, s);
  s.now.Put(extent);
}

// Tag block 1 of a sparse file, of which the node says that it does not exist.
void MapUnderZeroSlot(Scene& s) {
  const uint64_t block = s.now.TakeBlock();
  Copy(s.now, block * kBlock, s.now, TagsAt(s.now, s.file, 0), kBlock);
  InsertBefore(s.now, s.file, kTagLblk + 2, {0, kTagLblk + 1, 1, true, block});
}

}  // namespace

std::vector<Row> MappingRows() {
  return {
      {"extent-to-hole", "take the extent of pages 12 to 15 out", "EIO 12-15", "slot_over_hole", [](Scene& s) { Remove(s.now, s.file, At(s, 12)); }},
      {"extent-to-unwritten", "mark it unwritten", "EIO 12-15", "slot_over_unwritten", [](Scene& s) { Change(s, 12, [](Extent& e, Scene&) { e.unwritten = true; }); }},
      {"hole-to-written", "map page 11, a hole, as written", "EIO 11", "written_without_slot",
       [](Scene& s) { InsertBefore(s.now, s.file, 12, {0, 11, 1, false, At(s, 12).physical}); }},
      {"hole-to-unwritten", "map page 11, a hole, as unwritten", "true", "clean",
       [](Scene& s) { InsertBefore(s.now, s.file, 12, {0, 11, 1, true, At(s, 126).physical}); }},
      {"extent-elsewhere", "point the extent of pages 12 to 15 at the blocks of 126 to 129", "EIO 12-15", "page_not_authentic",
       [](Scene& s) { Change(s, 12, [](Extent& e, Scene& scene) { e.physical = At(scene, 126).physical; }); }},
      {"extent-on-tag-blocks", "point it at the file's own tag blocks", "EIO 12-15", "page_not_authentic, slot_over_hole",
       [](Scene& s) { Change(s, 12, [](Extent& e, Scene& scene) { e.physical = scene.now.Physical(scene.file, kTagLblk).value(); e.length = 1; }); }},
      {"extent-on-extent-tree", "point page 12 at the block of the file's own extent tree; then overwrite it", "open: EUCLEAN; overwriting: EUCLEAN; then open: EUCLEAN", "page_not_authentic, slot_over_hole",
       [](Scene& s) {
         Change(s, 12, [](Extent& e, Scene&) {
           e.physical = e.at / kBlock;
           e.length = 1;
         });
       },
       Other::kNone, 1, Own::kNone, true},
      {"overwrite-on-tag-block", "point page 12 at its own tag block; then overwrite it", "EIO 12-15; overwriting: EIO; then EIO 12-15", "page_not_authentic, slot_over_hole",
       [](Scene& s) {
         Change(s, 12, [](Extent& e, Scene& scene) {
           e.physical = scene.now.Physical(scene.file, kTagLblk).value();
           e.length = 1;
         });
       },
       Other::kNone, 1, Own::kNone, true},
      {"extent-outside", "point it past the end of the disk", "open: EUCLEAN", "extent_outside_volume, slot_over_hole",
       [](Scene& s) { Change(s, 12, [](Extent& e, Scene& scene) { e.physical = scene.now.block_count() + 5; }); }},
      {"extent-in-journal", "point it into the journal", "open: EUCLEAN", "page_not_authentic",
       [](Scene& s) { Change(s, 12, [](Extent& e, Scene& scene) { e.physical = scene.now.Physical(kJournalInode, 2).value(); }); }},
      {"extent-moved", "let pages 12 to 15 be pages 16 to 19", "EIO 12-16", "slot_over_hole, written_without_slot", [](Scene& s) { Change(s, 12, [](Extent& e, Scene&) { e.logical = 16; }); }},
      {"extent-over-tag-area", "let an extent reach into the tag area", "open: EUCLEAN", "tag_block_missing, tag_extent_written, ...",
       [](Scene& s) { Change(s, 253, [](Extent& e, Scene&) { e.logical = kTagLblk - 2; }); }},
      {"extent-past-tag-area", "map a block past the tag area", "true", "reserved_blocks_mapped",
       [](Scene& s) {
         const Extent tag = At(s, kNodeLblk);
         s.now.Put({tag.at + 12, kTagEnd + 7, 1, false, At(s, 126).physical});
         const uint64_t node = NodeOf(s.now, s.file, tag.at);
         s.now.Put16(node + 2, s.now.Get16(node + 2) + 1u);
       }},
      {"cross-linked", "point pages 12 to 15 of file 2 at those of file 1", "true; file 2: EIO 12-15", "clean; file 2: page_not_authentic",
       [](Scene& s) {
         Extent extent = s.now.Find(s.other, 12).value();
         extent.physical = At(s, 12).physical;
         s.now.Put(extent);
       },
       Other::kSameDirectory},
      {"tag-extent-written", "mark the tag area written", "open: EIO", "tag_extent_written",
       [](Scene& s) {
         for (Extent extent : s.now.Extents(s.file)) {
           if (extent.logical < kTagLblk) continue;
           extent.unwritten = false;
           s.now.Put(extent);
         }
       }},
      {"node-extent-written", "mark the node's block written", "open: EIO", "tag_extent_written", [](Scene& s) { Change(s, kNodeLblk, [](Extent& e, Scene&) { e.unwritten = false; }); }},
      {"node-extent-removed", "take the node's block out", "open: EIO", "tag_block_missing", [](Scene& s) { Remove(s.now, s.file, At(s, kNodeLblk)); }},
      {"tag-block-under-zero-slot", "map a tag block that does not exist at a copy of tag block 0", "true", "clean", MapUnderZeroSlot, Other::kNone, 1, Own::kNone, false, Thing::kSparse},
      {"page-under-zero-slot", "the same, and a page of it as written", "EIO 128", "written_without_group",
       [](Scene& s) {
         MapUnderZeroSlot(s);
         InsertBefore(s.now, s.file, 254, {0, 128, 1, false, At(s, 1).physical});
       },
       Other::kNone, 1, Own::kNone, false, Thing::kSparse},
      {"tag-extent-removed", "take the tag area out", "open: EIO", "tag_block_missing", RemoveTags},
      {"last-tag-block-removed", "take the last tag block out", "EIO group 2", "tag_block_missing",
       [](Scene& s) {
         Extent tag = At(s, kTagLblk + 2);
         if (tag.length == 1) return Remove(s.now, s.file, tag);
         --tag.length;
         s.now.Put(tag);
       }},
      {"last-group-removed", "take the last tag block out, and the pages it serves", "EIO group 2", "tag_block_missing",
       [](Scene& s) {
         Extent tag = At(s, kTagLblk + 2);
         if (tag.length == 1) {
           Remove(s.now, s.file, tag);
         } else {
           --tag.length;
           s.now.Put(tag);
         }
         Extent pages = At(s, 254);
         pages.length = 254 - pages.logical;
         s.now.Put(pages);
       }},
      {"tag-extent-on-data", "point tag block 0 at a page of the same file", "EIO group 0", "seal_not_authentic, ...",
       [](Scene& s) { Change(s, kTagLblk, [](Extent& e, Scene& scene) { e.physical = At(scene, 126).physical; }); }},
      {"tag-extent-on-directory", "point tag block 0 at a block of a directory", "EIO group 0", "seal_not_authentic, ...",
       [](Scene& s) { Change(s, kTagLblk, [](Extent& e, Scene& scene) { e.physical = scene.now.Physical(2, 0).value(); }); }},
      {"tag-extent-in-journal", "point tag block 0 at the head of the journal", "open: EUCLEAN", "seal_not_authentic, ...",
       [](Scene& s) { Change(s, kTagLblk, [](Extent& e, Scene& scene) { e.physical = scene.now.Physical(kJournalInode, 0).value(); }); }},
      {"all-extents-removed", "take all extents out, the tag area too", "open: EIO", "tag_block_missing",
       [](Scene& s) {
         const uint64_t root = s.now.InodeAt(s.file) + inode::kMap;
         s.now.Put16(root + 2, 0);
         s.now.Put16(root + 6, 0);
       }},
  };
}

}  // namespace tamper
