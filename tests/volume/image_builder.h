// SPDX-License-Identifier: Apache-2.0
// Writes small ext4 images with authenticated files, from docs/on-disk-format.md, for tests of the
// reader. Each part of a record can then be made wrong.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "volume/ext4/bytes.h"
#include "volume/ext4/extents.h"
#include "volume/ext4/image.h"
#include "volume/ext4/libext2fs.h"
#include "volume/format/attribute.h"
#include "volume/format/context.h"
#include "volume/format/file_keys.h"

namespace ext4crypt::volume {

inline constexpr uint8_t kTestKeyByte = 0x42;  // the test master key is 64 of them
[[nodiscard]] MasterKey TestKey();

// How the slots of a file are kept.
struct FileShape {
  unsigned height = 0;               // more than the pages ask for, or 0
  bool tail = false;                 // form TAIL; the pages are 0 to n - 1
  uint32_t text_bytes = kBlockSize;  // of each page
};

struct BuiltFile {
  uint32_t inode = 0;
  Context context;
  uint64_t size = 0;
  Form form = Form::kEmpty;
  unsigned height = 0;
  std::map<uint64_t, uint64_t> pages;                       // written page -> block of the volume
  std::map<uint32_t, uint64_t> groups;                      // tag block -> block of the volume
  std::map<std::pair<unsigned, uint32_t>, uint64_t> nodes;  // level and number -> block
};

class ImageBuilder {
 public:
  // Makes PATH, an empty file system of `size`. Throws std::runtime_error when a step fails, as all
  // the functions here do.
  explicit ImageBuilder(const std::string& path,
                        const std::string& features = "encrypt,^has_journal",
                        const std::string& size = "8M");
  // Opens what another one has made and closed. It knows of no context and no seal in it, so that
  // attributes can be set and blocks be changed and nothing be sealed or added.
  enum Existing { kOpen };
  ImageBuilder(const std::string& path, Existing);
  ~ImageBuilder();
  ImageBuilder(const ImageBuilder&) = delete;
  ImageBuilder& operator=(const ImageBuilder&) = delete;

  // An authenticated context with a nonce that has not been used yet. Names are padded to 16.
  [[nodiscard]] Context NewContext(uint8_t aead = E4C_AEAD_AES_256_GCM);
  // `context` nullptr: not encrypted. `parent` decides how `name` (at most 16 bytes) is stored.
  uint32_t AddDirectory(uint32_t parent, const std::string& name, const Context* context);
  // `written` and `unwritten` are pages; all the rest is a hole. Page p holds PageText(inode, p).
  // Without a written page the form is EMPTY, else TREE, as low as it can be, or what `shape` says.
  BuiltFile AddFile(uint32_t parent, const std::string& name, const Context& context, uint64_t size,
                    const std::vector<uint64_t>& written,
                    const std::vector<uint64_t>& unwritten = {}, const FileShape& shape = {});
  // A file without tags. `context` nullptr: plain.
  uint32_t AddPlainFile(uint32_t parent, const std::string& name, const Context* context,
                        const std::string& text);
  // A pipe, socket or device; `device` as in the first word of i_block.
  uint32_t AddSpecial(uint32_t parent, const std::string& name, uint16_t mode, uint32_t device,
                      int type);
  uint32_t AddSymlink(uint32_t parent, const std::string& name, const Context& context,
                      const std::string& target);
  // The place is that of the first name.
  void Link(uint32_t parent, const std::string& name, uint32_t inode, int type);

  [[nodiscard]] static Block PageText(uint32_t inode, uint64_t page);

  // The parts of records, to be changed.
  [[nodiscard]] Block ReadBlock(uint64_t block);
  void WriteBlock(uint64_t block, const Block& data);
  [[nodiscard]] e4c_tag_block ReadGroup(const BuiltFile& file, uint32_t group);
  void WriteGroup(const BuiltFile& file, uint32_t group, const e4c_tag_block& tags);
  // Seals again what was changed, as someone with the key could: the nodes above and the head, too.
  void Reseal(const BuiltFile& file, uint32_t group, e4c_tag_block& tags);
  // A node, by level and number, or (level 0) a tag block.
  [[nodiscard]] e4c_tag_block ReadNodeBlock(const BuiltFile& file, unsigned level, uint32_t number);
  void WriteNodeBlock(const BuiltFile& file, unsigned level, uint32_t number,
                      const e4c_tag_block& tags);
  void ResealNode(const BuiltFile& file, unsigned level, uint32_t number, e4c_tag_block& tags);
  // The first bytes of the attribute; the rest of it stays.
  void SetContext(uint32_t inode, absl::Span<const uint8_t> context);
  [[nodiscard]] std::vector<uint8_t> AttributeOf(uint32_t inode) const;
  // Nothing of it is computed anew.
  void SetAttribute(uint32_t inode, absl::Span<const uint8_t> value);
  // The head is computed anew.
  void SetState(uint32_t inode, uint32_t state);
  void SetSize(uint32_t inode, uint64_t size);
  void UpdateHead(uint32_t inode);
  // The place, as of an entry `name` in `parent`.
  void UpdatePlace(uint32_t parent, const std::string& name, uint32_t inode);
  void AddXattr(uint32_t inode, uint8_t index, const std::string& name,
                absl::Span<const uint8_t> value);
  // Replaces the extent tree.
  void SetExtents(uint32_t inode, const std::vector<Extent>& extents);
  [[nodiscard]] std::vector<Extent> ExtentsOf(const BuiltFile& file) const;
  void ChangeInode(uint32_t inode, const std::function<void(ext2_inode_large&)>& change);
  uint64_t NewBlock();
  [[nodiscard]] uint64_t FirstBlockOf(uint32_t inode);
  // Ends the writing; the image can be read.
  void Close();

 private:
  struct InodeContext {
    bool encrypted = false;
    Context context;
  };
  uint32_t NewInode(uint16_t mode, const Context* context, uint64_t size);
  void WriteXattrs(uint32_t inode);
  void WriteXattrBlock(uint32_t inode, const std::vector<Xattr>& xattrs);
  void WriteTail(BuiltFile& file, const std::vector<e4c_slot>& slots);
  void Propagate(const BuiltFile& file, unsigned level, uint32_t number, const e4c_slot& seal);
  [[nodiscard]] MacSubject SubjectOf(uint32_t inode);
  [[nodiscard]] std::string StoredName(uint32_t parent, const std::string& name) const;
  void SealGroups(BuiltFile& file, const std::map<uint64_t, e4c_slot>& slots);
  [[nodiscard]] std::array<uint8_t, E4C_NONCE_SIZE> NewNonce();

  std::string path_;
  ext2_filsys fs_ = nullptr;
  std::map<uint32_t, InodeContext> contexts_;
  std::map<uint32_t, std::vector<Xattr>> xattrs_;
  std::map<uint32_t, uint64_t> xattr_blocks_;
  std::set<uint32_t> placed_;                         // have a name, and so a place
  std::map<uint32_t, e4c_slot> tops_;                 // what the head covers: seals
  std::map<uint32_t, std::vector<uint8_t>> targets_;  // and targets of links
  uint64_t nonces_ = 0;
  std::map<std::pair<uint32_t, uint64_t>, bool> unwritten_;
};

}  // namespace ext4crypt::volume
