// SPDX-License-Identifier: Apache-2.0
#include "sqlite_worker.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "../model/ledger.h"

namespace crash {
namespace {

class Database {
 public:
  explicit Database(const std::string& path) {
    if (sqlite3_open(path.c_str(), &db_) != SQLITE_OK) Fail("open");
  }
  ~Database() { sqlite3_close(db_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void Execute(const char* sql) {
    if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) Fail(sql);
  }
  void Put(uint64_t row, uint64_t transaction, const std::string& bytes) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(db_, "REPLACE INTO ledger VALUES (?, ?, ?)", -1, &statement, nullptr) !=
        SQLITE_OK)
      Fail("prepare");
    sqlite3_bind_int64(statement, 1, static_cast<sqlite3_int64>(row));
    sqlite3_bind_int64(statement, 2, static_cast<sqlite3_int64>(transaction));
    sqlite3_bind_blob(statement, 3, bytes.data(), static_cast<int>(bytes.size()), SQLITE_TRANSIENT);
    if (sqlite3_step(statement) != SQLITE_DONE) Fail("step");
    sqlite3_finalize(statement);
  }

 private:
  [[noreturn]] void Fail(const char* what) {
    fprintf(stderr, "e4c-crash-load: sqlite: %s: %s\n", what, sqlite3_errmsg(db_));
    _exit(1);
  }
  sqlite3* db_ = nullptr;
};

}  // namespace

void RunSqlite(const Session& session, const Marks& marks, uint32_t worker,
               const std::string& directory, bool wal) {
  marks.WriteWorker(worker, 0, 0, 0);
  if (mkdir(directory.c_str(), 0755) != 0) Die("mkdir");
  sync();
  Database db(directory + "/db");
  db.Execute(wal ? "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=60"
                 // EXTRA: a commit is the removal of the rollback journal, so the directory has to
                 // be synced too.
                 : "PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA");
  db.Execute("PRAGMA cache_size=20");
  db.Execute("CREATE TABLE ledger (id INTEGER PRIMARY KEY, transaction_ INTEGER, bytes BLOB)");
  sync();
  for (uint64_t number = 1; number < session.ops; ++number) {
    marks.WriteWorker(worker, number, 0, 0);
    db.Execute("BEGIN");
    db.Put(kRows, number, "");
    for (const RowWrite& write : RowsOf(session.seed, number))
      db.Put(write.row, number, BytesOf(number, write));
    db.Execute("COMMIT");
  }
  marks.WriteWorker(worker, session.ops, 0, 0);
}

}  // namespace crash
