// SPDX-License-Identifier: Apache-2.0
// Each bad input: one reason, one documented exit code, one sentence, and nothing changed.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/keyd_fixture.h"

namespace ext4crypt {
namespace {

using testing::HasSubstr;

class BadInputTest : public KeydTest {
 protected:
  void SetUp() override {
    KeydTest::SetUp();
    if (HasFatalFailure()) return;
    StartDaemon();
    volume_ = MountVolume("a");
    Enrol(alice(), kPassphrase);
    Unlock(alice(), kPassphrase);
  }

  RunResult SetPolicy(uid_t uid, const std::string& dir) {
    return Cli(uid, {"setpolicy", dir, "--allow-unauthenticated"});
  }
  bool IsEncrypted(const std::string& dir) {
    const RunResult result = Cli(0, {"policy", dir});
    EXPECT_EQ(result.exit_code, 0) << result.out;
    return JsonField(result.out, "encrypted") == "true";
  }
  static void Expect(const RunResult& result, const std::string& reason, int exit_code) {
    EXPECT_EQ(JsonField(result.out, "reason"), reason) << result.out << result.err;
    EXPECT_EQ(result.exit_code, exit_code);
    EXPECT_EQ(JsonField(result.out, "exit_code"), std::to_string(exit_code));
  }

  std::string volume_;
};

TEST_F(BadInputTest, NonEmptyDirectoryStaysAsItIs) {
  const std::string dir = MakeDir(volume_ + "/d", alice());
  ASSERT_EQ(RunAs(alice(), {"touch", dir + "/f"}).exit_code, 0);
  Expect(SetPolicy(alice(), dir), "DIRECTORY_NOT_EMPTY", 12);
  EXPECT_FALSE(IsEncrypted(dir));
}

TEST_F(BadInputTest, SomeoneElsesDirectoryStaysAsItIs) {
  const std::string dir = MakeDir(volume_ + "/d", bob());
  Expect(SetPolicy(alice(), dir), "DIRECTORY_NOT_OWNED", 13);
  EXPECT_FALSE(IsEncrypted(dir));
}

TEST_F(BadInputTest, WrongPassphraseLeavesTheKeyLocked) {
  Enrol(bob(), kPassphrase);
  Expect(Cli(bob(), {"unlock", "--passphrase-fd", "3"}, "not the passphrase\n"), "WRONG_PASSPHRASE",
         6);
  EXPECT_EQ(State(bob()), "locked");
}

TEST_F(BadInputTest, WrongPresentPassphraseChangesNothing) {
  Expect(Cli(alice(), {"passphrase", "change", "--passphrase-fd", "3"},
             "not the passphrase\na new passphrase\n"),
         "WRONG_PASSPHRASE", 6);
  Unlock(alice(), kPassphrase);
}

TEST_F(BadInputTest, LockedKeySetsNoPolicy) {
  ASSERT_EQ(Cli(alice(), {"lock"}).exit_code, 0);
  const std::string dir = MakeDir(volume_ + "/d", alice());
  Expect(SetPolicy(alice(), dir), "KEY_LOCKED", 9);
  EXPECT_FALSE(IsEncrypted(dir));
}

TEST_F(BadInputTest, ServiceThatDoesNotRunIsNamed) {
  const std::string dir = MakeDir(volume_ + "/d", alice());
  ASSERT_EQ(StopDaemon(), 0);
  Expect(SetPolicy(alice(), dir), "SERVICE_UNREACHABLE", 3);
  Expect(Cli(alice(), {"status"}), "SERVICE_UNREACHABLE", 3);
  Expect(Cli(alice(), {"unlock", "--passphrase-fd", "3"}, "x\n"), "SERVICE_UNREACHABLE", 3);
  EXPECT_THAT(Cli(alice(), {"status"}).out, HasSubstr(socket()));
  EXPECT_FALSE(IsEncrypted(dir));
}

TEST_F(BadInputTest, VolumeWithoutTheEncryptFeature) {
  const std::string plain = MountVolume("plain", "^encrypt");
  const std::string dir = MakeDir(plain + "/d", alice());
  Expect(SetPolicy(alice(), dir), "FILESYSTEM_LACKS_ENCRYPT", 15);
  EXPECT_THAT(SetPolicy(alice(), dir).out, HasSubstr("tune2fs -O encrypt"));
  EXPECT_THAT(RunAs(0, {"dumpe2fs", "-h", work() + "/plain.img"}).out,
              testing::Not(HasSubstr(" encrypt")));
}

TEST_F(BadInputTest, SamePolicyAgainIsDoneAlready) {
  const std::string dir = MakeEncryptedDir(volume_, "d", alice());
  ASSERT_EQ(RunAs(alice(), {"touch", dir + "/f"}).exit_code, 0);
  const RunResult again = SetPolicy(alice(), dir);
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_EQ(JsonField(again.out, "changed"), "false");
}

TEST_F(BadInputTest, AnotherKeysDirectoryKeepsItsPolicy) {
  const std::string dir = MakeEncryptedDir(volume_, "d", alice());
  const std::string before = JsonField(Cli(0, {"policy", dir}).out, "key_identifier");
  Enrol(bob(), kPassphrase);
  Unlock(bob(), kPassphrase);
  MustRun({"chown", std::to_string(bob()), dir});
  Expect(SetPolicy(bob(), dir), "ENCRYPTED_OTHERWISE", 14);
  EXPECT_EQ(JsonField(Cli(0, {"policy", dir}).out, "key_identifier"), before);
}

TEST_F(BadInputTest, PlainExt4NeedsToBeAskedFor) {
  const std::string dir = MakeDir(volume_ + "/d", alice());
  Expect(Cli(alice(), {"setpolicy", dir}), "FILESYSTEM_UNAUTHENTICATED", 16);
  EXPECT_FALSE(IsEncrypted(dir));
}

TEST_F(BadInputTest, PlainExt4NeedsTheServicesConsentToo) {
  ASSERT_EQ(StopDaemon(), 0);
  StartDaemon({});
  Unlock(alice(), kPassphrase);
  const std::string dir = MakeDir(volume_ + "/d", alice());
  Expect(SetPolicy(alice(), dir), "FILESYSTEM_UNAUTHENTICATED", 16);
  EXPECT_FALSE(IsEncrypted(dir));
}

TEST_F(BadInputTest, OtherFileSystemsAreRefused) {
  const std::string dir = MakeDir(work() + "/on-tmpfs", alice());
  Expect(SetPolicy(alice(), dir), "FILESYSTEM_UNSUPPORTED", 15);
  Expect(Cli(alice(), {"policy", dir}), "FILESYSTEM_UNSUPPORTED", 15);
}

TEST_F(BadInputTest, PerUserDirectoryNeedsAnAuthenticatedVolume) {
  const std::string dir = MakeDir(volume_ + "/d", alice());
  Expect(Cli(alice(), {"setpolicy", "--per-user", dir}), "FILESYSTEM_UNSUPPORTED", 15);
}

TEST_F(BadInputTest, TopOfAVolumeIsNamed) {
  MustRun({"chown", std::to_string(alice()), volume_});
  Expect(SetPolicy(alice(), volume_), "VOLUME_TOP", 15);
}

TEST_F(BadInputTest, CauseIsInTextAndJson) {
  const std::string closed = MakeDir(volume_ + "/closed", bob());
  MustRun({"chmod", "700", closed});
  const RunResult json = SetPolicy(alice(), closed);
  EXPECT_EQ(JsonField(json.out, "errno"), "EACCES");
  EXPECT_EQ(JsonField(json.out, "cause"), "open: Permission denied");
  const RunResult text = RunAs(alice(), {EXT4CRYPT_TEST_BIN "/ext4crypt", "--socket", socket(),
                                         "setpolicy", closed, "--allow-unauthenticated"});
  EXPECT_THAT(text.err, HasSubstr("(open: Permission denied)"));
}

TEST_F(BadInputTest, LimitOfProcessesIsToldAndNothingHangs) {
  const RunResult result =
      RunAs(alice(), {"prlimit", "--nproc=4", "timeout", "20", EXT4CRYPT_TEST_BIN "/ext4crypt",
                      "--socket", socket(), "--json", "status"});
  Expect(result, "PROCESS_LIMIT", 3);
  EXPECT_EQ(JsonField(result.out, "errno"), "EAGAIN");
}

TEST_F(BadInputTest, ReadOnlyVolume) {
  const std::string dir = MakeDir(volume_ + "/d", alice());
  MustRun({"mount", "-o", "remount,ro", volume_});
  Expect(SetPolicy(alice(), dir), "FILESYSTEM_READ_ONLY", 15);
}

TEST_F(BadInputTest, MissingDirectoryAndFileAndClosedDirectory) {
  Expect(SetPolicy(alice(), volume_ + "/none"), "DIRECTORY_NOT_FOUND", 11);
  ASSERT_EQ(RunAs(alice(), {"touch", volume_ + "/file"}).exit_code, 0);
  Expect(SetPolicy(alice(), volume_ + "/file"), "NOT_A_DIRECTORY", 11);
  const std::string closed = MakeDir(volume_ + "/closed", bob());
  MustRun({"chmod", "700", closed});
  Expect(SetPolicy(alice(), closed), "DIRECTORY_UNREADABLE", 11);
}

TEST_F(BadInputTest, SecondEnrolmentKeepsTheFirst) {
  const std::string before = JsonField(Cli(alice(), {"status"}).out, "identifier");
  Expect(Cli(alice(), {"enrol", "--passphrase-fd", "3"}, "another passphrase\n"),
         "ALREADY_ENROLLED", 5);
  EXPECT_EQ(JsonField(Cli(alice(), {"status"}).out, "identifier"), before);
  Unlock(alice(), kPassphrase);
}

TEST_F(BadInputTest, NotEnrolled) {
  Expect(Cli(bob(), {"unlock", "--passphrase-fd", "3"}, "whatever it is\n"), "NOT_ENROLLED", 4);
  Expect(Cli(bob(), {"lock"}), "NOT_ENROLLED", 4);
  Expect(SetPolicy(bob(), MakeDir(volume_ + "/d", bob())), "NOT_ENROLLED", 4);
  const RunResult status = Cli(bob(), {"status"});
  EXPECT_EQ(status.exit_code, 0);
  EXPECT_EQ(JsonField(status.out, "enrolled"), "false");
}

TEST_F(BadInputTest, PassphrasesThatCannotBeUsed) {
  Expect(Cli(bob(), {"enrol", "--passphrase-fd", "3"}, "short\n"), "PASSPHRASE_TOO_SHORT", 7);
  Expect(Cli(bob(), {"enrol", "--passphrase-fd", "3"}, ""), "PASSPHRASE_UNREADABLE", 7);
  Expect(Cli(bob(), {"enrol", "--passphrase-fd", "77"}), "PASSPHRASE_UNREADABLE", 7);
  // No terminal, and no descriptor named: standard input is not read by itself.
  Expect(Cli(bob(), {"enrol"}), "PASSPHRASE_UNREADABLE", 7);
  EXPECT_EQ(JsonField(Cli(bob(), {"status"}).out, "enrolled"), "false");
}

TEST_F(BadInputTest, UnknownUser) {
  Expect(Cli(0, {"lock", "--user", "no-such-user-here"}), "NO_SUCH_USER", 18);
}

TEST_F(BadInputTest, SocketOfSomeoneElseGetsNoPassphrase) {
  const std::string fake = work() + "/fake";
  MakeDir(fake, bob());
  const Child listener(bob(), {"python3", "-c",
                               "import socket\n"
                               "s=socket.socket(socket.AF_UNIX); s.bind('" +
                                   fake +
                                   "/s'); s.listen()\n"
                                   "import os; os.chmod('" +
                                   fake +
                                   "/s', 0o777)\n"
                                   "c,_=s.accept()\n"
                                   "open('" +
                                   fake + "/got','wb').write(c.recv(65536))\n"});
  for (int i = 0; i < 100 && access((fake + "/s").c_str(), F_OK) != 0; ++i) usleep(20'000);
  usleep(100'000);
  const RunResult result = RunAs(alice(),
                                 {EXT4CRYPT_TEST_BIN "/ext4crypt", "--socket", fake + "/s",
                                  "--json", "unlock", "--passphrase-fd", "3"},
                                 std::string(kPassphrase) + "\n");
  Expect(result, "SERVICE_UNTRUSTED", 3);
  // The listener has seen the connection end; what it got is nothing.
  struct stat info = {};
  for (int i = 0; i < 100 && stat((fake + "/got").c_str(), &info) != 0; ++i) usleep(20'000);
  EXPECT_EQ(info.st_size, 0);
}

TEST_F(BadInputTest, EverySentenceNamesTheObjectAndTheNextStep) {
  const std::string dir = MakeDir(volume_ + "/d", bob());
  const RunResult result = RunAs(alice(), {EXT4CRYPT_TEST_BIN "/ext4crypt", "--socket", socket(),
                                           "setpolicy", dir, "--allow-unauthenticated"});
  EXPECT_EQ(result.exit_code, 13);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "ext4crypt setpolicy: " + dir +
                            ": the directory belongs to someone else, and nothing was changed. "
                            "Only its owner can set its policy; use a directory of your own.\n");
}

TEST_F(BadInputTest, WrongVerbsSayWhatWasMeant) {
  const auto said = [&](const std::vector<std::string>& arguments) {
    std::vector<std::string> command = {EXT4CRYPT_TEST_BIN "/ext4crypt", "--socket", socket()};
    command.insert(command.end(), arguments.begin(), arguments.end());
    const RunResult result = RunAs(alice(), command);
    EXPECT_EQ(result.exit_code, 2) << result.out << result.err;
    EXPECT_EQ(result.out, "");
    return result.err;
  };
  EXPECT_THAT(said({"enroll"}), HasSubstr("did you mean: ext4crypt enrol."));
  EXPECT_THAT(said({"--json=0", "statsu"}), HasSubstr("did you mean: ext4crypt status."));
  EXPECT_THAT(said({"key", "ls"}), HasSubstr("did you mean: ext4crypt key list."));
  EXPECT_THAT(said({"key", "frobnicate"}), HasSubstr("there are list, create, "));
  EXPECT_THAT(said({"key"}), HasSubstr("ext4crypt key: say what to do: list, "));
  EXPECT_THAT(said({"setpolicy", ""}), HasSubstr("DIR is empty"));
  EXPECT_THAT(said({"\x1b[31m"}), testing::Not(HasSubstr("\x1b")));
}

TEST_F(BadInputTest, WrongVerbsSayItInJsonToo) {
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"enroll"},
                                                {"key", "ls"},
                                                {"setpolicy"},
                                                {"setpolicy", ""},
                                                {"key"}}) {
    const RunResult result = Cli(alice(), wrong);
    Expect(result, "USAGE", 2);
    EXPECT_EQ(result.err, "");
  }
}

TEST_F(BadInputTest, HelpIsAVerbToo) {
  const auto help = [&](const std::vector<std::string>& arguments) {
    std::vector<std::string> command = {EXT4CRYPT_TEST_BIN "/ext4crypt"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    const RunResult result = RunAs(alice(), command);
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    return result.out;
  };
  EXPECT_EQ(help({"help"}), help({"--help"}));
  EXPECT_EQ(help({"help", "key", "create"}), help({"key", "create", "--help"}));
  EXPECT_EQ(help({"key", "help"}), help({"key", "--help"}));
  // What the exit codes mean is said once.
  EXPECT_THAT(help({"--help"}), HasSubstr("Exit codes"));
  EXPECT_THAT(help({"status", "--help"}), testing::Not(HasSubstr("Exit codes")));
  EXPECT_THAT(help({"volume", "verify", "--help"}), testing::Not(HasSubstr("xit code")));
}

TEST_F(BadInputTest, AloneItSaysTheStateAndTheNextStep) {
  EXPECT_EQ(JsonField(Cli(bob(), {}).out, "next"), "ext4crypt enrol");
  EXPECT_EQ(JsonField(Cli(alice(), {}).out, "next"), "ext4crypt encrypt DIR");
  ASSERT_EQ(Cli(alice(), {"lock"}).exit_code, 0);
  EXPECT_EQ(JsonField(Cli(alice(), {}).out, "next"), "ext4crypt unlock");
  const RunResult text = RunAs(alice(), {EXT4CRYPT_TEST_BIN "/ext4crypt", "--socket", socket()});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr(": locked\n"));
  EXPECT_THAT(text.out, HasSubstr("Next: ext4crypt unlock\n"));
}

TEST_F(BadInputTest, UsageErrors) {
  EXPECT_EQ(Cli(alice(), {"frobnicate"}).exit_code, 2);
  EXPECT_EQ(Cli(alice(), {"setpolicy"}).exit_code, 2);
  EXPECT_EQ(Cli(alice(), {"unlock", "--passphrase-fd", "-1"}).exit_code, 2);
  // A passphrase on the command line is not understood, let alone used.
  EXPECT_EQ(Cli(alice(), {"unlock", kPassphrase}).exit_code, 2);
}

}  // namespace
}  // namespace ext4crypt
