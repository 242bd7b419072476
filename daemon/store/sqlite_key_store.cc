// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/sqlite_key_store.h"

#include <algorithm>
#include <utility>

#include "common/error.h"
#include "common/hex.h"
#include "common/status_macros.h"
#include "daemon/store/schema.h"
#include "daemon/store/to_array.h"

namespace ext4crypt {
absl::StatusOr<std::unique_ptr<SqliteKeyStore>> SqliteKeyStore::Open(const std::string& path) {
  ASSIGN_OR_RETURN(auto db, OpenStoreFile(path));
  return std::unique_ptr<SqliteKeyStore>(new SqliteKeyStore(std::move(db)));
}

absl::Status SqliteKeyStore::CreateKeys(const std::vector<KeyRecord>& records) {
  const std::lock_guard lock(mutex_);
  SqliteTransaction transaction(*db_);
  RETURN_IF_ERROR(transaction.begun());
  for (const KeyRecord& record : records) RETURN_IF_ERROR(InsertKey(record));
  return transaction.Commit();
}

absl::Status SqliteKeyStore::InsertKey(const KeyRecord& record) {
  {
    ASSIGN_OR_RETURN(SqliteStatement find,
                     db_->Prepare("SELECT 1 FROM keys WHERE uid = ?1 AND name = ?2"));
    ASSIGN_OR_RETURN(const bool exists,
                     find.Bind(1, int64_t{record.uid}).Bind(2, record.name).Step());
    if (exists) return Error(ErrorReason::kAlreadyEnrolled, "the user has a key of that name");
  }
  {
    ASSIGN_OR_RETURN(SqliteStatement find,
                     db_->Prepare("SELECT 1 FROM keys WHERE identifier = ?1"));
    ASSIGN_OR_RETURN(const bool exists, find.Bind(1, record.identifier).Step());
    if (exists) return Error(ErrorReason::kKeyExists, "the very key is in the store");
  }
  {
    ASSIGN_OR_RETURN(SqliteStatement insert,
                     db_->Prepare("INSERT INTO keys (uid, name, identifier, created_at)"
                                  " VALUES (?1, ?2, ?3, ?4)"));
    RETURN_IF_ERROR(insert.Bind(1, int64_t{record.uid})
                        .Bind(2, record.name)
                        .Bind(3, record.identifier)
                        .Bind(4, record.created_unix_s)
                        .Run());
  }
  const int64_t key_id = db_->LastInsertRow();
  for (const ProtectorRecord& protector : record.protectors) {
    RETURN_IF_ERROR(InsertProtector(key_id, protector));
  }
  return absl::OkStatus();
}

absl::Status SqliteKeyStore::InsertProtector(int64_t key_id, const ProtectorRecord& protector) {
  ASSIGN_OR_RETURN(
      SqliteStatement insert,
      db_->Prepare("INSERT INTO protectors"
                   " (protector_id, key_id, kind, parameters, nonce, wrapped_key, created_at, name)"
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"));
  return insert.Bind(1, protector.id)
      .Bind(2, key_id)
      .Bind(3, std::string(KindName(protector.kind)))
      .Bind(4, protector.parameters)
      .Bind(5, protector.nonce)
      .Bind(6, protector.wrapped_key)
      .Bind(7, protector.created_unix_s)
      .Bind(8, protector.name)
      .Run();
}

absl::StatusOr<std::vector<ProtectorRecord>> SqliteKeyStore::ReadProtectors(int64_t key_id) {
  ASSIGN_OR_RETURN(SqliteStatement rows,
                   db_->Prepare("SELECT protector_id, kind, parameters, nonce, wrapped_key,"
                                " created_at, name FROM protectors WHERE key_id = ?1"
                                " ORDER BY created_at, protector_id"));
  rows.Bind(1, key_id);
  std::vector<ProtectorRecord> protectors;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) return protectors;
    ProtectorRecord protector;
    ASSIGN_OR_RETURN(protector.id, ToArray<16>(rows.Blob(0)));
    const std::string kind = rows.Text(1);
    const std::optional<ProtectorKind> known = KindByName(kind);
    if (!known.has_value()) {
      return Error(ErrorReason::kStoreTooNew, absl::StrCat("a protector of the kind \"", kind,
                                                           "\", which this version does not know"));
    }
    protector.kind = *known;
    protector.parameters = rows.Blob(2);
    protector.nonce = rows.Blob(3);
    protector.wrapped_key = rows.Blob(4);
    protector.created_unix_s = rows.Int(5);
    protector.name = rows.Text(6);
    protectors.push_back(std::move(protector));
  }
}

absl::StatusOr<KeyRecord> SqliteKeyStore::ReadKey(const SqliteStatement& row) {
  KeyRecord record;
  const int64_t key_id = row.Int(0);
  record.uid = static_cast<Uid>(row.Int(1));
  record.name = row.Text(2);
  ASSIGN_OR_RETURN(record.identifier, ToArray<16>(row.Blob(3)));
  record.created_unix_s = row.Int(4);
  ASSIGN_OR_RETURN(record.protectors, ReadProtectors(key_id));
  return record;
}

absl::StatusOr<KeyRecord> SqliteKeyStore::FindKey(Uid uid, const std::string& name) {
  const std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(SqliteStatement find,
                   db_->Prepare("SELECT key_id, uid, name, identifier, created_at FROM keys"
                                " WHERE uid = ?1 AND name = ?2"));
  ASSIGN_OR_RETURN(const bool row, find.Bind(1, int64_t{uid}).Bind(2, name).Step());
  if (!row) return Error(ErrorReason::kNotEnrolled, "the user has no key of that name");
  return ReadKey(find);
}

absl::StatusOr<std::vector<KeyRecord>> SqliteKeyStore::ListKeys(Uid uid) {
  const std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(SqliteStatement rows,
                   db_->Prepare("SELECT key_id, uid, name, identifier, created_at FROM keys"
                                " WHERE uid = ?1 ORDER BY name"));
  rows.Bind(1, int64_t{uid});
  std::vector<KeyRecord> records;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) return records;
    ASSIGN_OR_RETURN(KeyRecord record, ReadKey(rows));
    records.push_back(std::move(record));
  }
}

absl::StatusOr<std::vector<Uid>> SqliteKeyStore::ListEnrolled() {
  const std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(SqliteStatement rows, db_->Prepare("SELECT uid FROM keys WHERE name = ?1"));
  rows.Bind(1, std::string(kDefaultKeyName));
  std::vector<Uid> uids;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) return uids;
    uids.push_back(static_cast<Uid>(rows.Int(0)));
  }
}

absl::StatusOr<int64_t> SqliteKeyStore::FindKeyId(Uid uid, const std::string& name) {
  ASSIGN_OR_RETURN(SqliteStatement find,
                   db_->Prepare("SELECT key_id FROM keys WHERE uid = ?1 AND name = ?2"));
  ASSIGN_OR_RETURN(const bool row, find.Bind(1, int64_t{uid}).Bind(2, name).Step());
  if (!row) return Error(ErrorReason::kNotEnrolled, "the user has no key of that name");
  return find.Int(0);
}

absl::StatusOr<SqliteKeyStore::ProtectorCount> SqliteKeyStore::CountProtectors(
    int64_t key_id, const ProtectorId& id) {
  ASSIGN_OR_RETURN(SqliteStatement count,
                   db_->Prepare("SELECT count(*), coalesce(sum(protector_id = ?2), 0)"
                                " FROM protectors WHERE key_id = ?1"));
  RETURN_IF_ERROR(count.Bind(1, key_id).Bind(2, id).Run());
  return ProtectorCount{.all = static_cast<size_t>(count.Int(0)), .has_id = count.Int(1) != 0};
}

absl::Status SqliteKeyStore::DeleteProtector(const ProtectorId& id) {
  ASSIGN_OR_RETURN(SqliteStatement remove,
                   db_->Prepare("DELETE FROM protectors WHERE protector_id = ?1"));
  return remove.Bind(1, id).Run();
}

void SqliteKeyStore::ForgetDeleted() {
  // What is left to do when this fails (a reader in the way) is done by the next checkpoint.
  db_->Execute("PRAGMA wal_checkpoint(TRUNCATE)").IgnoreError();
}

absl::Status SqliteKeyStore::ReplaceProtectors(
    Uid uid, const std::string& name, const std::vector<ProtectorReplacement>& replacements) {
  const std::lock_guard lock(mutex_);
  {
    SqliteTransaction transaction(*db_);
    RETURN_IF_ERROR(transaction.begun());
    ASSIGN_OR_RETURN(const int64_t key_id, FindKeyId(uid, name));
    for (const auto& [old_id, replacement] : replacements) {
      ASSIGN_OR_RETURN(const ProtectorCount count, CountProtectors(key_id, old_id));
      if (!count.has_id) {
        return Error(ErrorReason::kChangedMeanwhile, "the protector was replaced meanwhile");
      }
      RETURN_IF_ERROR(InsertProtector(key_id, replacement));
      RETURN_IF_ERROR(DeleteProtector(old_id));
    }
    RETURN_IF_ERROR(transaction.Commit());
  }
  ForgetDeleted();
  return absl::OkStatus();
}

absl::Status SqliteKeyStore::RenameProtector(Uid uid, const std::string& key, const ProtectorId& id,
                                             const std::string& name) {
  const std::lock_guard lock(mutex_);
  SqliteTransaction transaction(*db_);
  RETURN_IF_ERROR(transaction.begun());
  ASSIGN_OR_RETURN(const int64_t key_id, FindKeyId(uid, key));
  {
    ASSIGN_OR_RETURN(
        SqliteStatement rename,
        db_->Prepare("UPDATE protectors SET name = ?3 WHERE key_id = ?1 AND protector_id = ?2"));
    RETURN_IF_ERROR(rename.Bind(1, key_id).Bind(2, id).Bind(3, name).Run());
  }
  if (db_->Changes() == 0) {
    return Error(ErrorReason::kNoSuchProtector, "no such protector", ToHex(id));
  }
  return transaction.Commit();
}

absl::Status SqliteKeyStore::AddProtector(Uid uid, const std::string& name,
                                          const ProtectorRecord& protector) {
  const std::lock_guard lock(mutex_);
  SqliteTransaction transaction(*db_);
  RETURN_IF_ERROR(transaction.begun());
  ASSIGN_OR_RETURN(const int64_t key_id, FindKeyId(uid, name));
  ASSIGN_OR_RETURN(const ProtectorCount count, CountProtectors(key_id, protector.id));
  if (count.all >= kMaxProtectors) {
    return Error(ErrorReason::kTooManyProtectors, "the key has as many protectors as it may");
  }
  RETURN_IF_ERROR(InsertProtector(key_id, protector));
  return transaction.Commit();
}

absl::Status SqliteKeyStore::RemoveProtector(Uid uid, const std::string& name,
                                             const ProtectorId& id) {
  const std::lock_guard lock(mutex_);
  {
    SqliteTransaction transaction(*db_);
    RETURN_IF_ERROR(transaction.begun());
    ASSIGN_OR_RETURN(const int64_t key_id, FindKeyId(uid, name));
    ASSIGN_OR_RETURN(const ProtectorCount count, CountProtectors(key_id, id));
    if (!count.has_id) return Error(ErrorReason::kNoSuchProtector, "no such protector", ToHex(id));
    if (count.all == 1) {
      return Error(ErrorReason::kLastProtector, "without it nothing would open the key", ToHex(id));
    }
    RETURN_IF_ERROR(DeleteProtector(id));
    RETURN_IF_ERROR(transaction.Commit());
  }
  ForgetDeleted();
  return absl::OkStatus();
}

}  // namespace ext4crypt
