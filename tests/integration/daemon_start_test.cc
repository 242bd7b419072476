// SPDX-License-Identifier: Apache-2.0
// What makes the service refuse to start, and what it survives.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "tests/integration/keyd_fixture.h"

namespace ext4crypt {
namespace {

using testing::HasSubstr;

class DaemonStartTest : public KeydTest {
 protected:
  std::string Sums() {
    return RunAs(0, {"sh", "-c",
                     "cd " + state_dir() + " && sha256sum keys.db keys.db-wal 2>/dev/null"})
        .out;
  }
  // A store with one enrolled user, nobody using it.
  void PrepareStore() {
    StartDaemon();
    Enrol(alice(), kPassphrase);
    ASSERT_EQ(StopDaemon(), 0);
  }
  void Sql(const std::string& sql) { MustRun({"sqlite3", state_dir() + "/keys.db", sql}); }
  void ExpectRefused(const std::string& words) {
    const std::string before = Sums();
    const RunResult result = TryDaemon();
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, HasSubstr(words));
    EXPECT_EQ(Sums(), before) << "a refused store was altered";
  }
};

TEST_F(DaemonStartTest, SecondServiceOnTheSameStateIsRefused) {
  StartDaemon();
  const RunResult result = TryDaemon();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("another key service"));
  Enrol(alice(), kPassphrase);  // the first one is unharmed
}

TEST_F(DaemonStartTest, NewerSchemaIsRefusedUnaltered) {
  PrepareStore();
  Sql("PRAGMA user_version = 99");
  ExpectRefused("schema 99");
}

TEST_F(DaemonStartTest, NewerSchemaInTheLogOnlyIsRefusedUnaltered) {
  PrepareStore();
  // The change stays in the write-ahead log: the writer is killed before a checkpoint.
  RunAs(0, {"python3", "-c",
            "import sqlite3,os,signal\n"
            "c=sqlite3.connect('" +
                state_dir() +
                "/keys.db',isolation_level=None)\n"
                "c.execute('PRAGMA user_version=99')\nos.kill(os.getpid(),signal.SIGKILL)"});
  ExpectRefused("schema 99");
}

TEST_F(DaemonStartTest, ForeignDatabaseIsRefusedUnaltered) {
  PrepareStore();
  Sql("PRAGMA application_id = 7");
  ExpectRefused("no ext4crypt store");
}

TEST_F(DaemonStartTest, DamagedStoreIsRefusedUnaltered) {
  PrepareStore();
  MustRun({"sh", "-c",
           "printf 'garbage garbage' | dd of=" + state_dir() +
               "/keys.db bs=1 seek=4100 conv=notrunc 2>/dev/null"});
  ExpectRefused("");
}

TEST_F(DaemonStartTest, TruncatedAndEmptyStoresAreRefusedUnaltered) {
  PrepareStore();
  MustRun({"truncate", "-s", "8192", state_dir() + "/keys.db"});
  ExpectRefused("");
  MustRun({"truncate", "-s", "0", state_dir() + "/keys.db"});
  ExpectRefused("empty");
}

TEST_F(DaemonStartTest, RemovedStoreWithItsLogLeftIsRefused) {
  PrepareStore();
  MustRun({"sh", "-c", "cd " + state_dir() + " && rm keys.db && echo x > keys.db-wal"});
  const RunResult result = TryDaemon();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("gone"));
}

TEST_F(DaemonStartTest, StateDirectoryOpenToOthersIsRefused) {
  MustRun({"mkdir", "-m", "755", state_dir()});
  EXPECT_THAT(TryDaemon().err, HasSubstr("0700"));
}

TEST_F(DaemonStartTest, CreationCutShortIsStartedAgain) {
  MustRun({"mkdir", "-m", "700", state_dir()});
  MustRun({"sh", "-c", "echo half > " + state_dir() + "/keys.db.new"});
  StartDaemon();
  Enrol(alice(), kPassphrase);
}

TEST_F(DaemonStartTest, WeakArgon2CostIsAUsageError) {
  EXPECT_EQ(TryDaemon({"--argon2-memory-mib", "4"}).exit_code, 2);
  EXPECT_EQ(TryDaemon({"--argon2-memory-mib", "8", "--argon2-ops", "3"}).exit_code, 2);
}

TEST_F(DaemonStartTest, ConfigurationFileHasTheSameOptionsAndNoOthers) {
  const std::string path = work() + "/keyd.conf";
  const auto write = [&](const std::string& text) { std::ofstream(path) << text; };
  write("# for the old disks\nallow-unauthenticated = true\n");
  const std::string volume = MountVolume("plain");
  StartDaemon({"--config", path});
  Enrol(alice(), kPassphrase);
  Unlock(alice(), kPassphrase);
  MakeEncryptedDir(volume, "d", alice());
  ASSERT_EQ(Cli(alice(), {"lock"}).exit_code, 0);
  ASSERT_EQ(StopDaemon(), 0);
  for (const std::string mistake :
       {"no-such-option = 1\n", "idle-lock-minutes = 0\n", "idle-lock-minutes = often\n",
        "[section]\nidle-lock-minutes = 5\n"}) {
    write(mistake);
    const RunResult refused = TryDaemon({"--config", path});
    EXPECT_EQ(refused.exit_code, 2) << mistake << refused.err;
    EXPECT_NE(refused.err, "") << mistake;
  }
  const RunResult missing = TryDaemon({"--config", work() + "/none.conf"});
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_THAT(missing.err, testing::HasSubstr("none.conf"));
}

TEST_F(DaemonStartTest, SocketLeftByAKilledServiceIsReplaced) {
  StartDaemon();
  Enrol(alice(), kPassphrase);
  EXPECT_EQ(StopDaemon(SIGKILL), 128 + SIGKILL);
  StartDaemon();
  Unlock(alice(), kPassphrase);
}

TEST_F(DaemonStartTest, SystemdsSocketIsUsed) {
  Child activated(0, {"systemd-socket-activate", "-l", work() + "/act.sock",
                      EXT4CRYPT_TEST_BIN "/ext4crypt-keyd", "--state-dir", state_dir(), "--socket",
                      work() + "/unused.sock"});
  RunResult result;
  for (int i = 0; i < 100; ++i) {
    result = RunAs(alice(), {EXT4CRYPT_TEST_BIN "/ext4crypt", "--socket", work() + "/act.sock",
                             "--json", "status"});
    if (result.exit_code == 0) break;
    usleep(50'000);
    // systemd-socket-activate makes its socket for root only.
    RunAs(0, {"chmod", "666", work() + "/act.sock"});
  }
  EXPECT_EQ(result.exit_code, 0) << result.out;
  EXPECT_NE(access((work() + "/unused.sock").c_str(), F_OK), 0);
}

TEST_F(DaemonStartTest, FloodOfOneUserIsRefusedAndOthersAreServed) {
  StartDaemon({"--max-connections-per-user", "8"});
  Enrol(alice(), kPassphrase);
  // bob connects 200 times and says nothing.
  Child flood(bob(), {"python3", "-c",
                      "import socket,time\n"
                      "l=[]\n"
                      "for i in range(200):\n"
                      " s=socket.socket(socket.AF_UNIX); s.connect('" +
                          socket() +
                          "'); l.append(s)\n"
                          "time.sleep(60)"});
  usleep(500'000);
  EXPECT_EQ(State(alice()), "locked");
  EXPECT_EQ(JsonField(Cli(bob(), {"status"}).out, "reason"), "SERVICE_OVERLOADED");
  flood.Stop();
  RunResult after;
  for (int i = 0; i < 40; ++i) {
    after = Cli(bob(), {"status"});
    if (after.exit_code == 0) break;
    usleep(50'000);
  }
  EXPECT_EQ(after.exit_code, 0) << "connections of a dead process are still counted";
}

TEST_F(DaemonStartTest, CrowdThatComesAsFastAsItIsLetInIsServed) {
  StartDaemon({"--max-connections", "32"});
  // Never more than 16 at a time; each waits for the first bytes of the service, which does not
  // send any to whom it refuses.
  const RunResult crowd = RunAs(
      bob(),
      {"python3", "-c",
       "import socket,threading\n"
       "refused=[]\n"
       "def come():\n"
       " for i in range(200):\n"
       "  s=socket.socket(socket.AF_UNIX); s.connect('" +
           socket() +
           "')\n"
           "  try:\n"
           "   s.sendall(b'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n'+bytes(3)+b'\\4'+bytes(5))\n"
           "   if not s.recv(1): refused.append(i)\n"
           "  except OSError: refused.append(i)\n"
           "  s.close()\n"
           "threads=[threading.Thread(target=come) for _ in range(16)]\n"
           "for t in threads: t.start()\n"
           "for t in threads: t.join()\n"
           "print(len(refused))"});
  EXPECT_EQ(crowd.out, "0\n") << crowd.err;
}

TEST_F(DaemonStartTest, GarbageAndOversizedRequestsDoNoHarm) {
  StartDaemon();
  Enrol(alice(), kPassphrase);
  RunAs(bob(), {"python3", "-c",
                "import socket,os\n"
                "for i in range(20):\n"
                " s=socket.socket(socket.AF_UNIX); s.connect('" +
                    socket() +
                    "')\n"
                    " try: s.sendall(os.urandom(100000))\n"
                    " except OSError: pass\n"
                    " s.close()\n"});
  const RunResult big =
      Cli(bob(), {"enrol", "--passphrase-fd", "3"}, std::string(2000, 'x') + "\n");
  EXPECT_EQ(JsonField(big.out, "reason"), "PASSPHRASE_TOO_LONG");
  EXPECT_EQ(State(alice()), "locked");
}

TEST_F(DaemonStartTest, CoreDumpsAndTracingAreOff) {
  StartDaemon();
  const std::string proc = "/proc/" + std::to_string(daemon_pid());
  EXPECT_THAT(RunAs(0, {"grep", "core file", proc + "/limits"}).out,
              testing::ContainsRegex("size +0 +0"));
  // The client runs as a user, whose other programs could otherwise trace it. The files in /proc
  // of an undumpable process belong to root.
  MustRun({"mkfifo", "-m", "666", work() + "/fifo"});
  const Child client(
      alice(), {"sh", "-c",
                "exec 3<>" + work() + "/fifo; exec " EXT4CRYPT_TEST_BIN "/ext4crypt --socket " +
                    socket() + " enrol --passphrase-fd 3"});
  std::string owner;
  for (int i = 0; i < 100 && owner != "0\n"; ++i) {
    usleep(20'000);
    owner = RunAs(0, {"stat", "-c", "%u", "/proc/" + std::to_string(client.pid()) + "/mem"}).out;
  }
  EXPECT_EQ(owner, "0\n");
}

}  // namespace
}  // namespace ext4crypt
