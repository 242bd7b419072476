// SPDX-License-Identifier: Apache-2.0
// The volume that mutants are made of, and what its files hold.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace tamper {

// Makes the files of the base image below an empty, keyed `mount`. Every way to map a file is there once.
// Throws std::runtime_error.
void MakeWorld(const std::string& mount, const uint8_t (&key_identifier)[16]);

// What reading each page of a file gives when nobody has tampered, as a hash.
struct Truth {
  uint64_t size = 0;
  std::string name;    // the last part of its path; empty: it has several names
  std::string target;  // of a symbolic link
  std::unordered_map<uint64_t, uint64_t> pages;  // those that are not zeros
};
using Truths = std::unordered_map<uint64_t, Truth>;  // by inode
[[nodiscard]] Truths ReadTruths(const std::string& mount);

[[nodiscard]] uint64_t HashOf(const void* page);
inline constexpr uint64_t kZeroHash = 0;  // HashOf() a page of zeros

// Pages that are looked at: enough to meet each extent of each file of the world.
[[nodiscard]] std::vector<uint64_t> PagesToRead(uint64_t size);

// Adds the 64-byte master key, all bytes 7, to a mount. False: errno says why.
bool AddKey(const std::string& mount, uint8_t (&identifier)[16]);

}  // namespace tamper
