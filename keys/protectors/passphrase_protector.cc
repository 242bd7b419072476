// SPDX-License-Identifier: Apache-2.0
#include "keys/protectors/passphrase_protector.h"

#include <algorithm>
#include <utility>

#include "common/error.h"
#include "common/hex.h"
#include "common/status_macros.h"
#include "keys/crypto/aead.h"
#include "keys/crypto/random.h"
#include "keys/protectors/wrapping.h"

namespace ext4crypt {
namespace {

constexpr uint8_t kArgon2idV13 = 1;
constexpr size_t kParametersSize = 1 + 4 + 4 + kArgon2SaltSize;

struct Parameters {
  Argon2Cost cost;
  Argon2Salt salt{};
};

uint32_t ReadU32(const uint8_t* in) {
  return static_cast<uint32_t>(in[0]) | static_cast<uint32_t>(in[1]) << 8 |
         static_cast<uint32_t>(in[2]) << 16 | static_cast<uint32_t>(in[3]) << 24;
}

void WriteU32(uint8_t* out, uint32_t value) {
  for (int i = 0; i < 4; ++i) out[i] = static_cast<uint8_t>(value >> (8 * i));
}

std::vector<uint8_t> Encode(const Parameters& parameters) {
  std::vector<uint8_t> out(kParametersSize);
  out[0] = kArgon2idV13;
  WriteU32(&out[1], parameters.cost.passes);
  WriteU32(&out[5], parameters.cost.memory_mib);
  std::copy(parameters.salt.begin(), parameters.salt.end(), out.begin() + 9);
  return out;
}

absl::StatusOr<Parameters> Decode(const ProtectorRecord& record) {
  const std::vector<uint8_t>& in = record.parameters;
  Parameters parameters;
  if (in.size() == kParametersSize && in[0] == kArgon2idV13) {
    parameters.cost = {.passes = ReadU32(&in[1]), .memory_mib = ReadU32(&in[5])};
    std::copy_n(in.begin() + 9, kArgon2SaltSize, parameters.salt.begin());
  }
  // Before the derivation: an edited record must not make us take a terabyte or an hour.
  if (!IsAcceptable(parameters.cost)) {
    return Error(ErrorReason::kStoreCorrupt, "a passphrase protector has impossible parameters",
                 ToHex(record.id));
  }
  return parameters;
}

}  // namespace

absl::StatusOr<Argon2Cost> PassphraseProtector::CostForNewRecords() {
  if (cost_.passes.has_value()) {
    return Argon2Cost{.passes = *cost_.passes, .memory_mib = cost_.memory_mib};
  }
  const std::lock_guard lock(mutex_);
  if (!calibrated_.has_value()) {
    ASSIGN_OR_RETURN(calibrated_, CalibrateArgon2(cost_.memory_mib, kTargetMs));
  }
  return *calibrated_;
}

absl::StatusOr<ProtectorRecord> PassphraseProtector::Wrap(const ProtectorBinding& binding,
                                                          const SecretBuffer& key,
                                                          const SecretBuffer& secret,
                                                          const PublicParameters& given) {
  RETURN_IF_ERROR(RefuseParameters(kind(), given));
  Parameters parameters;
  ASSIGN_OR_RETURN(parameters.cost, CostForNewRecords());
  FillRandom(absl::MakeSpan(parameters.salt));
  ASSIGN_OR_RETURN(const SecretBuffer wrapping_key,
                   Argon2id(secret, parameters.salt, parameters.cost, kAeadKeySize));
  ProtectorRecord record = NewProtectorRecord(kind());
  record.parameters = Encode(parameters);
  SealKey(binding, wrapping_key, key, record);
  return record;
}

bool PassphraseProtector::IsAffordable(const ProtectorRecord& record) const {
  const auto parameters = Decode(record);
  return parameters.ok() && uint64_t{parameters->cost.passes} * parameters->cost.memory_mib <=
                                kMaxImportedPassesTimesMib;
}

absl::StatusOr<SecretBuffer> PassphraseProtector::Unwrap(const ProtectorBinding& binding,
                                                         const ProtectorRecord& record,
                                                         const SecretBuffer& secret) {
  ASSIGN_OR_RETURN(const Parameters parameters, Decode(record));
  ASSIGN_OR_RETURN(const SecretBuffer wrapping_key,
                   Argon2id(secret, parameters.salt, parameters.cost, kAeadKeySize));
  std::optional<SecretBuffer> key = OpenKey(binding, wrapping_key, record);
  if (!key.has_value()) return Error(ErrorReason::kWrongPassphrase, "the passphrase does not fit");
  return *std::move(key);
}

}  // namespace ext4crypt
