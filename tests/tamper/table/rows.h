// SPDX-License-Identifier: Apache-2.0
// The table of what an attacker with the raw disk can do, and what comes of it. docs/threat-model.md shows the
// same rows in the same words: e4c-tamper table prints them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "../disk/disk.h"

namespace tamper {

// What a row changes: its own files, and nothing that another row reads.
struct Scene {
  Disk& now;
  Disk& old;  // the disk as it was before the files got their second version
  uint32_t file = 0, other = 0, dir = 0;  // inodes
  uint32_t parent = 0, other_parent = 0;  // the directories that name file and other
  uint32_t number = 0;                    // of the files of a row that has several
};

enum class Other : uint8_t { kNone, kSameDirectory, kOtherDirectory };

// What a row's files are. Each is made in the first version of the volume, unless it says otherwise.
enum class Thing : uint8_t {
  kFile,       // kWritten; page kOverwritten is written again in the second version
  kSparse,     // kWrittenSparse: group 1 does not exist
  kGrown,      // empty in the first version, kWritten in the second
  kRenamed,    // file 1 has the name of file 2 in the first version; file 2 is made in the second
  kLinked,     // a file with two names; the second one is that of file 2
  kRemoved,    // empty, and removed in the second version
  kLink,       // a symbolic link that fits into its inode
  kLongLink,   // one that does not
  kDirectory,  // with a file in it
};

// A directory of its own: in the root, where nothing vouches for it, or in an encrypted directory.
enum class Own : uint8_t { kNone, kTop, kNested };

struct Row {
  const char* name;    // of the test
  const char* change;  // what the attacker does
  const char* kernel;  // what programs see; "file 2" is the other one of a row with two
  const char* reader;  // what `ext4crypt volume verify` finds
  void (*edit)(Scene& scene);
  Other other = Other::kNone;
  uint32_t files = 1;     // a row with several makes the same change to each, at another place
  Own directory = Own::kNone;  // the file is in a directory of its own, and that is changed
  bool overwrite = false;      // page 12 is also overwritten, and the file read again
  Thing thing = Thing::kFile;
};

[[nodiscard]] const std::vector<Row>& Rows();
[[nodiscard]] std::vector<Row> ContentRows();
[[nodiscard]] std::vector<Row> MappingRows();
[[nodiscard]] std::vector<Row> InodeRows();
[[nodiscard]] std::vector<Row> AttributeRows();
[[nodiscard]] std::vector<Row> NameRows();
[[nodiscard]] std::vector<Row> UnnoticedRows();

// ---- the files of a row: what each page is ----------------------------------------------------------
struct Run {
  uint32_t first, end;
};
// Groups 0, 1 and 2 exist, under one node of level 1; what is not written is a hole.
inline constexpr Run kWritten[] = {{0, 8}, {12, 16}, {126, 130}, {253, 257}};
inline constexpr Run kWrittenSparse[] = {{0, 8}, {254, 257}};
inline constexpr uint64_t kFileSize = 256 * kBlock + 100;
inline constexpr uint32_t kOverwritten = 14;  // a page that is written twice
// Pages that are read by the judge: all written ones, and holes of each group.
inline constexpr uint32_t kRead[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16, 125, 126, 127, 128, 129, 130, 252, 253, 254, 255, 256};

}  // namespace tamper
