// SPDX-License-Identifier: Apache-2.0
#include "volume/format/attribute.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace ext4crypt::volume {
namespace {

static_assert(sizeof(e4c_attribute) == E4C_ATTRIBUTE_SIZE);
static_assert(offsetof(e4c_attribute, head) == 52 && offsetof(e4c_attribute, state) == 64);

absl::Status CheckPosition(const Xattr& xattr) {
  if (xattr.in_fixed_place) return absl::OkStatus();
  return Fail(Reason::kAttributeMisplaced,
              "not the first attribute, or not the last bytes of the inode");
}

Mac MacAt(const std::vector<uint8_t>& value, size_t at) {
  Mac mac = {};
  std::copy_n(value.begin() + static_cast<ptrdiff_t>(at), mac.size(), mac.begin());
  return mac;
}

// Of a pipe, a socket or a whiteout: the place alone.
Attribute ReadPlaceOnly(const Xattr& xattr) {
  Attribute attribute;
  attribute.fault = CheckPosition(xattr);
  if (xattr.value.size() == E4C_PLACE_ATTRIBUTE_SIZE) {
    attribute.place = MacAt(xattr.value, 0);
  } else {
    attribute.fault = Fail(Reason::kContextMalformed,
                           absl::StrCat(xattr.value.size(), " bytes on a special file"));
  }
  return attribute;
}

void ReadAuthenticated(const Inode& inode, const Xattr& xattr, Attribute& attribute) {
  const std::vector<uint8_t>& value = xattr.value;
  const absl::Span<const uint8_t> bytes = value;
  // Before the size, which tells a person less.
  auto context = ParseContext(bytes.first(std::min<size_t>(value.size(), E4C_CONTEXT_SIZE)));
  if (!context.ok()) {
    attribute.fault = context.status();
    return;
  }
  if (value.size() != E4C_ATTRIBUTE_SIZE) {
    attribute.fault = Fail(Reason::kContextMalformed, absl::StrCat(value.size(), " bytes"));
    return;
  }
  attribute.context = *context;
  attribute.place = MacAt(value, offsetof(e4c_attribute, place));
  attribute.head = MacAt(value, offsetof(e4c_attribute, head));
  attribute.fault =
      ParseState(Le32(&value[offsetof(e4c_attribute, state)]), inode, attribute.state);
  attribute.fault.Update(CheckPosition(xattr));
}

}  // namespace

absl::Status ParseState(uint32_t raw, const Inode& inode, State& state) {
  const uint32_t form = raw & E4C_STATE_FORM_MASK;
  const uint32_t height = (raw & E4C_STATE_HEIGHT_MASK) >> E4C_STATE_HEIGHT_SHIFT;
  const auto refuse = [&](absl::string_view what) {
    return Fail(Reason::kStateNotAllowed, absl::StrCat(what, ", state 0x", absl::Hex(raw)));
  };
  state = {.raw = raw, .linked = (raw & E4C_STATE_LINKED) != 0};
  if (form > E4C_FORM_TREE) return refuse("unknown form");
  if (form != E4C_FORM_EMPTY && !inode.IsRegular()) return refuse("a form that only files have");
  if (height > E4C_MAX_HEIGHT) return refuse("the tree is too high");
  state.form = static_cast<Form>(form);
  state.height = height;
  if (height != 0 && form != E4C_FORM_TREE) return refuse("a height without a tree");
  if ((raw & E4C_STATE_ZERO_MASK) != 0) return refuse("unknown bits");
  if (state.linked && inode.IsDirectory()) return refuse("a directory with several names");
  return absl::OkStatus();
}

Attribute ReadAttribute(const Inode& inode, const std::vector<Xattr>& xattrs) {
  const Xattr* xattr = FindXattr(xattrs, kXattrIndexEncryption, "c");
  Attribute attribute;
  if (!inode.IsEncrypted()) {
    // The flag alone decides for the kernel; a context without it is a file stripped of its flag.
    if (xattr == nullptr) return attribute;
    if (inode.IsSpecial()) return ReadPlaceOnly(*xattr);
    attribute.fault = Fail(Reason::kContextMalformed, "a context on an inode not marked encrypted");
    return attribute;
  }
  if (xattr == nullptr) {
    attribute.fault = Fail(Reason::kContextMissing, "no attribute 9 \"c\"");
  } else if (inode.IsSpecial()) {
    attribute.fault = Fail(Reason::kContextMalformed, "a special file that is marked encrypted");
  } else if (!xattr->value.empty() && xattr->value[0] == E4C_CONTEXT_VERSION) {
    ReadAuthenticated(inode, *xattr, attribute);
  } else if (auto context = ParseContext(xattr->value); context.ok()) {
    attribute.context = *context;
  } else {
    attribute.fault = context.status();
  }
  return attribute;
}

}  // namespace ext4crypt::volume
