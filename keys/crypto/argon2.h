// SPDX-License-Identifier: Apache-2.0
// Argon2id: from a passphrase to a wrapping key.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/secret_buffer.h"

namespace ext4crypt {

inline constexpr size_t kArgon2SaltSize = 16;  // crypto_pwhash_SALTBYTES
using Argon2Salt = std::array<uint8_t, kArgon2SaltSize>;

struct Argon2Cost {
  uint32_t passes = 0;
  uint32_t memory_mib = 0;

  bool operator==(const Argon2Cost&) const = default;
};

// The least and the most we accept, from options and from stored records alike: a stored record
// must neither weaken a passphrase nor make the service swallow the machine. The floor, 8 MiB
// times 4 passes, is near RFC 9106's and OWASP's smallest recommendations.
inline constexpr uint32_t kArgon2MinMemoryMib = 8;
inline constexpr uint32_t kArgon2MaxMemoryMib = 1024;
inline constexpr uint32_t kArgon2MinPassesTimesMib = 32;
inline constexpr uint32_t kArgon2MaxPasses = 64;

[[nodiscard]] bool IsAcceptable(const Argon2Cost& cost);

// `size` bytes. Error: kInternal when the memory cannot be had, kInvalidRequest for a cost that is
// not acceptable.
[[nodiscard]] absl::StatusOr<SecretBuffer> Argon2id(const SecretBuffer& passphrase,
                                                    const Argon2Salt& salt, const Argon2Cost& cost,
                                                    size_t size);

// The number of passes over `memory_mib` that takes about `target_ms` here, measured now.
[[nodiscard]] absl::StatusOr<Argon2Cost> CalibrateArgon2(uint32_t memory_mib, uint32_t target_ms);

}  // namespace ext4crypt
