// SPDX-License-Identifier: Apache-2.0
// What all kinds of protectors share: how a key is sealed under a wrapping key.
#pragma once

#include <optional>

#include "common/secret_buffer.h"
#include "keys/protector.h"
#include "keys/records.h"

namespace ext4crypt {

// The bytes authenticated with a wrapped key, little-endian, unambiguous because every field but
// the last has a fixed size:
//   "ext4crypt protector\0", version u8 = 1, uid u32, key identifier 16, protector id 16, kind u8,
//   length of parameters u32, parameters.
[[nodiscard]] std::vector<uint8_t> ProtectorAad(const ProtectorBinding& binding,
                                                const ProtectorRecord& record);

// Completes `record`, whose id, kind and parameters are final.
void SealKey(const ProtectorBinding& binding, const SecretBuffer& wrapping_key,
             const SecretBuffer& key, ProtectorRecord& record);
// nullopt when anything does not agree, the wrapping key or the record.
[[nodiscard]] std::optional<SecretBuffer> OpenKey(const ProtectorBinding& binding,
                                                  const SecretBuffer& wrapping_key,
                                                  const ProtectorRecord& record);

// kInvalidRequest unless they are empty: for kinds that choose their own.
[[nodiscard]] absl::Status RefuseParameters(ProtectorKind kind, const PublicParameters& parameters);

// A record of this kind with a fresh random id, otherwise empty.
[[nodiscard]] ProtectorRecord NewProtectorRecord(ProtectorKind kind);

}  // namespace ext4crypt
