// SPDX-License-Identifier: Apache-2.0
// Sizes, contexts, flags, and the inode as a whole.
#include <algorithm>

#include "rows.h"

namespace tamper {
namespace {

uint64_t ContextAt(Scene& s, uint32_t ino) { return s.now.ContextAt(ino).value(); }
void SetContext(Scene& s, uint32_t ino, uint64_t byte, uint8_t value) { s.now.Bytes(ContextAt(s, ino) + byte, 1)[0] = value; }
void FlipContext(Scene& s, uint64_t byte) { s.now.Bytes(ContextAt(s, s.file) + byte, 1)[0] ^= 1; }
void Downgrade(Scene& s, uint32_t ino) {
  SetContext(s, ino, 0, 2);
  for (const uint64_t byte : {5, 6, 7}) SetContext(s, ino, byte, 0);
}
void ToggleFlag(Scene& s, uint32_t ino, uint32_t flag) { s.now.Put32(s.now.InodeAt(ino) + inode::kFlags, s.now.Flags(ino) ^ flag); }
void SwapInodes(Scene& s) {
  const uint64_t size = s.now.inode_size();
  auto one = s.now.Bytes(s.now.InodeAt(s.file), size), other = s.now.Bytes(s.now.InodeAt(s.other), size);
  std::swap_ranges(one.begin(), one.end(), other.begin());
}
void DropContext(Scene& s, uint32_t ino) {
  for (const Xattr& xattr : s.now.Xattrs(ino)) {
    if (xattr.index == kXattrEncryption && xattr.name == "c") s.now.Bytes(xattr.entry + 16, 1)[0] = 'x';
  }
}

}  // namespace

std::vector<Row> InodeRows() {
  return {
      {"size-shorter", "let the file end in page 1", "size 5000", "written_past_end", [](Scene& s) { s.now.SetSize(s.file, 5000); }},
      {"size-zero", "let the file be empty", "size 0", "written_past_end", [](Scene& s) { s.now.SetSize(s.file, 0); }},
      {"size-longer", "let the file end two pages later", "size 1056868", "clean", [](Scene& s) { s.now.SetSize(s.file, kFileSize + 2 * kBlock); }},
      {"size-impossible", "let the file be 16 TiB long", "open: EUCLEAN", "file_too_large", [](Scene& s) { s.now.SetSize(s.file, uint64_t{1} << 44); }},
      {"size-negative", "let its size have the highest bit", "open: EUCLEAN", "file_too_large", [](Scene& s) { s.now.SetSize(s.file, uint64_t{1} << 63 | kFileSize); }},
      {"context-version", "change byte 0 of the context", "open: EINVAL", "context_unsupported", [](Scene& s) { FlipContext(s, 0); }},
      {"context-contents-mode", "change byte 1", "open: EINVAL", "context_unsupported", [](Scene& s) { SetContext(s, s.file, 1, 5); }},
      {"context-names-mode", "change byte 2 to the other mode", "open: EPERM", "policy_mismatch, page_not_authentic, seal_not_authentic", [](Scene& s) { SetContext(s, s.file, 2, 10); }},
      {"context-flags", "change byte 3", "open: EPERM", "policy_mismatch, page_not_authentic, seal_not_authentic", [](Scene& s) { FlipContext(s, 3); }},
      {"context-unit", "change byte 4", "open: EINVAL", "context_unsupported", [](Scene& s) { FlipContext(s, 4); }},
      {"context-aead", "change byte 5 to the other AEAD", "EIO group 0, group 1, group 2", "policy_mismatch, page_not_authentic, seal_not_authentic",
       [](Scene& s) { SetContext(s, s.file, 5, static_cast<uint8_t>(3 - s.now.Bytes(ContextAt(s, s.file) + 5, 1)[0])); }},
      {"context-revision", "change byte 6", "open: EINVAL", "context_unsupported", [](Scene& s) { FlipContext(s, 6); }},
      {"context-unknown-bits", "set an incompatible feature, each of the 8 bits in turn", "open: EINVAL", "context_unsupported",
       [](Scene& s) { SetContext(s, s.file, 7, static_cast<uint8_t>(1 << s.number)); }, Other::kNone, 8},
      {"context-identifier", "change a byte of the key identifier, each of the 16 in turn", "open: ENOKEY", "policy_mismatch, key_missing",
       [](Scene& s) { FlipContext(s, 8 + s.number); }, Other::kNone, 16},
      {"context-nonce", "change a byte of the nonce, each of the 16 in turn", "EIO group 0, group 1, group 2", "page_not_authentic, seal_not_authentic", [](Scene& s) { FlipContext(s, 24 + s.number); },
       Other::kNone, 16},
      {"context-downgraded", "make it a plain version 2 context", "open: EINVAL", "downgraded", [](Scene& s) { Downgrade(s, s.file); }},
      {"context-removed", "take the context away", "open: ENODATA", "context_missing", [](Scene& s) { DropContext(s, s.file); }},
      {"context-of-other-file", "put the context of another file in its place", "EIO group 0, group 1, group 2; file 2: true", "page_not_authentic, seal_not_authentic; file 2: clean",
       [](Scene& s) { std::ranges::copy(s.now.Bytes(ContextAt(s, s.other), kContextBytes), s.now.Bytes(ContextAt(s, s.file), kContextBytes).begin()); },
       Other::kSameDirectory},
      {"flag-encrypt-cleared", "clear the encrypt flag", "open: EPERM", "not_encrypted, context_malformed", [](Scene& s) { ToggleFlag(s, s.file, inode::kEncrypt); }},
      {"flag-encrypt-and-context-cleared", "clear the encrypt flag and take the context away", "open: EPERM", "not_encrypted",
       [](Scene& s) {
         ToggleFlag(s, s.file, inode::kEncrypt);
         DropContext(s, s.file);
       }},
      {"flag-inline-data", "set the flag inline data", "open: EUCLEAN", "clean", [](Scene& s) { ToggleFlag(s, s.file, inode::kInlineData); }},
      {"flag-verity", "set the flag verity", "open: EIO", "clean", [](Scene& s) { ToggleFlag(s, s.file, inode::kVerity); }},
      {"flag-ea-inode", "set the flag EA inode", "open: EUCLEAN", "clean", [](Scene& s) { ToggleFlag(s, s.file, inode::kEaInode); }},
      {"flag-casefold", "set the flag casefold", "open: EUCLEAN", "clean", [](Scene& s) { ToggleFlag(s, s.file, inode::kCasefold); }},
      {"flag-journal-data", "set the flag journal data", "true", "clean", [](Scene& s) { ToggleFlag(s, s.file, inode::kJournalData); }},
      {"flag-dax", "set the flag DAX", "open: EIO", "clean", [](Scene& s) { ToggleFlag(s, s.file, inode::kDax); }},
      {"block-map", "map the file by a block map in place of extents", "open: EIO", "not_mapped_by_extents",
       [](Scene& s) {
         const uint64_t at = s.now.InodeAt(s.file), first = s.now.Physical(s.file, 0).value();
         ToggleFlag(s, s.file, inode::kExtents);
         std::ranges::fill(s.now.Bytes(at + inode::kMap, 60), uint8_t{0});
         for (uint32_t page = 0; page < 8; ++page) s.now.Put32(at + inode::kMap + 4 * page, static_cast<uint32_t>(first + page));
       }},
      {"inodes-swapped", "exchange two files of a directory between their names", "the other file's 0-7, 12-15, 126-129, group 2; file 2: the other file's 0-7, 12-15, 126-129, group 2", "clean; file 2: clean", SwapInodes, Other::kSameDirectory},
      {"inodes-swapped-across-directories", "the same across directories with one policy", "the other file's 0-7, 12-15, 126-129, group 2; file 2: the other file's 0-7, 12-15, 126-129, group 2", "clean; file 2: clean", SwapInodes, Other::kOtherDirectory},
      {"orphan-list", "put the file on the orphan list", "true", "clean",
       [](Scene& s) {
         s.now.Put32(super::kLastOrphan, s.file);
         s.now.Put32(s.now.InodeAt(s.file) + inode::kDtime, 0);
       }},
      {"directory-downgraded", "make the context of a directory a plain version 2 context", "new file: EINVAL; no-key name; file: EPERM", "clean; file: downgraded",
       [](Scene& s) { Downgrade(s, s.dir); }, Other::kNone, 1, Own::kTop},
      {"directory-other-key", "change the key identifier of a directory", "new file: ENOKEY; no-key name; file: EPERM", "key_missing; file: policy_mismatch",
       [](Scene& s) { s.now.Bytes(ContextAt(s, s.dir) + 8, 1)[0] ^= 2; }, Other::kNone, 1, Own::kTop},
      {"directory-unknown-bits", "set an incompatible feature in the context of a directory", "new file: EINVAL; no-key name; file: EPERM", "context_unsupported; file: clean",
       [](Scene& s) { SetContext(s, s.dir, 7, 1); }, Other::kNone, 1, Own::kTop},
      {"directory-decrypted", "clear the encrypt flag of a directory", "new file: in plaintext, ...", "context_malformed; file: ...",
       [](Scene& s) { ToggleFlag(s, s.dir, inode::kEncrypt); }, Other::kNone, 1, Own::kTop},
      {"nested-directory-downgraded", "make the context of a directory within an encrypted one a plain version 2 context", "new file: EPERM; no names; file: EPERM", "downgraded; file: downgraded",
       [](Scene& s) { Downgrade(s, s.dir); }, Other::kNone, 1, Own::kNested},
      {"nested-directory-other-key", "change the key identifier of a directory within an encrypted one", "new file: EPERM; no names; file: EPERM", "policy_mismatch, key_missing; file: policy_mismatch",
       [](Scene& s) { s.now.Bytes(ContextAt(s, s.dir) + 8, 1)[0] ^= 4; }, Other::kNone, 1, Own::kNested},
      {"nested-directory-unknown-bits", "set an incompatible feature in the context of a directory within an encrypted one", "new file: EPERM; no names; file: EPERM", "context_unsupported; file: clean",
       [](Scene& s) { SetContext(s, s.dir, 7, 1); }, Other::kNone, 1, Own::kNested},
      {"nested-directory-decrypted", "clear the encrypt flag of a directory within an encrypted one", "new file: EPERM; no names; file: EPERM", "not_encrypted, context_malformed; file: ...",
       [](Scene& s) { ToggleFlag(s, s.dir, inode::kEncrypt); }, Other::kNone, 1, Own::kNested},
  };
}

const std::vector<Row>& Rows() {
  static const std::vector<Row> rows = [] {
    std::vector<Row> all = ContentRows();
    for (auto part : {MappingRows(), InodeRows()}) all.insert(all.end(), part.begin(), part.end());
    return all;
  }();
  return rows;
}

}  // namespace tamper
