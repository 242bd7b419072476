// SPDX-License-Identifier: Apache-2.0
// Argon2id by libsodium.
#include "keys/crypto/argon2.h"

#include <sodium.h>

#include <algorithm>
#include <chrono>

#include "common/error.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

static_assert(kArgon2SaltSize == crypto_pwhash_SALTBYTES);

uint32_t MinPasses(uint32_t memory_mib) {
  return std::max(1U, (kArgon2MinPassesTimesMib + memory_mib - 1) / memory_mib);
}

}  // namespace

bool IsAcceptable(const Argon2Cost& cost) {
  return cost.memory_mib >= kArgon2MinMemoryMib && cost.memory_mib <= kArgon2MaxMemoryMib &&
         cost.passes >= MinPasses(cost.memory_mib) && cost.passes <= kArgon2MaxPasses;
}

absl::StatusOr<SecretBuffer> Argon2id(const SecretBuffer& passphrase, const Argon2Salt& salt,
                                      const Argon2Cost& cost, size_t size) {
  if (!IsAcceptable(cost)) {
    return Error(ErrorReason::kInvalidRequest, "Argon2 cost out of bounds");
  }
  SecretBuffer out(size);
  const size_t memory_bytes = static_cast<size_t>(cost.memory_mib) << 20;
  // libsodium wants a pointer even to nothing, and an empty buffer has none.
  const char* text = passphrase.empty() ? "" : reinterpret_cast<const char*>(passphrase.data());
  if (crypto_pwhash(out.data(), out.size(), text, passphrase.size(), salt.data(), cost.passes,
                    memory_bytes, crypto_pwhash_ALG_ARGON2ID13) != 0) {
    return Error(ErrorReason::kInternal, "not enough memory for Argon2id");
  }
  return out;
}

absl::StatusOr<Argon2Cost> CalibrateArgon2(uint32_t memory_mib, uint32_t target_ms) {
  using Clock = std::chrono::steady_clock;
  const SecretBuffer sample = SecretBuffer::CopyOf(absl::string_view("calibration"));
  Argon2Cost cost{.passes = MinPasses(memory_mib), .memory_mib = memory_mib};
  const auto start = Clock::now();
  RETURN_IF_ERROR(Argon2id(sample, Argon2Salt{}, cost, 32).status());
  const std::chrono::duration<double, std::milli> elapsed = Clock::now() - start;
  const double passes = cost.passes * target_ms / std::max(elapsed.count(), 0.1);
  cost.passes = static_cast<uint32_t>(
      std::clamp(passes, static_cast<double>(cost.passes), static_cast<double>(kArgon2MaxPasses)));
  return cost;
}

}  // namespace ext4crypt
