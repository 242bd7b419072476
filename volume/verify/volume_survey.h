// SPDX-License-Identifier: Apache-2.0
// Goes over a whole volume: each directory, each inode once, each page and group of each
// authenticated file. inspect is a survey without keys, verify one with them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "volume/ext4/image.h"
#include "volume/format/file_keys.h"
#include "volume/format/node.h"
#include "volume/verify/checkpoint.h"
#include "volume/verify/file_scan.h"

namespace ext4crypt::volume {

using Policy = std::array<uint8_t, 24>;  // a context without its nonce

struct PolicyTotals {
  std::string first_directory;  // where the survey met the policy
  // The uppermost directories with the policy: everything below has it from there.
  uint64_t root_count = 0;
  std::vector<std::string> roots;  // the first ones
  uint64_t directories = 0;
  uint64_t files = 0;
  uint64_t symlinks = 0;
  uint64_t bytes = 0;  // sum of the sizes of the files
  uint64_t written_pages = 0;
  uint64_t tag_blocks = 0;
  bool key_given = false;
};

struct SurveyTotals : FindingCounts {
  uint64_t plain_files = 0;
  uint64_t plain_bytes = 0;
  uint64_t directories = 0;
  // Unencrypted directories where each user's own default key is used; the first ones by path.
  uint64_t per_user_count = 0;
  std::vector<std::string> per_user_paths;
  std::map<Policy, PolicyTotals> policies;
  ScanCounts counts;
};

struct SurveyOptions {
  unsigned threads = 1;
  // Called for each finding, one at a time.
  std::function<void(const Finding&)> on_finding;
  // What an earlier run has done, and where this one writes what it does; may be nullptr.
  Checkpoint* checkpoint = nullptr;
  // Called now and then with the pages done so far, from any thread.
  std::function<void(uint64_t pages_done)> on_progress;
};

class Survey {
 public:
  // All outlive the survey.
  Survey(const Image& image, const KeyRing& keys, const SurveyOptions& options);
  ~Survey();
  void Run();
  [[nodiscard]] const SurveyTotals& totals() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ext4crypt::volume
