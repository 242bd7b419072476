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
    : aead_(context.aead()), keys_(TestKey().KeysOf(context).value()) {}

void Sealer::Run(uint8_t domain, unsigned level, uint64_t index, e4c_slot& slot,
                 absl::Span<const uint8_t> associated, absl::Span<const uint8_t> text,
                 uint8_t* ciphertext) const {
  std::array<uint8_t, 32> header = {'E', '4',    'C',   '2',
                                    2,   domain, aead_, static_cast<uint8_t>(level)};
  for (size_t i = 0; i < 8; ++i) header[8 + i] = static_cast<uint8_t>(index >> (8 * i));
  std::memcpy(header.data() + 16, &slot.info, 4);
  const CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
  int length = 0;
  uint8_t none = 0;
  Must(EVP_EncryptInit_ex(ctx.get(), aead_ == 1 ? EVP_aes_256_gcm() : EVP_chacha20_poly1305(),
                          nullptr, keys_.page().data(), slot.nonce) == 1);
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

e4c_slot Sealer::SealPage(uint64_t page, const Nonce& nonce, const Block& text, Block& ciphertext,
                          uint32_t text_bytes, uint8_t domain) const {
  e4c_slot slot = {};
  slot.info = htole32(text_bytes);
  std::copy(nonce.begin(), nonce.end(), slot.nonce);
  Run(domain, 0, page, slot, {}, absl::MakeConstSpan(text).first(text_bytes), ciphertext.data());
  return slot;
}

void Sealer::Seal(unsigned level, uint32_t number, const Nonce& nonce, e4c_tag_block& tags) const {
  std::copy(nonce.begin(), nonce.end(), tags.seal.nonce);
  tags.seal.info = htole32(E4C_INFO_SEAL);
  Run(E4C_DOMAIN_SEAL, level, number, tags.seal,
      {reinterpret_cast<const uint8_t*>(tags.slot), sizeof(tags.slot)}, {}, nullptr);
}

e4c_slot Sealer::SealTail(const Nonce& nonce, absl::Span<const e4c_slot> slots) const {
  e4c_slot seal = {};
  std::copy(nonce.begin(), nonce.end(), seal.nonce);
  seal.info = htole32(E4C_INFO_SEAL);
  Run(E4C_DOMAIN_TAIL_SEAL, 0, slots.size(), seal,
      {reinterpret_cast<const uint8_t*>(slots.data()), slots.size() * sizeof(seal)}, {}, nullptr);
  return seal;
}

Mac Sealer::Head(const MacSubject& subject, uint32_t state, uint64_t size, const e4c_slot& top,
                 absl::Span<const uint8_t> target) const {
  return HeadMac(keys_.head(), subject, state, size, top, target).value();
}

Mac Sealer::Place(const MacSubject& subject, const std::string& name) const {
  return PlaceMac(keys_.place(), subject,
                  {reinterpret_cast<const uint8_t*>(name.data()), name.size()})
      .value();
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
