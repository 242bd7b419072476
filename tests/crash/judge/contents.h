// SPDX-License-Identifier: Apache-2.0
// Compares a file of an image with what a crash may have left of it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/crash/model/model.h"

namespace crash {

struct FileOnDisk {
  bool exists = false;
  uint64_t size = 0;
  std::map<uint64_t, Page> pages;   // those that are not holes
  std::vector<std::string> faults;  // pages and groups that are not authentic
};

// What is wrong if `file` was `generation`, at most a few lines; empty: nothing.
[[nodiscard]] std::vector<std::string> Compare(const FileOnDisk& file, const Generation& generation,
                                               int64_t started);

}  // namespace crash
