// SPDX-License-Identifier: Apache-2.0
#include "volume/extract/metadata.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "volume/ext4/extents.h"

namespace ext4crypt::volume {
namespace {

// ext4's numbers for the beginnings of names, and what they stand for.
constexpr uint8_t kIndexAclAccess = 2;
constexpr uint8_t kIndexAclDefault = 3;
constexpr uint8_t kIndexTrusted = 4;
constexpr uint8_t kIndexSecurity = 6;
constexpr size_t kMostXattrBytes = 65536;  // the kernel's XATTR_SIZE_MAX
constexpr uint32_t kXattrInodeFlag = 0x00200000;

constexpr uint16_t kTagUser = 2;
constexpr uint16_t kTagGroup = 8;
constexpr uint32_t kAclOnDisk = 1;
constexpr uint32_t kAclInXattr = 2;

void Put(std::vector<uint8_t>& out, uint32_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

// On disk only named users and groups have a number; setxattr() wants one in each entry.
std::optional<std::vector<uint8_t>> AclForXattr(absl::Span<const uint8_t> disk) {
  if (disk.size() < 4 || Le32(disk.data()) != kAclOnDisk) return std::nullopt;
  std::vector<uint8_t> out;
  Put(out, kAclInXattr, 4);
  for (size_t at = 4; at < disk.size();) {
    if (disk.size() - at < 4) return std::nullopt;
    const uint16_t tag = Le16(&disk[at]);
    const bool named = tag == kTagUser || tag == kTagGroup;
    if (named && disk.size() - at < 8) return std::nullopt;
    Put(out, tag, 2);
    Put(out, Le16(&disk[at + 2]), 2);
    Put(out, named ? Le32(&disk[at + 4]) : ~0u, 4);
    at += named ? 8 : 4;
  }
  return out;
}

// A value kept in an inode of its own.
std::optional<std::vector<uint8_t>> ValueOfInode(const Image& image, const Xattr& xattr) {
  const auto inode = image.ReadInode(xattr.value_inode);
  if (!inode.ok() || (inode->flags & kXattrInodeFlag) == 0 || xattr.value_size > kMostXattrBytes ||
      inode->size < xattr.value_size) {
    return std::nullopt;
  }
  const ExtentTree tree = ReadExtents(image, *inode);
  std::vector<uint8_t> value;
  Block block;
  for (uint64_t at = 0; value.size() < xattr.value_size; ++at) {
    const Extent* extent = FindExtent(tree.extents, at);
    if (extent == nullptr ||
        !image.ReadBlocks(extent->physical + (at - extent->logical), absl::MakeSpan(block)).ok()) {
      return std::nullopt;
    }
    const size_t part = std::min<size_t>(block.size(), xattr.value_size - value.size());
    value.insert(value.end(), block.begin(), block.begin() + static_cast<ptrdiff_t>(part));
  }
  return value;
}

std::array<timespec, 2> TimesOf(const Inode& inode) {
  return {timespec{.tv_sec = inode.accessed.seconds, .tv_nsec = inode.accessed.nanoseconds},
          timespec{.tv_sec = inode.modified.seconds, .tv_nsec = inode.modified.nanoseconds}};
}

mode_t ModeOf(const Inode& inode, const MetadataRules& rules, MetadataCounts& counts) {
  constexpr mode_t kSetId = S_ISUID | S_ISGID;
  const mode_t mode = inode.mode & 07777;
  // On a directory the group bit only says whose new files are.
  const mode_t risky = inode.IsDirectory() ? S_ISUID : kSetId;
  if (rules.trust || (mode & risky) == 0) return mode;
  ++counts.privileges;
  return mode & ~risky;
}

}  // namespace

std::vector<PortableXattr> PortableXattrs(const Image& image, const Node& node, bool trust,
                                          uint64_t& skipped, uint64_t& lost) {
  std::vector<PortableXattr> out;
  for (const Xattr& xattr : node.xattrs) {
    std::string name;
    bool acl = false;
    switch (xattr.index) {
      case kXattrIndexUser:
        name = absl::StrCat("user.", xattr.name);
        break;
      case kIndexAclAccess:
      case kIndexAclDefault:
        acl = true;
        name =
            xattr.index == kIndexAclAccess ? "system.posix_acl_access" : "system.posix_acl_default";
        break;
      case kIndexTrusted:
      case kIndexSecurity:
        if (!trust) {
          ++skipped;
          continue;
        }
        name = absl::StrCat(xattr.index == kIndexTrusted ? "trusted." : "security.", xattr.name);
        break;
      default:
        continue;  // how the contents are stored: encryption, inline data
    }
    std::optional<std::vector<uint8_t>> value = xattr.value;
    if (xattr.in_other_inode) value = ValueOfInode(image, xattr);
    if (acl && value.has_value()) value = AclForXattr(*value);
    if (!value.has_value() || name.find('\0') != std::string::npos) {
      ++lost;
      continue;
    }
    out.push_back({.name = std::move(name), .value = *std::move(value)});
  }
  return out;
}

void KeepMetadata(const Image& image, const Node& node, const MetadataRules& rules, int fd,
                  MetadataCounts& counts) {
  const auto must = [&counts](int result) { counts.not_kept += result != 0 ? 1 : 0; };
  // The owner first: a change of it takes set-id bits and capabilities away.
  if (rules.keep_owner) must(::fchown(fd, node.inode.uid, node.inode.gid));
  must(::fchmod(fd, ModeOf(node.inode, rules, counts)));
  for (const PortableXattr& x :
       PortableXattrs(image, node, rules.trust, counts.privileges, counts.not_kept)) {
    must(::fsetxattr(fd, x.name.c_str(), x.value.data(), x.value.size(), 0));
  }
  must(::futimens(fd, TimesOf(node.inode).data()));
}

void KeepMetadataOf(const Image& image, const Node& node, const MetadataRules& rules, int at,
                    const std::string& name, MetadataCounts& counts) {
  const auto must = [&counts](int result) { counts.not_kept += result != 0 ? 1 : 0; };
  if (rules.keep_owner) {
    must(::fchownat(at, name.c_str(), node.inode.uid, node.inode.gid, AT_SYMLINK_NOFOLLOW));
  }
  // Nobody else can write in `at` yet, so that the name still is what was made.
  if (!node.inode.IsSymlink()) {
    must(::fchmodat(at, name.c_str(), ModeOf(node.inode, rules, counts), 0));
  }
  const std::string path = at == AT_FDCWD ? name : absl::StrCat("/proc/self/fd/", at, "/", name);
  for (const PortableXattr& x :
       PortableXattrs(image, node, rules.trust, counts.privileges, counts.not_kept)) {
    must(::lsetxattr(path.c_str(), x.name.c_str(), x.value.data(), x.value.size(), 0));
  }
  must(::utimensat(at, name.c_str(), TimesOf(node.inode).data(), AT_SYMLINK_NOFOLLOW));
}

dev_t DeviceOf(const Inode& inode) {
  const uint32_t small = Le32(inode.map.data());
  if (small != 0) return ::makedev(small >> 8 & 0xFF, small & 0xFF);
  const uint32_t large = Le32(inode.map.data() + 4);
  return ::makedev(large >> 8 & 0xFFF, (large & 0xFF) | (large >> 12 & 0xFFF00));
}

}  // namespace ext4crypt::volume
