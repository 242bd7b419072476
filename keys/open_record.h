// SPDX-License-Identifier: Apache-2.0
// A key record opened by a credential: each protector that such a credential opens is tried.
// Guesses are neither counted nor slowed here.
#pragma once

#include "absl/status/statusor.h"
#include "common/error.h"
#include "common/secret_buffer.h"
#include "keys/credential.h"
#include "keys/records.h"

namespace ext4crypt {

// Whether the credential itself was wrong, and not the record or the machine.
[[nodiscard]] bool IsWrongCredential(ErrorReason reason);

// The bytes that protectors take. kRecoveryCodeMistyped: a typo is told by the code's check
// symbols, before anything is tried.
[[nodiscard]] absl::StatusOr<SecretBuffer> SecretOf(const Credential& credential);

// `secret` is of SecretOf(). The wrong-credential reason of the kind, or what is wrong with the
// record.
[[nodiscard]] absl::StatusOr<OpenedKey> OpenRecord(const KeyRecord& record, CredentialKind kind,
                                                   const SecretBuffer& secret,
                                                   const ProtectorKinds& kinds);

}  // namespace ext4crypt
