// SPDX-License-Identifier: Apache-2.0
#include "keys/protectors/wrapping.h"

#include <utility>

#include "common/error.h"
#include "keys/crypto/aead.h"
#include "keys/crypto/random.h"

namespace ext4crypt {
namespace {

// The terminating zero is part of it.
constexpr char kDomain[] = "ext4crypt protector";
constexpr uint8_t kAadVersion = 1;

void AppendU32(std::vector<uint8_t>& out, uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<uint8_t>(value >> shift));
}

}  // namespace

std::vector<uint8_t> ProtectorAad(const ProtectorBinding& binding, const ProtectorRecord& record) {
  std::vector<uint8_t> aad(std::begin(kDomain), std::end(kDomain));
  aad.push_back(kAadVersion);
  AppendU32(aad, binding.uid);
  aad.insert(aad.end(), binding.identifier.begin(), binding.identifier.end());
  aad.insert(aad.end(), record.id.begin(), record.id.end());
  aad.push_back(static_cast<uint8_t>(record.kind));
  AppendU32(aad, static_cast<uint32_t>(record.parameters.size()));
  aad.insert(aad.end(), record.parameters.begin(), record.parameters.end());
  return aad;
}

void SealKey(const ProtectorBinding& binding, const SecretBuffer& wrapping_key,
             const SecretBuffer& key, ProtectorRecord& record) {
  Sealed sealed = AeadSeal(wrapping_key, ProtectorAad(binding, record), key);
  record.nonce = std::move(sealed.nonce);
  record.wrapped_key = std::move(sealed.ciphertext);
}

std::optional<SecretBuffer> OpenKey(const ProtectorBinding& binding,
                                    const SecretBuffer& wrapping_key,
                                    const ProtectorRecord& record) {
  return AeadOpen(wrapping_key, ProtectorAad(binding, record), record.nonce, record.wrapped_key);
}

absl::Status RefuseParameters(ProtectorKind kind, const PublicParameters& parameters) {
  if (parameters.empty()) return absl::OkStatus();
  return Error(ErrorReason::kInvalidRequest, "this kind of protector takes no parameters",
               KindName(kind));
}

ProtectorRecord NewProtectorRecord(ProtectorKind kind) {
  ProtectorRecord record;
  FillRandom(absl::MakeSpan(record.id));
  record.kind = kind;
  return record;
}

}  // namespace ext4crypt
