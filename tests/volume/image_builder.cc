// SPDX-License-Identifier: Apache-2.0
#include "tests/volume/image_builder.h"

#include <sys/stat.h>

#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "tests/volume/sealer.h"
#include "volume/format/tag_layout.h"

namespace ext4crypt::volume {
namespace {

void Must(errcode_t err, const char* what) {
  if (err != 0) throw std::runtime_error(std::string(what) + ": " + error_message(err));
}

void PutLe32(uint8_t* at, uint32_t value) {
  value = htole32(value);
  std::memcpy(at, &value, sizeof(value));
}

}  // namespace

MasterKey TestKey() {
  return MasterKey::FromRaw(std::vector<uint8_t>(kMasterKeySize, kTestKeyByte)).value();
}

ImageBuilder::ImageBuilder(const std::string& path, const std::string& features,
                           const std::string& size)
    : path_(path) {
  const std::string command =
      "PATH=$PATH:/usr/sbin:/sbin mkfs.ext4 -q -F -b 4096 -I 256 -N 64 -O " + features + " " +
      path + " " + size + " >/dev/null 2>&1";
  if (std::system(command.c_str()) != 0) throw std::runtime_error(command);
  Must(ext2fs_open(path.c_str(), EXT2_FLAG_RW | EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &fs_),
       "open");
  Must(ext2fs_read_bitmaps(fs_), "bitmaps");
}

ImageBuilder::~ImageBuilder() {
  if (fs_ != nullptr) ext2fs_close(fs_);
}

void ImageBuilder::Close() { Must(ext2fs_close_free(&fs_), "close"); }

std::array<uint8_t, E4C_NONCE_SIZE> ImageBuilder::NewNonce() {
  std::array<uint8_t, E4C_NONCE_SIZE> nonce = {0x4E};
  const uint64_t number = htole64(++nonces_);
  std::memcpy(nonce.data() + 4, &number, sizeof(number));
  return nonce;
}

Context ImageBuilder::NewContext(uint8_t aead) {
  Context context;
  context.raw = {E4C_CONTEXT_VERSION, 1, 4, 2, 0, aead, 1, 0};
  const KeyIdentifier id = TestKey().identifier();
  std::copy(id.begin(), id.end(), context.raw.begin() + 8);
  const auto nonce = NewNonce();
  std::copy(nonce.begin(), nonce.end(), context.raw.begin() + 24);
  return context;
}

Block ImageBuilder::PageText(uint32_t inode, uint64_t page) {
  Block text = {};
  for (size_t i = 0; i < text.size(); ++i) {
    text[i] = static_cast<uint8_t>(inode * 31 + page * 7 + i * (page + 3));
  }
  return text;
}

Block ImageBuilder::ReadBlock(uint64_t block) {
  Block data = {};
  Must(io_channel_read_blk64(fs_->io, block, 1, data.data()), "read");
  return data;
}

void ImageBuilder::WriteBlock(uint64_t block, const Block& data) {
  Must(io_channel_write_blk64(fs_->io, block, 1, data.data()), "write");
}

uint64_t ImageBuilder::NewBlock() {
  blk64_t block = 0;
  Must(ext2fs_new_block2(fs_, 0, nullptr, &block), "new block");
  ext2fs_block_alloc_stats2(fs_, block, +1);
  return block;
}

uint64_t ImageBuilder::FirstBlockOf(uint32_t inode) {
  blk64_t block = 0;
  Must(ext2fs_bmap2(fs_, inode, nullptr, nullptr, 0, 0, nullptr, &block), "bmap");
  return block;
}

void ImageBuilder::ChangeInode(uint32_t inode,
                               const std::function<void(ext2_inode_large&)>& change) {
  std::vector<uint8_t> raw(EXT2_INODE_SIZE(fs_->super));
  auto* large = reinterpret_cast<ext2_inode_large*>(raw.data());
  auto* plain = reinterpret_cast<ext2_inode*>(raw.data());
  Must(ext2fs_read_inode_full(fs_, inode, plain, static_cast<int>(raw.size())), "read inode");
  change(*large);
  Must(ext2fs_write_inode_full(fs_, inode, plain, static_cast<int>(raw.size())), "write inode");
}

uint32_t ImageBuilder::NewInode(uint16_t mode, const Context* context, uint64_t size) {
  ext2_ino_t number = 0;
  Must(ext2fs_new_inode(fs_, EXT2_ROOT_INO, mode, nullptr, &number), "new inode");
  ext2fs_inode_alloc_stats2(fs_, number, +1, LINUX_S_ISDIR(mode) ? 1 : 0);
  std::vector<uint8_t> raw(EXT2_INODE_SIZE(fs_->super));
  auto* inode = reinterpret_cast<ext2_inode_large*>(raw.data());
  inode->i_extra_isize = sizeof(ext2_inode_large) - 128;
  inode->i_mode = mode;
  inode->i_links_count = 1;
  inode->i_size = static_cast<uint32_t>(size);
  inode->i_size_high = static_cast<uint32_t>(size >> 32);
  inode->i_mtime = 1700000000;
  Must(ext2fs_write_new_inode(fs_, number, reinterpret_cast<ext2_inode*>(inode)), "new inode");
  if (context != nullptr) {
    ChangeInode(number, [](ext2_inode_large& i) { i.i_flags |= EXT4_ENCRYPT_FL; });
    SetContext(number, context->raw);
    contexts_[number] = {.encrypted = true, .context = *context};
  }
  return number;
}

void ImageBuilder::SetContext(uint32_t inode, absl::Span<const uint8_t> context) {
  std::erase_if(xattrs_[inode],
                [](const Xattr& x) { return x.index == kXattrIndexEncryption && x.name == "c"; });
  AddXattr(inode, kXattrIndexEncryption, "c", context);
}

// By hand, because libext2fs cannot write the name index of the encryption attributes.
void ImageBuilder::AddXattr(uint32_t inode, uint8_t index, const std::string& name,
                            absl::Span<const uint8_t> value) {
  std::vector<Xattr>& all = xattrs_[inode];
  all.push_back({.index = index, .name = name, .value = {value.begin(), value.end()}});
  ChangeInode(inode, [&](ext2_inode_large& large) {
    uint8_t* raw = reinterpret_cast<uint8_t*>(&large);
    const size_t end = EXT2_INODE_SIZE(fs_->super);
    uint8_t* first = raw + 128 + large.i_extra_isize + 4;
    std::memset(first - 4, 0, static_cast<size_t>(raw + end - first) + 4);
    PutLe32(first - 4, 0xEA020000);
    uint8_t* entry = first;
    uint8_t* top = raw + end;
    for (const Xattr& x : all) {
      top -= (x.value.size() + 3) & ~size_t{3};
      entry[0] = static_cast<uint8_t>(x.name.size());
      entry[1] = x.index;
      const auto offset = static_cast<uint16_t>(top - first);
      std::memcpy(entry + 2, &offset, 2);
      PutLe32(entry + 8, static_cast<uint32_t>(x.value.size()));
      std::memcpy(entry + 16, x.name.data(), x.name.size());
      std::copy(x.value.begin(), x.value.end(), top);
      entry += (16 + x.name.size() + 3) & ~size_t{3};
    }
  });
}

std::string ImageBuilder::StoredName(uint32_t parent, const std::string& name) const {
  const auto it = contexts_.find(parent);
  if (it == contexts_.end()) return name;
  return EncryptShortName(TestKey().NamesKey(it->second.context).value(), name);
}

// By hand: ext2fs_link() takes a C string, and a stored name may hold zero bytes.
void ImageBuilder::Link(uint32_t parent, const std::string& name, uint32_t inode, int type) {
  const std::string stored = StoredName(parent, name);
  const uint64_t block = FirstBlockOf(parent);
  Block data = {};
  Must(ext2fs_read_dir_block4(fs_, block, data.data(), 0, parent), "read directory");
  for (size_t at = 0; at < data.size();) {
    auto* entry = reinterpret_cast<ext2_dir_entry_2*>(&data[at]);
    const size_t used = entry->inode == 0 ? 0 : (8 + size_t{entry->name_len} + 3) & ~size_t{3};
    const size_t wanted = (8 + stored.size() + 3) & ~size_t{3};
    // The entry without a name at the end is the checksum.
    if (entry->rec_len - used < wanted || (entry->inode == 0 && entry->name_len == 0 &&
                                           at + entry->rec_len == data.size() && at != 0)) {
      at += entry->rec_len;
      continue;
    }
    const auto left = static_cast<uint16_t>(entry->rec_len - used);
    if (used != 0) entry->rec_len = static_cast<uint16_t>(used);
    auto* fresh = reinterpret_cast<ext2_dir_entry_2*>(&data[at + used]);
    fresh->inode = inode;
    fresh->rec_len = left;
    fresh->name_len = static_cast<uint8_t>(stored.size());
    fresh->file_type = static_cast<uint8_t>(type);
    std::copy(stored.begin(), stored.end(), fresh->name);
    Must(ext2fs_write_dir_block4(fs_, block, data.data(), 0, parent), "write directory");
    return;
  }
  throw std::runtime_error("the directory is full");
}

void ImageBuilder::SetExtents(uint32_t inode, const std::vector<Extent>& extents) {
  ChangeInode(inode, [](ext2_inode_large& large) {
    large.i_flags |= EXT4_EXTENTS_FL;
    std::memset(large.i_block, 0, sizeof(large.i_block));
  });
  ext2_extent_handle_t handle = nullptr;
  Must(ext2fs_extent_open(fs_, inode, &handle), "extents");
  uint64_t blocks = 0;
  for (const Extent& e : extents) {
    blocks += e.length;
    ext2fs_extent extent = {.e_pblk = e.physical,
                            .e_lblk = e.logical,
                            .e_len = e.length,
                            .e_flags = e.unwritten ? EXT2_EXTENT_FLAGS_UNINIT : 0u};
    Must(ext2fs_extent_insert(handle, EXT2_EXTENT_INSERT_AFTER, &extent), "extent");
  }
  ext2fs_extent_free(handle);
  ChangeInode(inode, [&](ext2_inode_large& large) {
    ext2fs_iblk_set(fs_, reinterpret_cast<ext2_inode*>(&large), blocks);
  });
}

uint32_t ImageBuilder::AddDirectory(uint32_t parent, const std::string& name,
                                    const Context* context) {
  const uint32_t number = NewInode(LINUX_S_IFDIR | 0755, context, kBlockSize);
  char* contents = nullptr;
  Must(ext2fs_new_dir_block(fs_, number, parent, &contents), "directory block");
  const uint64_t block = NewBlock();
  Must(ext2fs_write_dir_block4(fs_, block, contents, 0, number), "directory block");
  ext2fs_free_mem(&contents);
  SetExtents(number, {{.logical = 0, .physical = block, .length = 1}});
  ChangeInode(number, [](ext2_inode_large& large) { large.i_links_count = 2; });
  ChangeInode(parent, [](ext2_inode_large& large) { ++large.i_links_count; });
  Link(parent, name, number, EXT2_FT_DIR);
  return number;
}

BuiltFile ImageBuilder::AddFile(uint32_t parent, const std::string& name, const Context& context,
                                uint64_t size, const std::vector<uint64_t>& written,
                                const std::vector<uint64_t>& unwritten) {
  BuiltFile file = {.context = context, .size = size};
  file.inode = NewInode(LINUX_S_IFREG | 0640, &context, size);
  const Sealer sealer(context);
  std::map<uint64_t, e4c_slot> slots;
  for (const uint64_t page : written) {
    const Block text = PageText(file.inode, page);
    Block ciphertext = {};
    slots[page] = sealer.SealPage(page, NewNonce(), text, ciphertext);
    file.pages[page] = NewBlock();
    WriteBlock(file.pages[page], ciphertext);
  }
  for (const auto& [page, slot] : slots) {
    auto& block = file.groups[GroupOfPage(page)];
    if (block == 0) block = NewBlock();
  }
  if (!file.groups.empty() && !file.groups.contains(0)) file.groups[0] = NewBlock();
  SealGroups(file, slots);
  for (const uint64_t page : unwritten) {
    unwritten_[{file.inode, page}] = true;
    file.pages[page] = NewBlock();
  }
  SetExtents(file.inode, ExtentsOf(file));
  Link(parent, name, file.inode, EXT2_FT_REG_FILE);
  return file;
}

std::vector<Extent> ImageBuilder::ExtentsOf(const BuiltFile& file) const {
  std::vector<Extent> extents;
  const auto add = [&](uint64_t logical, uint64_t physical, bool unwritten) {
    if (!extents.empty() && extents.back().end() == logical &&
        extents.back().physical + extents.back().length == physical &&
        extents.back().unwritten == unwritten) {
      ++extents.back().length;
    } else {
      extents.push_back(
          {.logical = logical, .physical = physical, .length = 1, .unwritten = unwritten});
    }
  };
  for (const auto& [page, block] : file.pages) {
    add(page, block, unwritten_.contains({file.inode, page}));
  }
  for (const auto& [group, block] : file.groups) add(E4C_TAG_LBLK + uint64_t{group}, block, true);
  return extents;
}

void ImageBuilder::SealGroups(BuiltFile& file, const std::map<uint64_t, e4c_slot>& slots) {
  for (auto it = file.groups.begin(); it != file.groups.end(); ++it) {
    e4c_tag_block tags = {};
    for (const auto& [page, slot] : slots) {
      if (GroupOfPage(page) == it->first) tags.slot[PlaceOfPage(page)] = slot;
    }
    const auto next = std::next(it);
    tags.seal.info = htole32(next == file.groups.end() ? 0 : next->first);
    Reseal(file, it->first, tags);
    WriteGroup(file, it->first, tags);
  }
}

e4c_tag_block ImageBuilder::ReadGroup(const BuiltFile& file, uint32_t group) {
  e4c_tag_block tags = {};
  const Block data = ReadBlock(file.groups.at(group));
  std::memcpy(&tags, data.data(), sizeof(tags));
  return tags;
}

void ImageBuilder::WriteGroup(const BuiltFile& file, uint32_t group, const e4c_tag_block& tags) {
  Block data = {};
  std::memcpy(data.data(), &tags, sizeof(tags));
  WriteBlock(file.groups.at(group), data);
}

void ImageBuilder::Reseal(const BuiltFile& file, uint32_t group, e4c_tag_block& tags) {
  Sealer(file.context).Seal(group, NewNonce(), tags);
}

uint32_t ImageBuilder::AddPlainFile(uint32_t parent, const std::string& name,
                                    const Context* context, const std::string& text) {
  const uint32_t number = NewInode(LINUX_S_IFREG | 0644, context, text.size());
  Block data = {};
  std::copy_n(text.begin(), std::min(text.size(), data.size()), data.begin());
  const uint64_t block = NewBlock();
  WriteBlock(block, data);
  SetExtents(number, {{.logical = 0, .physical = block, .length = 1}});
  Link(parent, name, number, EXT2_FT_REG_FILE);
  return number;
}

uint32_t ImageBuilder::AddSpecial(uint32_t parent, const std::string& name, uint16_t mode,
                                  uint32_t device, int type) {
  const uint32_t number = NewInode(mode, nullptr, 0);
  ChangeInode(number, [&](ext2_inode_large& large) {
    large.i_flags &= ~static_cast<uint32_t>(EXT4_EXTENTS_FL);
    std::memset(large.i_block, 0, sizeof(large.i_block));
    large.i_block[0] = device;
  });
  Link(parent, name, number, type);
  return number;
}

void ImageBuilder::AddSymlink(uint32_t parent, const std::string& name, const Context& context,
                              const std::string& target) {
  const std::string cipher = EncryptShortName(TestKey().NamesKey(context).value(), target);
  const uint32_t number = NewInode(LINUX_S_IFLNK | 0777, &context, cipher.size() + 2);
  ChangeInode(number, [&](ext2_inode_large& large) {
    auto* map = reinterpret_cast<uint8_t*>(large.i_block);
    large.i_flags &= ~static_cast<uint32_t>(EXT4_EXTENTS_FL);
    std::memset(map, 0, sizeof(large.i_block));
    map[0] = static_cast<uint8_t>(cipher.size());
    std::copy(cipher.begin(), cipher.end(), map + 2);
  });
  Link(parent, name, number, EXT2_FT_SYMLINK);
}

}  // namespace ext4crypt::volume
