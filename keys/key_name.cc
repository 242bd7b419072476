// SPDX-License-Identifier: Apache-2.0
#include "keys/key_name.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"

namespace ext4crypt {
namespace {

constexpr size_t kMaxNameSize = 64;

}  // namespace

bool IsKeyName(absl::string_view name) {
  if (name.empty() || name.size() > kMaxNameSize || name[0] == '.' || name[0] == '-') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_';
  });
}

absl::Status InvalidKeyName(absl::string_view name) {
  return Error(ErrorReason::kKeyNameInvalid, "no name for a key", name);
}

absl::StatusOr<KeyName> ParseKeyName(Uid uid, const std::string& text) {
  KeyName name{.owner = uid, .name = text};
  if (const size_t slash = text.find('/'); slash != std::string::npos) {
    name.name = text.substr(slash + 1);
    if (!absl::SimpleAtoi(text.substr(0, slash), &name.owner)) return InvalidKeyName(text);
  }
  if (!IsKeyName(name.name)) return InvalidKeyName(text);
  return name;
}

std::string FormatKeyName(Uid uid, const KeyName& name) {
  return name.owner == uid ? name.name : absl::StrCat(name.owner, "/", name.name);
}

}  // namespace ext4crypt
