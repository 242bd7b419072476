// SPDX-License-Identifier: Apache-2.0
// Where keys are kept in wrapped form.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "keys/records.h"

namespace ext4crypt {

struct ProtectorReplacement {
  ProtectorId old_id{};
  ProtectorRecord replacement;
};

// Implementations are safe to call from any thread. Each call that changes something is one
// transaction, durable when it returns OK, without any effect otherwise.
class KeyStore {
 public:
  virtual ~KeyStore() = default;

  // All or none. kAlreadyEnrolled when a uid has a key of that name; kKeyExists when that very key
  // is in the store already, whoever's it is.
  [[nodiscard]] virtual absl::Status CreateKeys(const std::vector<KeyRecord>& records) = 0;
  [[nodiscard]] absl::Status CreateKey(const KeyRecord& record) { return CreateKeys({record}); }
  // kNotEnrolled when there is none.
  [[nodiscard]] virtual absl::StatusOr<KeyRecord> FindKey(Uid uid, const std::string& name) = 0;
  // By name; empty when there is none.
  [[nodiscard]] virtual absl::StatusOr<std::vector<KeyRecord>> ListKeys(Uid uid) = 0;
  // All or none. kChangedMeanwhile when an `old_id` is no protector of that key any more.
  [[nodiscard]] virtual absl::Status ReplaceProtectors(
      Uid uid, const std::string& name, const std::vector<ProtectorReplacement>& replacements) = 0;
  [[nodiscard]] absl::Status ReplaceProtector(Uid uid, const std::string& name,
                                              const ProtectorId& old_id,
                                              const ProtectorRecord& replacement) {
    return ReplaceProtectors(uid, name, {{.old_id = old_id, .replacement = replacement}});
  }
  // kTooManyProtectors beyond kMaxProtectors.
  [[nodiscard]] virtual absl::Status AddProtector(Uid uid, const std::string& name,
                                                  const ProtectorRecord& protector) = 0;
  // kNoSuchProtector; kLastProtector when the key would have none left.
  [[nodiscard]] virtual absl::Status RemoveProtector(Uid uid, const std::string& name,
                                                     const ProtectorId& id) = 0;
  // `name` is IsProtectorName(). kNoSuchProtector.
  [[nodiscard]] virtual absl::Status RenameProtector(Uid uid, const std::string& key,
                                                     const ProtectorId& id,
                                                     const std::string& name) = 0;
};

}  // namespace ext4crypt
