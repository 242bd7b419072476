// SPDX-License-Identifier: Apache-2.0
// The keys in a bundle of exported ones, opened: by the service to import them, by the offline
// reader to look at a volume.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/secret_buffer.h"
#include "daemon/core/bundle.h"
#include "daemon/core/key_opener.h"

namespace ext4crypt {

struct PlainKey {
  std::string name;
  KeyRecord record;
  SecretBuffer key;
};

// All of them, the default key first, each checked against its identifier. Wrong guesses count for
// `guesser`: the uid of the bundle is only a number that somebody wrote. `kinds` has all kinds that
// a bundle can hold, and `opener` is made of them. As KeyOpener::Open(), and kRecordUnusable.
[[nodiscard]] absl::StatusOr<std::vector<PlainKey>> OpenBundle(const Bundle& bundle,
                                                               const Credential& credential,
                                                               const ProtectorKinds& kinds,
                                                               KeyOpener& opener, Uid guesser);

}  // namespace ext4crypt
