// SPDX-License-Identifier: Apache-2.0
// One kind of way to wrap a key.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "common/secret_buffer.h"
#include "keys/records.h"

namespace ext4crypt {

// What a user can offer.
enum class CredentialKind : uint8_t { kPassphrase, kRecoveryCode, kKeyFile, kFido2 };

// What a record belongs to. It is authenticated, so that a record copied to another user or
// another key in the store does not open.
struct ProtectorBinding {
  Uid uid = 0;
  KeyIdentifier identifier{};
};

// What must be known before there is a secret to wrap under, such as the salt that a token was
// asked with; in the kind's own encoding, as it is stored. Not secret, but authenticated.
using PublicParameters = std::vector<uint8_t>;

class Protector {
 public:
  virtual ~Protector() = default;

  [[nodiscard]] virtual ProtectorKind kind() const = 0;
  // What a user opens it with; none for those that only another key opens.
  [[nodiscard]] virtual std::optional<CredentialKind> opened_by() const = 0;
  // A new record, with an id of its own. `secret` has the bytes of SecretOf() for a credential,
  // `parameters` is empty for a kind that chooses its own. kInvalidRequest for parameters that are
  // none of the kind's.
  [[nodiscard]] virtual absl::StatusOr<ProtectorRecord> Wrap(
      const ProtectorBinding& binding, const SecretBuffer& key, const SecretBuffer& secret,
      const PublicParameters& parameters) = 0;
  // A secret that does not fit: kWrongPassphrase or the kind's equal. A record that cannot be one
  // of ours: kStoreCorrupt.
  [[nodiscard]] virtual absl::StatusOr<SecretBuffer> Unwrap(const ProtectorBinding& binding,
                                                            const ProtectorRecord& record,
                                                            const SecretBuffer& secret) = 0;
  // Whether opening a record that somebody hands in, and may have written, costs no more than the
  // service does for one user while others wait.
  [[nodiscard]] virtual bool IsAffordable(const ProtectorRecord& /*record*/) const { return true; }
};

}  // namespace ext4crypt
