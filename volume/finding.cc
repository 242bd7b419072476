// SPDX-License-Identifier: Apache-2.0
#include "volume/finding.h"

#include "volume/ext4/bytes.h"

namespace ext4crypt::volume {

void FindingCounts::Count(Reason reason) {
  switch (SeverityOf(reason)) {
    case Severity::kAuthentication:
      ++authentication_findings;
      break;
    case Severity::kKey:
      ++key_findings;
      break;
    default:
      ++structure_findings;
  }
}

void FindingList::AddPages(Reason reason, uint64_t first, uint64_t count,
                           absl::string_view detail) {
  AddBytes(reason, first * E4C_BLOCK_SIZE, count * E4C_BLOCK_SIZE, detail);
}

void FindingList::AddBytes(Reason reason, uint64_t first, uint64_t count,
                           absl::string_view detail) {
  size_t& last = last_[static_cast<size_t>(reason)];
  if (last != kNowhere) {
    Finding& before = findings_[last];
    if (before.byte_count != 0 && before.first_byte + before.byte_count == first &&
        before.detail == detail) {
      before.byte_count += count;
      return;
    }
  }
  if (findings_.size() >= kLimit) {
    if (findings_.back().reason != Reason::kTooManyFindings) {
      findings_.push_back({.reason = Reason::kTooManyFindings, .inode = inode_});
    }
    return;
  }
  last = findings_.size();
  findings_.push_back({.reason = reason,
                       .inode = inode_,
                       .first_byte = first,
                       .byte_count = count,
                       .detail = std::string(detail)});
}

void FindingList::AddAll(const std::vector<Finding>& findings) {
  for (const Finding& f : findings) AddBytes(f.reason, f.first_byte, f.byte_count, f.detail);
}

}  // namespace ext4crypt::volume
