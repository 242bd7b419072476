// SPDX-License-Identifier: Apache-2.0
// Which inode a name leads to: clones, exchanges, earlier names; links, and what stands in the place of a file.
#include "edits.h"

namespace tamper {
namespace {

void CloneFile(Scene& s) { Clone(s.now, s.file, s.now, s.other); }

}  // namespace

std::vector<Row> NameRows() {
  constexpr auto kNone = Other::kNone;
  constexpr auto kPlain = Own::kNone;
  return {
      {"clone", "make the inode of file 2 a copy of that of file 1, with copies of its blocks", "true; file 2: open: EUCLEAN", "clean; file 2: place_not_authentic, head_not_authentic", CloneFile, Other::kSameDirectory},
      {"clone-across-directories", "the same across directories", "true; file 2: open: EUCLEAN", "clean; file 2: place_not_authentic, head_not_authentic", CloneFile, Other::kOtherDirectory},
      {"clone-named-alike", "make the inode of file 2 such a copy, and exchange the names", "open: EUCLEAN; file 2: open: EUCLEAN", "place_not_authentic; file 2: place_not_authentic, head_not_authentic",
       [](Scene& s) {
         CloneFile(s);
         SwapEntries(s);
       },
       Other::kSameDirectory},
      {"clone-with-old-place", "make the inode of file 2 a copy of that of file 1 from when file 1 had its name, as the journal still holds it", "true; file 2: open: EUCLEAN",
       "clean; file 2: place_not_authentic, head_not_authentic", [](Scene& s) { Clone(s.old, s.file, s.now, s.other); }, kNone, 1, kPlain, false, Thing::kRenamed},
      {"clone-of-linked", "copy the inode of a file with several names onto another one", "true; file 2: open: EUCLEAN", "clean; file 2: head_not_authentic", CloneFile, Other::kSameDirectory, 1, kPlain, false, Thing::kLinked},
      {"clone-of-directory", "make a directory such a copy of another one", "true; file 2: open in it: EUCLEAN", "clean; file 2: place_not_authentic, head_not_authentic", CloneFile, Other::kSameDirectory, 1, kPlain, false, Thing::kDirectory},
      {"clone-of-link", "make a symbolic link such a copy", "true; file 2: readlink: EUCLEAN", "clean; file 2: place_not_authentic, head_not_authentic", CloneFile, Other::kSameDirectory, 1, kPlain, false, Thing::kLink},
      {"clone-of-long-link", "the same with targets that stand in blocks", "true; file 2: readlink: EUCLEAN", "clean; file 2: place_not_authentic, head_not_authentic", CloneFile, Other::kSameDirectory, 1, kPlain, false, Thing::kLongLink},
      {"inodes-swapped", "exchange the inodes of two files of a directory", "open: EUCLEAN; file 2: open: EUCLEAN", "place_not_authentic, head_not_authentic; file 2: place_not_authentic, head_not_authentic", SwapInodes, Other::kSameDirectory},
      {"inodes-swapped-across-directories", "the same across directories with one policy", "open: EUCLEAN; file 2: open: EUCLEAN", "place_not_authentic, head_not_authentic; file 2: place_not_authentic, head_not_authentic", SwapInodes, Other::kOtherDirectory},
      {"names-swapped", "exchange two files of a directory between their names", "open: EUCLEAN; file 2: open: EUCLEAN", "place_not_authentic; file 2: place_not_authentic", SwapEntries, Other::kSameDirectory},
      {"names-swapped-across-directories", "the same across directories with one policy", "open: EUCLEAN; file 2: open: EUCLEAN", "place_not_authentic; file 2: place_not_authentic", SwapEntries, Other::kOtherDirectory},
      {"names-of-directories-swapped", "exchange two directories between their names", "open in it: EUCLEAN; file 2: open in it: EUCLEAN", "place_not_authentic; file 2: place_not_authentic", SwapEntries, Other::kSameDirectory, 1, kPlain, false, Thing::kDirectory},
      {"names-of-links-swapped", "exchange two symbolic links between their names", "readlink: EUCLEAN; file 2: readlink: EUCLEAN", "place_not_authentic; file 2: place_not_authentic", SwapEntries, Other::kSameDirectory, 1, kPlain, false, Thing::kLink},
      {"earlier-name", "let the name that a file had before a rename lead to it again", "true; file 2: open: EUCLEAN", "place_not_authentic; file 2: unreachable",
       [](Scene& s) { s.now.Put32(s.now.EntryAt(s.parent, s.other).value(), s.file); }, kNone, 1, kPlain, false, Thing::kRenamed},
      {"entry-type", "let the entry say that the file is a directory", "true", "...",
       [](Scene& s) { s.now.Bytes(s.now.EntryAt(s.parent, s.file).value() + 7, 1)[0] = 2; }},
      {"link-target", "flip a bit of a link's target", "readlink: EUCLEAN", "...",
       [](Scene& s) { Flip(s.now, s.now.InodeAt(s.file) + inode::kMap + 5); }, kNone, 1, kPlain, false, Thing::kLink},
      {"link-target-in-block", "flip a bit of a link's target that stands in a block", "readlink: EUCLEAN", "...",
       [](Scene& s) { Flip(s.now, PageAt(s.now, s.file, 0) + 40); }, kNone, 1, kPlain, false, Thing::kLongLink},
      {"link-of-other", "put the target of another link in its place", "readlink: EUCLEAN; file 2: true", "head_not_authentic; file 2: clean",
       [](Scene& s) {
         Copy(s.now, s.now.InodeAt(s.file) + inode::kMap, s.now, s.now.InodeAt(s.other) + inode::kMap, 60);
         s.now.SetSize(s.file, s.now.Size(s.other));
       },
       Other::kSameDirectory, 1, kPlain, false, Thing::kLink},
      {"link-shorter", "let a link's target be shorter by 1 byte", "readlink: EUCLEAN", "...", [](Scene& s) { s.now.SetSize(s.file, s.now.Size(s.file) - 1); }, kNone, 1, kPlain, false, Thing::kLink},
      {"link-empty", "let it be empty", "readlink: EUCLEAN", "...", [](Scene& s) { s.now.SetSize(s.file, 0); }, kNone, 1, kPlain, false, Thing::kLink},
      {"fifo-for-file", "let the inode of a file be a fifo", "open: EUCLEAN", "context_malformed", [](Scene& s) { SetMode(s, s.file, 0010644); }},
      {"fifo-for-file-not-encrypted", "let it be a fifo without the encrypt flag", "open: EUCLEAN", "context_malformed",
       [](Scene& s) {
         SetMode(s, s.file, 0010644);
         ToggleFlag(s, s.file, inode::kEncrypt);
       }},
      {"fifo-for-file-with-place", "let it be such a fifo, with the place of the file as its attribute", "open: EUCLEAN", "place_not_authentic",
       [](Scene& s) {
         const uint64_t at = ContextAt(s, s.file), last = s.now.InodeAt(s.file) + s.now.inode_size() - attribute::kMacBytes, body = s.now.BodyAt(s.file);
         Copy(s.now, last, s.now, at + attribute::kPlace, attribute::kMacBytes);
         s.now.Put16(body + 2, static_cast<uint32_t>(last - body));
         s.now.Put32(body + 8, attribute::kMacBytes);
         SetMode(s, s.file, 0010644);
         ToggleFlag(s, s.file, inode::kEncrypt);
       }},
      {"file-for-link", "let the inode of a link be a file", "readlink: EUCLEAN", "...", [](Scene& s) { SetMode(s, s.file, 0100644); }, kNone, 1, kPlain, false, Thing::kLink},
  };
}

}  // namespace tamper
