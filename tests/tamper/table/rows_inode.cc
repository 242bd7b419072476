// SPDX-License-Identifier: Apache-2.0
// Sizes, contexts, flags, and the inode as a whole.
#include <algorithm>

#include "edits.h"

namespace tamper {
namespace {

void SetContext(Scene& s, uint32_t ino, uint64_t byte, uint8_t value) { s.now.Bytes(ContextAt(s, ino) + byte, 1)[0] = value; }
void FlipContext(Scene& s, uint64_t byte) { s.now.Bytes(ContextAt(s, s.file) + byte, 1)[0] ^= 1; }
void Downgrade(Scene& s, uint32_t ino) {
  SetContext(s, ino, 0, 2);
  for (const uint64_t byte : {5, 6, 7}) SetContext(s, ino, byte, 0);
}
void DropContext(Scene& s, uint32_t ino) {
  for (const Xattr& xattr : s.now.Xattrs(ino)) {
    if (xattr.index == kXattrEncryption && xattr.name == "c") s.now.Bytes(xattr.entry + 16, 1)[0] = 'x';
  }
}

}  // namespace

std::vector<Row> InodeRows() {
  return {
      {"size-shorter", "let the file end in page 1", "open: EUCLEAN", "head_not_authentic, written_past_end", [](Scene& s) { s.now.SetSize(s.file, kSizeBias + 5000); }},
      {"size-zero", "let the file be empty", "open: EUCLEAN", "head_not_authentic, written_past_end", [](Scene& s) { s.now.SetSize(s.file, kSizeBias); }},
      {"size-longer", "let the file end two pages later", "open: EUCLEAN", "head_not_authentic", [](Scene& s) { s.now.SetSize(s.file, kSizeBias + kFileSize + 2 * kBlock); }},
      {"size-byte-longer", "let it end one byte later", "open: EUCLEAN", "head_not_authentic", [](Scene& s) { s.now.SetSize(s.file, kSizeBias + kFileSize + 1); }},
      {"size-unbiased", "take the bias off its size", "open: EUCLEAN", "size_not_biased", [](Scene& s) { s.now.SetSize(s.file, kFileSize); }},
      {"size-below-bias", "let its size be one less than the bias", "open: EUCLEAN", "size_not_biased", [](Scene& s) { s.now.SetSize(s.file, kSizeBias - 1); }},
      {"size-impossible", "let the file be 5 TiB and one byte long", "open: EUCLEAN", "file_too_large", [](Scene& s) { s.now.SetSize(s.file, kSizeBias + uint64_t{kTagLblk} * kBlock + 1); }},
      {"size-negative", "let its size have the highest bit", "open: EUCLEAN", "file_too_large", [](Scene& s) { s.now.SetSize(s.file, uint64_t{1} << 63 | (kSizeBias + kFileSize)); }},
      {"context-version", "change byte 0 of the context", "open: EUCLEAN", "context_unsupported", [](Scene& s) { FlipContext(s, 0); }},
      {"context-contents-mode", "change byte 1", "open: EUCLEAN", "context_unsupported", [](Scene& s) { SetContext(s, s.file, 1, 5); }},
      {"context-names-mode", "change byte 2 to the other mode", "open: EUCLEAN", "policy_mismatch, head_not_authentic", [](Scene& s) { SetContext(s, s.file, 2, 10); }},
      {"context-flags", "change byte 3", "open: EUCLEAN", "policy_mismatch, head_not_authentic", [](Scene& s) { FlipContext(s, 3); }},
      {"context-unit", "change byte 4", "open: EUCLEAN", "context_unsupported", [](Scene& s) { FlipContext(s, 4); }},
      {"context-aead", "change byte 5 to the other AEAD", "open: EUCLEAN", "policy_mismatch, head_not_authentic",
       [](Scene& s) { SetContext(s, s.file, 5, static_cast<uint8_t>(3 - s.now.Bytes(ContextAt(s, s.file) + 5, 1)[0])); }},
      {"context-revision", "change byte 6", "open: EUCLEAN", "context_unsupported", [](Scene& s) { FlipContext(s, 6); }},
      {"context-unknown-bits", "set an incompatible feature, each of the 8 bits in turn", "open: EUCLEAN", "context_unsupported",
       [](Scene& s) { SetContext(s, s.file, 7, static_cast<uint8_t>(1 << s.number)); }, Other::kNone, 8},
      {"context-identifier", "change a byte of the key identifier, each of the 16 in turn", "open: EUCLEAN", "policy_mismatch, key_missing",
       [](Scene& s) { FlipContext(s, 8 + s.number); }, Other::kNone, 16},
      {"context-nonce", "change a byte of the nonce, each of the 16 in turn", "open: EUCLEAN", "place_not_authentic, head_not_authentic", [](Scene& s) { FlipContext(s, 24 + s.number); },
       Other::kNone, 16},
      {"context-downgraded", "make it a plain version 2 context", "open: EUCLEAN", "context_malformed", [](Scene& s) { Downgrade(s, s.file); }},
      {"context-of-fscrypt", "put the 40 bytes of such a context in the place of the attribute", "open: EINVAL", "downgraded",
       [](Scene& s) {
         Downgrade(s, s.file);
         ShortenAttribute(s, s.file);
       }},
      {"context-removed", "take the context away", "open: EUCLEAN", "context_missing", [](Scene& s) { DropContext(s, s.file); }},
      {"context-of-other-file", "put the context of another file in its place", "open: EUCLEAN; file 2: true", "place_not_authentic, head_not_authentic; file 2: clean",
       [](Scene& s) { std::ranges::copy(s.now.Bytes(ContextAt(s, s.other), kContextBytes), s.now.Bytes(ContextAt(s, s.file), kContextBytes).begin()); },
       Other::kSameDirectory},
      {"flag-encrypt-cleared", "clear the encrypt flag", "open: EUCLEAN", "not_encrypted, context_malformed", [](Scene& s) { ToggleFlag(s, s.file, inode::kEncrypt); }},
      {"flag-encrypt-and-context-cleared", "clear the encrypt flag and take the context away", "open: EUCLEAN", "not_encrypted",
       [](Scene& s) {
         ToggleFlag(s, s.file, inode::kEncrypt);
         DropContext(s, s.file);
       }},
      {"flag-inline-data", "set the flag inline data", "open: EUCLEAN", "clean", [](Scene& s) { ToggleFlag(s, s.file, inode::kInlineData); }},
      {"flag-verity", "set the flag verity", "open: EUCLEAN", "clean", [](Scene& s) { ToggleFlag(s, s.file, inode::kVerity); }},
      {"flag-ea-inode", "set the flag EA inode", "open: EUCLEAN", "clean", [](Scene& s) { ToggleFlag(s, s.file, inode::kEaInode); }},
      {"flag-casefold", "set the flag casefold", "open: EUCLEAN", "clean", [](Scene& s) { ToggleFlag(s, s.file, inode::kCasefold); }},
      {"flag-journal-data", "set the flag journal data", "true", "clean", [](Scene& s) { ToggleFlag(s, s.file, inode::kJournalData); }},
      {"flag-dax", "set the flag DAX", "open: EUCLEAN", "clean", [](Scene& s) { ToggleFlag(s, s.file, inode::kDax); }},
      {"block-map", "map the file by a block map in place of extents", "open: EUCLEAN", "tag_block_missing, not_mapped_by_extents",
       [](Scene& s) {
         const uint64_t at = s.now.InodeAt(s.file), first = s.now.Physical(s.file, 0).value();
         ToggleFlag(s, s.file, inode::kExtents);
         std::ranges::fill(s.now.Bytes(at + inode::kMap, 60), uint8_t{0});
         for (uint32_t page = 0; page < 8; ++page) s.now.Put32(at + inode::kMap + 4 * page, static_cast<uint32_t>(first + page));
       }},
      {"orphan-list", "put the file on the orphan list", "true", "clean",
       [](Scene& s) {
         s.now.Put32(super::kLastOrphan, s.file);
         s.now.Put32(s.now.InodeAt(s.file) + inode::kDtime, 0);
       }},
      {"directory-downgraded", "make the context of a directory a plain version 2 context", "new file: EINVAL; no-key name; file: EPERM", "context_malformed; file: clean",
       [](Scene& s) { Downgrade(s, s.dir); }, Other::kNone, 1, Own::kTop},
      {"directory-other-key", "change the key identifier of a directory", "new file: ENOKEY; no-key name; file: EPERM", "key_missing; file: policy_mismatch",
       [](Scene& s) { s.now.Bytes(ContextAt(s, s.dir) + 8, 1)[0] ^= 2; }, Other::kNone, 1, Own::kTop},
      {"directory-unknown-bits", "set an incompatible feature in the context of a directory", "new file: EINVAL; no-key name; file: EPERM", "context_unsupported; file: clean",
       [](Scene& s) { SetContext(s, s.dir, 7, 1); }, Other::kNone, 1, Own::kTop},
      {"nested-directory-downgraded", "make the context of a directory within an encrypted one a plain version 2 context", "new file: EPERM; no names; file: EPERM", "context_malformed; file: clean",
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
    for (auto part : {MappingRows(), InodeRows(), AttributeRows(), NameRows(), UnnoticedRows()}) all.insert(all.end(), part.begin(), part.end());
    return all;
  }();
  return rows;
}

}  // namespace tamper
