// SPDX-License-Identifier: Apache-2.0
// All keys of a user together: the default one and the named ones, which open with it and go with
// it.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "daemon/core/default_key.h"
#include "daemon/core/held_keys.h"
#include "daemon/core/key_store.h"
#include "daemon/core/named_keys.h"
#include "daemon/core/sessions.h"

namespace ext4crypt {

struct UserReport {
  bool enrolled = false;
  size_t sessions = 0;
  bool allow_unauthenticated = false;
  // The default key first, then the user's own, then those of others that the user was given. A
  // record's name is what this user calls the key.
  std::vector<KeyReport> keys;
};

// Safe to call from any thread.
class UserKeys {
 public:
  UserKeys(KeyStore& store, HeldKeys& held, DefaultKey& default_key, NamedKeys& named_keys,
           const Sessions& sessions)
      : store_(store),
        held_(held),
        default_key_(default_key),
        named_keys_(named_keys),
        sessions_(sessions) {}

  // As DefaultKey::Unlock(), then every named key: a named key that does not open is logged and
  // fails nothing.
  [[nodiscard]] absl::StatusOr<UnlockReport> Unlock(Uid uid, const Credential& credential,
                                                    UnlockFor purpose);
  // Both kinds, in one report.
  [[nodiscard]] absl::StatusOr<LockReport> Lock(Uid uid);
  // For the end of a session: as DefaultKey::LockAfterLastSession(), and the named keys go too.
  void LockAfterLastSession(Uid uid);
  [[nodiscard]] absl::StatusOr<UserReport> GetStatus(Uid uid);

  // Call it now and then, about once a second: what is busy, idle, or left without a default key.
  void Tick();

 private:
  [[nodiscard]] absl::Status AddOwn(Uid uid, UserReport& report);
  [[nodiscard]] absl::Status AddGiven(Uid uid, UserReport& report);

  KeyStore& store_;
  HeldKeys& held_;
  DefaultKey& default_key_;
  NamedKeys& named_keys_;
  const Sessions& sessions_;
};

}  // namespace ext4crypt
