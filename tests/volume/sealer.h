// SPDX-License-Identifier: Apache-2.0
// The writing half of the format's cryptography, for tests only. Keys come from the reader, which
// is held against independent vectors (crypto_test.cc).
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "common/secret_buffer.h"
#include "volume/ext4/bytes.h"
#include "volume/ext4/image.h"
#include "volume/format/context.h"

namespace ext4crypt::volume {

using Nonce = std::array<uint8_t, E4C_NONCE_SIZE>;

class Sealer {
 public:
  explicit Sealer(const Context& context);
  [[nodiscard]] e4c_slot SealPage(uint64_t page, const Nonce& nonce, const Block& text,
                                  Block& ciphertext) const;
  // Fills in tags.seal; its info stays as it is.
  void Seal(uint32_t group, const Nonce& nonce, e4c_tag_block& tags) const;

 private:
  void Run(uint8_t domain, uint64_t index, e4c_slot& slot, absl::Span<const uint8_t> associated,
           absl::Span<const uint8_t> text, uint8_t* ciphertext) const;
  uint8_t aead_;
  SecretBuffer key_;
};

// AES-256-CTS-CBC of at most 16 bytes, padded to 16: one block.
[[nodiscard]] std::string EncryptShortName(const SecretBuffer& key, const std::string& name);

}  // namespace ext4crypt::volume
