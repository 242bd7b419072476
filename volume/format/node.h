// SPDX-License-Identifier: Apache-2.0
// Directories with their contexts and keys: names in clear where there is a key, as the kernel
// prints them where there is none.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "volume/ext4/directory.h"
#include "volume/ext4/image.h"
#include "volume/format/attribute.h"
#include "volume/format/context.h"
#include "volume/format/file_keys.h"

namespace ext4crypt::volume {

// An inode with all that decides how to read it.
struct Node {
  Inode inode;
  std::vector<Xattr> xattrs;
  std::optional<Context> context;  // nullopt: not encrypted, or too damaged to be of use
  std::optional<Mac> place;        // of authenticated inodes, and of special files
  Mac head = {};
  State state;
  uint64_t size = 0;  // bytes: of an authenticated file i_size without the bias
  // Why the inode is damaged; OK otherwise. `context` can be set all the same.
  absl::Status fault;

  [[nodiscard]] bool authenticated() const { return context && context->authenticated(); }
  [[nodiscard]] MacSubject subject() const {
    return {.mode = inode.mode,
            .number = inode.number,
            .context = context.has_value() ? &*context : nullptr};
  }
};

// Error: kInodeUnreadable. Everything else is in Node::fault.
[[nodiscard]] absl::StatusOr<Node> ReadNode(const Image& image, uint32_t number);

// Names of one directory.
class NameReader {
 public:
  NameReader(const Node& directory, const KeyRing& keys);

  struct Name {
    std::string text;
    bool no_key = false;           // `text` stands for the name in the way the kernel does
    Reason fault = Reason::kNone;  // kNameMalformed: `text` is the no-key name
  };
  [[nodiscard]] Name Read(const DirEntry& entry) const;

 private:
  bool encrypted_;
  std::optional<Context> context_;
  SecretBuffer key_;  // empty: none
};

// The target of a symbolic link; without the key, as the kernel prints it (base64url as for names).
// Errors: kSymlinkMalformed, kModeUnsupported.
[[nodiscard]] absl::StatusOr<std::string> LinkTarget(const Image& image, const Node& link,
                                                     const KeyRing& keys);

// Follows `path` from the root; each part is a name in clear or a no-key name. Symbolic links are
// not followed. Checks nothing: `step`, if given, gets each directory on the way and the entry in
// it. Errors: kNotFound, kNotADirectory.
[[nodiscard]] absl::StatusOr<uint32_t> FindPath(
    const Image& image, const KeyRing& keys, absl::string_view path,
    const std::function<void(const Node& directory, const DirEntry& entry)>& step = nullptr);

}  // namespace ext4crypt::volume
