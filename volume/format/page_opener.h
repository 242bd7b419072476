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
  [[nodiscard]] static absl::StatusOr<PageOpener> Create(uint8_t aead,
                                                         absl::Span<const uint8_t> key);

  enum class Place { kUsual, kTail };  // kTail: the last page of form TAIL
  // Decrypts into `text` (kBlockSize bytes each), zeros behind the text bytes. False: not
  // authentic, and `text` is zeroed.
  [[nodiscard]] bool OpenPage(uint64_t page, const e4c_slot& slot, absl::Span<const uint8_t> block,
                              absl::Span<uint8_t> text, Place place = Place::kUsual);
  // Of a tag block (level 0) or a node, by its own seal.
  [[nodiscard]] bool SealMatches(unsigned level, uint32_t number, const e4c_tag_block& block);
  // Of form TAIL: `slots` are those of all pages.
  [[nodiscard]] bool TailSealMatches(const e4c_slot& seal, absl::Span<const e4c_slot> slots);

 private:
  PageOpener(uint8_t aead, CipherCtxPtr ctx) : aead_(aead), ctx_(std::move(ctx)) {}
  [[nodiscard]] bool Open(uint8_t domain, unsigned level, uint64_t index, const e4c_slot& slot,
                          absl::Span<const uint8_t> associated,
                          absl::Span<const uint8_t> ciphertext, absl::Span<uint8_t> text);

  uint8_t aead_;
  CipherCtxPtr ctx_;
};

}  // namespace ext4crypt::volume
