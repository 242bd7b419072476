// SPDX-License-Identifier: Apache-2.0
// What no kernel can notice that keeps nothing outside the disk: each is done, and programs get it without an error.
#include "edits.h"

namespace tamper {
namespace {

void SetOwnerAndMode(Scene& s) {
  SetMode(s, s.file, 0104666);
  s.now.Put16(s.now.InodeAt(s.file) + 2, 1000);
}
// The one file that the directory had: its entry, and its inode with what marks it used.
void BringBack(Scene& s) {
  const uint64_t block = PageAt(s.old, s.dir, 0);
  // Behind "." and "..".
  const uint32_t ino = s.old.Get32(block + 24);
  PutBack(s, PageAt(s.now, s.dir, 0));
  PutInodeBack(s, ino);
  s.now.TakeInode(ino);
}

}  // namespace

std::vector<Row> UnnoticedRows() {
  constexpr auto kNone = Other::kNone;
  constexpr auto kPlain = Own::kNone;
  return {
      {"file-old", "put back a whole inode with all its blocks as they once were", "old 14", "clean", [](Scene& s) { PutFileBack(s, s.file); }},
      {"file-empty-again", "put back the inode of when the file was empty", "size 0", "clean", [](Scene& s) { PutInodeBack(s, s.file); }, kNone, 1, kPlain, false, Thing::kGrown},
      {"head-state-and-size-old", "put back only the head, state and size of when the file was empty", "size 0", "written_without_group, written_past_end",
       [](Scene& s) {
         PutAttributeBack(s, attribute::kHead, attribute::kMacBytes + 4);
         s.now.SetSize(s.file, kSizeBias);
       },
       kNone, 1, kPlain, false, Thing::kGrown},
      {"entry-gone", "take the entry of a file out of its directory", "open: ENOENT", "unreachable", [](Scene& s) { s.now.Put32(s.now.EntryAt(s.parent, s.file).value(), 0); }},
      {"entry-back", "put back a file that was removed, with its entry", "there again", "clean", BringBack, kNone, 1, Own::kNested, false, Thing::kRemoved},
      {"owner-and-mode", "let the file belong to somebody else, readable and writable for all, and set-uid", "mode 4666, owner 1000", "clean", SetOwnerAndMode},
      {"linked-swapped", "exchange two files with several names each between two of their names", "the other file's 0-7, 12-15, 126, 127-129, 253, group 2; file 2: the other file's 0-7, 12-15, 126, 127-129, 253, group 2", "clean; file 2: clean",
       SwapEntries, Other::kSameDirectory, 1, kPlain, false, Thing::kLinked},
      {"top-directories-swapped", "exchange two encrypted directories of a plain one between their names", "new file: encrypted; name in clear; file: the other file's", "clean; file: clean",
       [](Scene& s) {
         const uint64_t one = s.now.EntryAt(2, s.parent).value(), two = s.now.EntryAt(2, s.other_parent).value();
         Swap(s.now, one, two, 4);
       },
       Other::kSameDirectory, 1, Own::kTop},
      {"top-directory-decrypted", "let an encrypted directory in a plain one be a plain one: clear its flag", "new file: in plaintext, ...", "context_malformed; file: ...",
       [](Scene& s) { ToggleFlag(s, s.dir, inode::kEncrypt); }, kNone, 1, Own::kTop},
  };
}

}  // namespace tamper
