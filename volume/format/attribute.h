// SPDX-License-Identifier: Apache-2.0
// The attribute "c" of an inode: docs/on-disk-format.md section 1.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "volume/ext4/xattr.h"
#include "volume/format/context.h"
#include "volume/format/macs.h"

namespace ext4crypt::volume {

enum class Form : uint8_t { kEmpty = E4C_FORM_EMPTY, kTail = E4C_FORM_TAIL, kTree = E4C_FORM_TREE };

struct State {
  uint32_t raw = 0;
  Form form = Form::kEmpty;
  unsigned height = 0;  // the level of the top block
  bool linked = false;
};

struct Attribute {
  std::optional<Context> context;  // nullopt: not encrypted, or too damaged to be of use
  std::optional<Mac> place;        // of authenticated inodes, and of special files
  Mac head = {};
  State state;
  // Why the inode is damaged; OK otherwise. With `context` set all the same where that can be read,
  // so that names can be listed and contents salvaged.
  absl::Status fault;
};

// A state of which a part is not allowed keeps the rest. Error: kStateNotAllowed.
[[nodiscard]] absl::Status ParseState(uint32_t raw, const Inode& inode, State& state);

[[nodiscard]] Attribute ReadAttribute(const Inode& inode, const std::vector<Xattr>& xattrs);

}  // namespace ext4crypt::volume
