// SPDX-License-Identifier: Apache-2.0
// What the exit status of a volume command means.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "volume/reason.h"

namespace ext4crypt::volume {

enum ExitCode : int {
  kExitClean = 0,
  kExitError = 1,          // could not be done: the request, the destination, this program
  kExitUsage = 2,          // the command line is wrong
  kExitNotAuthentic = 3,   // pages, groups or contexts that must not be believed
  kExitStructure = 4,      // structural faults only
  kExitVolumeRefused = 5,  // not examined: no ext4, mounted, damaged journal, unknown feature
  kExitKeyMissing = 6,     // nothing wrong found, but some contents could not be checked
};

inline constexpr char kExitCodeHelp[] =
    "Exit status: 0 clean; 1 error; 2 wrong command line; 3 contents that are not authentic; "
    "4 structural faults only; 5 the volume cannot be examined as it is; 6 nothing wrong found, "
    "but a key is missing.";

[[nodiscard]] inline ExitCode ExitCodeOf(const absl::Status& status) {
  switch (ReasonOf(status)) {
    case Reason::kNone:
      return kExitClean;
    case Reason::kNotExt4:
    case Reason::kNeedsRecovery:
    case Reason::kJournalMalformed:
    case Reason::kVolumeInUse:
    case Reason::kBlockSizeUnsupported:
    case Reason::kFeatureUnsupported:
    case Reason::kSuperblockMalformed:
      return kExitVolumeRefused;
    case Reason::kKeyMissing:
    case Reason::kModeUnsupported:
      return kExitKeyMissing;
    default:
      return kExitError;
  }
}

// Of a finished examination, from the number of findings of each kind.
[[nodiscard]] inline ExitCode ExitCodeOf(uint64_t authentication, uint64_t structure,
                                         uint64_t key) {
  if (authentication != 0) return kExitNotAuthentic;
  if (structure != 0) return kExitStructure;
  return key != 0 ? kExitKeyMissing : kExitClean;
}

}  // namespace ext4crypt::volume
