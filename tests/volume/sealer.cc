// SPDX-License-Identifier: Apache-2.0
#include "tests/volume/sealer.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "tests/volume/image_builder.h"
#include "volume/format/openssl_ptr.h"

namespace ext4crypt::volume {
namespace {

void Must(bool ok) {
  if (!ok) throw std::runtime_error("the cipher library fails");
}

}  // namespace

Sealer::Sealer(const Context& context)
    : aead_(context.aead()), key_(TestKey().PageKey(context).value()) {}

void Sealer::Run(uint8_t domain, uint64_t index, e4c_slot& slot,
                 absl::Span<const uint8_t> associated, absl::Span<const uint8_t> text,
                 uint8_t* ciphertext) const {
  std::array<uint8_t, 32> header = {'E', '4', 'C', '1', 1, domain, aead_};
  for (size_t i = 0; i < 8; ++i) header[8 + i] = static_cast<uint8_t>(index >> (8 * i));
  std::memcpy(header.data() + 16, &slot.info, 4);
  const CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
  int length = 0;
  uint8_t none = 0;
  Must(EVP_EncryptInit_ex(ctx.get(), aead_ == 1 ? EVP_aes_256_gcm() : EVP_chacha20_poly1305(),
                          nullptr, key_.data(), slot.nonce) == 1);
  Must(EVP_EncryptUpdate(ctx.get(), nullptr, &length, header.data(), 32) == 1);
  if (!associated.empty()) {
    Must(EVP_EncryptUpdate(ctx.get(), nullptr, &length, associated.data(),
                           static_cast<int>(associated.size())) == 1);
  }
  if (!text.empty()) {
    Must(EVP_EncryptUpdate(ctx.get(), ciphertext, &length, text.data(),
                           static_cast<int>(text.size())) == 1);
  }
  Must(EVP_EncryptFinal_ex(ctx.get(), &none, &length) == 1);
  Must(EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_GET_TAG, E4C_TAG_SIZE, slot.tag) == 1);
}

e4c_slot Sealer::SealPage(uint64_t page, const Nonce& nonce, const Block& text,
                          Block& ciphertext) const {
  e4c_slot slot = {};
  slot.info = htole32(E4C_STATE_VALID);
  std::copy(nonce.begin(), nonce.end(), slot.nonce);
  Run(E4C_DOMAIN_PAGE, page, slot, {}, text, ciphertext.data());
  return slot;
}

void Sealer::Seal(uint32_t group, const Nonce& nonce, e4c_tag_block& tags) const {
  std::copy(nonce.begin(), nonce.end(), tags.seal.nonce);
  Run(E4C_DOMAIN_SEAL, group, tags.seal,
      {reinterpret_cast<const uint8_t*>(tags.slot), sizeof(tags.slot)}, {}, nullptr);
}

std::string EncryptShortName(const SecretBuffer& key, const std::string& name) {
  std::array<uint8_t, 16> block = {};
  if (name.size() > block.size()) throw std::runtime_error("a longer name than tests write");
  std::copy(name.begin(), name.end(), block.begin());
  std::array<uint8_t, 16> out = {};
  const CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
  int length = 0;
  Must(EVP_EncryptInit_ex(ctx.get(), EVP_aes_256_ecb(), nullptr, key.data(), nullptr) == 1);
  Must(EVP_CIPHER_CTX_set_padding(ctx.get(), 0) == 1);
  Must(EVP_EncryptUpdate(ctx.get(), out.data(), &length, block.data(), 16) == 1);
  return {out.begin(), out.end()};
}

}  // namespace ext4crypt::volume
