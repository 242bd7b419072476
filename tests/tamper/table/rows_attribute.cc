// SPDX-License-Identifier: Apache-2.0
// The attribute `c`: place, head, state, and where it stands in the inode.
#include <algorithm>
#include <array>

#include "edits.h"

namespace tamper {
namespace {

constexpr const char* kRefused = "open: EUCLEAN";

void FlipAttribute(Scene& s, uint64_t byte, int bit = 0) { Flip(s.now, ContextAt(s, s.file) + byte, bit); }
void ToggleState(Scene& s, uint32_t bits) { SetState(s.now, s.file, StateOf(s.now, s.file) ^ bits); }
void SetHeight(Scene& s, uint32_t height) {
  SetState(s.now, s.file, (StateOf(s.now, s.file) & ~attribute::kHeight) | height << attribute::kHeightShift);
}
void PutFormEmpty(Scene& s) { SetState(s.now, s.file, StateOf(s.now, s.file) & ~(attribute::kForm | attribute::kHeight)); }

// The entry of the attribute in the body; its value counts from the body's first entry.
uint64_t EntryOf(Disk& disk, uint32_t ino) { return disk.BodyAt(ino); }
void PutValueAt(Disk& disk, uint32_t ino, uint64_t value) {
  const uint64_t from = disk.ContextAt(ino).value();
  std::array<uint8_t, kAttributeBytes> bytes;
  std::ranges::copy(disk.Bytes(from, bytes.size()), bytes.begin());
  std::ranges::copy(bytes, disk.Bytes(value, bytes.size()).begin());
  disk.Put16(EntryOf(disk, ino) + 2, static_cast<uint32_t>(value - disk.BodyAt(ino)));
}
// A user attribute before it, with its value below.
void MakeSecond(Scene& s) {
  const uint64_t first = EntryOf(s.now, s.file), end = s.now.InodeAt(s.file) + s.now.inode_size();
  const uint64_t value = end - kAttributeBytes - 4;
  Copy(s.now, first + 20, s.now, first, 20);
  Zero(s.now, first, 20);
  auto entry = s.now.Bytes(first, 20);
  entry[0] = 1;
  entry[1] = kXattrUser;
  entry[16] = 'a';
  s.now.Put16(first + 2, static_cast<uint32_t>(value - first));
  s.now.Put32(first + 8, 4);
  Zero(s.now, first + 40, 4);
}
// Into an attribute block, as stock ext4 would store it there.
void MoveOut(Scene& s) {
  const uint64_t block = s.now.TakeBlock(), at = block * kBlock, entry = EntryOf(s.now, s.file);
  Zero(s.now, at, kBlock);
  s.now.Put32(at, 0xEA020000);
  s.now.Put32(at + 4, 1);  // references
  s.now.Put32(at + 8, 1);  // blocks
  Copy(s.now, at + 32, s.now, entry, 20);
  Copy(s.now, at + kBlock - kAttributeBytes, s.now, ContextAt(s, s.file), kAttributeBytes);
  s.now.Put16(at + 32 + 2, static_cast<uint32_t>(kBlock - kAttributeBytes));
  Zero(s.now, entry - 4, 24);
  s.now.Put32(s.now.InodeAt(s.file) + inode::kFileAcl, static_cast<uint32_t>(block));
}
// Format 1 had the context alone.
void MakeFormat1(Scene& s) {
  s.now.Bytes(ContextAt(s, s.file) + 6, 1)[0] = 1;
  ShortenAttribute(s, s.file);
}

}  // namespace

std::vector<Row> AttributeRows() {
  constexpr auto kNone = Other::kNone;
  constexpr auto kPlain = Own::kNone;
  return {
      {"head-bit", "flip a bit of the head, in every third of its 12 bytes in turn", kRefused, "head_not_authentic",
       [](Scene& s) { FlipAttribute(s, attribute::kHead + 3 * s.number, static_cast<int>(s.number)); }, kNone, 4},
      {"head-zeroed", "zero the head", kRefused, "head_not_authentic",
       [](Scene& s) { Zero(s.now, ContextAt(s, s.file) + attribute::kHead, attribute::kMacBytes); }},
      {"head-old", "put back the head as it was", kRefused, "head_not_authentic", [](Scene& s) { PutAttributeBack(s, attribute::kHead, attribute::kMacBytes); }},
      {"head-and-state-old", "put back head and state as they were", kRefused, "head_not_authentic",
       [](Scene& s) { PutAttributeBack(s, attribute::kHead, attribute::kMacBytes + 4); }},
      {"head-of-other-file", "put the head of another file in its place", "open: EUCLEAN; file 2: true", "head_not_authentic; file 2: clean",
       [](Scene& s) { Copy(s.now, ContextAt(s, s.file) + attribute::kHead, s.now, ContextAt(s, s.other) + attribute::kHead, attribute::kMacBytes); }, Other::kSameDirectory},
      {"sequence-bit", "flip a bit of the sequence number, every third of the 24 in turn", kRefused, "head_not_authentic",
       [](Scene& s) { ToggleState(s, 1u << (attribute::kSequenceShift + 3 * s.number)); }, kNone, 8},
      {"sequence-old", "put back the sequence number as it was", kRefused, "head_not_authentic", [](Scene& s) { PutAttributeBack(s, attribute::kState, 4); }},
      {"state-reserved-bits", "set a bit of the state that must be zero, both in turn", kRefused, "state_not_allowed",
       [](Scene& s) { ToggleState(s, 0x40u << s.number); }, kNone, 2},
      {"form-unknown", "let the form be 3", kRefused, "state_not_allowed", [](Scene& s) { SetState(s.now, s.file, StateOf(s.now, s.file) | attribute::kForm); }},
      {"form-tail", "let the form be TAIL", kRefused, "...", [](Scene& s) { SetState(s.now, s.file, (StateOf(s.now, s.file) & ~(attribute::kForm | attribute::kHeight)) | 1); }},
      {"form-empty", "let the form be EMPTY", kRefused, "head_not_authentic, ...", PutFormEmpty},
      {"form-empty-with-height", "clear the form, and leave the height", kRefused, "state_not_allowed", [](Scene& s) { ToggleState(s, attribute::kTree); }},
      {"empty-put-back", "put back state and head of when the file was empty", kRefused, "head_not_authentic, ...",
       [](Scene& s) { PutAttributeBack(s, attribute::kHead, attribute::kMacBytes + 4); }, kNone, 1, kPlain, false, Thing::kGrown},
      {"height-lower", "let the tree have height 0 in place of 1", kRefused, "head_not_authentic", [](Scene& s) { SetHeight(s, 0); }},
      {"height-higher", "let it have height 2, 3 and 4, whose top blocks do not exist", "open: EIO", "tag_block_missing", [](Scene& s) { SetHeight(s, 2 + s.number); }, kNone, 3},
      {"height-impossible", "let it have height 5, 6 and 7", kRefused, "state_not_allowed", [](Scene& s) { SetHeight(s, 5 + s.number); }, kNone, 3},
      {"height-mapped", "let it have height 2, with a copy of the node as its top block", "open: EIO", "...",
       [](Scene& s) {
         SetHeight(s, 2);
         const uint64_t block = s.now.TakeBlock();
         Copy(s.now, block * kBlock, s.now, NodeAt(s.now, s.file), kBlock);
         Extent last = s.now.Find(s.file, kNodeLblk).value();
         const uint64_t node = NodeOf(s.now, s.file, last.at);
         s.now.Put({last.at + 12, 0x50AA0000, 1, true, block});
         s.now.Put16(node + 2, s.now.Get16(node + 2) + 1u);
       }},
      {"linked-set", "set LINKED", kRefused, "head_not_authentic", [](Scene& s) { ToggleState(s, attribute::kLinked); }},
      {"linked-set-and-exchanged", "set LINKED in two files, and exchange their names", "open: EUCLEAN; file 2: open: EUCLEAN", "head_not_authentic; file 2: head_not_authentic",
       [](Scene& s) {
         for (const uint32_t ino : {s.file, s.other}) SetState(s.now, ino, StateOf(s.now, ino) | attribute::kLinked);
         SwapEntries(s);
       },
       Other::kSameDirectory},
      {"linked-cleared", "clear LINKED of a file with two names", "open: EUCLEAN; second name: open: EUCLEAN", "...",
       [](Scene& s) { ToggleState(s, attribute::kLinked); }, kNone, 1, kPlain, false, Thing::kLinked},
      {"linked-directory", "set LINKED in a directory", "open in it: EPERM", "state_not_allowed",
       [](Scene& s) { ToggleState(s, attribute::kLinked); }, kNone, 1, kPlain, false, Thing::kDirectory},
      {"linked-link", "set LINKED in a symbolic link", "readlink: EUCLEAN", "head_not_authentic",
       [](Scene& s) { ToggleState(s, attribute::kLinked); }, kNone, 1, kPlain, false, Thing::kLink},
      {"directory-state", "change the sequence number of a directory", "open in it: EUCLEAN", "head_not_authentic",
       [](Scene& s) { ToggleState(s, 1u << attribute::kSequenceShift); }, kNone, 1, kPlain, false, Thing::kDirectory},
      {"directory-form", "let a directory be of form TREE", "open in it: EPERM", "state_not_allowed",
       [](Scene& s) { ToggleState(s, attribute::kTree); }, kNone, 1, kPlain, false, Thing::kDirectory},
      {"place-bit", "flip a bit of the place, in every third of its 12 bytes in turn", kRefused, "place_not_authentic",
       [](Scene& s) { FlipAttribute(s, attribute::kPlace + 3 * s.number, static_cast<int>(s.number)); }, kNone, 4},
      {"place-zeroed", "zero the place", kRefused, "place_not_authentic",
       [](Scene& s) { Zero(s.now, ContextAt(s, s.file) + attribute::kPlace, attribute::kMacBytes); }},
      {"place-old", "put back the place that the file had under its earlier name", "open: EUCLEAN; file 2: true", "place_not_authentic; file 2: clean",
       [](Scene& s) { PutAttributeBack(s, attribute::kPlace, attribute::kMacBytes); }, kNone, 1, kPlain, false, Thing::kRenamed},
      {"place-of-other-file", "exchange the places of two files", "open: EUCLEAN; file 2: open: EUCLEAN", "place_not_authentic; file 2: place_not_authentic",
       [](Scene& s) { Swap(s.now, ContextAt(s, s.file) + attribute::kPlace, ContextAt(s, s.other) + attribute::kPlace, attribute::kMacBytes); }, Other::kSameDirectory},
      {"attribute-second", "put another attribute before `c` in the inode", kRefused, "attribute_misplaced", MakeSecond},
      {"attribute-out-of-body", "move `c` from the inode into an attribute block", kRefused, "attribute_misplaced", MoveOut},
      {"attribute-hash", "let its `e_hash` not be zero", kRefused, "attribute_misplaced", [](Scene& s) { s.now.Put32(EntryOf(s.now, s.file) + 12, 1); }},
      {"attribute-not-last", "move its value 4 bytes down", kRefused, "attribute_misplaced", [](Scene& s) { PutValueAt(s.now, s.file, ContextAt(s, s.file) - 4); }},
      {"attribute-shorter", "let its value be 64 bytes", kRefused, "context_unsupported",
       [](Scene& s) {
         s.now.Put32(EntryOf(s.now, s.file) + 8, kAttributeBytes - 4);
         s.now.Put16(EntryOf(s.now, s.file) + 2, s.now.Get16(EntryOf(s.now, s.file) + 2) + 4u);
       }},
      {"attribute-of-format-1", "put the 40 bytes of format 1 in its place", "open: EOPNOTSUPP", "context_unsupported", MakeFormat1},
  };
}

}  // namespace tamper
