// SPDX-License-Identifier: Apache-2.0
// Opens pages and checks seals: docs/on-disk-format.md section 5.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/secret_buffer.h"
#include "volume/ext4/image.h"
#include "volume/format/openssl_ptr.h"

namespace ext4crypt::volume {

// For one thread; cheap to make.
class PageOpener {
 public:
  // `aead` as in the context; `key` is 32 bytes.
  [[nodiscard]] static absl::StatusOr<PageOpener> Create(uint8_t aead, const SecretBuffer& key);

  // Decrypts into `text` (kBlockSize bytes each). False: not authentic, and `text` is zeroed.
  [[nodiscard]] bool OpenPage(uint64_t page, const e4c_slot& slot,
                              absl::Span<const uint8_t> ciphertext, absl::Span<uint8_t> text);
  [[nodiscard]] bool SealMatches(uint32_t group, const e4c_tag_block& block);

 private:
  PageOpener(uint8_t aead, CipherCtxPtr ctx) : aead_(aead), ctx_(std::move(ctx)) {}
  [[nodiscard]] bool Open(uint8_t domain, uint64_t index, const e4c_slot& slot,
                          absl::Span<const uint8_t> associated,
                          absl::Span<const uint8_t> ciphertext, absl::Span<uint8_t> text);

  uint8_t aead_;
  CipherCtxPtr ctx_;
};

}  // namespace ext4crypt::volume
