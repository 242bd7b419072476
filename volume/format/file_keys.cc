// SPDX-License-Identifier: Apache-2.0
#include "volume/format/file_keys.h"

#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/hex.h"
#include "common/status_macros.h"
#include "common/unique_fd.h"
#include "volume/format/openssl_ptr.h"

namespace ext4crypt::volume {
namespace {

// fscrypt's HKDF contexts.
constexpr uint8_t kKeyIdentifierContext = 1;
constexpr uint8_t kPerFileKeyContext = 2;
constexpr char kFscryptPrefix[] = "fscrypt";  // its zero byte belongs to the info

absl::Status Hkdf(absl::Span<const uint8_t> key, absl::Span<const uint8_t> info,
                  absl::Span<uint8_t> out) {
  static EVP_KDF* const kdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
  const KdfCtxPtr ctx(EVP_KDF_CTX_new(kdf));
  char digest[] = "SHA512";
  OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
                         OSSL_PARAM_construct_octet_string(
                             OSSL_KDF_PARAM_KEY, const_cast<uint8_t*>(key.data()), key.size()),
                         OSSL_PARAM_construct_octet_string(
                             OSSL_KDF_PARAM_INFO, const_cast<uint8_t*>(info.data()), info.size()),
                         OSSL_PARAM_construct_end()};
  if (ctx == nullptr || EVP_KDF_derive(ctx.get(), out.data(), out.size(), params) != 1) {
    return Fail(Reason::kInternal, "HKDF failed");
  }
  return absl::OkStatus();
}

absl::Status FscryptHkdf(absl::Span<const uint8_t> key, uint8_t context,
                         absl::Span<const uint8_t> more, absl::Span<uint8_t> out) {
  std::vector<uint8_t> info(kFscryptPrefix, kFscryptPrefix + sizeof(kFscryptPrefix));
  info.push_back(context);
  info.insert(info.end(), more.begin(), more.end());
  return Hkdf(key, info, out);
}

// For keys on the way to another one. A SecretBuffer each, with its guard pages, would cost more
// than reading a small file.
template <size_t kSize>
struct Passing {
  std::array<uint8_t, kSize> bytes = {};
  Passing() = default;
  Passing(const Passing&) = delete;
  Passing& operator=(const Passing&) = delete;
  ~Passing() { WipeBytes(bytes.data(), bytes.size()); }
};

absl::Status Seed(absl::Span<const uint8_t> contents_key, absl::Span<uint8_t> seed) {
  std::array<uint8_t, 16> tweak = {};
  const uint64_t unit = htole64(E4C_KEY_DATA_UNIT);
  std::memcpy(tweak.data(), &unit, sizeof(unit));
  const std::array<uint8_t, E4C_KEY_SEED_SIZE> zeros = {};
  const CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
  int length = 0;
  if (ctx == nullptr ||
      EVP_EncryptInit_ex(ctx.get(), EVP_aes_256_xts(), nullptr, contents_key.data(),
                         tweak.data()) != 1 ||
      EVP_EncryptUpdate(ctx.get(), seed.data(), &length, zeros.data(), zeros.size()) != 1 ||
      static_cast<size_t>(length) != seed.size()) {
    return Fail(Reason::kInternal, "AES-256-XTS failed");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<MasterKey> MasterKey::FromRaw(absl::Span<const uint8_t> raw) {
  if (raw.size() != kMasterKeySize) {
    return Fail(Reason::kKeyFileUnusable, "a master key is 64 bytes");
  }
  MasterKey key;
  key.raw_ = SecretBuffer::CopyOf(raw);
  RETURN_IF_ERROR(FscryptHkdf(raw, kKeyIdentifierContext, {}, absl::MakeSpan(key.identifier_)));
  return key;
}

absl::StatusOr<MasterKey> MasterKey::FromFile(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    return Fail(Reason::kKeyFileUnusable, absl::StrCat(path, ": ", std::strerror(errno)));
  }
  // One byte more than the longest form, to notice a longer file.
  SecretBuffer text(2 * kMasterKeySize + 17);
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t n = ::read(fd.get(), text.data() + size, text.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Fail(Reason::kKeyFileUnusable, absl::StrCat(path, ": unreadable"));
    if (n == 0) break;
    size += static_cast<size_t>(n);
  }
  if (size == kMasterKeySize) return FromRaw(text.bytes().first(size));
  const absl::string_view digits = absl::StripAsciiWhitespace(text.text().substr(0, size));
  if (digits.size() == 2 * kMasterKeySize) {
    if (std::optional<std::vector<uint8_t>> raw = FromHex(digits); raw.has_value()) {
      absl::StatusOr<MasterKey> key = FromRaw(*raw);
      WipeBytes(raw->data(), raw->size());
      return key;
    }
  }
  return Fail(Reason::kKeyFileUnusable,
              absl::StrCat(path, ": neither 64 bytes nor 128 hexadecimal digits"));
}

absl::StatusOr<SecretBuffer> MasterKey::PerFile(const Context& context, size_t size) const {
  SecretBuffer key(size);
  RETURN_IF_ERROR(
      FscryptHkdf(raw_.bytes(), kPerFileKeyContext, context.nonce(), key.mutable_bytes()));
  return key;
}

absl::StatusOr<SecretBuffer> MasterKey::ContentsKey(const Context& context) const {
  return PerFile(context, 64);
}

absl::StatusOr<SecretBuffer> MasterKey::NamesKey(const Context& context) const {
  return PerFile(context, 32);
}

absl::StatusOr<FileKeys> MasterKey::KeysOf(const Context& context) const {
  Passing<64> contents;
  RETURN_IF_ERROR(FscryptHkdf(raw_.bytes(), kPerFileKeyContext, context.nonce(),
                              absl::MakeSpan(contents.bytes)));
  Passing<E4C_KEY_SEED_SIZE> seed;
  RETURN_IF_ERROR(Seed(contents.bytes, absl::MakeSpan(seed.bytes)));
  constexpr absl::string_view kInfo = E4C_KEY_INFO;
  std::vector<uint8_t> info(kInfo.begin(), kInfo.end());
  info.insert(info.end(), context.raw.begin(), context.raw.end());
  static_assert(sizeof(e4c_keys) == 2 * E4C_KEY_SIZE);
  FileKeys keys;
  keys.bytes_ = SecretBuffer(sizeof(e4c_keys));
  RETURN_IF_ERROR(Hkdf(seed.bytes, info, keys.bytes_.mutable_bytes()));
  return keys;
}

const MasterKey* KeyRing::Find(const KeyIdentifier& identifier) const {
  const auto it = keys_.find(identifier);
  return it == keys_.end() ? nullptr : &it->second;
}

}  // namespace ext4crypt::volume
