// SPDX-License-Identifier: Apache-2.0
// What named and shared keys need of the store beyond KeyStore, and with its promises.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "keys/records.h"

namespace ext4crypt {

class NamedKeyStore {
 public:
  virtual ~NamedKeyStore() = default;

  // With all protectors and shares. kNoSuchKey.
  [[nodiscard]] virtual absl::Status RemoveKey(Uid uid, const std::string& name) = 0;

  // The public key to which others seal what they share with `uid`; replaces an older one.
  [[nodiscard]] virtual absl::Status PutSharingKey(Uid uid, const SharingPublicKey& key) = 0;
  // kNotEnrolled when the user never had one.
  [[nodiscard]] virtual absl::StatusOr<SharingPublicKey> FindSharingKey(Uid uid) = 0;

  // Replaces a share of the same key with the same user. kNoSuchKey; kTooManyKeys when `with` has
  // been given kMaxSharesFromOne by `owner` already, or kMaxSharesWithOne by everybody.
  [[nodiscard]] virtual absl::Status PutShare(Uid owner, const std::string& name, Uid with,
                                              const ProtectorRecord& share) = 0;
  // kNotShared.
  [[nodiscard]] virtual absl::Status RemoveShare(Uid owner, const std::string& name, Uid with) = 0;
  [[nodiscard]] virtual absl::StatusOr<std::vector<Uid>> ListShares(Uid owner,
                                                                    const std::string& name) = 0;
  // Keys of others, each with the one protector that is this user's; `uid` is the owner's.
  [[nodiscard]] virtual absl::StatusOr<std::vector<KeyRecord>> ListSharedWith(Uid uid) = 0;
};

}  // namespace ext4crypt
