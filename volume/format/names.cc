// SPDX-License-Identifier: Apache-2.0
#include "volume/format/names.h"

#include <openssl/evp.h>

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "volume/format/hctr2.h"
#include "volume/format/openssl_ptr.h"

namespace ext4crypt::volume {
namespace {

constexpr size_t kAesBlock = 16;
constexpr size_t kNoKeyBytes = 149;

bool CbcDecrypt(const SecretBuffer& key, const uint8_t* iv, absl::Span<const uint8_t> in,
                uint8_t* out) {
  const CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
  int length = 0;
  return ctx != nullptr &&
         EVP_DecryptInit_ex(ctx.get(), EVP_aes_256_cbc(), nullptr, key.data(), iv) == 1 &&
         EVP_CIPHER_CTX_set_padding(ctx.get(), 0) == 1 &&
         EVP_DecryptUpdate(ctx.get(), out, &length, in.data(), static_cast<int>(in.size())) == 1 &&
         static_cast<size_t>(length) == in.size();
}

// CBC with the last two blocks swapped and the second of them cut (CS3), IV zero.
bool CtsDecrypt(const SecretBuffer& key, absl::Span<const uint8_t> in, std::vector<uint8_t>& out) {
  const std::array<uint8_t, kAesBlock> zero = {};
  out.resize(in.size());
  if (in.size() == kAesBlock) return CbcDecrypt(key, zero.data(), in, out.data());
  const size_t tail = (in.size() - 1) % kAesBlock + 1;
  const size_t head = in.size() - tail - kAesBlock;
  // D(second last) = last plaintext block XOR (last ciphertext block, zero padded to a block): its
  // end is the stolen part.
  std::array<uint8_t, kAesBlock> opened = {};
  if (!CbcDecrypt(key, zero.data(), in.subspan(head, kAesBlock), opened.data())) return false;
  std::vector<uint8_t> swapped(in.begin(), in.begin() + static_cast<ptrdiff_t>(head));
  const absl::Span<const uint8_t> last = in.subspan(head + kAesBlock);
  swapped.insert(swapped.end(), last.begin(), last.end());
  swapped.insert(swapped.end(), opened.begin() + static_cast<ptrdiff_t>(tail), opened.end());
  std::vector<uint8_t> plain(swapped.size());
  if (!CbcDecrypt(key, zero.data(), swapped, plain.data())) return false;
  std::copy(plain.begin(), plain.end(), out.begin());
  for (size_t i = 0; i < tail; ++i) {
    out[head + kAesBlock + i] = static_cast<uint8_t>(opened[i] ^ last[i]);
  }
  return true;
}

std::string Base64Url(absl::Span<const uint8_t> bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  uint32_t bits = 0;
  unsigned held = 0;
  for (const uint8_t byte : bytes) {
    bits = bits << 8 | byte;
    held += 8;
    while (held >= 6) {
      held -= 6;
      out.push_back(kDigits[bits >> held & 63]);
    }
  }
  if (held > 0) out.push_back(kDigits[bits << (6 - held) & 63]);
  return out;
}

void AppendLe32(std::vector<uint8_t>& out, uint32_t value) {
  for (unsigned shift = 0; shift < 32; shift += 8) {
    out.push_back(static_cast<uint8_t>(value >> shift));
  }
}

}  // namespace

absl::StatusOr<std::string> DecryptName(const Context& context, const SecretBuffer& key,
                                        absl::Span<const uint8_t> ciphertext) {
  if (ciphertext.size() < kAesBlock || ciphertext.size() > kBlockSize) {
    return Fail(Reason::kNameMalformed, absl::StrCat(ciphertext.size(), " bytes"));
  }
  std::vector<uint8_t> plain;
  bool done = false;
  if (context.names_mode() == kModeCts) {
    done = CtsDecrypt(key, ciphertext, plain);
  } else if (context.names_mode() == kModeHctr2) {
    done = Hctr2Decrypt(key, ciphertext, plain);
  } else {
    return Fail(Reason::kModeUnsupported, NamesModeName(context));
  }
  if (!done) return Fail(Reason::kInternal, "a name cannot be decrypted");
  const auto end = std::find(plain.begin(), plain.end(), uint8_t{0});
  // Names carry no tag. Padding that is not zero is the one sign of a wrong key or changed bytes.
  if (end == plain.begin() || std::any_of(end, plain.end(), [](uint8_t b) { return b != 0; })) {
    return Fail(Reason::kNameMalformed, "the padding is not zero");
  }
  return std::string(plain.begin(), end);
}

std::string NoKeyName(uint32_t hash, uint32_t minor_hash, absl::Span<const uint8_t> ciphertext) {
  std::vector<uint8_t> bytes;
  AppendLe32(bytes, hash);
  AppendLe32(bytes, minor_hash);
  const absl::Span<const uint8_t> head = ciphertext.first(std::min(ciphertext.size(), kNoKeyBytes));
  bytes.insert(bytes.end(), head.begin(), head.end());
  if (ciphertext.size() > kNoKeyBytes) {
    std::array<uint8_t, 32> digest = {};
    const absl::Span<const uint8_t> rest = ciphertext.subspan(kNoKeyBytes);
    EVP_Digest(rest.data(), rest.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    bytes.insert(bytes.end(), digest.begin(), digest.end());
  }
  return Base64Url(bytes);
}

absl::StatusOr<absl::Span<const uint8_t>> SymlinkCiphertext(absl::Span<const uint8_t> contents) {
  if (contents.size() < 2) return Fail(Reason::kSymlinkMalformed, "no length");
  const size_t length = Le16(contents.data());
  if (length < kAesBlock || length > contents.size() - 2) {
    return Fail(Reason::kSymlinkMalformed, absl::StrCat("the length is ", length));
  }
  return contents.subspan(2, length);
}

}  // namespace ext4crypt::volume
