// SPDX-License-Identifier: Apache-2.0
// Keys from enrolment to lock, with the real kernel.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/integration/keyd_fixture.h"

namespace ext4crypt {
namespace {

using testing::HasSubstr;
using testing::Not;

class LifecycleTest : public KeydTest {
 protected:
  void SetUp() override {
    KeydTest::SetUp();
    if (HasFatalFailure()) return;
    StartDaemon();
  }

  RunResult Shell(uid_t uid, const std::string& script) { return RunAs(uid, {"sh", "-c", script}); }
};

TEST_F(LifecycleTest, FilesSurviveLockRemountAndUnlock) {
  const std::string volume = MountVolume("a");
  Enrol(alice(), kPassphrase);
  EXPECT_EQ(State(alice()), "locked");
  Unlock(alice(), kPassphrase);
  EXPECT_EQ(State(alice()), "unlocked");
  const std::string dir = MakeEncryptedDir(volume, "d", alice());
  ASSERT_EQ(Shell(alice(), "echo hello > " + dir + "/name").exit_code, 0);

  ASSERT_EQ(Cli(alice(), {"lock"}).exit_code, 0);
  EXPECT_EQ(State(alice()), "locked");
  EXPECT_NE(Shell(alice(), "cat " + dir + "/name").exit_code, 0);
  EXPECT_NE(Shell(alice(), "echo x > " + dir + "/new").exit_code, 0);
  EXPECT_THAT(Shell(alice(), "ls " + dir).out, Not(HasSubstr("name")));

  Unmount(volume);
  MustRun({"mount", "-o", "loop", work() + "/a.img", volume});
  Unlock(alice(), kPassphrase);
  EXPECT_EQ(Shell(alice(), "cat " + dir + "/name").out, "hello\n");
}

TEST_F(LifecycleTest, VolumeMountedWhileUnlockedGetsTheKey) {
  Enrol(alice(), kPassphrase);
  Unlock(alice(), kPassphrase);
  const std::string volume = MountVolume("late");
  RunResult status;
  for (int i = 0; i < 100; ++i) {
    status = Cli(alice(), {"status"});
    if (status.out.find("\"state\": \"unlocked\"", status.out.find(volume)) != std::string::npos) {
      break;
    }
    usleep(50'000);
  }
  EXPECT_THAT(status.out, HasSubstr(volume));
  MakeEncryptedDir(volume, "d", alice());
}

TEST_F(LifecycleTest, OtherUsersKeyIsOfNoUse) {
  const std::string volume = MountVolume("a");
  Enrol(alice(), kPassphrase);
  Enrol(bob(), "another passphrase");
  Unlock(bob(), "another passphrase");
  Unlock(alice(), kPassphrase);
  const std::string dir = MakeEncryptedDir(volume, "d", alice());
  ASSERT_EQ(Shell(alice(), "echo secret > " + dir + "/f && chmod 777 " + dir).exit_code, 0);
  // bob's passphrase is bob's.
  EXPECT_EQ(
      Cli(bob(), {"unlock", "--passphrase-fd", "3"}, std::string(kPassphrase) + "\n").exit_code, 6);
  // bob cannot lock alice's key away, nor ask about it.
  EXPECT_EQ(Cli(bob(), {"lock", "--user", std::to_string(alice())}).exit_code, 18);
  EXPECT_EQ(Cli(bob(), {"status", "--user", std::to_string(alice())}).exit_code, 18);
  // bob cannot encrypt a directory of his with alice's key: the kernel wants his own claim.
  EXPECT_EQ(State(alice()), "unlocked");
  ASSERT_EQ(Cli(alice(), {"lock"}).exit_code, 0);
  EXPECT_EQ(State(bob()), "unlocked");
  EXPECT_NE(Shell(bob(), "cat " + dir + "/f").exit_code, 0);
}

TEST_F(LifecycleTest, RootMayLockAndAskForOthersAndItIsLogged) {
  Enrol(alice(), kPassphrase);
  Unlock(alice(), kPassphrase);
  const std::string uid = std::to_string(alice());
  EXPECT_EQ(JsonField(Cli(0, {"status", "--user", uid}).out, "state"), "unlocked");
  EXPECT_EQ(Cli(0, {"lock", "--user", uid}).exit_code, 0);
  EXPECT_EQ(State(alice()), "locked");
  EXPECT_THAT(DaemonLog(), HasSubstr("root calls Lock for uid " + uid));
}

TEST_F(LifecycleTest, BusyFilesAreNamedAndLockedWhenClosed) {
  const std::string volume = MountVolume("a");
  Enrol(alice(), kPassphrase);
  Unlock(alice(), kPassphrase);
  const std::string dir = MakeEncryptedDir(volume, "d", alice());
  ASSERT_EQ(Shell(alice(), "echo x > " + dir + "/f").exit_code, 0);
  Child holder(alice(), {"tail", "-f", dir + "/f"});
  for (int i = 0; i < 100; ++i) {
    struct stat info = {};
    if (stat(("/proc/" + std::to_string(holder.pid()) + "/fd/3").c_str(), &info) == 0) break;
    usleep(20'000);
  }
  const RunResult lock = Cli(alice(), {"lock"});
  EXPECT_EQ(lock.exit_code, 10) << lock.out << lock.err;
  EXPECT_EQ(JsonField(lock.out, "reason"), "FILES_BUSY");
  EXPECT_EQ(JsonField(lock.out, "pid"), std::to_string(holder.pid()));
  EXPECT_THAT(lock.out, HasSubstr(dir + "/f"));
  EXPECT_EQ(State(alice()), "busy");
  EXPECT_EQ(Cli(alice(), {"lock"}).exit_code, 10);
  holder.Stop();
  // Nobody calls lock again: the service finishes by itself.
  EXPECT_EQ(WaitForState(alice(), "locked"), "locked");
}

TEST_F(LifecycleTest, LockWaitsForFilesToBeClosed) {
  const std::string volume = MountVolume("a");
  Enrol(alice(), kPassphrase);
  Unlock(alice(), kPassphrase);
  const std::string dir = MakeEncryptedDir(volume, "d", alice());
  ASSERT_EQ(Shell(alice(), "echo x > " + dir + "/f").exit_code, 0);
  const Child holder(alice(), {"sh", "-c", "exec 9< " + dir + "/f; sleep 1"});
  usleep(200'000);
  const RunResult lock = Cli(alice(), {"lock", "--wait", "20"});
  EXPECT_EQ(lock.exit_code, 0) << lock.out;
  EXPECT_EQ(State(alice()), "locked");
}

TEST_F(LifecycleTest, MappedFileIsBusyAfterItsDescriptorIsClosed) {
  const std::string volume = MountVolume("a");
  Enrol(alice(), kPassphrase);
  Unlock(alice(), kPassphrase);
  const std::string dir = MakeEncryptedDir(volume, "d", alice());
  ASSERT_EQ(Shell(alice(), "head -c 4096 /dev/zero > " + dir + "/f").exit_code, 0);
  Child holder(alice(), {"python3", "-c",
                         "import mmap,os,time\n"
                         "f=os.open('" +
                             dir +
                             "/f',os.O_RDWR)\n"
                             "m=mmap.mmap(f,4096)\nos.close(f)\n"
                             "open('" +
                             work() + "/vol-a/mapped','w').close()\ntime.sleep(60)"});
  for (int i = 0; i < 200 && access((volume + "/mapped").c_str(), F_OK) != 0; ++i) usleep(20'000);
  // mmap.mmap keeps a duplicate of the descriptor; either way the holder is found.
  const RunResult lock = Cli(alice(), {"lock"});
  EXPECT_EQ(lock.exit_code, 10) << lock.out;
  EXPECT_EQ(JsonField(lock.out, "pid"), std::to_string(holder.pid()));
}

TEST_F(LifecycleTest, DefaultKeyIsInTheUsersKeyringOnlyWhileUnlocked) {
  Enrol(alice(), kPassphrase);
  const std::string look = "keyctl show @u";
  EXPECT_THAT(Shell(alice(), look).out, Not(HasSubstr("EXT4_DEFAULT_KEY")));
  Unlock(alice(), kPassphrase);
  EXPECT_THAT(Shell(alice(), look).out, HasSubstr("logon: ext4crypt:EXT4_DEFAULT_KEY"));
  EXPECT_THAT(Shell(bob(), look).out, Not(HasSubstr("EXT4_DEFAULT_KEY")));
  // The user finds it and can do nothing to it.
  const std::string id = "$(keyctl search @u logon ext4crypt:EXT4_DEFAULT_KEY)";
  EXPECT_EQ(Shell(alice(), "keyctl search @u logon ext4crypt:EXT4_DEFAULT_KEY").exit_code, 0);
  EXPECT_NE(Shell(alice(), "keyctl revoke " + id).exit_code, 0);
  EXPECT_NE(Shell(alice(), "keyctl update " + id + " x").exit_code, 0);
  EXPECT_NE(Shell(alice(), "keyctl print " + id).exit_code, 0);
  ASSERT_EQ(Cli(alice(), {"lock"}).exit_code, 0);
  EXPECT_THAT(Shell(alice(), look).out, Not(HasSubstr("EXT4_DEFAULT_KEY")));
}

TEST_F(LifecycleTest, RecoveryCodeUnlocksAndReplacesAForgottenPassphrase) {
  std::string code;
  Enrol(alice(), kPassphrase, &code);
  ASSERT_EQ(code.size(), 47U);
  EXPECT_EQ(Cli(alice(), {"unlock", "--recovery", "--passphrase-fd", "3"}, code + "\n").exit_code,
            0);
  EXPECT_EQ(State(alice()), "unlocked");
  EXPECT_EQ(Cli(alice(), {"passphrase", "change", "--recovery", "--passphrase-fd", "3"},
                code + "\nbrand new passphrase\n")
                .exit_code,
            0);
  EXPECT_EQ(
      Cli(alice(), {"unlock", "--passphrase-fd", "3"}, std::string(kPassphrase) + "\n").exit_code,
      6);
  Unlock(alice(), "brand new passphrase");
}

TEST_F(LifecycleTest, TypoInRecoveryCodeIsToldFromAWrongCode) {
  std::string alices;
  std::string bobs;
  Enrol(alice(), kPassphrase, &alices);
  Enrol(bob(), kPassphrase, &bobs);
  std::string typo = alices;
  typo[2] = typo[2] == '7' ? '8' : '7';
  const std::vector<std::string> unlock = {"unlock", "--recovery", "--passphrase-fd", "3"};
  RunResult result = Cli(alice(), unlock, typo + "\n");
  EXPECT_EQ(JsonField(result.out, "reason"), "RECOVERY_CODE_MISTYPED");
  EXPECT_EQ(JsonField(result.out, "subject"), "group 1");
  EXPECT_EQ(result.exit_code, 7);
  result = Cli(alice(), unlock, bobs + "\n");
  EXPECT_EQ(JsonField(result.out, "reason"), "WRONG_RECOVERY_CODE");
  EXPECT_EQ(result.exit_code, 6);
}

TEST_F(LifecycleTest, PassphraseChangeKeepsTheKeyAndTheFiles) {
  const std::string volume = MountVolume("a");
  Enrol(alice(), kPassphrase);
  Unlock(alice(), kPassphrase);
  const std::string dir = MakeEncryptedDir(volume, "d", alice());
  ASSERT_EQ(Shell(alice(), "echo hello > " + dir + "/f").exit_code, 0);
  const std::string before = JsonField(Cli(alice(), {"status"}).out, "identifier");
  ASSERT_EQ(Cli(alice(), {"passphrase", "change", "--passphrase-fd", "3"},
                std::string(kPassphrase) + "\nsomething else entirely\n")
                .exit_code,
            0);
  EXPECT_EQ(JsonField(Cli(alice(), {"status"}).out, "identifier"), before);
  ASSERT_EQ(Cli(alice(), {"lock"}).exit_code, 0);
  Unlock(alice(), "something else entirely");
  EXPECT_EQ(Shell(alice(), "cat " + dir + "/f").out, "hello\n");
}

TEST_F(LifecycleTest, RenewedRecoveryCodeReplacesTheOld) {
  std::string old_code;
  Enrol(alice(), kPassphrase, &old_code);
  const RunResult renewed =
      Cli(alice(), {"recovery", "renew", "--passphrase-fd", "3"}, std::string(kPassphrase) + "\n");
  ASSERT_EQ(renewed.exit_code, 0) << renewed.out;
  const std::string new_code = JsonField(renewed.out, "recovery_code");
  EXPECT_NE(new_code, old_code);
  const std::vector<std::string> unlock = {"unlock", "--recovery", "--passphrase-fd", "3"};
  EXPECT_EQ(Cli(alice(), unlock, old_code + "\n").exit_code, 6);
  EXPECT_EQ(Cli(alice(), unlock, new_code + "\n").exit_code, 0);
}

TEST_F(LifecycleTest, KeyFileUnlocksUntilItsProtectorIsRemoved) {
  Enrol(alice(), kPassphrase);
  const std::string phrase = std::string(kPassphrase) + "\n";
  const std::string file = MakeDir(work() + "/home", alice()) + "/key";
  const RunResult added =
      Cli(alice(), {"protectors", "add-key-file", file, "--passphrase-fd", "3"}, phrase);
  ASSERT_EQ(added.exit_code, 0) << added.out;
  const std::string id = JsonField(added.out, "protector_id");
  EXPECT_EQ(Shell(0, "stat -c '%a %s %u' " + file).out, "600 64 " + std::to_string(alice()) + "\n");
  EXPECT_EQ(Cli(alice(), {"unlock", "--key-file", file}).exit_code, 0);
  EXPECT_THAT(Cli(alice(), {"protectors", "list"}).out, HasSubstr(id));
  // An existing file is never overwritten, and a failed call leaves no file.
  EXPECT_EQ(
      Cli(alice(), {"protectors", "add-key-file", file, "--passphrase-fd", "3"}, phrase).exit_code,
      7);
  EXPECT_EQ(Cli(alice(), {"protectors", "add-key-file", file + "2", "--passphrase-fd", "3"},
                "not the passphrase\n")
                .exit_code,
            6);
  EXPECT_NE(access((file + "2").c_str(), F_OK), 0);
  EXPECT_EQ(Cli(alice(), {"protectors", "remove", id, "--key-file", file}).exit_code, 0);
  EXPECT_EQ(JsonField(Cli(alice(), {"unlock", "--key-file", file}).out, "reason"),
            "WRONG_KEY_FILE");
}

TEST_F(LifecycleTest, LastProtectorStays) {
  Enrol(alice(), kPassphrase);
  const std::string phrase = std::string(kPassphrase) + "\n";
  std::string list = Cli(alice(), {"protectors", "list"}).out;
  for (int i = 0; i < 2; ++i) {
    const size_t at = list.find("\"id\": ");
    ASSERT_NE(at, std::string::npos);
    const std::string id = JsonField(list.substr(at), "id");
    const bool is_passphrase = JsonField(list.substr(at), "kind") == "passphrase";
    list = list.substr(at + 10);
    if (is_passphrase) continue;
    EXPECT_EQ(Cli(alice(), {"protectors", "remove", id, "--passphrase-fd", "3"}, phrase).exit_code,
              0);
  }
  const std::string last = JsonField(Cli(alice(), {"protectors", "list"}).out, "id");
  const RunResult result =
      Cli(alice(), {"protectors", "remove", last, "--passphrase-fd", "3"}, phrase);
  EXPECT_EQ(result.exit_code, 21);
  EXPECT_EQ(JsonField(result.out, "reason"), "LAST_PROTECTOR");
  Unlock(alice(), kPassphrase);
}

TEST_F(LifecycleTest, KeysStayInTheKernelAcrossARestartAndLockStillWorks) {
  const std::string volume = MountVolume("a");
  Enrol(alice(), kPassphrase);
  Unlock(alice(), kPassphrase);
  const std::string dir = MakeEncryptedDir(volume, "d", alice());
  ASSERT_EQ(Shell(alice(), "echo hello > " + dir + "/f").exit_code, 0);
  EXPECT_EQ(StopDaemon(), 0);
  EXPECT_EQ(Shell(alice(), "cat " + dir + "/f").out, "hello\n");
  StartDaemon();
  const RunResult status = Cli(alice(), {"status"});
  EXPECT_EQ(JsonField(status.out, "state"), "unlocked");
  EXPECT_EQ(JsonField(status.out, "held_by_service"), "false");
  ASSERT_EQ(Cli(alice(), {"lock"}).exit_code, 0);
  EXPECT_NE(Shell(alice(), "cat " + dir + "/f").exit_code, 0);
  EXPECT_THAT(Shell(alice(), "keyctl show @u").out, Not(HasSubstr("EXT4_DEFAULT_KEY")));
}

TEST_F(LifecycleTest, WrongGuessesAreSlowedDownForThatUserOnly) {
  Enrol(alice(), kPassphrase);
  Enrol(bob(), kPassphrase);
  // Five are free; then the waits double, so that on a slow machine too one comes that is not
  // over by the next guess.
  int guesses = 0;
  RunResult result;
  do {
    result = Cli(alice(), {"unlock", "--passphrase-fd", "3"}, "wrong guess\n");
  } while (result.exit_code == 6 && ++guesses < 20);
  EXPECT_GE(guesses, 5);
  EXPECT_EQ(result.exit_code, 8) << result.out;
  EXPECT_EQ(JsonField(result.out, "reason"), "THROTTLED");
  Unlock(bob(), kPassphrase);
  do {
    usleep(200'000);
    result = Cli(alice(), {"unlock", "--passphrase-fd", "3"}, std::string(kPassphrase) + "\n");
  } while (result.exit_code == 8);
  EXPECT_EQ(result.exit_code, 0) << "the wait ends by itself";
}

TEST_F(LifecycleTest, SecretsAppearInNoLogAndNoStoreFile) {
  std::string code;
  Enrol(alice(), kPassphrase, &code);
  Unlock(alice(), kPassphrase);
  Cli(alice(), {"unlock", "--passphrase-fd", "3"}, "a wrong but telling guess\n");
  const RunResult grep =
      Shell(0, "cat " + work() + "/log " + state_dir() + "/* | grep -a -c -e 'horse' -e '" +
                   code.substr(0, 5) + "' -e 'telling'");
  EXPECT_EQ(grep.out, "0\n");
}

TEST_F(LifecycleTest, StateIsPrivate) {
  Enrol(alice(), kPassphrase);
  EXPECT_EQ(Shell(0, "stat -c %a " + state_dir()).out, "700\n");
  EXPECT_EQ(Shell(0, "stat -c %a " + state_dir() + "/* | sort -u").out, "600\n");
  EXPECT_EQ(Shell(0, "stat -c %a " + socket()).out, "666\n");
}

}  // namespace
}  // namespace ext4crypt
