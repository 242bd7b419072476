// SPDX-License-Identifier: Apache-2.0
// What can be wrong with a volume: one stable list for refusals (carried in absl::Status) and for
// findings (one per file and byte range). Tests and --json use the names, never the wording.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace ext4crypt::volume {

enum class Reason : uint8_t {
  kNone,
  // Refusals: nothing can be said about the volume, or the request makes no sense.
  kInternal,
  kInvalidRequest,
  kCannotOpen,
  kNotExt4,
  kNeedsRecovery,
  kJournalMalformed,
  kVolumeInUse,
  kBlockSizeUnsupported,
  kFeatureUnsupported,
  kSuperblockMalformed,
  kNotFound,
  kNotADirectory,
  kDestinationUnusable,
  kKeyFileUnusable,
  kExportUnusable,
  kCredentialUnusable,
  kWrongCredential,
  kStateUnusable,
  // Keys.
  kKeyMissing,
  kModeUnsupported,
  // Authentication: a page or a group that must not be believed.
  kPageNotAuthentic,
  kSealNotAuthentic,
  kWrittenWithoutSlot,
  kWrittenWithoutGroup,
  kSlotOverHole,
  kSlotOverUnwritten,
  kSlotStateUnknown,
  kSlotNotZero,
  kSealNotNewest,
  kTagBlockMissing,
  kTailMalformed,
  kNonceReused,
  kPageUnreadable,
  kGroupUnreadable,
  kTagExtentWritten,
  kContextMissing,
  kContextMalformed,
  kContextUnsupported,
  kPolicyMismatch,
  kDowngraded,
  kNotEncrypted,
  kAttributeMisplaced,
  kStateNotAllowed,
  kSizeNotBiased,
  kFileTooLarge,
  kHeadNotAuthentic,
  kPlaceNotAuthentic,
  kDeviceRefused,
  kNotProvedNewest,
  kWrittenPastEnd,
  kReservedBlocksMapped,
  // Structure: faults that by themselves make no page unauthentic.
  kVolumeTruncated,
  kSuperblockChecksum,
  kInodeChecksum,
  kInodeUnreadable,
  kExtentTreeMalformed,
  kExtentOutsideVolume,
  kExtentChecksum,
  kExtentsExceedVolume,
  kBlockClaimedTwice,
  kNotMappedByExtents,
  kXattrMalformed,
  kDirectoryMalformed,
  kDirectoryChecksum,
  kNameMalformed,
  kSymlinkMalformed,
  kEntryDangling,
  kDirectoryLoop,
  kUnreachable,
  kTooManyFindings,
  kLast = kTooManyFindings,
};

enum class Severity : uint8_t { kRefusal, kKey, kAuthentication, kStructure };

// Lower case with underscores: "page_not_authentic".
[[nodiscard]] absl::string_view ReasonName(Reason reason);
// One short sentence for people.
[[nodiscard]] absl::string_view ReasonText(Reason reason);
[[nodiscard]] Severity SeverityOf(Reason reason);

[[nodiscard]] absl::Status Fail(Reason reason, absl::string_view detail);
// kInternal for a status that is not ours, kNone for an OK one.
[[nodiscard]] Reason ReasonOf(const absl::Status& status);

}  // namespace ext4crypt::volume
