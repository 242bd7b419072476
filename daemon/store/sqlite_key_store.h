// SPDX-License-Identifier: Apache-2.0
// KeyStore in one SQLite file.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/core/key_store.h"
#include "daemon/core/named_key_store.h"
#include "daemon/store/sqlite_db.h"

namespace ext4crypt {

class SqliteKeyStore final : public KeyStore, public NamedKeyStore {
 public:
  // Errors as OpenStoreFile().
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<SqliteKeyStore>> Open(
      const std::string& path);

  [[nodiscard]] absl::Status CreateKeys(const std::vector<KeyRecord>& records) override;
  [[nodiscard]] absl::StatusOr<KeyRecord> FindKey(Uid uid, const std::string& name) override;
  [[nodiscard]] absl::StatusOr<std::vector<KeyRecord>> ListKeys(Uid uid) override;
  [[nodiscard]] absl::Status ReplaceProtectors(
      Uid uid, const std::string& name,
      const std::vector<ProtectorReplacement>& replacements) override;
  [[nodiscard]] absl::Status RenameProtector(Uid uid, const std::string& key, const ProtectorId& id,
                                             const std::string& name) override;
  [[nodiscard]] absl::Status AddProtector(Uid uid, const std::string& name,
                                          const ProtectorRecord& protector) override;
  [[nodiscard]] absl::Status RemoveProtector(Uid uid, const std::string& name,
                                             const ProtectorId& id) override;

  [[nodiscard]] absl::Status RemoveKey(Uid uid, const std::string& name) override;
  [[nodiscard]] absl::Status PutSharingKey(Uid uid, const SharingPublicKey& key) override;
  [[nodiscard]] absl::StatusOr<SharingPublicKey> FindSharingKey(Uid uid) override;
  [[nodiscard]] absl::Status PutShare(Uid owner, const std::string& name, Uid with,
                                      const ProtectorRecord& share) override;
  [[nodiscard]] absl::Status RemoveShare(Uid owner, const std::string& name, Uid with) override;
  [[nodiscard]] absl::StatusOr<std::vector<Uid>> ListShares(Uid owner,
                                                            const std::string& name) override;
  [[nodiscard]] absl::StatusOr<std::vector<KeyRecord>> ListSharedWith(Uid uid) override;

  // Everybody with a default key.
  [[nodiscard]] absl::StatusOr<std::vector<Uid>> ListEnrolled();

 private:
  explicit SqliteKeyStore(std::unique_ptr<SqliteDb> db) : db_(std::move(db)) {}

  // The rest with mutex_ held.
  [[nodiscard]] absl::Status InsertKey(const KeyRecord& record);
  [[nodiscard]] absl::StatusOr<int64_t> FindKeyId(Uid uid, const std::string& name);
  // As FindKeyId(), with kNoSuchKey.
  [[nodiscard]] absl::StatusOr<int64_t> FindNamedKeyId(Uid uid, const std::string& name);
  // How many protectors the key has, and whether `id` is one of them.
  struct ProtectorCount {
    size_t all = 0;
    bool has_id = false;
  };
  [[nodiscard]] absl::StatusOr<ProtectorCount> CountProtectors(int64_t key_id,
                                                               const ProtectorId& id);
  [[nodiscard]] absl::Status DeleteProtector(const ProtectorId& id);
  // The log still holds the page with a deleted protector, where secure_delete cannot reach.
  void ForgetDeleted();
  [[nodiscard]] absl::Status InsertProtector(int64_t key_id, const ProtectorRecord& protector);
  [[nodiscard]] absl::StatusOr<std::vector<ProtectorRecord>> ReadProtectors(int64_t key_id);
  [[nodiscard]] absl::StatusOr<KeyRecord> ReadKey(const SqliteStatement& row);

  std::mutex mutex_;
  std::unique_ptr<SqliteDb> db_;
};

}  // namespace ext4crypt
