// SPDX-License-Identifier: Apache-2.0
// Use cases that create keys and change their protectors.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/secret_buffer.h"
#include "daemon/core/clock.h"
#include "daemon/core/key_opener.h"
#include "daemon/core/key_store.h"
#include "keys/records.h"

namespace ext4crypt {

// Bytes. The lower bound is a courtesy, not a measure of strength; the upper one keeps requests
// small.
inline constexpr size_t kMinPassphraseSize = 8;
inline constexpr size_t kMaxPassphraseSize = 1024;

struct EnrolledKey {
  KeyIdentifier identifier{};
  SecretBuffer recovery_code;  // in its written form; nobody keeps a copy
};

class Enrolment {
 public:
  Enrolment(KeyStore& store, const ProtectorKinds& kinds, KeyOpener& opener, const Clock& clock)
      : store_(store), kinds_(kinds), opener_(opener), clock_(clock) {}

  // A random key with a passphrase protector and a recovery protector.
  [[nodiscard]] absl::StatusOr<EnrolledKey> Enrol(Uid uid, const SecretBuffer& passphrase);

  // Wraps anew, for `new_passphrase`, whatever the old passphrase opens. With another kind of
  // credential that is whatever any passphrase opens, which is how a forgotten one is changed; a
  // passphrase protector is added when there is none.
  [[nodiscard]] absl::Status ChangePassphrase(Uid uid, const Credential& credential,
                                              const SecretBuffer& new_passphrase);

  // Replaces the recovery protector, or adds one when there is none; returns the new code in its
  // written form.
  [[nodiscard]] absl::StatusOr<SecretBuffer> RenewRecovery(Uid uid, const Credential& credential);

  // One more recovery protector: the old code goes on working. kTooManyProtectors.
  struct AddedRecovery {
    ProtectorId id{};
    SecretBuffer code;  // in its written form
  };
  [[nodiscard]] absl::StatusOr<AddedRecovery> AddRecovery(Uid uid, const Credential& credential);

  // `contents` is kKeyFileSize random bytes, or kKeyFileUnusable. kTooManyProtectors.
  [[nodiscard]] absl::StatusOr<ProtectorId> AddKeyFile(Uid uid, const Credential& credential,
                                                       const SecretBuffer& contents);
  // `secret` is what a security key answered when it was asked with `parameters`.
  // kInvalidRequest, kProtectorNameInvalid, kTooManyProtectors.
  [[nodiscard]] absl::StatusOr<ProtectorId> AddFido2(Uid uid, const Credential& credential,
                                                     const SecretBuffer& secret,
                                                     const PublicParameters& parameters,
                                                     const std::string& name);
  // Of the default key. kNotEnrolled.
  [[nodiscard]] absl::StatusOr<std::vector<ProtectorRecord>> Protectors(Uid uid);
  // kNoSuchProtector, kProtectorNameInvalid. Nothing that opens anything changes, so no credential
  // is asked for.
  [[nodiscard]] absl::Status RenameProtector(Uid uid, const ProtectorId& id,
                                             const std::string& name);
  // kNoSuchProtector, kLastProtector. The credential may be of the very protector that goes.
  [[nodiscard]] absl::Status RemoveProtector(Uid uid, const Credential& credential,
                                             const ProtectorId& id);

  // For a key that comes from elsewhere; nothing is stored. A passphrase that may not be a new one
  // is refused.
  struct NewProtectors {
    std::vector<ProtectorRecord> records;  // a passphrase's and a recovery code's
    SecretBuffer recovery_code;            // in its written form
  };
  [[nodiscard]] absl::StatusOr<NewProtectors> MakeProtectors(Uid uid, const SecretBuffer& key,
                                                             const SecretBuffer& passphrase);
  [[nodiscard]] absl::StatusOr<ProtectorRecord> MakePassphrase(Uid uid, const SecretBuffer& key,
                                                               const SecretBuffer& passphrase);
  // The one protector of a named key.
  [[nodiscard]] absl::StatusOr<std::vector<ProtectorRecord>> WrapForDefaultKey(
      Uid uid, const SecretBuffer& key, const SecretBuffer& default_key);

 private:
  struct RecoverySecret {
    ProtectorRecord record;
    SecretBuffer code;
  };
  [[nodiscard]] absl::StatusOr<ProtectorRecord> Wrap(ProtectorKind kind,
                                                     const ProtectorBinding& binding,
                                                     const SecretBuffer& key,
                                                     const SecretBuffer& secret,
                                                     const PublicParameters& parameters = {});
  // The one of `record`, wrapped for the new passphrase.
  [[nodiscard]] absl::StatusOr<ProtectorReplacement> Rewrap(const KeyRecord& record,
                                                            const ProtectorRecord& protector,
                                                            const SecretBuffer& key,
                                                            const SecretBuffer& new_passphrase);
  // What a change of the passphrase by `credential` has to wrap anew.
  [[nodiscard]] std::vector<const ProtectorRecord*> OpenedByPassphrase(
      const KeyRecord& record, const Credential& credential) const;
  // Replaces `old_id`, if there is one.
  [[nodiscard]] absl::Status Put(const KeyRecord& record, const std::optional<ProtectorId>& old_id,
                                 const ProtectorRecord& protector);
  [[nodiscard]] absl::StatusOr<RecoverySecret> NewRecovery(const ProtectorBinding& binding,
                                                           const SecretBuffer& key);

  KeyStore& store_;
  const ProtectorKinds& kinds_;
  KeyOpener& opener_;
  const Clock& clock_;
};

}  // namespace ext4crypt
