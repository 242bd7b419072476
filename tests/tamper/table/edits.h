// SPDX-License-Identifier: Apache-2.0
// What rows do to the disk, in pieces. All throw std::exception when the disk is not as the row needs it.
#pragma once

#include "rows.h"

namespace tamper {

// ---- bytes and blocks ----------------------------------------------------------------------------------
void Flip(Disk& disk, uint64_t at, int bit = 0);
void Swap(Disk& disk, uint64_t a, uint64_t b, uint64_t count = kBlock);
void Zero(Disk& disk, uint64_t at, uint64_t count);
void Copy(Disk& to_disk, uint64_t to, Disk& from_disk, uint64_t from, uint64_t count);
// Puts back what stood at the same place before.
void PutBack(Scene& s, uint64_t at, uint64_t count = kBlock);

// ---- a file's blocks, in bytes of the disk -----------------------------------------------------------------
[[nodiscard]] uint64_t PageAt(Disk& disk, uint32_t ino, uint32_t page);
[[nodiscard]] uint64_t TagsAt(Disk& disk, uint32_t ino, uint32_t group);
[[nodiscard]] uint64_t NodeAt(Disk& disk, uint32_t ino);  // of level 1
[[nodiscard]] uint64_t SlotAt(Disk& disk, uint32_t ino, uint32_t page);

// ---- extents --------------------------------------------------------------------------------------------
// The header of the extent node that an entry stands in.
[[nodiscard]] uint64_t NodeOf(Disk& disk, uint32_t ino, uint64_t entry);
void Remove(Disk& disk, uint32_t ino, const Extent& extent);
// Before the extent that maps `logical`.
void InsertBefore(Disk& disk, uint32_t ino, uint32_t logical, Extent added);

// ---- the attribute and the inode ------------------------------------------------------------------------
[[nodiscard]] uint64_t ContextAt(Scene& s, uint32_t ino);
[[nodiscard]] uint32_t StateOf(Disk& disk, uint32_t ino);
void SetState(Disk& disk, uint32_t ino, uint32_t state);
// The context alone as the value, at the end of the inode as well.
void ShortenAttribute(Scene& s, uint32_t ino);
void PutAttributeBack(Scene& s, uint64_t offset, uint64_t count);
void ToggleFlag(Scene& s, uint32_t ino, uint32_t flag);
void SetMode(Scene& s, uint32_t ino, uint16_t mode);
void PutInodeBack(Scene& s, uint32_t ino);
// The inode and every block it maps as they were.
void PutFileBack(Scene& s, uint32_t ino);
// Makes an inode a copy of another one, of `from`, with the contents and tags copied to its own blocks.
void Clone(Disk& from_disk, uint32_t from, Disk& disk, uint32_t to);
void SwapInodes(Scene& s);
// The names of file and other: each names the inode of the other.
void SwapEntries(Scene& s);

}  // namespace tamper
