// SPDX-License-Identifier: Apache-2.0
// One kind of way to unwrap a key. TPM2 and FIDO2 are to fit in here beside the first two.
#pragma once

#include "absl/status/statusor.h"
#include "common/secret_buffer.h"
#include "keys/records.h"

namespace ext4crypt {

// What a record belongs to. It is authenticated, so that a record copied to another user or
// another key in the store does not open.
struct ProtectorBinding {
  Uid uid = 0;
  KeyIdentifier identifier{};
};

class Protector {
 public:
  virtual ~Protector() = default;

  [[nodiscard]] virtual ProtectorKind kind() const = 0;
  // A new record, with an id of its own.
  [[nodiscard]] virtual absl::StatusOr<ProtectorRecord> Wrap(const ProtectorBinding& binding,
                                                             const SecretBuffer& key,
                                                             const SecretBuffer& credential) = 0;
  // A credential that does not fit: kWrongPassphrase or the kind's equal. A record that cannot
  // be one of ours: kStoreCorrupt.
  [[nodiscard]] virtual absl::StatusOr<SecretBuffer> Unwrap(const ProtectorBinding& binding,
                                                            const ProtectorRecord& record,
                                                            const SecretBuffer& credential) = 0;
  // Whether opening a record that somebody hands in, and may have written, costs no more than the
  // service does for one user while others wait.
  [[nodiscard]] virtual bool IsAffordable(const ProtectorRecord& /*record*/) const { return true; }
};

}  // namespace ext4crypt
