// SPDX-License-Identifier: Apache-2.0
#include "volume/ext4/journal.h"

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "volume/ext4/extents.h"

namespace ext4crypt::volume {
namespace {

// The names and numbers of include/linux/jbd2.h. All fields are big-endian.
constexpr uint32_t kJournalMagic = 0xC03B3998;
enum BlockType : uint32_t { kDescriptor = 1, kCommit = 2, kSuperV1 = 3, kSuperV2 = 4, kRevoke = 5 };
constexpr uint32_t kCompatChecksum = 1;
constexpr uint32_t kIncompat64Bit = 2;
constexpr uint32_t kIncompatCsumV2 = 8;
constexpr uint32_t kIncompatCsumV3 = 16;
constexpr uint32_t kIncompatFastCommit = 32;
constexpr uint32_t kJournalIncompatKnown = 63;
constexpr uint32_t kFlagEscape = 1;
constexpr uint32_t kFlagSameUuid = 2;
constexpr uint32_t kFlagLastTag = 8;
constexpr size_t kHeader = 12;  // magic, type, sequence
constexpr size_t kTail = 4;     // the checksum of descriptor and revoke blocks
constexpr size_t kUuid = 16;
constexpr size_t kRevokeHeader = 16;
constexpr uint32_t kDefaultFastCommitBlocks = 256;
constexpr uint16_t kFastCommitHead = 9;

// Sequence numbers wrap.
bool NotBefore(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) >= 0; }

uint32_t Crc32c(uint32_t crc, absl::Span<const uint8_t> bytes) {
  return ext2fs_crc32c_le(crc, bytes.data(), bytes.size());
}

absl::Status Malformed(const std::string& detail) {
  return Fail(Reason::kJournalMalformed, detail);
}

class Log {
 public:
  explicit Log(const Image& image) : image_(image) {}

  absl::Status Open();
  [[nodiscard]] bool IsClean() const { return start_ == 0; }
  // Finds the transactions that count: [sequence_, end_).
  absl::Status Scan(std::string& remark);
  // The last copy of each block in them.
  absl::Status Collect();
  absl::Status DropRevoked();
  absl::Status Finish(JournalReplay& replay);

 private:
  struct Copy {
    uint32_t sequence = 0;
    uint32_t at = 0;  // block of the log
    uint32_t checksum = 0;
    bool escaped = false;
  };
  struct Tag {
    uint64_t block = 0;
    uint32_t flags = 0;
    uint32_t checksum = 0;
  };
  using Visitor =
      std::function<absl::Status(uint32_t type, uint32_t sequence, uint32_t next, const Block&)>;

  [[nodiscard]] absl::Status Read(uint32_t at, Block& block) const;
  [[nodiscard]] absl::Status CheckFastCommits() const;
  [[nodiscard]] uint32_t Next(uint32_t at, uint32_t count = 1) const {
    return first_ + (at - first_ + count) % (last_ - first_);
  }
  [[nodiscard]] bool HasTail() const { return csum_v2_ || csum_v3_; }
  [[nodiscard]] bool TailMatches(const Block& block) const;
  [[nodiscard]] bool CommitMatches(const Block& block, uint32_t sum) const;
  [[nodiscard]] std::vector<Tag> TagsOf(const Block& block) const;
  absl::Status Walk(const Visitor& visit) const;

  const Image& image_;
  std::vector<Extent> extents_;
  uint32_t first_ = 0;  // the log is the blocks [first_, last_) of the journal, as a ring
  uint32_t last_ = 0;
  uint32_t start_ = 0;
  uint32_t sequence_ = 0;
  uint32_t end_ = 0;
  uint32_t seed_ = 0;
  size_t tag_bytes_ = 0;
  bool wide_ = false;
  bool csum_v1_ = false;
  bool csum_v2_ = false;
  bool csum_v3_ = false;
  std::unordered_map<uint64_t, Copy> copies_;
};

absl::Status Log::Read(uint32_t at, Block& block) const {
  const Extent* extent = FindExtent(extents_, at);
  if (extent == nullptr ||
      !image_.ReadBlocks(extent->physical + (at - extent->logical), absl::MakeSpan(block)).ok()) {
    return Malformed(absl::StrCat("block ", at, " of the journal cannot be read"));
  }
  return absl::OkStatus();
}

absl::Status Log::Open() {
  const ext2_super_block* super = image_.fs()->super;
  if (super->s_journal_inum == 0 || super->s_journal_dev != 0) {
    return Fail(Reason::kNeedsRecovery, "the journal is on another device");
  }
  ASSIGN_OR_RETURN(const Inode inode, image_.ReadInode(super->s_journal_inum));
  ExtentTree tree = ReadExtents(image_, inode);
  if ((inode.flags & EXT4_EXTENTS_FL) == 0) {
    return Fail(Reason::kNeedsRecovery, "the journal is not mapped by extents");
  }
  if (!inode.IsRegular() || !tree.complete) return Malformed("the inode of the journal");
  extents_ = std::move(tree.extents);
  Block raw;
  RETURN_IF_ERROR(Read(0, raw));
  const uint32_t type = Be32(&raw[4]);
  if (Be32(raw.data()) != kJournalMagic || (type != kSuperV1 && type != kSuperV2) ||
      Be32(&raw[12]) != kBlockSize) {
    return Malformed("the superblock of the journal");
  }
  const uint32_t compat = type == kSuperV2 ? Be32(&raw[0x24]) : 0;
  const uint32_t incompat = type == kSuperV2 ? Be32(&raw[0x28]) : 0;
  if ((incompat & ~kJournalIncompatKnown) != 0) {
    return Fail(Reason::kNeedsRecovery,
                absl::StrCat("unknown features 0x", absl::Hex(incompat & ~kJournalIncompatKnown),
                             " of the journal"));
  }
  csum_v1_ = (compat & kCompatChecksum) != 0;
  csum_v2_ = (incompat & kIncompatCsumV2) != 0;
  csum_v3_ = (incompat & kIncompatCsumV3) != 0;
  wide_ = (incompat & kIncompat64Bit) != 0;
  if (csum_v2_ && csum_v3_) return Malformed("two versions of checksums at once");
  tag_bytes_ = csum_v3_ ? 16 : size_t{8} + (csum_v2_ ? 2 : 0) + (wide_ ? 4 : 0);
  seed_ = Crc32c(~0u, absl::MakeConstSpan(raw).subspan(0x30, kUuid));
  if (HasTail()) {
    const uint32_t found = Be32(&raw[0xFC]);
    std::fill_n(raw.begin() + 0xFC, 4, uint8_t{0});
    if (Crc32c(~0u, absl::MakeConstSpan(raw).first(1024)) != found) {
      return Malformed("the checksum of its superblock");
    }
  }
  uint64_t end = Be32(&raw[16]);
  if ((incompat & kIncompatFastCommit) != 0) {
    const uint32_t blocks = Be32(&raw[0x54]);
    end -= std::min<uint64_t>(end, blocks != 0 ? blocks : kDefaultFastCommitBlocks);
  }
  first_ = Be32(&raw[20]);
  sequence_ = Be32(&raw[24]);
  start_ = Be32(&raw[28]);
  last_ = static_cast<uint32_t>(end);
  if (first_ == 0 || last_ <= first_ || Be32(&raw[16]) > inode.size / kBlockSize ||
      (start_ != 0 && (start_ < first_ || start_ >= last_))) {
    return Malformed("the superblock of the journal names blocks that it does not have");
  }
  return absl::OkStatus();
}

// A descriptor or revoke block ends with its checksum.
bool Log::TailMatches(const Block& block) const {
  if (!HasTail()) return true;
  Block copy = block;
  std::fill(copy.end() - kTail, copy.end(), uint8_t{0});
  return Crc32c(seed_, copy) == Be32(&block[kBlockSize - kTail]);
}

// `sum` is what version 1 adds up over the descriptors and their blocks.
bool Log::CommitMatches(const Block& block, uint32_t sum) const {
  constexpr size_t kChecksum = 16;
  constexpr size_t kCommitHeader = 64;
  const uint32_t found = Be32(&block[kChecksum]);
  if (csum_v1_) {
    const bool unused = block[12] == 0 && block[13] == 0 && found == 0;
    return unused || (block[12] == 1 && block[13] == 4 && found == sum);
  }
  if (!HasTail()) return true;
  Block copy = block;
  std::fill_n(copy.begin() + kChecksum, 4, uint8_t{0});
  if (Crc32c(seed_, copy) == found) return true;
  // Sectors after the first do not matter: they are zero in a whole commit record.
  std::fill(copy.begin() + kCommitHeader, copy.end(), uint8_t{0});
  return Crc32c(seed_, copy) == found;
}

std::vector<Log::Tag> Log::TagsOf(const Block& block) const {
  std::vector<Tag> tags;
  const size_t end = kBlockSize - (HasTail() ? kTail : 0);
  for (size_t at = kHeader; at + tag_bytes_ <= end;) {
    const uint8_t* raw = &block[at];
    Tag tag = {.block = Be32(raw), .flags = Be16(raw + 6)};
    if (csum_v3_) {
      tag.checksum = Be32(raw + 12);
    } else if (csum_v2_) {
      tag.checksum = Be16(raw + 4);
    }
    if (wide_) tag.block |= static_cast<uint64_t>(Be32(raw + 8)) << 32;
    tags.push_back(tag);
    at += tag_bytes_ + ((tag.flags & kFlagSameUuid) != 0 ? 0 : kUuid);
    if ((tag.flags & kFlagLastTag) != 0) break;
  }
  return tags;
}

absl::Status Log::Scan(std::string& remark) {
  // A block whose checksum is wrong may be a leftover of an older round of the log: the times of
  // the commit records tell (jbd2 does the same).
  bool doubtful = false;
  uint64_t last_time = 0;
  uint32_t sum = ~0u;
  uint64_t passed = 0;
  uint32_t at = start_;
  end_ = sequence_;
  while (true) {
    Block block;
    RETURN_IF_ERROR(Read(at, block));
    if (Be32(block.data()) != kJournalMagic || Be32(&block[8]) != end_) break;
    at = Next(at);
    uint32_t count = 0;
    const uint32_t type = Be32(&block[4]);
    if (type == kDescriptor) {
      doubtful = doubtful || !TailMatches(block);
      count = static_cast<uint32_t>(TagsOf(block).size());
      if (csum_v1_) sum = ext2fs_crc32_be(sum, block.data(), block.size());
      for (uint32_t i = 0; csum_v1_ && i < count; ++i) {
        RETURN_IF_ERROR(Read(Next(at, i), block));
        sum = ext2fs_crc32_be(sum, block.data(), block.size());
      }
      at = Next(at, count);
    } else if (type == kRevoke) {
      doubtful = doubtful || !TailMatches(block);
    } else if (type == kCommit) {
      const uint64_t time = Be64(&block[48]);
      if (doubtful || !CommitMatches(block, sum)) {
        if (time < last_time) break;
        const std::string which = absl::StrCat("transaction ", end_);
        if (doubtful) return Malformed(absl::StrCat("a checksum in ", which, " is wrong"));
        remark = absl::StrCat("the commit record of ", which, " is damaged: left out");
        break;
      }
      last_time = time;
      sum = ~0u;
      ++end_;
    } else {
      break;
    }
    passed += uint64_t{1} + count;
    if (passed > last_ - first_) {
      if (doubtful) break;
      return Malformed("the log runs into its own beginning");
    }
  }
  return CheckFastCommits();
}

// Our kernel component makes none, but the same volume may have been mounted by another one.
absl::Status Log::CheckFastCommits() const {
  Block block;
  if (FindExtent(extents_, last_) == nullptr || !Read(last_, block).ok()) return absl::OkStatus();
  // Tag 16 bits, length 16 bits, features 32 bits, transaction 32 bits; little-endian, unlike all
  // else.
  if (Le16(block.data()) != kFastCommitHead || Le32(&block[8]) != end_) return absl::OkStatus();
  return Fail(Reason::kNeedsRecovery, "it holds fast commits");
}

// Over the transactions that count; Scan() has been there and found an end.
absl::Status Log::Walk(const Visitor& visit) const {
  uint32_t at = start_;
  uint64_t passed = 0;
  for (uint32_t sequence = sequence_; sequence != end_;) {
    Block block;
    RETURN_IF_ERROR(Read(at, block));
    const uint32_t type = Be32(&block[4]);
    if (Be32(block.data()) != kJournalMagic || Be32(&block[8]) != sequence || ++passed > last_) {
      return Malformed("the log changes while it is read");
    }
    at = Next(at);
    if (type == kCommit) ++sequence;
    RETURN_IF_ERROR(visit(type, sequence, at, block));
    if (type == kDescriptor) at = Next(at, static_cast<uint32_t>(TagsOf(block).size()));
  }
  return absl::OkStatus();
}

absl::Status Log::Collect() {
  return Walk([this](uint32_t type, uint32_t sequence, uint32_t next, const Block& block) {
    if (type != kDescriptor) return absl::OkStatus();
    for (const Tag& tag : TagsOf(block)) {
      if (tag.block >= image_.block_count()) {
        return Malformed(absl::StrCat("transaction ", sequence, " writes block ", tag.block));
      }
      copies_[tag.block] = {.sequence = sequence,
                            .at = next,
                            .checksum = tag.checksum,
                            .escaped = (tag.flags & kFlagEscape) != 0};
      next = Next(next);
    }
    return absl::OkStatus();
  });
}

// A revoked block was freed: what the log has of it up to that transaction must not be written. The
// records themselves are not kept, or a hostile journal would fill the memory with them.
absl::Status Log::DropRevoked() {
  return Walk([this](uint32_t type, uint32_t sequence, uint32_t, const Block& block) {
    if (type != kRevoke) return absl::OkStatus();
    const size_t used = Be32(&block[kHeader]);
    const size_t record = wide_ ? 8 : 4;
    if (used < kRevokeHeader || used > kBlockSize - (HasTail() ? kTail : 0)) {
      return Malformed(absl::StrCat("a revoke record of transaction ", sequence));
    }
    for (size_t at = kRevokeHeader; at + record <= used; at += record) {
      const auto it = copies_.find(wide_ ? Be64(&block[at]) : Be32(&block[at]));
      if (it != copies_.end() && NotBefore(sequence, it->second.sequence)) copies_.erase(it);
    }
    return absl::OkStatus();
  });
}

absl::Status Log::Finish(JournalReplay& replay) {
  replay.transactions = end_ - sequence_;
  for (const auto& [number, copy] : copies_) {
    const Extent* extent = FindExtent(extents_, copy.at);
    Block block;
    RETURN_IF_ERROR(Read(copy.at, block));
    const uint32_t sequence = htobe32(copy.sequence);
    const uint32_t sum = Crc32c(
        Crc32c(seed_, {reinterpret_cast<const uint8_t*>(&sequence), sizeof(sequence)}), block);
    if ((csum_v3_ && sum != copy.checksum) || (csum_v2_ && (sum & 0xFFFF) != copy.checksum)) {
      return Malformed(absl::StrCat("the checksum of block ", number, " in transaction ",
                                    copy.sequence, " is wrong"));
    }
    replay.patches.push_back({.block = number,
                              .by = extent->physical + (copy.at - extent->logical),
                              .escaped = copy.escaped});
  }
  std::sort(replay.patches.begin(), replay.patches.end(),
            [](const auto& a, const auto& b) { return a.block < b.block; });
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<JournalReplay> ReadJournal(const Image& image) {
  JournalReplay replay;
  Log log(image);
  RETURN_IF_ERROR(log.Open());
  if (log.IsClean()) return replay;
  RETURN_IF_ERROR(log.Scan(replay.remark));
  RETURN_IF_ERROR(log.Collect());
  RETURN_IF_ERROR(log.DropRevoked());
  RETURN_IF_ERROR(log.Finish(replay));
  return replay;
}

}  // namespace ext4crypt::volume
