// SPDX-License-Identifier: Apache-2.0
#include "sqlite_judge.h"

#include <sqlite3.h>

#include <filesystem>
#include <map>

#include "absl/strings/str_cat.h"
#include "tests/crash/model/ledger.h"
#include "volume/extract/extract.h"

namespace crash {
namespace {

namespace volume = ext4crypt::volume;

struct Row {
  int64_t transaction;
  std::string bytes;
};
using Rows = std::map<uint64_t, Row>;

Rows RowsAfter(uint64_t seed, int64_t transactions) {
  Rows rows;
  for (int64_t number = 1; number <= transactions; ++number) {
    const auto n = static_cast<uint64_t>(number);
    rows[kRows] = {number, ""};
    for (const RowWrite& write : RowsOf(seed, n)) rows[write.row] = {number, BytesOf(n, write)};
  }
  return rows;
}

// Calls visit(statement) for each row of the answer. Returns SQLite's message, empty if there is no
// error.
template <typename Visit>
std::string Query(sqlite3* db, const char* sql, Visit visit) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db, sql, -1, &statement, nullptr) != SQLITE_OK) return sqlite3_errmsg(db);
  int status;
  while ((status = sqlite3_step(statement)) == SQLITE_ROW) visit(statement);
  sqlite3_finalize(statement);
  return status == SQLITE_DONE ? "" : sqlite3_errmsg(db);
}

void CompareRows(sqlite3* db, const Session& session, int64_t started, Verdict& verdict) {
  Rows rows;
  std::string integrity;
  std::string error = Query(db, "PRAGMA integrity_check", [&](sqlite3_stmt* s) {
    integrity = reinterpret_cast<const char*>(sqlite3_column_text(s, 0));
  });
  if (error.empty() && integrity != "ok") error = integrity;
  if (error.empty()) {
    error = Query(db, "SELECT id, transaction_, bytes FROM ledger", [&](sqlite3_stmt* s) {
      const auto* bytes = static_cast<const char*>(sqlite3_column_blob(s, 2));
      const auto n = static_cast<size_t>(sqlite3_column_bytes(s, 2));
      rows[static_cast<uint64_t>(sqlite3_column_int64(s, 0))] = {
          sqlite3_column_int64(s, 1), bytes == nullptr ? "" : std::string(bytes, n)};
    });
  }
  if (!error.empty()) {
    verdict.contents.push_back("sqlite: " + error);
    return;
  }
  const auto last = rows.find(kRows);
  const int64_t found = last == rows.end() ? 0 : last->second.transaction;
  if (found != started && found != started - 1) {
    verdict.contents.push_back(absl::StrCat("sqlite: ends with transaction ", found, ", though ",
                                            started - 1, " had been committed"));
  }
  const Rows expected = RowsAfter(session.seed, found);
  for (const auto& [id, row] : expected) {
    const auto it = rows.find(id);
    if (it == rows.end() || it->second.transaction != row.transaction ||
        it->second.bytes != row.bytes) {
      verdict.contents.push_back(
          absl::StrCat("sqlite: row ", id, " is not as transaction ", row.transaction, " left it"));
      return;
    }
  }
  if (rows.size() != expected.size())
    verdict.contents.push_back("sqlite: rows that no transaction wrote");
}

}  // namespace

void JudgeDatabase(const volume::Image& image, const volume::KeyRing& keys, const Session& session,
                   const std::string& directory, int64_t started, const std::string& scratch,
                   Verdict& verdict) {
  if (started < 1) return;  // the table may not be there yet
  const std::filesystem::path copy = std::filesystem::path(scratch) / "database";
  std::filesystem::remove_all(copy);
  volume::ExtractOptions options;
  volume::ExtractTotals totals;
  const absl::Status status =
      volume::Extract(image, keys, directory, copy.string(), options, totals);
  if (!status.ok() || totals.incomplete > 0) {
    verdict.contents.push_back(
        absl::StrCat("the database cannot be extracted: ", std::string(status.message())));
    return;
  }
  sqlite3* db = nullptr;
  if (sqlite3_open_v2((copy / "db").c_str(), &db, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK) {
    CompareRows(db, session, started, verdict);
  } else {
    verdict.contents.push_back("sqlite: cannot be opened");
  }
  sqlite3_close(db);
  std::filesystem::remove_all(copy);
}

}  // namespace crash
