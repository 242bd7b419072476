// SPDX-License-Identifier: Apache-2.0
// The part of SqliteKeyStore that is about named and shared keys.
#include <utility>

#include "common/error.h"
#include "common/status_macros.h"
#include "daemon/store/sqlite_key_store.h"
#include "daemon/store/to_array.h"

namespace ext4crypt {
namespace {

absl::Status NoSuchKey(const std::string& name) {
  return Error(ErrorReason::kNoSuchKey, "the user has no key of that name", name);
}

}  // namespace

absl::StatusOr<int64_t> SqliteKeyStore::FindNamedKeyId(Uid uid, const std::string& name) {
  absl::StatusOr<int64_t> id = FindKeyId(uid, name);
  if (!id.ok() && ReasonOf(id.status()) == ErrorReason::kNotEnrolled) return NoSuchKey(name);
  return id;
}

absl::Status SqliteKeyStore::RemoveKey(Uid uid, const std::string& name) {
  const std::lock_guard lock(mutex_);
  {
    SqliteTransaction transaction(*db_);
    RETURN_IF_ERROR(transaction.begun());
    ASSIGN_OR_RETURN(const int64_t key_id, FindNamedKeyId(uid, name));
    ASSIGN_OR_RETURN(SqliteStatement remove, db_->Prepare("DELETE FROM keys WHERE key_id = ?1"));
    RETURN_IF_ERROR(remove.Bind(1, key_id).Run());
    RETURN_IF_ERROR(transaction.Commit());
  }
  ForgetDeleted();
  return absl::OkStatus();
}

absl::Status SqliteKeyStore::PutSharingKey(Uid uid, const SharingPublicKey& key) {
  const std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(SqliteStatement put,
                   db_->Prepare("INSERT INTO sharing_keys (uid, public_key) VALUES (?1, ?2)"
                                " ON CONFLICT (uid) DO UPDATE SET public_key = ?2"));
  return put.Bind(1, int64_t{uid}).Bind(2, key).Run();
}

absl::StatusOr<SharingPublicKey> SqliteKeyStore::FindSharingKey(Uid uid) {
  const std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(SqliteStatement find,
                   db_->Prepare("SELECT public_key FROM sharing_keys WHERE uid = ?1"));
  ASSIGN_OR_RETURN(const bool row, find.Bind(1, int64_t{uid}).Step());
  if (!row) return Error(ErrorReason::kNotEnrolled, "the user has never unlocked a key");
  return ToArray<32>(find.Blob(0));
}

absl::Status SqliteKeyStore::PutShare(Uid owner, const std::string& name, Uid with,
                                      const ProtectorRecord& share) {
  const std::lock_guard lock(mutex_);
  {
    SqliteTransaction transaction(*db_);
    RETURN_IF_ERROR(transaction.begun());
    ASSIGN_OR_RETURN(const int64_t key_id, FindNamedKeyId(owner, name));
    {
      ASSIGN_OR_RETURN(SqliteStatement remove,
                       db_->Prepare("DELETE FROM shares WHERE key_id = ?1 AND uid = ?2"));
      RETURN_IF_ERROR(remove.Bind(1, key_id).Bind(2, int64_t{with}).Run());
    }
    {
      ASSIGN_OR_RETURN(SqliteStatement count,
                       db_->Prepare("SELECT count(*), coalesce(sum(keys.uid = ?2), 0) FROM shares"
                                    " JOIN keys USING (key_id) WHERE shares.uid = ?1"));
      RETURN_IF_ERROR(count.Bind(1, int64_t{with}).Bind(2, int64_t{owner}).Run());
      if (count.Int(0) >= static_cast<int64_t>(kMaxSharesWithOne) ||
          count.Int(1) >= static_cast<int64_t>(kMaxSharesFromOne)) {
        return Error(ErrorReason::kTooManyKeys, "the user has been given as many as may be");
      }
    }
    ASSIGN_OR_RETURN(
        SqliteStatement insert,
        db_->Prepare("INSERT INTO shares (protector_id, key_id, uid, parameters, nonce,"
                     " wrapped_key, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"));
    RETURN_IF_ERROR(insert.Bind(1, share.id)
                        .Bind(2, key_id)
                        .Bind(3, int64_t{with})
                        .Bind(4, share.parameters)
                        .Bind(5, share.nonce)
                        .Bind(6, share.wrapped_key)
                        .Bind(7, share.created_unix_s)
                        .Run());
    RETURN_IF_ERROR(transaction.Commit());
  }
  ForgetDeleted();
  return absl::OkStatus();
}

absl::Status SqliteKeyStore::RemoveShare(Uid owner, const std::string& name, Uid with) {
  const std::lock_guard lock(mutex_);
  {
    SqliteTransaction transaction(*db_);
    RETURN_IF_ERROR(transaction.begun());
    ASSIGN_OR_RETURN(const int64_t key_id, FindNamedKeyId(owner, name));
    ASSIGN_OR_RETURN(SqliteStatement remove,
                     db_->Prepare("DELETE FROM shares WHERE key_id = ?1 AND uid = ?2"));
    RETURN_IF_ERROR(remove.Bind(1, key_id).Bind(2, int64_t{with}).Run());
    if (db_->Changes() == 0) return Error(ErrorReason::kNotShared, "not shared", name);
    RETURN_IF_ERROR(transaction.Commit());
  }
  ForgetDeleted();
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Uid>> SqliteKeyStore::ListShares(Uid owner, const std::string& name) {
  const std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(const int64_t key_id, FindNamedKeyId(owner, name));
  ASSIGN_OR_RETURN(SqliteStatement rows,
                   db_->Prepare("SELECT uid FROM shares WHERE key_id = ?1 ORDER BY uid"));
  rows.Bind(1, key_id);
  std::vector<Uid> uids;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) return uids;
    uids.push_back(static_cast<Uid>(rows.Int(0)));
  }
}

absl::StatusOr<std::vector<KeyRecord>> SqliteKeyStore::ListSharedWith(Uid uid) {
  const std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(
      SqliteStatement rows,
      db_->Prepare("SELECT keys.uid, keys.name, keys.identifier, keys.created_at, protector_id,"
                   " parameters, nonce, wrapped_key, shares.created_at"
                   " FROM shares JOIN keys USING (key_id) WHERE shares.uid = ?1"
                   " ORDER BY keys.uid, keys.name"));
  rows.Bind(1, int64_t{uid});
  std::vector<KeyRecord> records;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) return records;
    KeyRecord record{
        .uid = static_cast<Uid>(rows.Int(0)), .name = rows.Text(1), .created_unix_s = rows.Int(3)};
    ASSIGN_OR_RETURN(record.identifier, ToArray<16>(rows.Blob(2)));
    ProtectorRecord share{.kind = ProtectorKind::kShare,
                          .parameters = rows.Blob(5),
                          .nonce = rows.Blob(6),
                          .wrapped_key = rows.Blob(7),
                          .created_unix_s = rows.Int(8)};
    ASSIGN_OR_RETURN(share.id, ToArray<16>(rows.Blob(4)));
    record.protectors.push_back(std::move(share));
    records.push_back(std::move(record));
  }
}

}  // namespace ext4crypt
