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

ImageBuilder::ImageBuilder(const std::string& path, Existing) : path_(path) {
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
  context.raw = {E4C_CONTEXT_VERSION, 1, 4, 2, 0, aead, E4C_FORMAT_REVISION, 0};
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
  const bool authenticated = context != nullptr && context->authenticated();
  if (authenticated && LINUX_S_ISREG(mode)) size += E4C_SIZE_BIAS;
  inode->i_size = static_cast<uint32_t>(size);
  inode->i_size_high = static_cast<uint32_t>(size >> 32);
  inode->i_mtime = 1700000000;
  Must(ext2fs_write_new_inode(fs_, number, reinterpret_cast<ext2_inode*>(inode)), "new inode");
  if (context != nullptr) {
    ChangeInode(number, [](ext2_inode_large& i) { i.i_flags |= EXT4_ENCRYPT_FL; });
    std::vector<uint8_t> value(context->raw.begin(), context->raw.end());
    if (authenticated) {
      value.resize(E4C_ATTRIBUTE_SIZE);
      value[65] = 1;  // the sequence number
    }
    SetAttribute(number, value);
    contexts_[number] = {.encrypted = true, .context = *context};
  }
  return number;
}

void ImageBuilder::SetContext(uint32_t inode, absl::Span<const uint8_t> context) {
  std::vector<uint8_t> value = AttributeOf(inode);
  std::copy(context.begin(), context.end(), value.begin());
  SetAttribute(inode, value);
}

std::vector<uint8_t> ImageBuilder::AttributeOf(uint32_t inode) const {
  const auto it = xattrs_.find(inode);
  const Xattr* xattr =
      it == xattrs_.end() ? nullptr : FindXattr(it->second, kXattrIndexEncryption, "c");
  if (xattr == nullptr) throw std::runtime_error("no attribute");
  return xattr->value;
}

void ImageBuilder::SetAttribute(uint32_t inode, absl::Span<const uint8_t> value) {
  std::vector<Xattr>& all = xattrs_[inode];
  std::erase_if(all,
                [](const Xattr& x) { return x.index == kXattrIndexEncryption && x.name == "c"; });
  all.insert(all.begin(),
             {.index = kXattrIndexEncryption, .name = "c", .value = {value.begin(), value.end()}});
  WriteXattrs(inode);
}

MacSubject ImageBuilder::SubjectOf(uint32_t inode) {
  MacSubject subject = {.number = inode};
  ChangeInode(inode, [&](ext2_inode_large& large) { subject.mode = large.i_mode; });
  const auto it = contexts_.find(inode);
  if (it != contexts_.end()) subject.context = &it->second.context;
  return subject;
}

void ImageBuilder::SetState(uint32_t inode, uint32_t state) {
  std::vector<uint8_t> value = AttributeOf(inode);
  PutLe32(&value[64], state);
  SetAttribute(inode, value);
  UpdateHead(inode);
}

void ImageBuilder::SetSize(uint32_t inode, uint64_t size) {
  ChangeInode(inode, [&](ext2_inode_large& large) {
    large.i_size = static_cast<uint32_t>(size + E4C_SIZE_BIAS);
    large.i_size_high = static_cast<uint32_t>((size + E4C_SIZE_BIAS) >> 32);
  });
  UpdateHead(inode);
}

void ImageBuilder::UpdateHead(uint32_t inode) {
  const MacSubject subject = SubjectOf(inode);
  std::vector<uint8_t> value = AttributeOf(inode);
  uint64_t size = 0;
  ChangeInode(inode, [&](ext2_inode_large& large) {
    if (LINUX_S_ISREG(large.i_mode)) {
      size = (large.i_size | static_cast<uint64_t>(large.i_size_high) << 32) - E4C_SIZE_BIAS;
    }
  });
  const Mac head =
      Sealer(*subject.context).Head(subject, Le32(&value[64]), size, tops_[inode], targets_[inode]);
  std::copy(head.begin(), head.end(), value.begin() + 52);
  SetAttribute(inode, value);
}

void ImageBuilder::UpdatePlace(uint32_t parent, const std::string& name, uint32_t inode) {
  const auto it = contexts_.find(parent);
  if (it == contexts_.end() || !it->second.context.authenticated()) return;
  const MacSubject subject = SubjectOf(inode);
  const Mac place = Sealer(it->second.context).Place(subject, StoredName(parent, name));
  if (!xattrs_.contains(inode)) {
    // Not encrypted, or not in use.
    if (LINUX_S_ISREG(subject.mode) || LINUX_S_ISDIR(subject.mode) || subject.mode == 0) return;
    SetAttribute(inode, place);
    return;
  }
  std::vector<uint8_t> value = AttributeOf(inode);
  if (value.size() != E4C_ATTRIBUTE_SIZE) return;
  std::copy(place.begin(), place.end(), value.begin() + 40);
  SetAttribute(inode, value);
}

void ImageBuilder::AddXattr(uint32_t inode, uint8_t index, const std::string& name,
                            absl::Span<const uint8_t> value) {
  xattrs_[inode].push_back({.index = index, .name = name, .value = {value.begin(), value.end()}});
  WriteXattrs(inode);
}

namespace {

// Entries from `first` on, values from `end` down.
void PutXattrs(const std::vector<Xattr>& xattrs, uint8_t* first, uint8_t* end, uint8_t* base) {
  uint8_t* entry = first;
  uint8_t* top = end;
  for (const Xattr& x : xattrs) {
    top -= (x.value.size() + 3) & ~size_t{3};
    entry[0] = static_cast<uint8_t>(x.name.size());
    entry[1] = x.index;
    const auto offset = static_cast<uint16_t>(top - base);
    std::memcpy(entry + 2, &offset, 2);
    PutLe32(entry + 8, static_cast<uint32_t>(x.value.size()));
    std::memcpy(entry + 16, x.name.data(), x.name.size());
    std::copy(x.value.begin(), x.value.end(), top);
    entry += (16 + x.name.size() + 3) & ~size_t{3};
  }
}

}  // namespace

// By hand, because libext2fs cannot write the name index of the encryption attributes. Beside the
// attribute of an authenticated inode there is no room in it.
void ImageBuilder::WriteXattrs(uint32_t inode) {
  std::vector<Xattr> inside = xattrs_[inode];
  std::vector<Xattr> outside;
  const bool has_large = std::any_of(inside.begin(), inside.end(), [](const Xattr& x) {
    return x.value.size() >= E4C_ATTRIBUTE_SIZE;
  });
  if (inside.size() > 1 && has_large) {
    outside.assign(inside.begin() + 1, inside.end());
    inside.resize(1);
  }
  ChangeInode(inode, [&](ext2_inode_large& large) {
    uint8_t* raw = reinterpret_cast<uint8_t*>(&large);
    const size_t end = EXT2_INODE_SIZE(fs_->super);
    uint8_t* first = raw + 128 + large.i_extra_isize + 4;
    std::memset(first - 4, 0, static_cast<size_t>(raw + end - first) + 4);
    PutLe32(first - 4, 0xEA020000);
    PutXattrs(inside, first, raw + end, first);
  });
  if (!outside.empty()) WriteXattrBlock(inode, outside);
}

void ImageBuilder::WriteXattrBlock(uint32_t inode, const std::vector<Xattr>& xattrs) {
  uint64_t& block = xattr_blocks_[inode];
  if (block == 0) block = NewBlock();
  Block data = {};
  PutLe32(data.data(), 0xEA020000);
  PutLe32(data.data() + 4, 1);
  PutLe32(data.data() + 8, 1);
  PutXattrs(xattrs, data.data() + 32, data.data() + data.size(), data.data());
  WriteBlock(block, data);
  ChangeInode(inode,
              [&](ext2_inode_large& large) { large.i_file_acl = static_cast<uint32_t>(block); });
}

std::string ImageBuilder::StoredName(uint32_t parent, const std::string& name) const {
  const auto it = contexts_.find(parent);
  if (it == contexts_.end()) return name;
  return EncryptShortName(TestKey().NamesKey(it->second.context).value(), name);
}

// By hand: ext2fs_link() takes a C string, and a stored name may hold zero bytes.
void ImageBuilder::Link(uint32_t parent, const std::string& name, uint32_t inode, int type) {
  if (placed_.insert(inode).second && inode <= fs_->super->s_inodes_count) {
    UpdatePlace(parent, name, inode);
  }
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
  if (context != nullptr && context->authenticated()) UpdateHead(number);
  Link(parent, name, number, EXT2_FT_DIR);
  return number;
}

BuiltFile ImageBuilder::AddFile(uint32_t parent, const std::string& name, const Context& context,
                                uint64_t size, const std::vector<uint64_t>& written,
                                const std::vector<uint64_t>& unwritten, const FileShape& shape) {
  BuiltFile file = {.context = context, .size = size};
  file.inode = NewInode(LINUX_S_IFREG | 0640, &context, size);
  const Sealer sealer(context);
  std::map<uint64_t, e4c_slot> slots;
  for (const uint64_t page : written) {
    Block text = PageText(file.inode, page);
    std::fill(text.begin() + shape.text_bytes, text.end(), uint8_t{0});
    Block ciphertext = {};
    const bool last = shape.tail && page == written.back();
    slots[page] = sealer.SealPage(page, NewNonce(), text, ciphertext, shape.text_bytes,
                                  last ? E4C_DOMAIN_TAIL_PAGE : E4C_DOMAIN_PAGE);
    file.pages[page] = NewBlock();
    WriteBlock(file.pages[page], ciphertext);
  }
  if (shape.tail) {
    std::vector<e4c_slot> in_order;
    for (const auto& [page, slot] : slots) in_order.push_back(slot);
    WriteTail(file, in_order);
  } else if (!slots.empty()) {
    file.form = Form::kTree;
    file.height = shape.height;
    while (GroupOfPage(slots.rbegin()->first) >= kLevels[file.height].groups_each) ++file.height;
    SealGroups(file, slots);
  }
  for (const uint64_t page : unwritten) {
    unwritten_[{file.inode, page}] = true;
    file.pages[page] = NewBlock();
  }
  SetExtents(file.inode, ExtentsOf(file));
  SetState(file.inode, static_cast<uint32_t>(file.form) | file.height << E4C_STATE_HEIGHT_SHIFT |
                           1u << E4C_STATE_SEQUENCE_SHIFT);
  Link(parent, name, file.inode, EXT2_FT_REG_FILE);
  return file;
}

void ImageBuilder::WriteTail(BuiltFile& file, const std::vector<e4c_slot>& slots) {
  file.form = Form::kTail;
  const e4c_slot seal = Sealer(file.context).SealTail(NewNonce(), slots);
  tops_[file.inode] = seal;
  Block block = ReadBlock(file.pages.rbegin()->second);
  uint8_t* at = block.data() + block.size() - sizeof(seal) * (slots.size() + 1);
  std::memcpy(at, slots.data(), sizeof(seal) * slots.size());
  std::memcpy(block.data() + block.size() - sizeof(seal), &seal, sizeof(seal));
  WriteBlock(file.pages.rbegin()->second, block);
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
  for (const auto& [at, block] : file.nodes) {
    add(uint64_t{kLevels[at.first].first_block} + at.second, block, true);
  }
  return extents;
}

void ImageBuilder::SealGroups(BuiltFile& file, const std::map<uint64_t, e4c_slot>& slots) {
  const Sealer sealer(file.context);
  std::map<uint32_t, e4c_tag_block> blocks;
  for (const auto& [page, slot] : slots) blocks[GroupOfPage(page)].slot[PlaceOfPage(page)] = slot;
  for (unsigned level = 0; level <= file.height; ++level) {
    std::map<uint32_t, e4c_tag_block> above;
    for (auto& [number, tags] : blocks) {
      sealer.Seal(level, number, NewNonce(), tags);
      (level == 0 ? file.groups[number] : file.nodes[{level, number}]) = NewBlock();
      WriteNodeBlock(file, level, number, tags);
      above[number / E4C_BLOCK_SLOTS].slot[number % E4C_BLOCK_SLOTS] = tags.seal;
      if (level == file.height) tops_[file.inode] = tags.seal;
    }
    blocks = std::move(above);
  }
}

e4c_tag_block ImageBuilder::ReadNodeBlock(const BuiltFile& file, unsigned level, uint32_t number) {
  e4c_tag_block tags = {};
  const Block data =
      ReadBlock(level == 0 ? file.groups.at(number) : file.nodes.at({level, number}));
  std::memcpy(&tags, data.data(), sizeof(tags));
  return tags;
}

void ImageBuilder::WriteNodeBlock(const BuiltFile& file, unsigned level, uint32_t number,
                                  const e4c_tag_block& tags) {
  Block data = {};
  std::memcpy(data.data(), &tags, sizeof(tags));
  WriteBlock(level == 0 ? file.groups.at(number) : file.nodes.at({level, number}), data);
}

e4c_tag_block ImageBuilder::ReadGroup(const BuiltFile& file, uint32_t group) {
  return ReadNodeBlock(file, 0, group);
}

void ImageBuilder::WriteGroup(const BuiltFile& file, uint32_t group, const e4c_tag_block& tags) {
  WriteNodeBlock(file, 0, group, tags);
}

void ImageBuilder::Reseal(const BuiltFile& file, uint32_t group, e4c_tag_block& tags) {
  ResealNode(file, 0, group, tags);
}

void ImageBuilder::ResealNode(const BuiltFile& file, unsigned level, uint32_t number,
                              e4c_tag_block& tags) {
  Sealer(file.context).Seal(level, number, NewNonce(), tags);
  Propagate(file, level, number, tags.seal);
}

void ImageBuilder::Propagate(const BuiltFile& file, unsigned level, uint32_t number,
                             const e4c_slot& seal) {
  if (level == file.height) {
    tops_[file.inode] = seal;
    UpdateHead(file.inode);
    return;
  }
  const uint32_t above = number / E4C_BLOCK_SLOTS;
  e4c_tag_block node = ReadNodeBlock(file, level + 1, above);
  node.slot[number % E4C_BLOCK_SLOTS] = seal;
  ResealNode(file, level + 1, above, node);
  WriteNodeBlock(file, level + 1, above, node);
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

uint32_t ImageBuilder::AddSymlink(uint32_t parent, const std::string& name, const Context& context,
                                  const std::string& target) {
  const std::string cipher = EncryptShortName(TestKey().NamesKey(context).value(), target);
  const uint32_t number = NewInode(LINUX_S_IFLNK | 0777, &context, cipher.size() + 2);
  ChangeInode(number, [&](ext2_inode_large& large) {
    auto* map = reinterpret_cast<uint8_t*>(large.i_block);
    large.i_flags &= ~static_cast<uint32_t>(EXT4_EXTENTS_FL);
    std::memset(map, 0, sizeof(large.i_block));
    map[0] = static_cast<uint8_t>(cipher.size());
    std::copy(cipher.begin(), cipher.end(), map + 2);
    targets_[number].assign(map, map + cipher.size() + 2);
  });
  if (context.authenticated()) UpdateHead(number);
  Link(parent, name, number, EXT2_FT_SYMLINK);
  return number;
}

}  // namespace ext4crypt::volume
