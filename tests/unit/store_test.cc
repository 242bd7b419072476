// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "common/error.h"
#include "daemon/store/schema.h"
#include "daemon/store/sqlite_key_store.h"
#include "daemon/store/state_dir.h"
#include "keys/crypto/random.h"

namespace ext4crypt {
namespace {

ProtectorRecord MakeProtector(ProtectorKind kind) {
  ProtectorRecord record{.kind = kind, .parameters = {1, 2, 3}, .created_unix_s = 42};
  FillRandom(absl::MakeSpan(record.id));
  record.nonce.resize(24);
  record.wrapped_key.resize(80);
  FillRandom(absl::MakeSpan(record.wrapped_key));
  return record;
}

KeyRecord MakeKey(Uid uid, const std::string& name) {
  KeyRecord record{.uid = uid, .name = name, .created_unix_s = 41};
  FillRandom(absl::MakeSpan(record.identifier));
  record.protectors = {MakeProtector(ProtectorKind::kPassphrase),
                       MakeProtector(ProtectorKind::kRecovery)};
  return record;
}

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/ext4crypt-store-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    dir_ = name;
    Reopen();
  }
  void TearDown() override {
    store_.reset();
    std::filesystem::remove_all(dir_);
  }
  void Reopen() {
    store_.reset();
    auto store = SqliteKeyStore::Open(path());
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  [[nodiscard]] std::string path() const { return dir_ + "/keys.db"; }
  // Whether any file of the store holds these bytes.
  [[nodiscard]] bool FilesContain(const std::vector<uint8_t>& bytes) const {
    for (const auto& entry : std::filesystem::directory_iterator(dir_)) {
      std::ifstream in(entry.path(), std::ios::binary);
      const std::string text((std::istreambuf_iterator<char>(in)), {});
      if (text.find(std::string(bytes.begin(), bytes.end())) != std::string::npos) return true;
    }
    return false;
  }

  std::string dir_;
  std::unique_ptr<SqliteKeyStore> store_;
};

TEST_F(StoreTest, EveryFieldComesBackAfterReopening) {
  const KeyRecord key = MakeKey(4294967294U, "default");
  ASSERT_TRUE(store_->CreateKey(key).ok());
  Reopen();
  const auto found = store_->FindKey(key.uid, key.name);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->uid, key.uid);
  EXPECT_EQ(found->identifier, key.identifier);
  EXPECT_EQ(found->created_unix_s, key.created_unix_s);
  ASSERT_EQ(found->protectors.size(), 2U);
  for (const ProtectorRecord& expected : key.protectors) {
    bool same = false;
    for (const ProtectorRecord& actual : found->protectors) {
      same = same || (actual.id == expected.id && actual.kind == expected.kind &&
                      actual.parameters == expected.parameters && actual.nonce == expected.nonce &&
                      actual.wrapped_key == expected.wrapped_key &&
                      actual.created_unix_s == expected.created_unix_s);
    }
    EXPECT_TRUE(same);
  }
}

TEST_F(StoreTest, UnknownUserAndNameAreNotEnrolled) {
  ASSERT_TRUE(store_->CreateKey(MakeKey(1, "default")).ok());
  EXPECT_EQ(ReasonOf(store_->FindKey(2, "default").status()), ErrorReason::kNotEnrolled);
  EXPECT_EQ(ReasonOf(store_->FindKey(1, "other").status()), ErrorReason::kNotEnrolled);
  EXPECT_TRUE(store_->ListKeys(2)->empty());
}

TEST_F(StoreTest, SecondKeyOfANameIsRefusedAndTheFirstStays) {
  const KeyRecord first = MakeKey(1, "default");
  ASSERT_TRUE(store_->CreateKey(first).ok());
  EXPECT_EQ(ReasonOf(store_->CreateKey(MakeKey(1, "default"))), ErrorReason::kAlreadyEnrolled);
  EXPECT_EQ(store_->FindKey(1, "default")->identifier, first.identifier);
  EXPECT_TRUE(store_->CreateKey(MakeKey(1, "other")).ok());
  EXPECT_TRUE(store_->CreateKey(MakeKey(2, "default")).ok());
  EXPECT_EQ(store_->ListKeys(1)->size(), 2U);
}

TEST_F(StoreTest, KeyWithABadProtectorLeavesNothingBehind) {
  KeyRecord key = MakeKey(1, "default");
  key.protectors[1].wrapped_key.resize(5);
  EXPECT_FALSE(store_->CreateKey(key).ok());
  EXPECT_EQ(ReasonOf(store_->FindKey(1, "default").status()), ErrorReason::kNotEnrolled);
}

TEST_F(StoreTest, ReplacedProtectorIsGoneFromTheFiles) {
  const KeyRecord key = MakeKey(1, "default");
  ASSERT_TRUE(store_->CreateKey(key).ok());
  const std::vector<uint8_t> old_bytes = key.protectors[0].wrapped_key;
  ASSERT_TRUE(FilesContain(old_bytes));
  const ProtectorRecord replacement = MakeProtector(ProtectorKind::kPassphrase);
  ASSERT_TRUE(store_->ReplaceProtector(1, "default", key.protectors[0].id, replacement).ok());
  EXPECT_FALSE(FilesContain(old_bytes)) << "an old passphrase would still open the key";
  EXPECT_TRUE(FilesContain(replacement.wrapped_key));
  EXPECT_EQ(store_->FindKey(1, "default")->protectors.size(), 2U);
}

TEST_F(StoreTest, ProtectorIsRenamedAndSaysSoAfterReopening) {
  KeyRecord key = MakeKey(1, "default");
  key.protectors[1].name = "in the safe";
  ASSERT_TRUE(store_->CreateKey(key).ok());
  ASSERT_TRUE(store_->RenameProtector(1, "default", key.protectors[0].id, "in the head").ok());
  EXPECT_EQ(ReasonOf(store_->RenameProtector(2, "default", key.protectors[0].id, "x")),
            ErrorReason::kNotEnrolled);
  EXPECT_EQ(ReasonOf(store_->RenameProtector(1, "default", {}, "x")),
            ErrorReason::kNoSuchProtector);
  Reopen();
  const auto found = store_->FindKey(1, "default");
  ASSERT_TRUE(found.ok());
  for (const ProtectorRecord& protector : found->protectors) {
    EXPECT_EQ(protector.name,
              protector.kind == ProtectorKind::kPassphrase ? "in the head" : "in the safe");
  }
}

TEST_F(StoreTest, ManyReplacementsAreMadeTogetherOrNotAtAll) {
  const KeyRecord key = MakeKey(1, "default");
  ASSERT_TRUE(store_->CreateKey(key).ok());
  const ProtectorRecord a = MakeProtector(ProtectorKind::kPassphrase);
  const ProtectorRecord b = MakeProtector(ProtectorKind::kRecovery);
  EXPECT_EQ(
      ReasonOf(store_->ReplaceProtectors(
          1, "default", {{.old_id = key.protectors[0].id, .replacement = a}, {.replacement = b}})),
      ErrorReason::kChangedMeanwhile);
  EXPECT_EQ(store_->FindKey(1, "default")->protectors.size(), 2U);
  EXPECT_TRUE(FilesContain(key.protectors[0].wrapped_key));
  EXPECT_TRUE(store_
                  ->ReplaceProtectors(1, "default",
                                      {{.old_id = key.protectors[0].id, .replacement = a},
                                       {.old_id = key.protectors[1].id, .replacement = b}})
                  .ok());
  for (const ProtectorRecord& old : key.protectors) EXPECT_FALSE(FilesContain(old.wrapped_key));
}

TEST_F(StoreTest, ReplacingWhatIsNotThereChangesNothing) {
  const KeyRecord key = MakeKey(1, "default");
  const KeyRecord other = MakeKey(2, "default");
  ASSERT_TRUE(store_->CreateKey(key).ok());
  ASSERT_TRUE(store_->CreateKey(other).ok());
  const ProtectorRecord replacement = MakeProtector(ProtectorKind::kPassphrase);
  EXPECT_EQ(ReasonOf(store_->ReplaceProtector(1, "default", ProtectorId{}, replacement)),
            ErrorReason::kChangedMeanwhile);
  // A protector of somebody else's key.
  EXPECT_EQ(ReasonOf(store_->ReplaceProtector(1, "default", other.protectors[0].id, replacement)),
            ErrorReason::kChangedMeanwhile);
  EXPECT_EQ(store_->FindKey(1, "default")->protectors.size(), 2U);
}

TEST_F(StoreTest, FailedReplacementKeepsTheOldProtector) {
  const KeyRecord key = MakeKey(1, "default");
  ASSERT_TRUE(store_->CreateKey(key).ok());
  ProtectorRecord bad = MakeProtector(ProtectorKind::kPassphrase);
  bad.nonce.clear();
  EXPECT_FALSE(store_->ReplaceProtector(1, "default", key.protectors[0].id, bad).ok());
  bool there = false;
  const auto found = store_->FindKey(1, "default");
  ASSERT_TRUE(found.ok());
  for (const ProtectorRecord& protector : found->protectors) {
    there = there || protector.id == key.protectors[0].id;
  }
  EXPECT_TRUE(there);
}

TEST_F(StoreTest, RemovedProtectorIsGoneFromTheFilesAndTheLastOneStays) {
  const KeyRecord key = MakeKey(1, "default");
  ASSERT_TRUE(store_->CreateKey(key).ok());
  ASSERT_TRUE(store_->RemoveProtector(1, "default", key.protectors[0].id).ok());
  EXPECT_FALSE(FilesContain(key.protectors[0].wrapped_key));
  EXPECT_EQ(ReasonOf(store_->RemoveProtector(1, "default", key.protectors[0].id)),
            ErrorReason::kNoSuchProtector);
  EXPECT_EQ(ReasonOf(store_->RemoveProtector(1, "default", key.protectors[1].id)),
            ErrorReason::kLastProtector);
  EXPECT_EQ(store_->FindKey(1, "default")->protectors.size(), 1U);
}

TEST_F(StoreTest, ProtectorsOfOthersCannotBeRemovedAndThereIsALimit) {
  const KeyRecord mine = MakeKey(1, "default");
  const KeyRecord other = MakeKey(2, "default");
  ASSERT_TRUE(store_->CreateKey(mine).ok());
  ASSERT_TRUE(store_->CreateKey(other).ok());
  EXPECT_EQ(ReasonOf(store_->RemoveProtector(1, "default", other.protectors[0].id)),
            ErrorReason::kNoSuchProtector);
  for (size_t i = mine.protectors.size(); i < kMaxProtectors; ++i) {
    EXPECT_TRUE(store_->AddProtector(1, "default", MakeProtector(ProtectorKind::kKeyFile)).ok());
  }
  EXPECT_EQ(ReasonOf(store_->AddProtector(1, "default", MakeProtector(ProtectorKind::kKeyFile))),
            ErrorReason::kTooManyProtectors);
  EXPECT_EQ(ReasonOf(store_->AddProtector(3, "default", MakeProtector(ProtectorKind::kKeyFile))),
            ErrorReason::kNotEnrolled);
}

TEST_F(StoreTest, OneStoreServesManyThreads) {
  std::vector<std::thread> threads;
  for (Uid uid = 1; uid <= 8; ++uid) {
    threads.emplace_back([this, uid] {
      for (int i = 0; i < 10; ++i) {
        EXPECT_TRUE(store_->CreateKey(MakeKey(uid, "k" + std::to_string(i))).ok());
        EXPECT_EQ(store_->ListKeys(uid)->size(), static_cast<size_t>(i) + 1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// As schema 2 was: kinds are numbers, protectors have no names.
constexpr char kStoreOfSchema2[] =
    "PRAGMA application_id = 1161053003; PRAGMA user_version = 2;"
    "CREATE TABLE keys (key_id INTEGER PRIMARY KEY, uid INTEGER NOT NULL, name TEXT NOT NULL,"
    " identifier BLOB NOT NULL UNIQUE, created_at INTEGER NOT NULL, UNIQUE (uid, name)) STRICT;"
    "CREATE TABLE protectors (protector_id BLOB PRIMARY KEY, key_id INTEGER NOT NULL REFERENCES"
    " keys (key_id) ON DELETE CASCADE, kind INTEGER NOT NULL, parameters BLOB NOT NULL, nonce BLOB"
    " NOT NULL, wrapped_key BLOB NOT NULL, created_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX protectors_by_key ON protectors (key_id);"
    "INSERT INTO keys VALUES (1, 1000, 'default', zeroblob(16), 9), (2, 1001, 'default',"
    " x'01010101010101010101010101010101', 9);"
    "INSERT INTO protectors VALUES"
    " (x'0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a', 1, 1, x'0102', zeroblob(24), zeroblob(80), 5),"
    " (x'0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b', 1, 3, x'03', zeroblob(24), zeroblob(80), 6),"
    " (x'0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c', 2, 77, x'03', zeroblob(24), zeroblob(80), 6);";

TEST_F(StoreTest, NumberedKindsGetTheirNamesAndAnUnknownOneIsRefusedByName) {
  store_.reset();
  std::filesystem::remove_all(dir_);
  std::filesystem::create_directory(dir_);
  {
    auto old = SqliteDb::Open(path(), SqliteDb::Mode::kCreate);
    ASSERT_TRUE(old.ok()) << old.status();
    ASSERT_TRUE((*old)->Execute(kStoreOfSchema2).ok());
  }
  for (int opened = 0; opened < 2; ++opened) {
    Reopen();
    const auto key = store_->FindKey(1000, "default");
    ASSERT_TRUE(key.ok()) << key.status();
    ASSERT_EQ(key->protectors.size(), 2U);
    EXPECT_EQ(key->protectors[0].kind, ProtectorKind::kPassphrase);
    EXPECT_EQ(key->protectors[0].parameters, (std::vector<uint8_t>{1, 2}));
    EXPECT_EQ(key->protectors[1].kind, ProtectorKind::kKeyFile);
    EXPECT_EQ(key->protectors[1].created_unix_s, 6);
    EXPECT_EQ(key->protectors[1].name, "");
    const absl::Status later = store_->FindKey(1001, "default").status();
    EXPECT_EQ(ReasonOf(later), ErrorReason::kStoreTooNew);
    EXPECT_NE(std::string(later.message()).find("\"number 77\""), std::string::npos) << later;
  }
}

TEST_F(StoreTest, PathsThatLookLikeUrisAreOnlyPaths) {
  const std::string odd = dir_ + "/a%20?mode=memory#x";
  std::filesystem::create_directory(odd);
  for (int i = 0; i < 2; ++i) {
    const auto store = SqliteKeyStore::Open(odd + "/keys.db");
    ASSERT_TRUE(store.ok()) << store.status();
  }
  EXPECT_TRUE(std::filesystem::exists(odd + "/keys.db"));
}

TEST_F(StoreTest, SymbolicLinkIsNoStore) {
  std::filesystem::create_symlink(path(), dir_ + "/link.db");
  EXPECT_EQ(ReasonOf(SqliteKeyStore::Open(dir_ + "/link.db").status()), ErrorReason::kStoreCorrupt);
}

TEST_F(StoreTest, StateDirectoryIsLockedAndPrivate) {
  const std::string state = dir_ + "/state";
  auto first = StateDir::Acquire(state);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(ReasonOf(StateDir::Acquire(state).status()), ErrorReason::kStoreInUse);
  struct stat info = {};
  ASSERT_EQ(stat(state.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
  std::filesystem::permissions(state, std::filesystem::perms(0710));
  EXPECT_EQ(ReasonOf(StateDir::Acquire(state).status()), ErrorReason::kStoreUnwritable);
}

TEST_F(StoreTest, NoOwnerCanTakeAllPlacesForSharesOfAnotherUser) {
  for (size_t i = 0; i <= kMaxSharesFromOne; ++i) {
    const std::string name = "k" + std::to_string(i);
    ASSERT_TRUE(store_->CreateKey(MakeKey(1, name)).ok());
    const absl::Status put = store_->PutShare(1, name, 2, MakeProtector(ProtectorKind::kShare));
    if (i < kMaxSharesFromOne) {
      EXPECT_TRUE(put.ok()) << i;
    } else {
      EXPECT_EQ(ReasonOf(put), ErrorReason::kTooManyKeys);
    }
  }
  // Of others, and to others, there is room; and one that is there can be renewed.
  ASSERT_TRUE(store_->CreateKey(MakeKey(3, "team")).ok());
  EXPECT_TRUE(store_->PutShare(3, "team", 2, MakeProtector(ProtectorKind::kShare)).ok());
  EXPECT_TRUE(store_->PutShare(1, "k0", 4, MakeProtector(ProtectorKind::kShare)).ok());
  EXPECT_TRUE(store_->PutShare(1, "k0", 2, MakeProtector(ProtectorKind::kShare)).ok());
}

}  // namespace
}  // namespace ext4crypt
