// SPDX-License-Identifier: Apache-2.0
// A thin layer over SQLite's C interface: one connection, statements that finalize themselves.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

struct sqlite3;
struct sqlite3_stmt;

namespace ext4crypt {

// Errors: kStoreCorrupt for a damaged file, kStoreUnwritable when the disk refuses, kInternal.
class SqliteStatement {
 public:
  SqliteStatement(SqliteStatement&& other) noexcept;
  SqliteStatement& operator=(SqliteStatement&&) = delete;
  ~SqliteStatement();

  // Parameters are numbered from 1, columns from 0, as in SQLite.
  SqliteStatement& Bind(int index, int64_t value);
  SqliteStatement& Bind(int index, absl::string_view text);
  SqliteStatement& Bind(int index, absl::Span<const uint8_t> blob);

  // True when there is a row.
  [[nodiscard]] absl::StatusOr<bool> Step();
  // For statements without rows.
  [[nodiscard]] absl::Status Run();

  [[nodiscard]] int64_t Int(int column) const;
  [[nodiscard]] std::string Text(int column) const;
  [[nodiscard]] std::vector<uint8_t> Blob(int column) const;

 private:
  friend class SqliteDb;
  SqliteStatement(sqlite3* db, sqlite3_stmt* stmt) : db_(db), stmt_(stmt) {}

  sqlite3* db_;
  sqlite3_stmt* stmt_;
  int bind_result_ = 0;
};

class SqliteDb {
 public:
  enum class Mode {
    // The file as it is, with nothing written beside it either; for one without a live log.
    kImmutable,
    kReadOnly,
    kReadWrite,
    kCreate,
  };

  [[nodiscard]] static absl::StatusOr<std::unique_ptr<SqliteDb>> Open(const std::string& path,
                                                                      Mode mode);
  SqliteDb(const SqliteDb&) = delete;
  SqliteDb& operator=(const SqliteDb&) = delete;
  ~SqliteDb();

  // One or more statements without parameters and rows we want.
  [[nodiscard]] absl::Status Execute(const char* sql);
  [[nodiscard]] absl::StatusOr<SqliteStatement> Prepare(const char* sql);
  [[nodiscard]] absl::StatusOr<int64_t> QueryInt(const char* sql);
  // The first row's first column.
  [[nodiscard]] absl::StatusOr<std::string> QueryText(const char* sql);
  [[nodiscard]] int64_t LastInsertRow() const;
  [[nodiscard]] int Changes() const;

 private:
  explicit SqliteDb(sqlite3* db) : db_(db) {}
  sqlite3* db_;
};

// BEGIN IMMEDIATE now, ROLLBACK in the destructor unless Commit() was called.
class SqliteTransaction {
 public:
  explicit SqliteTransaction(SqliteDb& db) : db_(db), begun_(db.Execute("BEGIN IMMEDIATE")) {}
  SqliteTransaction(const SqliteTransaction&) = delete;
  SqliteTransaction& operator=(const SqliteTransaction&) = delete;
  ~SqliteTransaction();

  [[nodiscard]] const absl::Status& begun() const { return begun_; }
  [[nodiscard]] absl::Status Commit();

 private:
  SqliteDb& db_;
  absl::Status begun_;
  bool done_ = false;
};

}  // namespace ext4crypt
