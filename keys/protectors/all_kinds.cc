// SPDX-License-Identifier: Apache-2.0
#include "keys/protectors/all_kinds.h"

#include <memory>

#include "keys/protectors/fido2_protector.h"
#include "keys/protectors/hkdf_protector.h"
#include "keys/protectors/share_protector.h"

namespace ext4crypt {

ProtectorKinds AllProtectorKinds(const PassphraseCost& cost) {
  ProtectorKinds kinds;
  kinds[ProtectorKind::kPassphrase] = std::make_unique<PassphraseProtector>(cost);
  for (const ProtectorKind kind :
       {ProtectorKind::kRecovery, ProtectorKind::kKeyFile, ProtectorKind::kDefaultKey}) {
    kinds[kind] = std::make_unique<HkdfProtector>(kind);
  }
  kinds[ProtectorKind::kFido2] = std::make_unique<Fido2Protector>();
  kinds[ProtectorKind::kShare] = std::make_unique<ShareProtector>();
  return kinds;
}

}  // namespace ext4crypt
