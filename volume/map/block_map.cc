// SPDX-License-Identifier: Apache-2.0
#include "volume/map/block_map.h"

#include <algorithm>

#include "volume/ext4/extents.h"
#include "volume/format/node.h"

namespace ext4crypt::volume {
namespace {

class Mapper {
 public:
  explicit Mapper(const Image& image)
      : image_(image),
        per_group_(image.fs()->super->s_blocks_per_group),
        groups_(image.group_count()) {}

  std::vector<GroupUse> Run() {
    for (uint32_t group = 0; group < image_.group_count(); ++group) {
      const Image::InodeRange range = image_.InodesOfGroup(group);
      for (uint32_t number = std::max(range.first, image_.first_user_inode()); number <= range.last;
           ++number) {
        AddInode(number);
      }
    }
    for (uint32_t group = 0; group < image_.group_count(); ++group) Complete(group);
    return std::move(groups_);
  }

 private:
  void AddInode(uint32_t number) {
    const auto inode = image_.ReadInode(number);
    if (!inode.ok() || !inode->IsRegular() || inode->links == 0 ||
        (inode->flags & EXT4_EXTENTS_FL) == 0 || (inode->flags & EXT4_INLINE_DATA_FL) != 0) {
      return;
    }
    Use use = Use::kPlain;
    if (inode->IsEncrypted()) {
      const auto node = ReadNode(image_, number);
      use = node.ok() && node->authenticated() ? Use::kAuthenticated : Use::kUnauthenticated;
    }
    for (const Extent& extent : ReadExtents(image_, *inode).extents) {
      const bool tags = use == Use::kAuthenticated && extent.logical >= E4C_TAG_LBLK;
      AddBlocks(extent.physical, extent.length, tags ? Use::kTags : use);
    }
  }

  void AddBlocks(uint64_t block, uint64_t count, Use use) {
    while (count > 0) {
      const uint64_t group = block / per_group_;
      if (group >= groups_.size()) return;
      const uint64_t part = std::min(count, (group + 1) * per_group_ - block);
      groups_[group][use] += part;
      block += part;
      count -= part;
    }
  }

  // What is neither free nor part of a file. The sums never exceed the group, even where extents
  // of a damaged volume overlap.
  void Complete(uint32_t group) {
    GroupUse& use = groups_[group];
    uint64_t left =
        std::min(per_group_, image_.block_count() -
                                 std::min(image_.block_count(), uint64_t{group} * per_group_));
    for (const Use file : {Use::kTags, Use::kAuthenticated, Use::kUnauthenticated, Use::kPlain}) {
      use[file] = std::min(use[file], left);
      left -= use[file];
    }
    use[Use::kFree] = std::min<uint64_t>(ext2fs_bg_free_blocks_count(image_.fs(), group), left);
    use[Use::kMetadata] = left - use[Use::kFree];
  }

  const Image& image_;
  const uint64_t per_group_;
  std::vector<GroupUse> groups_;
};

}  // namespace

uint64_t GroupUse::total() const {
  uint64_t sum = 0;
  for (const uint64_t count : blocks) sum += count;
  return sum;
}

void GroupUse::Add(const GroupUse& other) {
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i] += other.blocks[i];
}

std::vector<GroupUse> MapBlocks(const Image& image) { return Mapper(image).Run(); }

std::vector<GroupUse> Coarser(const std::vector<GroupUse>& groups, size_t most, size_t& each) {
  each = std::max<size_t>(1, (groups.size() + most - 1) / most);
  std::vector<GroupUse> out((groups.size() + each - 1) / each);
  for (size_t i = 0; i < groups.size(); ++i) out[i / each].Add(groups[i]);
  return out;
}

const char* UseName(Use use) {
  static constexpr const char* kNames[kUses] = {"metadata",      "plain", "unauthenticated",
                                                "authenticated", "tags",  "free"};
  return kNames[static_cast<size_t>(use)];
}

const char* UseText(Use use) {
  static constexpr const char* kTexts[kUses] = {
      "ext4's own metadata",         "plain files", "encrypted, not authenticated",
      "encrypted and authenticated", "tag blocks",  "free"};
  return kTexts[static_cast<size_t>(use)];
}

}  // namespace ext4crypt::volume
