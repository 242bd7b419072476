// SPDX-License-Identifier: Apache-2.0
#include "volume/reason.h"

#include <array>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace ext4crypt::volume {
namespace {

constexpr char kPayloadUrl[] = "ext4crypt/volume-reason";

struct Row {
  Reason reason;
  Severity severity;
  const char* name;
  const char* text;
};

using R = Reason;
using S = Severity;

constexpr std::array<Row, static_cast<size_t>(Reason::kLast) + 1> kRows = {{
    {R::kNone, S::kRefusal, "none", "nothing is wrong"},
    {R::kInternal, S::kRefusal, "internal", "a fault of this program"},
    {R::kInvalidRequest, S::kRefusal, "invalid_request", "the request makes no sense"},
    {R::kCannotOpen, S::kRefusal, "cannot_open", "the image or device cannot be read"},
    {R::kNotExt4, S::kRefusal, "not_ext4", "this is not an ext4 file system"},
    {R::kNeedsRecovery, S::kRefusal, "needs_recovery",
     "the journal holds changes that cannot be replayed in memory"},
    {R::kJournalMalformed, S::kRefusal, "journal_malformed",
     "the journal has to be replayed and is damaged"},
    {R::kVolumeInUse, S::kRefusal, "volume_in_use",
     "the volume is mounted and changes while it is read"},
    {R::kBlockSizeUnsupported, S::kRefusal, "block_size_unsupported",
     "the block size is not 4096 bytes"},
    {R::kFeatureUnsupported, S::kRefusal, "feature_unsupported",
     "the file system uses a feature this program does not know"},
    {R::kSuperblockMalformed, S::kRefusal, "superblock_malformed", "the superblock makes no sense"},
    {R::kNotFound, S::kRefusal, "not_found", "there is no such file in the volume"},
    {R::kNotADirectory, S::kRefusal, "not_a_directory", "a part of the path is not a directory"},
    {R::kDestinationUnusable, S::kRefusal, "destination_unusable",
     "the destination cannot be written"},
    {R::kKeyFileUnusable, S::kRefusal, "key_file_unusable",
     "the key file or the file of a master key cannot be used"},
    {R::kExportUnusable, S::kRefusal, "export_unusable", "the export cannot be used"},
    {R::kCredentialUnusable, S::kRefusal, "credential_unusable",
     "the passphrase, recovery code or key file cannot be used"},
    {R::kWrongCredential, S::kRefusal, "wrong_credential",
     "the passphrase, recovery code or key file is not one of these keys"},
    {R::kStateUnusable, S::kRefusal, "state_unusable",
     "the saved progress does not belong to this volume"},
    {R::kKeyMissing, S::kKey, "key_missing", "no given key has this identifier"},
    {R::kModeUnsupported, S::kKey, "mode_unsupported",
     "this program does not know this encryption mode"},
    {R::kPageNotAuthentic, S::kAuthentication, "page_not_authentic",
     "the contents do not match their tag"},
    {R::kSealNotAuthentic, S::kAuthentication, "seal_not_authentic",
     "the seal of the tag block does not match"},
    {R::kWrittenWithoutSlot, S::kAuthentication, "written_without_slot",
     "written blocks have no tag"},
    {R::kWrittenWithoutGroup, S::kAuthentication, "written_without_group",
     "written blocks have no tag block"},
    {R::kSlotOverHole, S::kAuthentication, "slot_over_hole",
     "a tag stands where nothing is mapped"},
    {R::kSlotOverUnwritten, S::kAuthentication, "slot_over_unwritten",
     "a tag stands where the block is not written"},
    {R::kSlotStateUnknown, S::kAuthentication, "slot_state_unknown",
     "a slot or seal has an info value that is not allowed"},
    {R::kSlotNotZero, S::kAuthentication, "slot_not_zero",
     "a slot without a page or block is not zero"},
    {R::kSealNotNewest, S::kAuthentication, "seal_not_newest",
     "the tag block is not the one that the block above names"},
    {R::kTagBlockMissing, S::kAuthentication, "tag_block_missing",
     "a tag block that exists is not mapped"},
    {R::kTailMalformed, S::kAuthentication, "tail_malformed",
     "the last block cannot hold the slots of the file"},
    {R::kNonceReused, S::kAuthentication, "nonce_reused", "a nonce stands in two slots"},
    {R::kPageUnreadable, S::kAuthentication, "page_unreadable", "the blocks cannot be read"},
    {R::kGroupUnreadable, S::kAuthentication, "group_unreadable", "the tag block cannot be read"},
    {R::kTagExtentWritten, S::kAuthentication, "tag_extent_written",
     "a tag block stands in a written extent"},
    {R::kContextMissing, S::kAuthentication, "context_missing",
     "the inode is marked encrypted and has no encryption context"},
    {R::kContextMalformed, S::kAuthentication, "context_malformed",
     "the encryption context makes no sense"},
    {R::kContextUnsupported, S::kAuthentication, "context_unsupported",
     "the encryption context has a value this version refuses"},
    {R::kPolicyMismatch, S::kAuthentication, "policy_mismatch",
     "the policy differs from that of the directory"},
    {R::kDowngraded, S::kAuthentication, "downgraded",
     "an authenticated file was made to look unauthenticated"},
    {R::kNotEncrypted, S::kAuthentication, "not_encrypted",
     "an unencrypted file stands in an encrypted directory"},
    {R::kAttributeMisplaced, S::kAuthentication, "attribute_misplaced",
     "the encryption attribute is not where it has to stand in the inode"},
    {R::kStateNotAllowed, S::kAuthentication, "state_not_allowed",
     "the state of the file is not an allowed one"},
    {R::kSizeNotBiased, S::kAuthentication, "size_not_biased",
     "the size is smaller than that of any authenticated file"},
    {R::kFileTooLarge, S::kAuthentication, "file_too_large",
     "the size is larger than an authenticated file can be"},
    {R::kHeadNotAuthentic, S::kAuthentication, "head_not_authentic",
     "size, form or newest tags are not what was last written with the key"},
    {R::kPlaceNotAuthentic, S::kAuthentication, "place_not_authentic",
     "the directory means another inode by this name"},
    {R::kDeviceRefused, S::kAuthentication, "device_refused",
     "a device stands in an encrypted directory"},
    {R::kNotProvedNewest, S::kAuthentication, "not_proved_newest",
     "kept by its own tag alone: nothing says that it is the newest"},
    {R::kWrittenPastEnd, S::kAuthentication, "written_past_end",
     "blocks past the end of the file are written"},
    {R::kReservedBlocksMapped, S::kAuthentication, "reserved_blocks_mapped",
     "blocks of the reserved area are mapped"},
    {R::kVolumeTruncated, S::kStructure, "volume_truncated",
     "the image is shorter than the file system in it"},
    {R::kSuperblockChecksum, S::kStructure, "superblock_checksum",
     "the checksum of the superblock is wrong"},
    {R::kInodeChecksum, S::kStructure, "inode_checksum", "the checksum of the inode is wrong"},
    {R::kInodeUnreadable, S::kStructure, "inode_unreadable", "the inode cannot be read"},
    {R::kExtentTreeMalformed, S::kStructure, "extent_tree_malformed",
     "the extent tree makes no sense"},
    {R::kExtentOutsideVolume, S::kStructure, "extent_outside_volume",
     "an extent points outside the file system"},
    {R::kExtentChecksum, S::kStructure, "extent_checksum",
     "the checksum of an extent block is wrong"},
    {R::kExtentsExceedVolume, S::kStructure, "extents_exceed_volume",
     "the file maps more blocks than the file system has"},
    {R::kBlockClaimedTwice, S::kStructure, "block_claimed_twice",
     "blocks belong to more than one place"},
    {R::kNotMappedByExtents, S::kStructure, "not_mapped_by_extents",
     "the file is not mapped by extents"},
    {R::kXattrMalformed, S::kStructure, "xattr_malformed", "the extended attributes make no sense"},
    {R::kDirectoryMalformed, S::kStructure, "directory_malformed", "the directory makes no sense"},
    {R::kDirectoryChecksum, S::kStructure, "directory_checksum",
     "the checksum of a block of names is wrong"},
    {R::kNameMalformed, S::kStructure, "name_malformed", "the name does not decrypt to a name"},
    {R::kSymlinkMalformed, S::kStructure, "symlink_malformed",
     "the symbolic link does not decrypt to a path"},
    {R::kEntryDangling, S::kStructure, "entry_dangling", "the name leads to an inode not in use"},
    {R::kDirectoryLoop, S::kStructure, "directory_loop", "the directory has more than one name"},
    {R::kUnreachable, S::kStructure, "unreachable", "no name leads to the inode"},
    {R::kTooManyFindings, S::kStructure, "too_many_findings",
     "further faults of this file are not listed"},
}};

constexpr bool RowsAreInOrder() {
  for (size_t i = 0; i < kRows.size(); ++i) {
    if (static_cast<size_t>(kRows[i].reason) != i) return false;
  }
  return true;
}
static_assert(RowsAreInOrder());

const Row& RowOf(Reason reason) {
  const auto i = static_cast<size_t>(reason);
  return kRows[i < kRows.size() ? i : static_cast<size_t>(Reason::kInternal)];
}

}  // namespace

absl::string_view ReasonName(Reason reason) { return RowOf(reason).name; }
absl::string_view ReasonText(Reason reason) { return RowOf(reason).text; }
Severity SeverityOf(Reason reason) { return RowOf(reason).severity; }

absl::Status Fail(Reason reason, absl::string_view detail) {
  absl::Status status(absl::StatusCode::kFailedPrecondition, detail);
  status.SetPayload(kPayloadUrl, absl::Cord(std::string(1, static_cast<char>(reason))));
  return status;
}

Reason ReasonOf(const absl::Status& status) {
  if (status.ok()) return Reason::kNone;
  const auto payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value() || payload->size() != 1) return Reason::kInternal;
  const auto value = static_cast<uint8_t>((*payload)[0]);
  if (value > static_cast<uint8_t>(Reason::kLast)) return Reason::kInternal;
  return static_cast<Reason>(value);
}

}  // namespace ext4crypt::volume
