// SPDX-License-Identifier: Apache-2.0
// KeyStore in one SQLite file.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/core/key_store.h"
#include "daemon/store/sqlite_db.h"

namespace ext4crypt {

class SqliteKeyStore final : public KeyStore {
 public:
  // Errors as OpenStoreFile().
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<SqliteKeyStore>> Open(
      const std::string& path);

  [[nodiscard]] absl::Status CreateKey(const KeyRecord& record) override;
  [[nodiscard]] absl::StatusOr<KeyRecord> FindKey(Uid uid, const std::string& name) override;
  [[nodiscard]] absl::StatusOr<std::vector<KeyRecord>> ListKeys(Uid uid) override;
  [[nodiscard]] absl::Status ReplaceProtector(Uid uid, const std::string& name,
                                              const ProtectorId& old_id,
                                              const ProtectorRecord& replacement) override;

 private:
  explicit SqliteKeyStore(std::unique_ptr<SqliteDb> db) : db_(std::move(db)) {}

  // With mutex_ held.
  [[nodiscard]] absl::Status InsertProtector(int64_t key_id, const ProtectorRecord& protector);
  [[nodiscard]] absl::StatusOr<std::vector<ProtectorRecord>> ReadProtectors(int64_t key_id);
  [[nodiscard]] absl::StatusOr<KeyRecord> ReadKey(const SqliteStatement& row);

  std::mutex mutex_;
  std::unique_ptr<SqliteDb> db_;
};

}  // namespace ext4crypt
