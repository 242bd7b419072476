// SPDX-License-Identifier: Apache-2.0
// Adopting: files that have another inode number than they were written under.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ext4crypt {

struct AdoptOptions {
  // The number that everything below had; 0: look for it, file by file.
  uint64_t was = 0;
  // How many numbers above those of the volume are tried.
  uint64_t numbers = 0;
};

struct AdoptedFile {
  std::string path;
  uint64_t was = 0;
};

struct RefusedFile {
  std::string path;
  int error = 0;  // errno of the kernel component
};

struct AdoptOutcome {
  uint64_t authentic = 0;  // as they were
  std::vector<AdoptedFile> adopted;
  std::vector<RefusedFile> refused;
};

// Goes through all that is encrypted in the directory `dir` and below it, on its file system,
// directories before what is in them, and lets the kernel adopt each entry. One that is refused
// is told in the outcome; what is below it is not looked at. Errors: kDirectoryNotFound,
// kNotADirectory, kDirectoryUnreadable, kDiskFailed; kNotAllowed: not root;
// kFilesystemUnsupported: not an ext4crypt volume; kFilesystemReadOnly; kInterrupted.
[[nodiscard]] absl::StatusOr<AdoptOutcome> Adopt(const std::string& dir,
                                                 const AdoptOptions& options);

// Why the kernel refuses, in words.
[[nodiscard]] std::string AdoptRefusal(int error);

}  // namespace ext4crypt
