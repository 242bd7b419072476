// SPDX-License-Identifier: Apache-2.0
// What the service writes to the keyring helper's standard input: one request, then the end.
// Plain C types, included by the helper, which links nothing of the service.
#pragma once

#include <cstdint>

namespace ext4crypt {

inline constexpr char kDefaultKeyDescription[] = "ext4crypt:EXT4_DEFAULT_KEY";
inline constexpr char kKeyringHelperName[] = "ext4crypt-keyring";

enum class KeyringVerb : uint32_t { kInstall = 1, kRemove = 2 };

struct KeyringRequest {
  KeyringVerb verb;
  uint32_t uid;
  uint8_t key[64];  // zero with kRemove
};

// The helper's exit status: an errno value, 0 for success. Nothing else comes back.

}  // namespace ext4crypt
