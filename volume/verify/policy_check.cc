// SPDX-License-Identifier: Apache-2.0
#include "volume/verify/policy_check.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace ext4crypt::volume {
namespace {

// What fscrypt would see of an authenticated context, without its nonce.
Context AsFscrypt(const Context& context) {
  Context plain = context;
  plain.raw[0] = 2;
  std::fill(plain.raw.begin() + 5, plain.raw.begin() + 8, uint8_t{0});
  return plain;
}

bool SamePolicy(const Context& a, const Context& b) { return a.policy() == b.policy(); }

}  // namespace

Reason ComparePolicies(const Node& directory, const Node& child, std::string& detail) {
  const bool has_contents =
      child.inode.IsDirectory() || child.inode.IsRegular() || child.inode.IsSymlink();
  if (!directory.inode.IsEncrypted() || !has_contents) return Reason::kNone;
  if (!child.inode.IsEncrypted()) return Reason::kNotEncrypted;
  if (!directory.context.has_value() || !child.context.has_value()) return Reason::kNone;
  const Context& above = *directory.context;
  const Context& below = *child.context;
  if (SamePolicy(above, below)) return Reason::kNone;
  if (above.authenticated() != below.authenticated() &&
      SamePolicy(AsFscrypt(above), AsFscrypt(below))) {
    if (above.authenticated()) return Reason::kDowngraded;
    detail = "the directory, not the file in it";
    return Reason::kDowngraded;
  }
  for (size_t i = 0; i < above.policy().size(); ++i) {
    if (above.policy()[i] == below.policy()[i]) continue;
    detail = absl::StrCat("byte ", i, " of the context differs");
    break;
  }
  return Reason::kPolicyMismatch;
}

}  // namespace ext4crypt::volume
