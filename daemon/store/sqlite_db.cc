// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/sqlite_db.h"

#include <sqlite3.h>

#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/error.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

absl::Status SqliteError(sqlite3* db, int code, absl::string_view what) {
  ErrorReason reason = ErrorReason::kInternal;
  switch (code & 0xff) {  // the primary code; the rest is detail
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT:
      reason = ErrorReason::kStoreCorrupt;
      break;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      reason = ErrorReason::kStoreUnwritable;
      break;
    default:
      break;
  }
  const char* path = db == nullptr ? nullptr : sqlite3_db_filename(db, "main");
  return Error(reason,
               absl::StrCat(what, ": ", sqlite3_errstr(code), " (",
                            db == nullptr ? "no connection" : sqlite3_errmsg(db), ")"),
               path == nullptr ? "" : path);
}

std::string EscapeForUri(const std::string& path) {
  std::string out;
  for (const char c : path) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || std::strchr("/._-", c) != nullptr) {
      out += c;
    } else {
      absl::StrAppendFormat(&out, "%%%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

}  // namespace

SqliteStatement::SqliteStatement(SqliteStatement&& other) noexcept
    : db_(other.db_),
      stmt_(std::exchange(other.stmt_, nullptr)),
      bind_result_(other.bind_result_) {}

SqliteStatement::~SqliteStatement() { sqlite3_finalize(stmt_); }

SqliteStatement& SqliteStatement::Bind(int index, int64_t value) {
  if (bind_result_ == SQLITE_OK) bind_result_ = sqlite3_bind_int64(stmt_, index, value);
  return *this;
}

SqliteStatement& SqliteStatement::Bind(int index, absl::string_view text) {
  if (bind_result_ == SQLITE_OK) {
    bind_result_ = sqlite3_bind_text(stmt_, index, text.data(), static_cast<int>(text.size()),
                                     SQLITE_TRANSIENT);
  }
  return *this;
}

SqliteStatement& SqliteStatement::Bind(int index, absl::Span<const uint8_t> blob) {
  if (bind_result_ == SQLITE_OK) {
    bind_result_ = sqlite3_bind_blob(stmt_, index, blob.data(), static_cast<int>(blob.size()),
                                     SQLITE_TRANSIENT);
  }
  return *this;
}

absl::StatusOr<bool> SqliteStatement::Step() {
  if (bind_result_ != SQLITE_OK) return SqliteError(db_, bind_result_, "bind");
  const int result = sqlite3_step(stmt_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return SqliteError(db_, sqlite3_extended_errcode(db_), "step");
}

absl::Status SqliteStatement::Run() { return Step().status(); }

int64_t SqliteStatement::Int(int column) const { return sqlite3_column_int64(stmt_, column); }

std::string SqliteStatement::Text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(stmt_, column));
  if (text == nullptr) return {};
  return {text, static_cast<size_t>(sqlite3_column_bytes(stmt_, column))};
}

std::vector<uint8_t> SqliteStatement::Blob(int column) const {
  const auto* data = static_cast<const uint8_t*>(sqlite3_column_blob(stmt_, column));
  if (data == nullptr) return {};
  return {data, data + sqlite3_column_bytes(stmt_, column)};
}

absl::StatusOr<std::unique_ptr<SqliteDb>> SqliteDb::Open(const std::string& path, Mode mode) {
  int flags = SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
  std::string name = path;
  switch (mode) {
    case Mode::kImmutable:
      flags |= SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
      name = absl::StrCat("file:", EscapeForUri(path), "?immutable=1");
      break;
    case Mode::kReadOnly:
      flags |= SQLITE_OPEN_READONLY;
      break;
    case Mode::kReadWrite:
      flags |= SQLITE_OPEN_READWRITE;
      break;
    case Mode::kCreate:
      flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
      break;
  }
  sqlite3* raw = nullptr;
  const int result = sqlite3_open_v2(name.c_str(), &raw, flags, nullptr);
  // SQLite hands out a handle even for most failures; it is ours to close.
  std::unique_ptr<SqliteDb> db(new SqliteDb(raw));
  if (result != SQLITE_OK) return SqliteError(raw, result, absl::StrCat("cannot open ", path));
  // A damaged schema must not run code: no triggers of the file's, no writes to shadow tables.
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_busy_timeout(raw, 2000);
  return db;
}

SqliteDb::~SqliteDb() { sqlite3_close_v2(db_); }

absl::Status SqliteDb::Execute(const char* sql) {
  const int result = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  return result == SQLITE_OK ? absl::OkStatus() : SqliteError(db_, result, sql);
}

absl::StatusOr<SqliteStatement> SqliteDb::Prepare(const char* sql) {
  sqlite3_stmt* stmt = nullptr;
  const int result = sqlite3_prepare_v2(db_, sql, -1, &stmt, nullptr);
  if (result != SQLITE_OK) return SqliteError(db_, result, sql);
  return SqliteStatement(db_, stmt);
}

absl::StatusOr<int64_t> SqliteDb::QueryInt(const char* sql) {
  ASSIGN_OR_RETURN(SqliteStatement statement, Prepare(sql));
  ASSIGN_OR_RETURN(const bool row, statement.Step());
  return row ? statement.Int(0) : 0;
}

absl::StatusOr<std::string> SqliteDb::QueryText(const char* sql) {
  ASSIGN_OR_RETURN(SqliteStatement statement, Prepare(sql));
  ASSIGN_OR_RETURN(const bool row, statement.Step());
  return row ? statement.Text(0) : std::string();
}

int64_t SqliteDb::LastInsertRow() const { return sqlite3_last_insert_rowid(db_); }
int SqliteDb::Changes() const { return sqlite3_changes(db_); }

SqliteTransaction::~SqliteTransaction() {
  // A failed COMMIT may have rolled back by itself; then this fails, which is as good.
  if (begun_.ok() && !done_) db_.Execute("ROLLBACK").IgnoreError();
}

absl::Status SqliteTransaction::Commit() {
  RETURN_IF_ERROR(begun_);
  RETURN_IF_ERROR(db_.Execute("COMMIT"));
  done_ = true;
  return absl::OkStatus();
}

}  // namespace ext4crypt
