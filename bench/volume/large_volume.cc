// SPDX-License-Identifier: Apache-2.0
// Makes an authenticated volume of many files on a sparse image: e4c-large-volume IMAGE FILES. The
// image has been made by mkfs.ext4 (without metadata_csum, so that blocks can be written by hand).
// Every eighth file has a page; the others are empty.
#include <ext2fs/ext2fs.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "tests/volume/image_builder.h"
#include "tests/volume/sealer.h"
#include "volume/format/tag_layout.h"

namespace ext4crypt::volume {
namespace {

constexpr uint32_t kFilesPerDirectory = 1000;
constexpr size_t kEntry = 8 + 16;  // a name of up to 16 bytes is stored in 16

void Must(errcode_t err, const char* what) {
  if (err == 0) return;
  std::fprintf(stderr, "%s: %s\n", what, error_message(err));
  std::exit(1);
}

class Maker {
 public:
  explicit Maker(const char* path) : key_(TestKey()) {
    Must(ext2fs_open(path, EXT2_FLAG_RW | EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &fs_), "open");
    Must(ext2fs_read_bitmaps(fs_), "bitmaps");
  }

  void Run(uint32_t files) {
    for (uint32_t first = 0; first < files; first += kFilesPerDirectory) {
      Directory(first, std::min(kFilesPerDirectory, files - first));
    }
    Must(ext2fs_close_free(&fs_), "close");
  }

 private:
  Context NewContext() {
    Context context;
    context.raw = {E4C_CONTEXT_VERSION, 1, 4, 2, 0, E4C_AEAD_AES_256_GCM, E4C_FORMAT_REVISION, 0};
    const KeyIdentifier id = key_.identifier();
    std::copy(id.begin(), id.end(), context.raw.begin() + 8);
    std::memcpy(context.raw.data() + 24, &++nonce_, sizeof(nonce_));
    return context;
  }
  Nonce NewNonce() {
    Nonce nonce = {};
    std::memcpy(nonce.data(), &++nonce_, sizeof(nonce_));
    return nonce;
  }
  // The next `count` free blocks in a row.
  uint64_t NewBlocks(uint32_t count) {
    for (uint32_t found = 0; found < count; ++next_block_) {
      found = ext2fs_test_block_bitmap2(fs_->block_map, next_block_) != 0 ? 0 : found + 1;
    }
    const uint64_t first = next_block_ - count;
    for (uint32_t i = 0; i < count; ++i) ext2fs_block_alloc_stats2(fs_, first + i, +1);
    return first;
  }

  struct Piece {
    uint32_t logical;
    uint64_t physical;
    uint16_t length;  // more than 32768: unwritten, that many less
  };
  // The extents stand in the inode itself; "c" as the only attribute behind it. `parent` nullptr:
  // in a plain directory.
  uint32_t NewInode(uint16_t mode, const Context& context, uint64_t size,
                    const std::vector<Piece>& pieces, uint16_t links, const Sealer* parent,
                    const std::string& name, const e4c_slot& top) {
    ext2_ino_t number = 0;
    Must(ext2fs_new_inode(fs_, 0, mode, nullptr, &number), "inode");
    ext2fs_inode_alloc_stats2(fs_, number, +1, LINUX_S_ISDIR(mode) ? 1 : 0);
    std::vector<uint8_t> raw(EXT2_INODE_SIZE(fs_->super));
    auto* inode = reinterpret_cast<ext2_inode_large*>(raw.data());
    inode->i_mode = mode;
    inode->i_links_count = links;
    const uint64_t on_disk = LINUX_S_ISREG(mode) ? size + E4C_SIZE_BIAS : size;
    inode->i_size = static_cast<uint32_t>(on_disk);
    inode->i_size_high = static_cast<uint32_t>(on_disk >> 32);
    inode->i_flags = EXT4_ENCRYPT_FL | EXT4_EXTENTS_FL;
    inode->i_extra_isize = 32;
    auto* map = reinterpret_cast<uint16_t*>(inode->i_block);
    map[0] = 0xF30A;
    map[1] = static_cast<uint16_t>(pieces.size());
    map[2] = 4;
    uint32_t blocks = 0;
    for (size_t i = 0; i < pieces.size(); ++i) {
      uint16_t* entry = map + 6 + 6 * i;
      std::memcpy(entry, &pieces[i].logical, 4);
      entry[2] = pieces[i].length;
      const auto low = static_cast<uint32_t>(pieces[i].physical);
      std::memcpy(entry + 4, &low, 4);
      blocks += pieces[i].length > 32768 ? pieces[i].length - 32768u : pieces[i].length;
    }
    inode->i_blocks = blocks * 8;
    uint8_t* xattr = raw.data() + 128 + 32;
    const uint32_t magic = 0xEA020000;
    std::memcpy(xattr, &magic, 4);
    uint8_t* entry = xattr + 4;
    uint8_t* value = raw.data() + raw.size() - E4C_ATTRIBUTE_SIZE;
    entry[0] = 1;
    entry[1] = kXattrIndexEncryption;
    const auto offset = static_cast<uint16_t>(value - entry);
    std::memcpy(entry + 2, &offset, 2);
    entry[8] = E4C_ATTRIBUTE_SIZE;
    entry[16] = 'c';
    const bool empty = pieces.empty() || !LINUX_S_ISREG(mode);
    const uint32_t state =
        (empty ? E4C_FORM_EMPTY : E4C_FORM_TREE) | 1u << E4C_STATE_SEQUENCE_SHIFT;
    const MacSubject subject = {.mode = mode, .number = number, .context = &context};
    const Mac place = parent != nullptr ? parent->Place(subject, name) : Mac{};
    const Mac head = Sealer(context).Head(subject, state, LINUX_S_ISREG(mode) ? size : 0, top, {});
    value = std::copy(context.raw.begin(), context.raw.end(), value);
    value = std::copy(place.begin(), place.end(), value);
    value = std::copy(head.begin(), head.end(), value);
    std::memcpy(value, &state, sizeof(state));
    Must(ext2fs_write_inode_full(fs_, number, reinterpret_cast<ext2_inode*>(inode),
                                 static_cast<int>(raw.size())),
         "write inode");
    return number;
  }

  uint32_t File(uint32_t index, const Sealer& parent, const std::string& name) {
    const Context context = NewContext();
    if (index % 8 != 0) {
      return NewInode(LINUX_S_IFREG | 0644, context, 0, {}, 1, &parent, name, {});
    }
    const uint64_t block = NewBlocks(2);
    std::array<Block, 2> both = {};
    const Sealer sealer(context);
    e4c_tag_block tags = {};
    tags.slot[PlaceOfPage(0)] = sealer.SealPage(0, NewNonce(), Block{}, both[0]);
    sealer.Seal(0, 0, NewNonce(), tags);
    std::memcpy(both[1].data(), &tags, sizeof(tags));
    Must(io_channel_write_blk64(fs_->io, block, 2, both.data()), "write");
    return NewInode(LINUX_S_IFREG | 0644, context, kBlockSize,
                    {{0, block, 1}, {E4C_TAG_LBLK, block + 1, 32769}}, 1, &parent, name, tags.seal);
  }
  void Directory(uint32_t first, uint32_t count) {
    const Context context = NewContext();
    const SecretBuffer names = key_.NamesKey(context).value();
    const size_t per_block = kBlockSize / kEntry - 2;
    const auto blocks = static_cast<uint16_t>((count + per_block - 1) / per_block);
    const uint64_t begin = NewBlocks(blocks);
    const uint32_t number = NewInode(LINUX_S_IFDIR | 0755, context, blocks * uint64_t{kBlockSize},
                                     {{0, begin, blocks}}, 2, nullptr, "", {});
    const Sealer sealer(context);
    for (uint16_t b = 0; b < blocks; ++b) {
      Block data = {};
      size_t at = 0;
      const auto add = [&](uint32_t inode, const std::string& name, uint8_t type) {
        std::memcpy(&data[at], &inode, 4);
        const auto length = static_cast<uint16_t>((8 + name.size() + 3) & ~size_t{3});
        std::memcpy(&data[at + 4], &length, 2);
        data[at + 6] = static_cast<uint8_t>(name.size());
        data[at + 7] = type;
        std::copy(name.begin(), name.end(), data.begin() + static_cast<ptrdiff_t>(at) + 8);
        last_ = at;
        at += length;
      };
      if (b == 0) {
        add(number, ".", EXT2_FT_DIR);
        add(EXT2_ROOT_INO, "..", EXT2_FT_DIR);
      }
      for (size_t i = b * per_block; i < std::min<size_t>(count, (b + 1) * per_block); ++i) {
        const auto index = first + static_cast<uint32_t>(i);
        const std::string name = EncryptShortName(names, "file" + std::to_string(index));
        add(File(index, sealer, name), name, EXT2_FT_REG_FILE);
      }
      const auto rest = static_cast<uint16_t>(kBlockSize - last_);
      std::memcpy(&data[last_ + 4], &rest, 2);
      Must(io_channel_write_blk64(fs_->io, begin + b, 1, data.data()), "write directory");
    }
    const std::string name = "d" + std::to_string(first);
    errcode_t err = ext2fs_link(fs_, EXT2_ROOT_INO, name.c_str(), number, EXT2_FT_DIR);
    if (err == EXT2_ET_DIR_NO_SPACE) {
      Must(ext2fs_expand_dir(fs_, EXT2_ROOT_INO), "expand");
      err = ext2fs_link(fs_, EXT2_ROOT_INO, name.c_str(), number, EXT2_FT_DIR);
    }
    Must(err, "link");
  }

  MasterKey key_;
  ext2_filsys fs_ = nullptr;
  uint64_t nonce_ = 0;
  uint64_t next_block_ = 1;
  size_t last_ = 0;
};

}  // namespace
}  // namespace ext4crypt::volume

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: e4c-large-volume IMAGE FILES\n", stderr);
    return 2;
  }
  ext4crypt::volume::Maker(argv[1]).Run(static_cast<uint32_t>(std::strtoul(argv[2], nullptr, 10)));
  return 0;
}
