// SPDX-License-Identifier: Apache-2.0
#include "volume/ext4/directory.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "volume/ext4/directory_checksum.h"
#include "volume/ext4/extents.h"
#include "volume/ext4/xattr.h"
#include "volume/finding.h"

namespace ext4crypt::volume {
namespace {

constexpr size_t kEntryHeader = 8;
constexpr uint8_t kHashVersionAtByte = 28;  // in the first block of an indexed directory
constexpr uint8_t kUnsignedOffset = 3;      // from a hash version to its unsigned twin
constexpr uint8_t kLastSignedVersion = EXT2_HASH_TEA;

// The kernel goes through the index, and so through the hash, for indexed directories and for
// those of one block; it lists all others in order and takes 0 for the hash.
class Hasher {
 public:
  Hasher(const Image& image, const Inode& directory) : fs_(image.fs()) {
    stored_ = directory.IsEncrypted() && (directory.flags & EXT4_CASEFOLD_FL) != 0;
    hashed_ = ext2fs_has_feature_dir_index(fs_->super) != 0 &&
              ((directory.flags & EXT2_INDEX_FL) != 0 || directory.size == kBlockSize ||
               (directory.flags & EXT4_INLINE_DATA_FL) != 0);
    version_ = fs_->super->s_def_hash_version;
    indexed_ = (directory.flags & EXT2_INDEX_FL) != 0;
  }
  void FirstBlock(absl::Span<const uint8_t> block) {
    if (indexed_ && block.size() > kHashVersionAtByte) version_ = block[kHashVersionAtByte];
  }
  // `after` is what stands behind the name up to the end of the entry.
  void Hash(DirEntry& entry, absl::Span<const uint8_t> after) const {
    if (!hashed_) return;
    if (stored_) {
      const size_t pad = (~(kEntryHeader + entry.name.size()) + 1) & 3;
      if (after.size() < pad + 8) return;
      entry.hash = Le32(&after[pad]);
      entry.minor_hash = Le32(&after[pad + 4]);
      return;
    }
    int version = version_;
    if (version <= kLastSignedVersion && (fs_->super->s_flags & EXT2_FLAGS_UNSIGNED_HASH) != 0) {
      version += kUnsignedOffset;
    }
    ext2_dirhash_t hash = 0;
    ext2_dirhash_t minor = 0;
    if (ext2fs_dirhash(version, reinterpret_cast<const char*>(entry.name.data()),
                       static_cast<int>(entry.name.size()), fs_->super->s_hash_seed, &hash,
                       &minor) == 0) {
      entry.hash = hash;
      entry.minor_hash = minor;
    }
  }

 private:
  ext2_filsys fs_;
  bool stored_ = false;
  bool hashed_ = false;
  bool indexed_ = false;
  uint8_t version_ = 0;
};

enum class Walk { kGoOn, kStop, kMalformed };

Walk WalkBlock(absl::Span<const uint8_t> block, const Hasher& hasher,
               const std::function<bool(const DirEntry&)>& visit) {
  for (size_t at = 0; at + kEntryHeader <= block.size();) {
    const uint8_t* raw = &block[at];
    const size_t length = Le16(raw + 4);
    const size_t name_length = raw[6];
    if (length < kEntryHeader + 4 || length % 4 != 0 || length > block.size() - at ||
        kEntryHeader + name_length > length) {
      return Walk::kMalformed;
    }
    DirEntry entry = {.inode = Le32(raw), .name = {raw + kEntryHeader, name_length}};
    // Number 0: deleted, a node of the index, or the checksum at the end of the block.
    if (entry.inode != 0 && !entry.IsDot() && !entry.IsDotDot()) {
      if (name_length == 0) return Walk::kMalformed;
      hasher.Hash(entry, block.subspan(at + kEntryHeader + name_length,
                                       length - kEntryHeader - name_length));
      if (!visit(entry)) return Walk::kStop;
    }
    at += length;
  }
  return Walk::kGoOn;
}

// The first four bytes of an inline directory are the parent; entries follow, and more of them in
// an attribute.
void WalkInline(const Image& image, const Inode& directory, const Hasher& hasher,
                std::vector<Finding>& findings, const std::function<bool(const DirEntry&)>& visit) {
  Walk walk = WalkBlock(absl::MakeConstSpan(directory.map).subspan(4), hasher, visit);
  const auto xattrs = ReadXattrs(image, directory);
  const Xattr* more = xattrs.ok() ? FindXattr(*xattrs, kXattrIndexSystem, "data") : nullptr;
  if (walk == Walk::kGoOn && more != nullptr) walk = WalkBlock(more->value, hasher, visit);
  if (walk == Walk::kMalformed) {
    findings.push_back({.reason = Reason::kDirectoryMalformed, .inode = directory.number});
  }
}

void WalkBlocks(const Image& image, const Inode& directory, Hasher& hasher, FindingList& list,
                const std::function<bool(const DirEntry&)>& visit) {
  const ExtentTree tree = ReadExtents(image, directory);
  list.AddAll(tree.findings);
  const uint64_t blocks = (directory.size + kBlockSize - 1) / kBlockSize;
  Block block = {};
  for (const Extent& extent : tree.extents) {
    for (uint64_t i = 0; i < extent.length && extent.logical + i < blocks; ++i) {
      const uint64_t logical = extent.logical + i;
      if (extent.unwritten) {
        list.AddPages(Reason::kDirectoryMalformed, logical, 1, "the block is not written");
        continue;
      }
      if (!image.ReadBlocks(extent.physical + i, absl::MakeSpan(block)).ok()) {
        list.AddPages(Reason::kDirectoryMalformed, logical, 1, "the block cannot be read");
        continue;
      }
      if (logical == 0) hasher.FirstBlock(block);
      // Its names are read all the same: some may be whole.
      if (!DirectoryBlockIsAsWritten(image, directory, logical, block)) {
        list.AddPages(Reason::kDirectoryChecksum, logical, 1, "");
      }
      const Walk walk = WalkBlock(block, hasher, visit);
      if (walk == Walk::kStop) return;
      if (walk == Walk::kMalformed) {
        list.AddPages(Reason::kDirectoryMalformed, logical, 1, "an entry is malformed");
      }
    }
  }
}

}  // namespace

void ForEachEntry(const Image& image, const Inode& directory, std::vector<Finding>& findings,
                  const std::function<bool(const DirEntry&)>& visit) {
  Hasher hasher(image, directory);
  if ((directory.flags & EXT4_INLINE_DATA_FL) != 0) {
    WalkInline(image, directory, hasher, findings, visit);
    return;
  }
  // Bounded, and one for neighbouring blocks.
  FindingList list(directory.number);
  WalkBlocks(image, directory, hasher, list, visit);
  findings.insert(findings.end(), list.findings().begin(), list.findings().end());
}

absl::StatusOr<std::vector<uint8_t>> ReadSymlink(const Image& image, const Inode& inode) {
  if (inode.size == 0 || inode.size >= kBlockSize) {
    return Fail(Reason::kSymlinkMalformed, absl::StrCat("the size is ", inode.size));
  }
  const auto size = static_cast<size_t>(inode.size);
  std::vector<uint8_t> contents;
  if ((inode.flags & EXT4_EXTENTS_FL) != 0) {
    const ExtentTree tree = ReadExtents(image, inode);
    const Extent* first = FindExtent(tree.extents, 0);
    contents.resize(size);
    if (first == nullptr || first->unwritten ||
        !image.ReadBlocks(first->physical, absl::MakeSpan(contents)).ok()) {
      return Fail(Reason::kSymlinkMalformed, "its block cannot be read");
    }
    return contents;
  }
  contents.assign(inode.map.begin(), inode.map.end());
  if ((inode.flags & EXT4_INLINE_DATA_FL) != 0) {
    const auto xattrs = ReadXattrs(image, inode);
    const Xattr* more = xattrs.ok() ? FindXattr(*xattrs, kXattrIndexSystem, "data") : nullptr;
    if (more != nullptr) contents.insert(contents.end(), more->value.begin(), more->value.end());
  }
  if (contents.size() < size) return Fail(Reason::kSymlinkMalformed, "shorter than its size");
  contents.resize(size);
  return contents;
}

}  // namespace ext4crypt::volume
