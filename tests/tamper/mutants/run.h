// SPDX-License-Identifier: Apache-2.0
// Mutants one after the other: mounted and walked by the kernel, or given to the offline reader.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "world.h"

namespace tamper {

struct Plan {
  uint64_t first = 1, count = 0;  // seeds
  std::string device, mount, fstype;
};

// In a guest: each mutant of `base` is written to the device, mounted, walked in a process of its own within a
// time limit, and unmounted. Stops at the first one that hangs or shows false contents. 0, or 1 after saying why.
int RunMounted(const std::vector<uint8_t>& base, const Truths& truths, const Plan& plan);

// `tool` inspects, verifies, extracts and salvages each mutant, within limits of time and memory. Each fault has its
// place in the report. The image is plan.device, a file; beside it is what was extracted.
int RunOffline(const std::vector<uint8_t>& base, const std::string& tool, const std::string& key_file, const Plan& plan);

[[nodiscard]] std::vector<uint8_t> ReadAll(const std::string& path);
// The device holds `bytes` when this returns, and no cache of it anything else.
void WriteDevice(const std::string& path, std::span<const uint8_t> bytes);

}  // namespace tamper
