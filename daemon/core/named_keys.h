// SPDX-License-Identifier: Apache-2.0
// Keys beside a user's default key: named ones of the user's own, and those others share.
//
// A named key is wrapped under its owner's default key, and for each user it is shared with sealed
// to a public key whose secret half follows from that user's default key. So whoever has unlocked
// the default key has all of them, by one passphrase and with no other secret to keep; and giving a
// key away needs nothing of the receiver's but what is public. They never stay unlocked longer than
// the default key.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/core/clock.h"
#include "daemon/core/held_keys.h"
#include "daemon/core/key_opener.h"
#include "daemon/core/key_store.h"
#include "daemon/core/named_key_store.h"
#include "keys/key_name.h"
#include "keys/records.h"

namespace ext4crypt {

// Safe to call from any thread. Where the user's default key is not held: kKeyLocked.
class NamedKeys {
 public:
  NamedKeys(KeyStore& keys, NamedKeyStore& store, const ProtectorKinds& kinds, HeldKeys& held,
            const Clock& clock)
      : keys_(keys), store_(store), kinds_(kinds), held_(held), clock_(clock) {}

  // kKeyExists, kTooManyKeys, kKeyNameInvalid. The new key is unlocked.
  [[nodiscard]] absl::StatusOr<KeyIdentifier> Create(Uid uid, const std::string& name);
  // What is encrypted with it is lost: kDataWouldBeLost unless that is wanted. Of somebody else's
  // key only the user's own share goes.
  [[nodiscard]] absl::Status Remove(Uid uid, const std::string& name, bool lose_data);
  // kNotEnrolled when `with` has no key to seal it to.
  [[nodiscard]] absl::Status Share(Uid uid, const std::string& name, Uid with);
  // Takes it away from the other user at once, too.
  [[nodiscard]] absl::Status Unshare(Uid uid, const std::string& name, Uid with);

  // One of them. kNoSuchKey.
  [[nodiscard]] absl::StatusOr<UnlockReport> Unlock(Uid uid, const std::string& name);
  // Works without the default key, as DefaultKey::Lock().
  [[nodiscard]] absl::StatusOr<LockReport> Lock(Uid uid, const std::string& name);
  // To be called when the default key was unlocked and locked. The names of those that opened;
  // one that does not is logged and hinders no other.
  std::vector<std::string> UnlockAll(Uid uid);
  [[nodiscard]] absl::StatusOr<LockReport> LockAll(Uid uid);

  // Those whose default key is locked, for users of whom keys are held: they must not stay longer.
  void LockWithoutDefault();

  [[nodiscard]] absl::StatusOr<std::vector<KeyRecord>> ListSharedWith(Uid uid);
  [[nodiscard]] absl::StatusOr<std::vector<Uid>> ListShares(Uid uid, const std::string& name);

 private:
  [[nodiscard]] absl::StatusOr<std::shared_ptr<const HeldKey>> DefaultKeyOf(Uid uid);
  [[nodiscard]] absl::StatusOr<KeyRecord> Find(Uid uid, const KeyName& name);
  // Of the user's own and given keys, without the default one.
  [[nodiscard]] absl::StatusOr<std::vector<KeyRecord>> All(Uid uid);
  [[nodiscard]] absl::StatusOr<SecretBuffer> Open(Uid uid, const HeldKey& default_key,
                                                  const KeyRecord& record);
  [[nodiscard]] absl::StatusOr<UnlockReport> Give(Uid uid, const KeyIdentifier& identifier,
                                                  SecretBuffer key);
  [[nodiscard]] absl::StatusOr<LockReport> Take(Uid uid, const KeyIdentifier& identifier);
  [[nodiscard]] absl::Status PublishSharingKey(Uid uid, const HeldKey& default_key);

  KeyStore& keys_;
  NamedKeyStore& store_;
  const ProtectorKinds& kinds_;
  HeldKeys& held_;
  const Clock& clock_;
};

}  // namespace ext4crypt
