// SPDX-License-Identifier: Apache-2.0
#include "volume/format/plain_contents.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "common/status_macros.h"
#include "volume/ext4/extents.h"
#include "volume/format/openssl_ptr.h"

namespace ext4crypt::volume {
namespace {


class XtsReader {
 public:
  [[nodiscard]] absl::Status SetUp(const Node& node, const KeyRing& keys) {
    const Context& context = *node.context;
    // The flags choose other ways to derive keys and tweaks; none of them can hold tags.
    if (context.contents_mode() != kModeXts || (context.flags() & ~kPaddingBits) != 0 ||
        context.log2_data_unit_size() != 0) {
      return Fail(Reason::kModeUnsupported, ContentsModeName(context));
    }
    const MasterKey* master = keys.Find(context.identifier());
    if (master == nullptr) return Fail(Reason::kKeyMissing, "");
    ASSIGN_OR_RETURN(key_, master->ContentsKey(context));
    ctx_.reset(EVP_CIPHER_CTX_new());
    return absl::OkStatus();
  }
  [[nodiscard]] bool Decrypt(uint64_t unit, Block& block) {
    if (key_.empty()) return true;
    std::array<uint8_t, 16> tweak = {};
    const uint64_t number = htole64(unit);
    std::memcpy(tweak.data(), &number, sizeof(number));
    int length = 0;
    Block text;
    if (ctx_ == nullptr ||
        EVP_DecryptInit_ex(ctx_.get(), EVP_aes_256_xts(), nullptr, key_.data(), tweak.data()) !=
            1 ||
        EVP_DecryptUpdate(ctx_.get(), text.data(), &length, block.data(), kBlockSize) != 1 ||
        length != static_cast<int>(kBlockSize)) {
      return false;
    }
    block = text;
    return true;
  }

 private:
  SecretBuffer key_;
  CipherCtxPtr ctx_;
};

absl::Status ReadInline(
    const Node& node,
    const std::function<absl::Status(uint64_t, absl::Span<const uint8_t>)>& write) {
  std::vector<uint8_t> data(node.inode.map.begin(), node.inode.map.end());
  if (const Xattr* more = FindXattr(node.xattrs, kXattrIndexSystem, "data"); more != nullptr) {
    data.insert(data.end(), more->value.begin(), more->value.end());
  }
  if (node.inode.size < data.size()) data.resize(static_cast<size_t>(node.inode.size));
  return write(0, data);
}

}  // namespace

absl::Status ReadUnauthenticated(
    const Image& image, const Node& node, const KeyRing& keys,
    const std::function<absl::Status(uint64_t offset, absl::Span<const uint8_t>)>& write,
    const std::function<void(Reason, uint64_t first_page, uint64_t count)>& failed) {
  if ((node.inode.flags & EXT4_INLINE_DATA_FL) != 0) return ReadInline(node, write);
  XtsReader xts;
  if (node.context.has_value()) RETURN_IF_ERROR(xts.SetUp(node, keys));
  const ExtentTree tree = ReadExtents(image, node.inode);
  for (const Finding& fault : tree.findings) {
    if (fault.reason == Reason::kNotMappedByExtents && node.inode.size > 0) {
      return Fail(fault.reason, "only files mapped by extents can be read");
    }
    failed(fault.reason, 0, 0);
  }
  const uint64_t size = node.inode.size;
  for (const Extent& extent : tree.extents) {
    if (extent.unwritten) continue;
    for (uint64_t i = 0; i < extent.length; ++i) {
      const uint64_t page = extent.logical + i;
      if (page * kBlockSize >= size) break;
      Block block;
      if (!image.ReadBlocks(extent.physical + i, absl::MakeSpan(block)).ok() ||
          !xts.Decrypt(page, block)) {
        failed(Reason::kPageUnreadable, page, 1);
        continue;
      }
      const uint64_t length = std::min<uint64_t>(kBlockSize, size - page * kBlockSize);
      RETURN_IF_ERROR(
          write(page * kBlockSize, absl::MakeConstSpan(block).first(static_cast<size_t>(length))));
    }
  }
  return absl::OkStatus();
}

}  // namespace ext4crypt::volume
