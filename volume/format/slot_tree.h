// SPDX-License-Identifier: Apache-2.0
// The tag blocks and nodes of a file of form TREE, from the top down: docs/on-disk-format.md
// section 4. Each block has a place of its own by level and number, so that no walk can go in
// circles, whatever stands in them.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>

#include "volume/format/page_opener.h"
#include "volume/format/tag_layout.h"

namespace ext4crypt::volume {

[[nodiscard]] bool IsZero(const e4c_slot& slot);

// kNone, or why the block cannot be believed: kSealNotAuthentic, kSealNotNewest, kSlotStateUnknown.
// `named` is its slot in the block above, nullptr for the top; `opener` nullptr: no key.
[[nodiscard]] Reason CheckSeal(PageOpener* opener, unsigned level, uint32_t number,
                               const e4c_tag_block& block, const e4c_slot* named);

// For one thread: it keeps one block a level, those on the way to where it was last.
class SlotTree {
 public:
  // That the seal of the top is the newest is for CheckHead() to say. `opener` nullptr: no key.
  SlotTree(const Image& image, const Layout& layout, PageOpener* opener)
      : image_(image), layout_(layout), opener_(opener) {}

  enum class Presence { kAbsent, kExists, kBroken };
  struct Found {
    Presence presence = Presence::kAbsent;
    // kExists: the slot of the tag block in the node above; nullptr if it is the top. Until the
    // next call.
    const e4c_slot* slot = nullptr;
  };
  // Whether a tag block exists; kBroken: a node on the way to it cannot be believed.
  [[nodiscard]] Found Find(uint32_t group);

  struct Visitor {
    // A node that cannot be believed, or a tag block that exists and is not mapped.
    std::function<void(Reason reason, unsigned level, uint32_t number)> fault;
    // Each node that was read, before what is below it.
    std::function<void(unsigned level, uint32_t number, const e4c_tag_block& block)> node;
    // Each tag block that exists and is mapped.
    std::function<void(uint32_t group, uint64_t block)> tag_block;
  };
  // All that exists and can be reached, in ascending order. Any part of the visitor may be empty.
  void Walk(const Visitor& visitor);

 private:
  struct Kept {
    bool valid = false;
    uint32_t number = 0;
    Reason reason = Reason::kNone;
    e4c_tag_block block;
  };
  [[nodiscard]] Reason Read(unsigned level, uint32_t number, const e4c_slot* named,
                            e4c_tag_block& block) const;
  void WalkNode(const Visitor& visitor, unsigned level, uint32_t number, const e4c_slot* named);
  void WalkTagBlock(const Visitor& visitor, uint32_t group) const;

  const Image& image_;
  const Layout& layout_;
  PageOpener* opener_;
  std::array<std::unique_ptr<Kept>, E4C_MAX_HEIGHT + 1> kept_;
};

}  // namespace ext4crypt::volume
