// SPDX-License-Identifier: Apache-2.0
// Judges one repaired image: every page and seal authenticates, and every byte is what the workload
// allows.
#pragma once

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "session.h"

namespace crash {

struct Verdict {
  std::vector<std::string> authentication;  // findings of the offline reader
  std::vector<std::string> contents;        // files that are not what they may be
  uint64_t pages = 0;                       // judged
};

// `started` as Session::Started(). `scratch`: a directory for a database.
[[nodiscard]] Verdict Judge(absl::Span<const uint8_t> image, const Session& session,
                            const std::vector<int64_t>& started, const std::string& scratch);

}  // namespace crash
