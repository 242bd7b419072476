// SPDX-License-Identifier: Apache-2.0
// The journal of an ext4 file system (jbd2), read without trusting any of its fields: what a replay
// would write, as places, so that nothing has to be written.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "volume/ext4/block_source.h"
#include "volume/ext4/image.h"

namespace ext4crypt::volume {

struct JournalReplay {
  uint32_t transactions = 0;
  std::vector<OverlaySource::Patch> patches;
  // Why the last transaction in the log does not count, if that is more than its absence.
  std::string remark;
};

// `image` is open and as it stands on the disk. What counts are the transactions whose commit
// records are there, as for the kernel and e2fsck; memory is bounded by the size of the journal.
// Errors: kNeedsRecovery (a journal this program cannot replay), kJournalMalformed.
[[nodiscard]] absl::StatusOr<JournalReplay> ReadJournal(const Image& image);

}  // namespace ext4crypt::volume
