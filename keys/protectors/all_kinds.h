// SPDX-License-Identifier: Apache-2.0
// Every kind of protector, for whoever opens records of any kind.
#pragma once

#include "keys/credential.h"
#include "keys/protectors/passphrase_protector.h"

namespace ext4crypt {

// `cost` is for new passphrase records only.
[[nodiscard]] ProtectorKinds AllProtectorKinds(const PassphraseCost& cost);

}  // namespace ext4crypt
