// SPDX-License-Identifier: Apache-2.0
// The volume of the table: files made, tampered with, and judged.
#pragma once

#include <map>
#include <span>
#include <string>

#include "rows.h"

namespace tamper {

// Makes the files of all rows below a fresh mount; `second`: overwrites page kOverwritten of each.
void MakeFiles(const std::string& mount, bool second);
// Prints "PATH INODE" for each of them.
void PrintInodes(const std::string& mount);
using Inodes = std::map<std::string, uint32_t>;
[[nodiscard]] Inodes ReadInodes(const std::string& path);
void Edit(std::span<uint8_t> now, std::span<uint8_t> old, const Inodes& inodes);

// What programs see of a row's files, in the words of the table.
[[nodiscard]] std::string Observe(const std::string& mount, const Row& row);
// What the reader said of them, from its output with --json.
[[nodiscard]] std::string ReaderFound(const std::string& json, const Inodes& inodes, const Row& row);

// Writes to, punches, cuts and removes each file below the mount, whatever comes of it. False: the volume is read-only by now.
[[nodiscard]] bool UseAll(const std::string& mount);

// Paths below the mount. file: 1, or 2 for the other one.
[[nodiscard]] std::string PathOf(const Row& row, int file, uint32_t number);
// The directory of a file of the row.
[[nodiscard]] std::string DirectoryOf(const Row& row, int file);

}  // namespace tamper
