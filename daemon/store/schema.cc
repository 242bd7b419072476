// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/schema.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "common/unique_fd.h"

namespace ext4crypt {
namespace {

// kMigrations[i] leads from version i to i + 1. A released one is never edited.
constexpr std::array<const char*, kSchemaVersion> kMigrations = {R"sql(
  CREATE TABLE keys (
    key_id       INTEGER PRIMARY KEY,
    uid          INTEGER NOT NULL CHECK (uid BETWEEN 0 AND 4294967294),
    name         TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    identifier   BLOB    NOT NULL UNIQUE CHECK (length(identifier) = 16),
    created_at   INTEGER NOT NULL,
    UNIQUE (uid, name)
  ) STRICT;
  CREATE TABLE protectors (
    protector_id BLOB    PRIMARY KEY CHECK (length(protector_id) = 16),
    key_id       INTEGER NOT NULL REFERENCES keys (key_id) ON DELETE CASCADE,
    kind         INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 255),
    parameters   BLOB    NOT NULL CHECK (length(parameters) <= 4096),
    nonce        BLOB    NOT NULL CHECK (length(nonce) = 24),
    wrapped_key  BLOB    NOT NULL CHECK (length(wrapped_key) = 80),
    created_at   INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX protectors_by_key ON protectors (key_id);
)sql",
                                                                 R"sql(
  CREATE TABLE shares (
    protector_id BLOB    PRIMARY KEY CHECK (length(protector_id) = 16),
    key_id       INTEGER NOT NULL REFERENCES keys (key_id) ON DELETE CASCADE,
    uid          INTEGER NOT NULL CHECK (uid BETWEEN 0 AND 4294967294),
    parameters   BLOB    NOT NULL CHECK (length(parameters) <= 4096),
    nonce        BLOB    NOT NULL CHECK (length(nonce) = 24),
    wrapped_key  BLOB    NOT NULL CHECK (length(wrapped_key) = 80),
    created_at   INTEGER NOT NULL,
    UNIQUE (key_id, uid)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX shares_by_uid ON shares (uid);
  CREATE TABLE sharing_keys (
    uid          INTEGER PRIMARY KEY CHECK (uid BETWEEN 0 AND 4294967294),
    public_key   BLOB    NOT NULL CHECK (length(public_key) = 32)
  ) STRICT;
)sql",
                                                                 // Kinds by name, and names.
                                                                 R"sql(
  ALTER TABLE protectors RENAME TO numbered_protectors;
  CREATE TABLE protectors (
    protector_id BLOB    PRIMARY KEY CHECK (length(protector_id) = 16),
    key_id       INTEGER NOT NULL REFERENCES keys (key_id) ON DELETE CASCADE,
    kind         TEXT    NOT NULL CHECK (length(kind) BETWEEN 1 AND 32),
    parameters   BLOB    NOT NULL CHECK (length(parameters) <= 4096),
    nonce        BLOB    NOT NULL CHECK (length(nonce) = 24),
    wrapped_key  BLOB    NOT NULL CHECK (length(wrapped_key) = 80),
    created_at   INTEGER NOT NULL,
    name         TEXT    NOT NULL CHECK (length(CAST(name AS BLOB)) <= 64)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO protectors
    SELECT protector_id, key_id,
           CASE kind WHEN 1 THEN 'passphrase' WHEN 2 THEN 'recovery' WHEN 3 THEN 'key-file'
                     WHEN 4 THEN 'default-key' WHEN 5 THEN 'share' ELSE 'number ' || kind END,
           parameters, nonce, wrapped_key, created_at, ''
    FROM numbered_protectors;
  DROP TABLE numbered_protectors;
  CREATE INDEX protectors_by_key ON protectors (key_id);
)sql"};

absl::Status SetUp(SqliteDb& db) {
  // secure_delete: what a replaced protector wrapped must not stay readable in a free page, or an
  // old passphrase would go on opening the key for whoever finds the file.
  return db.Execute(
      "PRAGMA journal_mode = WAL;"
      "PRAGMA synchronous = FULL;"
      "PRAGMA foreign_keys = ON;"
      "PRAGMA secure_delete = ON;");
}

absl::Status MigrateFrom(SqliteDb& db, int64_t version) {
  SqliteTransaction transaction(db);
  RETURN_IF_ERROR(transaction.begun());
  for (auto i = static_cast<size_t>(version); i < kMigrations.size(); ++i) {
    RETURN_IF_ERROR(db.Execute(kMigrations[i]));
  }
  RETURN_IF_ERROR(db.Execute(absl::StrCat("PRAGMA user_version = ", kSchemaVersion).c_str()));
  return transaction.Commit();
}

// Read-only, so that a file we refuse stays as it was.
absl::StatusOr<int64_t> CheckExisting(const std::string& path) {
  // Even a read-only connection makes files beside a store in WAL mode. Without a log that is
  // avoided; with one it is needed, because the newest state is there.
  struct stat log = {};
  const bool has_log = ::stat(absl::StrCat(path, "-wal").c_str(), &log) == 0 && log.st_size > 0;
  ASSIGN_OR_RETURN(const auto db, SqliteDb::Open(path, has_log ? SqliteDb::Mode::kReadOnly
                                                               : SqliteDb::Mode::kImmutable));
  ASSIGN_OR_RETURN(const int64_t application, db->QueryInt("PRAGMA application_id"));
  if (application != kApplicationId) {
    return Error(ErrorReason::kStoreCorrupt, "the store is no ext4crypt store", path);
  }
  ASSIGN_OR_RETURN(const int64_t version, db->QueryInt("PRAGMA user_version"));
  if (version > kSchemaVersion) {
    return Error(ErrorReason::kStoreTooNew,
                 absl::StrCat("the store has schema ", version, ", this program knows up to ",
                              kSchemaVersion),
                 path);
  }
  ASSIGN_OR_RETURN(const std::string verdict, db->QueryText("PRAGMA integrity_check(1)"));
  if (version < 1 || verdict != "ok") {
    return Error(ErrorReason::kStoreCorrupt, absl::StrCat("the store is damaged: ", verdict), path);
  }
  ASSIGN_OR_RETURN(SqliteStatement orphans, db->Prepare("PRAGMA foreign_key_check"));
  ASSIGN_OR_RETURN(const bool has_orphans, orphans.Step());
  if (has_orphans) {
    return Error(ErrorReason::kStoreCorrupt, "the store has protectors without a key", path);
  }
  return version;
}

absl::Status FsyncPath(const std::string& path, int flags) {
  const UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) != 0) {
    return ErrnoError(ErrorReason::kStoreUnwritable, errno, "cannot sync the store", path);
  }
  return absl::OkStatus();
}

// Built under another name and renamed when complete: a file at `path` is always a whole store,
// so that an empty one is damage and never taken for a fresh start.
absl::Status CreateFresh(const std::string& path) {
  const std::string fresh = path + ".new";
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
    ::unlink(absl::StrCat(fresh, suffix).c_str());  // left by a creation that was cut short
  }
  {
    ASSIGN_OR_RETURN(const auto db, SqliteDb::Open(fresh, SqliteDb::Mode::kCreate));
    RETURN_IF_ERROR(db->Execute(absl::StrCat("PRAGMA application_id = ", kApplicationId).c_str()));
    RETURN_IF_ERROR(MigrateFrom(*db, 0));
    RETURN_IF_ERROR(SetUp(*db));
  }
  RETURN_IF_ERROR(FsyncPath(fresh, O_RDONLY));
  if (::rename(fresh.c_str(), path.c_str()) != 0) {
    return ErrnoError(ErrorReason::kStoreUnwritable, errno, "cannot rename the new store", path);
  }
  return FsyncPath(path.substr(0, path.rfind('/') + 1), O_RDONLY | O_DIRECTORY);
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteDb>> OpenStoreFile(const std::string& path) {
  struct stat info = {};
  const bool exists = ::lstat(path.c_str(), &info) == 0;
  if (!exists && errno != ENOENT) {
    return ErrnoError(ErrorReason::kStoreUnwritable, errno, "cannot look at the store", path);
  }
  if (!exists) {
    // A log without its store: somebody removed the file. Starting afresh would bury that.
    if (::access(absl::StrCat(path, "-wal").c_str(), F_OK) == 0) {
      return Error(ErrorReason::kStoreCorrupt, "the store is gone but its log is there", path);
    }
    RETURN_IF_ERROR(CreateFresh(path));
  } else if (!S_ISREG(info.st_mode) || info.st_size == 0) {
    return Error(ErrorReason::kStoreCorrupt, "the store is empty or no regular file", path);
  }
  ASSIGN_OR_RETURN(const int64_t version, CheckExisting(path));
  ASSIGN_OR_RETURN(auto db, SqliteDb::Open(path, SqliteDb::Mode::kReadWrite));
  RETURN_IF_ERROR(SetUp(*db));
  if (version < kSchemaVersion) RETURN_IF_ERROR(MigrateFrom(*db, version));
  return db;
}

}  // namespace ext4crypt
