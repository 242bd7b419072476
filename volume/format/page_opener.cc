// SPDX-License-Identifier: Apache-2.0
#include "volume/format/page_opener.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace ext4crypt::volume {
namespace {

static_assert(sizeof(e4c_aad) == 32);
static_assert(sizeof(e4c_slot) == 32);
static_assert(sizeof(e4c_tag_block) == kBlockSize);

const EVP_CIPHER* CipherOf(uint8_t aead) {
  // Fetched once: an implicit fetch at each use costs more than opening a page.
  static EVP_CIPHER* const gcm = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  static EVP_CIPHER* const chacha = EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr);
  return aead == E4C_AEAD_AES_256_GCM ? gcm : chacha;
}

}  // namespace

absl::StatusOr<PageOpener> PageOpener::Create(uint8_t aead, absl::Span<const uint8_t> key) {
  CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
  const EVP_CIPHER* cipher = CipherOf(aead);
  if (ctx == nullptr || cipher == nullptr || key.size() != E4C_KEY_SIZE ||
      EVP_DecryptInit_ex2(ctx.get(), cipher, key.data(), nullptr, nullptr) != 1) {
    return Fail(Reason::kInternal, "the AEAD cannot be set up");
  }
  return PageOpener(aead, std::move(ctx));
}

bool PageOpener::Open(uint8_t domain, unsigned level, uint64_t index, const e4c_slot& slot,
                      absl::Span<const uint8_t> associated, absl::Span<const uint8_t> ciphertext,
                      absl::Span<uint8_t> text) {
  e4c_aad header = {};
  std::memcpy(header.magic, E4C_MAGIC, sizeof(header.magic));
  header.revision = E4C_FORMAT_REVISION;
  header.domain = domain;
  header.aead = aead_;
  header.level = static_cast<uint8_t>(level);
  header.index = htole64(index);
  header.info = slot.info;  // both as on disk
  EVP_CIPHER_CTX* ctx = ctx_.get();
  std::array<uint8_t, E4C_TAG_SIZE> tag = {};
  std::copy_n(slot.tag, tag.size(), tag.begin());
  int length = 0;
  uint8_t nothing = 0;
  return EVP_DecryptInit_ex2(ctx, nullptr, nullptr, slot.nonce, nullptr) == 1 &&
         EVP_DecryptUpdate(ctx, nullptr, &length, reinterpret_cast<const uint8_t*>(&header),
                           sizeof(header)) == 1 &&
         (associated.empty() || EVP_DecryptUpdate(ctx, nullptr, &length, associated.data(),
                                                  static_cast<int>(associated.size())) == 1) &&
         (ciphertext.empty() || EVP_DecryptUpdate(ctx, text.data(), &length, ciphertext.data(),
                                                  static_cast<int>(ciphertext.size())) == 1) &&
         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, E4C_TAG_SIZE, tag.data()) == 1 &&
         EVP_DecryptFinal_ex(ctx, &nothing, &length) == 1;
}

bool PageOpener::OpenPage(uint64_t page, const e4c_slot& slot, absl::Span<const uint8_t> block,
                          absl::Span<uint8_t> text, Place place) {
  const size_t size = le32toh(slot.info);
  const uint8_t domain = place == Place::kTail ? E4C_DOMAIN_TAIL_PAGE : E4C_DOMAIN_PAGE;
  const bool good = size >= 1 && size <= kBlockSize && block.size() == kBlockSize &&
                    text.size() == kBlockSize &&
                    Open(domain, 0, page, slot, {}, block.first(size), text);
  // What the cipher made of a forged page must not reach anybody.
  std::fill(text.begin() + static_cast<ptrdiff_t>(good ? size : 0), text.end(), uint8_t{0});
  return good;
}

bool PageOpener::SealMatches(unsigned level, uint32_t number, const e4c_tag_block& block) {
  const auto* slots = reinterpret_cast<const uint8_t*>(block.slot);
  return Open(E4C_DOMAIN_SEAL, level, number, block.seal, {slots, sizeof(block.slot)}, {}, {});
}

bool PageOpener::TailSealMatches(const e4c_slot& seal, absl::Span<const e4c_slot> slots) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(slots.data());
  return Open(E4C_DOMAIN_TAIL_SEAL, 0, slots.size(), seal, {bytes, slots.size() * sizeof(seal)}, {},
              {});
}

}  // namespace ext4crypt::volume
