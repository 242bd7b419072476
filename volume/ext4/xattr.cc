// SPDX-License-Identifier: Apache-2.0
#include "volume/ext4/xattr.h"

#include "common/status_macros.h"

namespace ext4crypt::volume {
namespace {

constexpr uint32_t kXattrMagic = 0xEA020000;
constexpr size_t kXattrEntrySize = 16;
constexpr size_t kBlockHeader = 32;

// `values` is what value offsets count from; entries begin at `first` in it, which is 0 in the body
// of an inode only.
absl::Status ReadEntries(absl::Span<const uint8_t> values, size_t first, std::vector<Xattr>& out) {
  size_t at = first;
  while (at + 4 <= values.size() && Le32(&values[at]) != 0) {
    if (at + kXattrEntrySize > values.size()) break;
    const uint8_t* entry = &values[at];
    const size_t name_length = entry[0];
    const size_t offset = Le16(entry + 2);
    const size_t length = Le32(entry + 8);
    if (at + kXattrEntrySize + name_length > values.size()) {
      return Fail(Reason::kXattrMalformed, "a name runs past the end");
    }
    Xattr xattr = {
        .index = entry[1],
        .name = std::string(reinterpret_cast<const char*>(entry) + kXattrEntrySize, name_length),
        .in_other_inode = Le32(entry + 4) != 0,
        .value_inode = Le32(entry + 4),
        .value_size = Le32(entry + 8)};
    if (!xattr.in_other_inode) {
      if (offset > values.size() || length > values.size() - offset) {
        return Fail(Reason::kXattrMalformed, "a value runs past the end");
      }
      xattr.value.assign(values.begin() + static_cast<ptrdiff_t>(offset),
                         values.begin() + static_cast<ptrdiff_t>(offset + length));
    }
    xattr.in_fixed_place = at == 0 && first == 0 && !xattr.in_other_inode &&
                           Le32(entry + 12) == 0 && offset + length == values.size();
    out.push_back(std::move(xattr));
    at += (kXattrEntrySize + name_length + 3) & ~size_t{3};
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<Xattr>> ReadXattrs(const Image& image, const Inode& inode) {
  std::vector<Xattr> xattrs;
  const absl::Span<const uint8_t> raw = inode.raw;
  if (raw.size() > 128) {
    const size_t extra = Le16(&raw[128]);
    const size_t header = 128 + extra;
    if (extra % 4 == 0 && header + 4 <= raw.size() && Le32(&raw[header]) == kXattrMagic) {
      RETURN_IF_ERROR(ReadEntries(raw.subspan(header + 4), 0, xattrs));
    }
  }
  if (inode.xattr_block != 0) {
    std::vector<uint8_t> block(kBlockSize);
    if (!image.ReadBlocks(inode.xattr_block, absl::MakeSpan(block)).ok() ||
        Le32(block.data()) != kXattrMagic) {
      return Fail(Reason::kXattrMalformed, "the block of extended attributes is malformed");
    }
    RETURN_IF_ERROR(ReadEntries(block, kBlockHeader, xattrs));
  }
  return xattrs;
}

const Xattr* FindXattr(const std::vector<Xattr>& xattrs, uint8_t index, const std::string& name) {
  for (const Xattr& xattr : xattrs) {
    if (xattr.index == index && xattr.name == name) return &xattr;
  }
  return nullptr;
}

}  // namespace ext4crypt::volume
