// SPDX-License-Identifier: Apache-2.0
// Whether an inode may stand in its directory under its name: docs/on-disk-format.md section 7.
#pragma once

#include <string>

#include "absl/types/span.h"
#include "volume/format/file_keys.h"
#include "volume/format/node.h"

namespace ext4crypt::volume {

class EntryChecker {
 public:
  // Both outlive it. Without the key of the directory places are not asked for.
  EntryChecker(const Node& directory, const KeyRing& keys);

  struct Verdict {
    // kNone, kPlaceNotAuthentic, kDeviceRefused, or one of ComparePolicies().
    Reason reason = Reason::kNone;
    std::string detail;
  };
  // `name`: as it stands in the entry. A fault of the inode by itself is not judged here.
  [[nodiscard]] Verdict Check(const Node& child, absl::Span<const uint8_t> name) const;

 private:
  const Node& directory_;
  FileKeys keys_;
};

}  // namespace ext4crypt::volume
