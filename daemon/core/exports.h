// SPDX-License-Identifier: Apache-2.0
// Carrying a user's keys to another machine: export, and import there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/core/enrolment.h"
#include "daemon/core/held_keys.h"
#include "daemon/core/key_store.h"
#include "keys/open_export.h"

namespace ext4crypt {

struct ImportedKeys {
  KeyIdentifier identifier{};      // of what was the default key there
  std::vector<std::string> names;  // as they are called here
  SecretBuffer recovery_code;      // empty when the old one goes on working
};

// Safe to call from any thread.
class Exports {
 public:
  Exports(KeyStore& store, const ProtectorKinds& kinds, KeyOpener& opener, Enrolment& enrolment,
          const HeldKeys& held)
      : store_(store), kinds_(kinds), opener_(opener), enrolment_(enrolment), held_(held) {}

  // All keys of the user's own, wrapped as they are. The credential is asked for because the
  // result can be guessed at without our limits. Keys others share stay with them.
  [[nodiscard]] absl::StatusOr<std::vector<uint8_t>> Make(Uid uid, const Credential& credential);

  // The same for a volume, where everybody who gets at the disk can try what opens it: without
  // passphrases, whatever they cost to try. No credential is asked for, since nothing in it can be
  // guessed. kNoSuchProtector when neither a recovery code nor a key file would open it.
  [[nodiscard]] absl::StatusOr<Export> MakeForVolume(Uid uid);

  // For a user without keys here: the same keys, with the same protectors if the uid is the same;
  // else wrapped anew, under `credential` and a new recovery code. `new_passphrase` replaces the
  // passphrase; with another uid it is needed unless the credential is one.
  // With `name`: for a user who has a default key, which must be unlocked; the keys become named
  // keys of that name, and of "NAME.OLD-NAME".
  // With `expected`: refused unless that is the default key in it.
  // kRecordUnusable, kAlreadyEnrolled, kKeyExists, kTooManyKeys.
  [[nodiscard]] absl::StatusOr<ImportedKeys> Import(
      Uid uid, absl::Span<const uint8_t> exported, const Credential& credential,
      const SecretBuffer& new_passphrase, const std::string& name,
      const std::optional<KeyIdentifier>& expected = std::nullopt);

 private:
  // All keys of the user's own, the default one first.
  [[nodiscard]] absl::StatusOr<Export> OwnKeys(Uid uid);
  [[nodiscard]] absl::StatusOr<ImportedKeys> ImportAsNamed(Uid uid, std::vector<PlainKey> keys,
                                                           const std::string& name);

  KeyStore& store_;
  const ProtectorKinds& kinds_;
  KeyOpener& opener_;
  Enrolment& enrolment_;
  const HeldKeys& held_;
};

}  // namespace ext4crypt
