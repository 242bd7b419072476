// SPDX-License-Identifier: Apache-2.0
// The encryption context of an inode: docs/on-disk-format.md section 2.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "volume/ext4/image.h"
#include "volume/ext4/xattr.h"

namespace ext4crypt::volume {

// FSCRYPT_MODE_AES_256_XTS, _CTS and _HCTR2, and FSCRYPT_POLICY_FLAGS_PAD_MASK of linux/fscrypt.h.
inline constexpr uint8_t kModeXts = 1;
inline constexpr uint8_t kModeCts = 4;
inline constexpr uint8_t kModeHctr2 = 10;
inline constexpr uint8_t kPaddingBits = 3;

using KeyIdentifier = std::array<uint8_t, 16>;

struct Context {
  std::array<uint8_t, E4C_CONTEXT_SIZE> raw = {};

  // Ours, or a version 2 context of fscrypt.
  [[nodiscard]] bool authenticated() const { return raw[0] == E4C_CONTEXT_VERSION; }
  [[nodiscard]] uint8_t contents_mode() const { return raw[1]; }
  [[nodiscard]] uint8_t names_mode() const { return raw[2]; }
  [[nodiscard]] uint8_t flags() const { return raw[3]; }
  [[nodiscard]] uint8_t log2_data_unit_size() const { return raw[4]; }
  [[nodiscard]] uint8_t aead() const { return raw[5]; }
  [[nodiscard]] KeyIdentifier identifier() const;
  [[nodiscard]] absl::Span<const uint8_t> nonce() const { return {raw.data() + 24, 16}; }
  // Everything but the nonce.
  [[nodiscard]] absl::Span<const uint8_t> policy() const { return {raw.data(), 24}; }
  // Bytes that names are padded to.
  [[nodiscard]] uint32_t name_padding() const { return 4u << (raw[3] & 3); }
};

// Errors: kContextMalformed (size), kContextUnsupported (a value that this version refuses).
[[nodiscard]] absl::StatusOr<Context> ParseContext(absl::Span<const uint8_t> bytes);

// "AES-256-XTS" and the like; a number where there is no name.
[[nodiscard]] std::string ContentsModeName(const Context& context);
[[nodiscard]] std::string NamesModeName(const Context& context);

}  // namespace ext4crypt::volume
