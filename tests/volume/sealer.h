// SPDX-License-Identifier: Apache-2.0
// The writing half of the format's cryptography, for tests only. Keys, heads and places come from
// the reader, which is held against independent vectors (crypto_test.cc).
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "common/secret_buffer.h"
#include "volume/ext4/bytes.h"
#include "volume/ext4/image.h"
#include "volume/format/context.h"
#include "volume/format/file_keys.h"
#include "volume/format/macs.h"

namespace ext4crypt::volume {

using Nonce = std::array<uint8_t, E4C_NONCE_SIZE>;

class Sealer {
 public:
  explicit Sealer(const Context& context);
  // `text_bytes` of `text` are text. `domain`: E4C_DOMAIN_PAGE or E4C_DOMAIN_TAIL_PAGE.
  [[nodiscard]] e4c_slot SealPage(uint64_t page, const Nonce& nonce, const Block& text,
                                  Block& ciphertext, uint32_t text_bytes = kBlockSize,
                                  uint8_t domain = E4C_DOMAIN_PAGE) const;
  // Fills in tags.seal.
  void Seal(unsigned level, uint32_t number, const Nonce& nonce, e4c_tag_block& tags) const;
  [[nodiscard]] e4c_slot SealTail(const Nonce& nonce, absl::Span<const e4c_slot> slots) const;
  // Keyed with the head key and with the place key of this context.
  [[nodiscard]] Mac Head(const MacSubject& subject, uint32_t state, uint64_t size,
                         const e4c_slot& top, absl::Span<const uint8_t> target) const;
  [[nodiscard]] Mac Place(const MacSubject& subject, const std::string& name) const;

 private:
  void Run(uint8_t domain, unsigned level, uint64_t index, e4c_slot& slot,
           absl::Span<const uint8_t> associated, absl::Span<const uint8_t> text,
           uint8_t* ciphertext) const;
  uint8_t aead_;
  FileKeys keys_;
};

// AES-256-CTS-CBC of at most 16 bytes, padded to 16: one block.
[[nodiscard]] std::string EncryptShortName(const SecretBuffer& key, const std::string& name);

}  // namespace ext4crypt::volume
