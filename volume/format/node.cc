// SPDX-License-Identifier: Apache-2.0
#include "volume/format/node.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/printable.h"
#include "common/status_macros.h"
#include "volume/format/names.h"

namespace ext4crypt::volume {
namespace {

// Names come from a disk that anyone may have written: nothing that could lead out of a directory.
bool IsName(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxName && text != "." && text != ".." &&
         text.find('/') == absl::string_view::npos && text.find('\0') == absl::string_view::npos;
}

void SetSize(Node& node) {
  node.size = node.inode.size;
  if (!node.authenticated() || !node.inode.IsRegular()) return;
  constexpr uint64_t kMost = uint64_t{E4C_MAX_PAGES} * kBlockSize;
  node.size = 0;
  if (node.inode.size < E4C_SIZE_BIAS) {
    node.fault.Update(Fail(Reason::kSizeNotBiased, absl::StrCat("i_size is ", node.inode.size)));
  } else if (node.inode.size - E4C_SIZE_BIAS > kMost) {
    node.fault.Update(Fail(Reason::kFileTooLarge, absl::StrCat("i_size is ", node.inode.size)));
  } else {
    node.size = node.inode.size - E4C_SIZE_BIAS;
  }
}

}  // namespace

absl::StatusOr<Node> ReadNode(const Image& image, uint32_t number) {
  Node node;
  ASSIGN_OR_RETURN(node.inode, image.ReadInode(number));
  auto xattrs = ReadXattrs(image, node.inode);
  if (!xattrs.ok()) {
    node.fault = xattrs.status();
    return node;
  }
  node.xattrs = *std::move(xattrs);
  Attribute attribute = ReadAttribute(node.inode, node.xattrs);
  node.context = attribute.context;
  node.place = attribute.place;
  node.head = attribute.head;
  node.state = attribute.state;
  node.fault = std::move(attribute.fault);
  SetSize(node);
  return node;
}

NameReader::NameReader(const Node& directory, const KeyRing& keys)
    : encrypted_(directory.inode.IsEncrypted()), context_(directory.context) {
  if (!context_.has_value()) return;
  const MasterKey* master = keys.Find(context_->identifier());
  if (master == nullptr) return;
  if (auto key = master->NamesKey(*context_); key.ok()) key_ = *std::move(key);
}

NameReader::Name NameReader::Read(const DirEntry& entry) const {
  Name name;
  if (!encrypted_) {
    name.text.assign(entry.name.begin(), entry.name.end());
    if (!IsName(name.text)) name.fault = Reason::kNameMalformed;
    return name;
  }
  if (!key_.empty()) {
    auto text = DecryptName(*context_, key_, entry.name);
    if (text.ok() && IsName(*text)) {
      name.text = *std::move(text);
      return name;
    }
    name.fault = text.ok() ? Reason::kNameMalformed : ReasonOf(text.status());
  }
  name.no_key = true;
  name.text = NoKeyName(entry.hash, entry.minor_hash, entry.name);
  return name;
}

absl::StatusOr<std::string> LinkTarget(const Image& image, const Node& link, const KeyRing& keys) {
  ASSIGN_OR_RETURN(const std::vector<uint8_t> contents, ReadSymlink(image, link.inode));
  if (!link.inode.IsEncrypted()) return std::string(contents.begin(), contents.end());
  RETURN_IF_ERROR(link.fault);
  ASSIGN_OR_RETURN(const absl::Span<const uint8_t> ciphertext, SymlinkCiphertext(contents));
  const MasterKey* master = keys.Find(link.context->identifier());
  if (master == nullptr) return NoKeyName(0, 0, ciphertext);
  ASSIGN_OR_RETURN(const SecretBuffer key, master->NamesKey(*link.context));
  auto target = DecryptName(*link.context, key, ciphertext);
  if (ReasonOf(target.status()) == Reason::kNameMalformed) {
    return Fail(Reason::kSymlinkMalformed, target.status().message());
  }
  return target;
}

absl::StatusOr<uint32_t> FindPath(
    const Image& image, const KeyRing& keys, absl::string_view path,
    const std::function<void(const Node& directory, const DirEntry& entry)>& step) {
  uint32_t at = EXT2_ROOT_INO;
  for (const absl::string_view part : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    ASSIGN_OR_RETURN(const Node node, ReadNode(image, at));
    if (!node.inode.IsDirectory()) {
      return Fail(Reason::kNotADirectory, absl::StrCat("in ", Printable(path)));
    }
    const NameReader names(node, keys);
    std::vector<Finding> findings;
    uint32_t found = 0;
    ForEachEntry(image, node.inode, findings, [&](const DirEntry& entry) {
      if (names.Read(entry).text != part) return true;
      found = entry.inode;
      if (step) step(node, entry);
      return false;
    });
    if (found == 0) return Fail(Reason::kNotFound, Printable(path));
    at = found;
  }
  return at;
}

}  // namespace ext4crypt::volume
