// SPDX-License-Identifier: Apache-2.0
// Keys beside the default one, and keys that users share, with the real kernel.
#include <gmock/gmock.h>

#include "tests/integration/keyd_fixture.h"

namespace ext4crypt {
namespace {

using testing::HasSubstr;
using testing::Not;

class NamedKeysTest : public KeydTest {
 protected:
  void SetUp() override {
    KeydTest::SetUp();
    if (HasFatalFailure()) return;
    StartDaemon();
    volume_ = MountVolume("a");
    for (const uid_t uid : {alice(), bob()}) {
      Enrol(uid, kPassphrase);
      Unlock(uid, kPassphrase);
    }
  }
  RunResult Shell(uid_t uid, const std::string& script) { return RunAs(uid, {"sh", "-c", script}); }
  void MustCli(uid_t uid, const std::vector<std::string>& arguments) {
    const RunResult result = Cli(uid, arguments);
    ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  }
  // A directory of alice's with key `key`, which anybody may enter.
  std::string MakeKeyDir(const std::string& name, const std::string& key) {
    const std::string dir = MakeDir(volume_ + "/" + name, alice());
    MustCli(alice(), {"setpolicy", dir, "--allow-unauthenticated", "--key", key});
    EXPECT_EQ(Shell(alice(), "chmod 777 " + dir + " && echo secret > " + dir + "/file").exit_code,
              0);
    return dir;
  }
  bool Reads(uid_t uid, const std::string& dir) {
    MustRun({"sh", "-c", "echo 2 > /proc/sys/vm/drop_caches"});
    return Shell(uid, "cat " + dir + "/file").out == "secret\n";
  }
  std::string Bob() { return std::to_string(bob()); }
  // As bob sees it.
  std::string Team() { return std::to_string(alice()) + "/team"; }

  std::string volume_;
};

TEST_F(NamedKeysTest, OpensWithTheDefaultKeyAndGoesWithIt) {
  MustCli(alice(), {"key", "create", "work"});
  const std::string dir = MakeKeyDir("d", "work");
  EXPECT_NE(JsonField(Cli(alice(), {"policy", dir}).out, "key_identifier"),
            JsonField(Cli(alice(), {"status"}).out, "identifier"));
  MustCli(alice(), {"lock", "--key", "work"});
  EXPECT_FALSE(Reads(alice(), dir));
  EXPECT_EQ(State(alice()), "unlocked") << "the default key is another one";
  MustCli(alice(), {"unlock", "--key", "work"});
  EXPECT_TRUE(Reads(alice(), dir));
  MustCli(alice(), {"lock"});
  EXPECT_FALSE(Reads(alice(), dir));
  const RunResult locked = Cli(alice(), {"unlock", "--key", "work"});
  EXPECT_EQ(JsonField(locked.out, "reason"), "KEY_LOCKED");
  // By one passphrase, and after a restart.
  ASSERT_EQ(StopDaemon(), 0);
  StartDaemon();
  const RunResult unlock =
      Cli(alice(), {"unlock", "--passphrase-fd", "3"}, std::string(kPassphrase) + "\n");
  EXPECT_THAT(unlock.out, HasSubstr("work"));
  EXPECT_TRUE(Reads(alice(), dir));
  // A new passphrase opens it too: it hangs on the key, not on the passphrase.
  ASSERT_EQ(Cli(alice(), {"passphrase", "change", "--passphrase-fd", "3"},
                std::string(kPassphrase) + "\nsomething else entirely\n")
                .exit_code,
            0);
  MustCli(alice(), {"lock"});
  Unlock(alice(), "something else entirely");
  EXPECT_TRUE(Reads(alice(), dir));
}

TEST_F(NamedKeysTest, RestartedServiceLocksWhatItDoesNotHold) {
  MustCli(alice(), {"key", "create", "work"});
  const std::string dir = MakeKeyDir("d", "work");
  const std::string own = MakeEncryptedDir(volume_, "own", alice());
  ASSERT_EQ(Shell(alice(), "echo secret > " + own + "/file").exit_code, 0);
  for (const int signal : {15, 9}) {
    (void)StopDaemon(signal);
    StartDaemon();
    // What docs/key-service.md says: the kernel keeps what it has, and status shows it.
    EXPECT_TRUE(Reads(alice(), dir)) << signal;
    EXPECT_THAT(Cli(alice(), {"key", "list"}).out, Not(HasSubstr("\"locked\""))) << signal;
    // The service's own copy is gone, so it can give nothing to anybody until the next unlock.
    EXPECT_EQ(JsonField(Cli(alice(), {"status"}).out, "held_by_service"), "false");
    EXPECT_EQ(Cli(alice(), {"unlock", "--key", "work"}).exit_code, 9);
    MustCli(alice(), {"lock", "--key", "work"});
    EXPECT_FALSE(Reads(alice(), dir)) << signal;
    EXPECT_TRUE(Reads(alice(), own)) << signal;
    MustCli(alice(), {"lock"});
    EXPECT_FALSE(Reads(alice(), own)) << signal;
    Unlock(alice(), kPassphrase);
    EXPECT_TRUE(Reads(alice(), dir)) << signal;
  }
}

TEST_F(NamedKeysTest, NamesAreChecked) {
  EXPECT_EQ(Cli(alice(), {"key", "create", "--", ""}).exit_code, 2) << "an empty argument";
  for (const std::string name : {".", "-x", "a/b", "a b", "\xc3\xa4", "default"}) {
    EXPECT_EQ(Cli(alice(), {"key", "create", "--", name}).exit_code, 25) << name;
  }
  EXPECT_EQ(Cli(alice(), {"key", "create", std::string(65, 'x')}).exit_code, 25);
  MustCli(alice(), {"key", "create", std::string(64, 'x')});
  EXPECT_EQ(JsonField(Cli(alice(), {"key", "create", std::string(64, 'x')}).out, "reason"),
            "KEY_EXISTS");
  MustCli(bob(), {"key", "create", std::string(64, 'x')});
  EXPECT_EQ(JsonField(Cli(alice(), {"lock", "--key", "none"}).out, "reason"), "NO_SUCH_KEY");
  const std::string dir = MakeDir(volume_ + "/n", alice());
  EXPECT_EQ(
      JsonField(Cli(alice(), {"setpolicy", dir, "--allow-unauthenticated", "--key", "none"}).out,
                "reason"),
      "NO_SUCH_KEY");
}

TEST_F(NamedKeysTest, RemovalIsRefusedUntilTheLossIsWanted) {
  MustCli(alice(), {"key", "create", "work"});
  const std::string dir = MakeKeyDir("d", "work");
  const RunResult refused = Cli(alice(), {"key", "remove", "work"});
  EXPECT_EQ(refused.exit_code, 26);
  EXPECT_EQ(JsonField(refused.out, "reason"), "DATA_WOULD_BE_LOST");
  EXPECT_THAT(refused.out, HasSubstr("never be read again"));
  EXPECT_TRUE(Reads(alice(), dir));
  EXPECT_EQ(Cli(alice(), {"key", "remove", "default", "--lose-data"}).exit_code, 25);
  MustCli(alice(), {"key", "remove", "work", "--lose-data"});
  EXPECT_FALSE(Reads(alice(), dir));
  EXPECT_THAT(Cli(alice(), {"key", "list"}).out, Not(HasSubstr("work")));
}

TEST_F(NamedKeysTest, SharedKeyOpensWithTheOtherUsersOwnPassphrase) {
  MustCli(alice(), {"key", "create", "team"});
  const std::string dir = MakeKeyDir("team", "team");
  MustCli(alice(), {"key", "share", "team", Bob()});
  MustCli(alice(), {"lock"});
  EXPECT_FALSE(Reads(bob(), dir)) << "bob has not unlocked since";
  Unlock(bob(), kPassphrase);
  EXPECT_TRUE(Reads(bob(), dir));
  EXPECT_EQ(State(alice()), "locked");
  // Everything bob does with it alice can read.
  ASSERT_EQ(Shell(bob(), "umask 0; echo from-bob > " + dir + "/bobs").exit_code, 0);
  EXPECT_THAT(Cli(bob(), {"key", "list"}).out, HasSubstr(Team()));
  EXPECT_THAT(Cli(alice(), {"key", "list"}).out, HasSubstr(Bob()));
  MustCli(bob(), {"lock"});
  Unlock(alice(), kPassphrase);
  EXPECT_EQ(Shell(alice(), "cat " + dir + "/bobs").out, "from-bob\n");
  // bob may use it for a directory of his own, and cannot hand it on or destroy it.
  Unlock(bob(), kPassphrase);
  const std::string bobs = MakeDir(volume_ + "/bobs", bob());
  MustCli(bob(), {"setpolicy", bobs, "--allow-unauthenticated", "--key", Team()});
  EXPECT_NE(Cli(bob(), {"key", "share", Team(), std::to_string(alice())}).exit_code, 0);
  EXPECT_NE(Cli(bob(), {"key", "share", "team", std::to_string(alice())}).exit_code, 0);
}

TEST_F(NamedKeysTest, UnsharedKeyIsTakenAwayAtOnce) {
  MustCli(alice(), {"key", "create", "team"});
  const std::string dir = MakeKeyDir("team", "team");
  MustCli(alice(), {"key", "share", "team", Bob()});
  Unlock(bob(), kPassphrase);
  MustCli(alice(), {"key", "unshare", "team", Bob()});
  EXPECT_EQ(JsonField(Cli(alice(), {"key", "unshare", "team", Bob()}).out, "reason"), "NOT_SHARED");
  MustCli(alice(), {"lock"});
  EXPECT_FALSE(Reads(bob(), dir));
  Unlock(bob(), kPassphrase);
  EXPECT_FALSE(Reads(bob(), dir));
  EXPECT_THAT(Cli(bob(), {"key", "list"}).out, Not(HasSubstr("team")));
}

TEST_F(NamedKeysTest, GivenKeyCanBeGivenBackAndItsOwnerKeepsIt) {
  MustCli(alice(), {"key", "create", "team"});
  const std::string dir = MakeKeyDir("team", "team");
  MustCli(alice(), {"key", "share", "team", Bob()});
  Unlock(bob(), kPassphrase);
  MustCli(bob(), {"key", "remove", Team()});
  EXPECT_THAT(Cli(bob(), {"key", "list"}).out, Not(HasSubstr("team")));
  EXPECT_TRUE(Reads(alice(), dir));
}

TEST_F(NamedKeysTest, WhoHasNoKeyCannotBeGivenOne) {
  MustCli(alice(), {"key", "create", "team"});
  EXPECT_EQ(JsonField(Cli(alice(), {"key", "share", "team", "12345"}).out, "reason"),
            "NO_SUCH_USER");
  EXPECT_EQ(Cli(alice(), {"key", "share", "default", Bob()}).exit_code, 25);
  EXPECT_EQ(Cli(alice(), {"key", "share", "none", Bob()}).exit_code, 25);
  MustCli(alice(), {"lock"});
  EXPECT_EQ(Cli(alice(), {"key", "share", "team", Bob()}).exit_code, 9);
  EXPECT_EQ(Cli(alice(), {"key", "create", "another"}).exit_code, 9);
}

TEST_F(NamedKeysTest, ShareOfAnotherKeyOrUserInTheStoreOpensNothing) {
  MustCli(alice(), {"key", "create", "team"});
  MustCli(alice(), {"key", "create", "private"});
  const std::string dir = MakeKeyDir("private", "private");
  MustCli(alice(), {"key", "share", "team", Bob()});
  for (const uid_t uid : {alice(), bob()}) MustCli(uid, {"lock"});
  ASSERT_EQ(StopDaemon(), 0);
  // Somebody edits the store: bob's share of one key as one of the other.
  MustRun({"sqlite3", state_dir() + "/keys.db",
           "UPDATE shares SET key_id = (SELECT key_id FROM keys WHERE name = 'private')"});
  StartDaemon();
  const RunResult unlock =
      Cli(bob(), {"unlock", "--passphrase-fd", "3"}, std::string(kPassphrase) + "\n");
  EXPECT_EQ(unlock.exit_code, 0) << "a bad share must not keep bob from his own key";
  EXPECT_THAT(unlock.out, Not(HasSubstr("private")));
  EXPECT_FALSE(Reads(bob(), dir));
  EXPECT_THAT(DaemonLog(), HasSubstr("a share does not open"));
}

TEST_F(NamedKeysTest, StoreOfTheFirstSchemaIsTakenOver) {
  for (const uid_t uid : {alice(), bob()}) MustCli(uid, {"lock"});
  ASSERT_EQ(StopDaemon(), 0);
  MustRun({"sqlite3", state_dir() + "/keys.db",
           "DROP TABLE shares; DROP TABLE sharing_keys;"
           "CREATE TABLE old (protector_id BLOB PRIMARY KEY, key_id INTEGER NOT NULL REFERENCES"
           " keys (key_id) ON DELETE CASCADE, kind INTEGER, parameters BLOB, nonce BLOB,"
           " wrapped_key BLOB, created_at INTEGER) STRICT, WITHOUT ROWID;"
           "INSERT INTO old SELECT protector_id, key_id, CASE kind WHEN 'passphrase' THEN 1 WHEN"
           " 'recovery' THEN 2 END, parameters, nonce, wrapped_key, created_at FROM protectors;"
           "DROP TABLE protectors; ALTER TABLE old RENAME TO protectors;"
           "CREATE INDEX protectors_by_key ON protectors (key_id); PRAGMA user_version = 1"});
  StartDaemon();
  Unlock(alice(), kPassphrase);
  Unlock(bob(), kPassphrase);
  MustCli(alice(), {"key", "create", "team"});
  MustCli(alice(), {"key", "share", "team", Bob()});
}

}  // namespace
}  // namespace ext4crypt
