// SPDX-License-Identifier: Apache-2.0
// After "Length-preserving encryption with HCTR2" (Crowley, Huckleberry, Biggers 2021) and, for
// POLYVAL, RFC 8452.
#include "volume/format/hctr2.h"

#include <endian.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "volume/format/openssl_ptr.h"

namespace ext4crypt::volume {
namespace {

using Element = std::array<uint8_t, 16>;
constexpr size_t kTweakSize = 32;

// An element of GF(2^128) with bit i of the little-endian number for x^i.
struct Poly {
  uint64_t low = 0;
  uint64_t high = 0;
};

Poly Load(const Element& bytes) {
  Poly p;
  std::memcpy(&p.low, bytes.data(), 8);
  std::memcpy(&p.high, bytes.data() + 8, 8);
  return {le64toh(p.low), le64toh(p.high)};
}

Element Store(Poly p) {
  Element bytes = {};
  const uint64_t low = htole64(p.low);
  const uint64_t high = htole64(p.high);
  std::memcpy(bytes.data(), &low, 8);
  std::memcpy(bytes.data() + 8, &high, 8);
  return bytes;
}

// a * b * x^-128 modulo x^128 + x^127 + x^126 + x^121 + 1: each bit of `a` adds `b`, each step
// divides by x.
Poly Dot(Poly a, Poly b) {
  Poly r;
  for (unsigned i = 0; i < 128; ++i) {
    const uint64_t bit = (i < 64 ? a.low >> i : a.high >> (i - 64)) & 1;
    const uint64_t add = uint64_t{0} - bit;
    r.low ^= b.low & add;
    r.high ^= b.high & add;
    const uint64_t carry = uint64_t{0} - (r.low & 1);
    r.low = r.low >> 1 | r.high << 63;
    r.high = (r.high >> 1) ^ (carry & 0xE100000000000000u);
  }
  return r;
}

class Cipher {
 public:
  explicit Cipher(const SecretBuffer& key)
      : encrypt_(EVP_CIPHER_CTX_new()), decrypt_(EVP_CIPHER_CTX_new()) {
    ok_ =
        encrypt_ != nullptr && decrypt_ != nullptr && key.size() == 32 &&
        EVP_EncryptInit_ex(encrypt_.get(), EVP_aes_256_ecb(), nullptr, key.data(), nullptr) == 1 &&
        EVP_DecryptInit_ex(decrypt_.get(), EVP_aes_256_ecb(), nullptr, key.data(), nullptr) == 1 &&
        EVP_CIPHER_CTX_set_padding(encrypt_.get(), 0) == 1 &&
        EVP_CIPHER_CTX_set_padding(decrypt_.get(), 0) == 1;
  }
  Element Encrypt(const Element& in) {
    Element out = {};
    int length = 0;
    ok_ = ok_ && EVP_EncryptUpdate(encrypt_.get(), out.data(), &length, in.data(), 16) == 1 &&
          length == 16;
    return out;
  }
  Element Decrypt(const Element& in) {
    Element out = {};
    int length = 0;
    ok_ = ok_ && EVP_DecryptUpdate(decrypt_.get(), out.data(), &length, in.data(), 16) == 1 &&
          length == 16;
    return out;
  }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  CipherCtxPtr encrypt_;
  CipherCtxPtr decrypt_;
  bool ok_ = false;
};

Element Number(uint64_t value) { return Store({.low = value, .high = 0}); }

Element Xor(const Element& a, const Element& b) {
  Element out = {};
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<uint8_t>(a[i] ^ b[i]);
  return out;
}

Element Hash(Poly h, absl::Span<const uint8_t> message) {
  const bool whole = message.size() % 16 == 0;
  Poly sum = Dot(Load(Number(2 * 8 * kTweakSize + (whole ? 2 : 3))), h);
  const auto add = [&](const Element& block) {
    const Poly m = Load(block);
    sum = Dot({sum.low ^ m.low, sum.high ^ m.high}, h);
  };
  for (size_t i = 0; i < kTweakSize; i += 16) add({});
  for (size_t i = 0; i < message.size(); i += 16) {
    const absl::Span<const uint8_t> part = message.subspan(i, 16);
    Element block = {};
    std::copy(part.begin(), part.end(), block.begin());
    if (part.size() < block.size()) block[part.size()] = 1;
    add(block);
  }
  return Store(sum);
}

}  // namespace

bool Hctr2Decrypt(const SecretBuffer& key, absl::Span<const uint8_t> ciphertext,
                  std::vector<uint8_t>& plain) {
  if (ciphertext.size() < 16) return false;
  Cipher aes(key);
  const Poly h = Load(aes.Encrypt(Number(0)));
  const Element l = aes.Encrypt(Number(1));
  Element u = {};
  std::copy_n(ciphertext.begin(), 16, u.begin());
  const absl::Span<const uint8_t> v = ciphertext.subspan(16);
  const Element uu = Xor(u, Hash(h, v));
  const Element mm = aes.Decrypt(uu);
  const Element s = Xor(Xor(mm, uu), l);
  plain.assign(ciphertext.begin(), ciphertext.end());
  for (size_t i = 0; i < v.size(); ++i) {
    if (i % 16 == 0) u = aes.Encrypt(Xor(s, Number(i / 16 + 1)));
    plain[16 + i] = static_cast<uint8_t>(v[i] ^ u[i % 16]);
  }
  const Element m = Xor(mm, Hash(h, absl::MakeSpan(plain).subspan(16)));
  std::copy(m.begin(), m.end(), plain.begin());
  return aes.ok();
}

}  // namespace ext4crypt::volume
