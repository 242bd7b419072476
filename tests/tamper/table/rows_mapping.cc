// SPDX-License-Identifier: Apache-2.0
// Extents: of data, and of the tag area.
#include <algorithm>

#include "rows.h"

namespace tamper {
namespace {

constexpr uint32_t kJournalInode = 8;

// The entry that maps a block, and the header of its node.
Extent At(Scene& s, uint32_t logical) { return s.now.Find(s.file, logical).value(); }
uint64_t NodeOf(Disk& disk, uint32_t ino, uint64_t entry) {
  uint64_t node = 0;
  for (const uint64_t at : disk.ExtentNodes(ino)) {
    if (at < entry && entry - at < kBlock && at > node) node = at;
  }
  return node;
}
void Remove(Disk& disk, uint32_t ino, const Extent& extent) {
  const uint64_t node = NodeOf(disk, ino, extent.at), entries = disk.Get16(node + 2), end = node + 12 * (entries + 1);
  auto from = disk.Bytes(extent.at + 12, end - extent.at - 12);
  std::ranges::copy(from, disk.Bytes(extent.at, from.size()).begin());
  disk.Put16(node + 2, static_cast<uint32_t>(entries - 1));
}
void RemoveTags(Scene& s) {
  for (;;) {
    const auto extents = s.now.Extents(s.file);
    const auto tag = std::ranges::find_if(extents, [](const Extent& e) { return e.logical >= kTagLblk; });
    if (tag == extents.end()) return;
    Remove(s.now, s.file, *tag);
  }
}
// Before the extent that maps `logical`.
void InsertBefore(Scene& s, uint32_t logical, Extent added) {
  const Extent next = At(s, logical);
  const uint64_t node = NodeOf(s.now, s.file, next.at), entries = s.now.Get16(node + 2), end = node + 12 * (entries + 1);
  auto from = s.now.Bytes(next.at, end - next.at), to = s.now.Bytes(next.at + 12, end - next.at);
  std::copy_backward(from.begin(), from.end(), to.end());
  s.now.Put16(node + 2, static_cast<uint32_t>(entries + 1));
  added.at = next.at;
  s.now.Put(added);
}
void Change(Scene& s, uint32_t logical, void (*change)(Extent& extent, Scene& s)) {
  Extent extent = At(s, logical);
  change(extent, s);
  s.now.Put(extent);
}

}  // namespace

std::vector<Row> MappingRows() {
  return {
      {"extent-to-hole", "take the extent of pages 12 to 15 out", "EIO 12-15", "slot_over_hole", [](Scene& s) { Remove(s.now, s.file, At(s, 12)); }},
      {"extent-to-unwritten", "mark it unwritten", "EIO 12-15", "slot_over_unwritten", [](Scene& s) { Change(s, 12, [](Extent& e, Scene&) { e.unwritten = true; }); }},
      {"hole-to-written", "map page 11, a hole, as written", "EIO 11", "written_without_slot",
       [](Scene& s) { InsertBefore(s, 12, {0, 11, 1, false, At(s, 12).physical}); }},
      {"hole-to-unwritten", "map page 11, a hole, as unwritten", "true", "clean",
       [](Scene& s) { InsertBefore(s, 12, {0, 11, 1, true, At(s, 126).physical}); }},
      {"extent-elsewhere", "point the extent of pages 12 to 15 at the blocks of 126 to 129", "EIO 12-15", "page_not_authentic",
       [](Scene& s) { Change(s, 12, [](Extent& e, Scene& scene) { e.physical = At(scene, 126).physical; }); }},
      {"extent-on-tag-blocks", "point it at the file's own tag blocks", "EIO 12-15", "page_not_authentic, slot_over_hole",
       [](Scene& s) { Change(s, 12, [](Extent& e, Scene& scene) { e.physical = scene.now.Physical(scene.file, kTagLblk).value(); e.length = 1; }); }},
      {"extent-on-extent-tree", "point page 12 at the block of the file's own extent tree; then overwrite it", "EIO group 0, group 1, group 2; overwriting: EUCLEAN; then EIO group 0, group 1, group 2", "page_not_authentic, slot_over_hole",
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
      {"extent-outside", "point it past the end of the disk", "EIO group 0, group 1, group 2", "extent_outside_volume, slot_over_hole",
       [](Scene& s) { Change(s, 12, [](Extent& e, Scene& scene) { e.physical = scene.now.block_count() + 5; }); }},
      {"extent-in-journal", "point it into the journal", "EIO group 0, group 1, group 2", "page_not_authentic",
       [](Scene& s) { Change(s, 12, [](Extent& e, Scene& scene) { e.physical = scene.now.Physical(kJournalInode, 2).value(); }); }},
      {"extent-moved", "let pages 12 to 15 be pages 16 to 19", "EIO 12-16", "slot_over_hole, written_without_slot", [](Scene& s) { Change(s, 12, [](Extent& e, Scene&) { e.logical = 16; }); }},
      {"extent-over-tag-area", "let an extent reach into the tag area", "EIO group 0, group 1, group 2", "seal_not_authentic, ...",
       [](Scene& s) { Change(s, 253, [](Extent& e, Scene&) { e.logical = kTagLblk - 2; }); }},
      {"extent-past-tag-area", "map a block past the tag area", "true", "reserved_blocks_mapped",
       [](Scene& s) {
         const Extent tag = At(s, kTagLblk + 2);
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
      {"tag-extent-written", "mark the tag area written", "EIO group 0, group 1, group 2", "tag_extent_written",
       [](Scene& s) {
         for (Extent extent : s.now.Extents(s.file)) {
           if (extent.logical < kTagLblk) continue;
           extent.unwritten = false;
           s.now.Put(extent);
         }
       }},
      {"tag-extent-removed", "take the tag area out", "EIO 0-7, 12-15, 126-129, group 2", "written_without_group", RemoveTags},
      {"last-tag-block-removed", "take the last tag block out", "EIO group 2", "chain_broken, written_without_group",
       [](Scene& s) {
         Extent tag = At(s, kTagLblk + 2);
         if (tag.length == 1) return Remove(s.now, s.file, tag);
         --tag.length;
         s.now.Put(tag);
       }},
      {"last-group-removed", "take the last tag block out, and the pages it serves", "EIO group 2", "chain_broken",
       [](Scene& s) {
         Extent tag = At(s, kTagLblk + 2);
         if (tag.length == 1) {
           Remove(s.now, s.file, tag);
         } else {
           --tag.length;
           s.now.Put(tag);
         }
         Remove(s.now, s.file, At(s, 253));
       }},
      {"tag-extent-on-data", "point the tag area at pages of the same file", "EIO group 0, group 1, group 2", "seal_not_authentic, ...",
       [](Scene& s) { Change(s, kTagLblk, [](Extent& e, Scene& scene) { e.physical = At(scene, 126).physical; }); }},
      {"tag-extent-on-directory", "point tag block 0 at a block of a directory", "EIO group 0, group 1, group 2", "seal_not_authentic, ...",
       [](Scene& s) { Change(s, kTagLblk, [](Extent& e, Scene& scene) { e.physical = scene.now.Physical(2, 0).value(); }); }},
      {"tag-extent-in-journal", "point tag block 0 at the head of the journal", "EIO group 0, group 1, group 2", "seal_not_authentic, ...",
       [](Scene& s) { Change(s, kTagLblk, [](Extent& e, Scene& scene) { e.physical = scene.now.Physical(kJournalInode, 0).value(); }); }},
      {"all-extents-removed", "take all extents out, the tag area too", "zeros 0-7, 12-15, 126-129, group 2", "clean",
       [](Scene& s) {
         const uint64_t root = s.now.InodeAt(s.file) + inode::kMap;
         s.now.Put16(root + 2, 0);
         s.now.Put16(root + 6, 0);
       }},
  };
}

}  // namespace tamper
