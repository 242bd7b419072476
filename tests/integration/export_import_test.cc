// SPDX-License-Identifier: Apache-2.0
// Keys carried to another machine: the same volume, another store.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/keyd_fixture.h"

namespace ext4crypt {
namespace {

using testing::HasSubstr;

class ExportImportTest : public KeydTest {
 protected:
  void SetUp() override {
    KeydTest::SetUp();
    if (HasFatalFailure()) return;
    StartDaemon();
    volume_ = MountVolume("a", "encrypt", {"-b", "4096"});
    Enrol(alice(), kPassphrase, &code_);
    Unlock(alice(), kPassphrase);
    dir_ = MakeEncryptedDir(volume_, "d", alice());
    ASSERT_EQ(Cli(alice(), {"key", "create", "work"}).exit_code, 0);
    work_dir_ = MakeDir(volume_ + "/w", alice());
    ASSERT_EQ(Cli(alice(), {"setpolicy", work_dir_, "--allow-unauthenticated", "--key", "work"})
                  .exit_code,
              0);
    for (const std::string& dir : {dir_, work_dir_}) {
      MustRun({"sh", "-c", "echo secret >" + dir + "/file; chmod -R a+rwX " + dir});
    }
    MustRun({"install", "-d", "-m", "1777", work() + "/stick"});
    file_ = work() + "/stick/keys";
    key_file_ = work() + "/stick/key-file";
    ASSERT_EQ(WithPassphrase(alice(), {"protectors", "add-key-file", key_file_}).exit_code, 0);
    const RunResult exported = WithPassphrase(alice(), {"export", file_});
    ASSERT_EQ(exported.exit_code, 0) << exported.out << exported.err;
    ASSERT_EQ(Cli(alice(), {"lock"}).exit_code, 0);
    // The other machine.
    ASSERT_EQ(StopDaemon(), 0);
    MustRun({"mv", state_dir(), work() + "/lost"});
    StartDaemon();
  }
  RunResult WithPassphrase(uid_t uid, std::vector<std::string> arguments,
                           const std::string& lines = std::string(kPassphrase) + "\n") {
    arguments.insert(arguments.end(), {"--passphrase-fd", "3"});
    return Cli(uid, arguments, lines);
  }
  static std::string Reason(const RunResult& result) { return JsonField(result.out, "reason"); }
  bool Reads(uid_t uid, const std::string& dir) {
    MustRun({"sh", "-c", "echo 2 > /proc/sys/vm/drop_caches"});
    return RunAs(uid, {"cat", dir + "/file"}).out == "secret\n";
  }
  void GiveFileTo(uid_t uid) { MustRun({"chown", std::to_string(uid), file_}); }

  std::string volume_;
  std::string dir_;
  std::string work_dir_;
  std::string file_;
  std::string key_file_;
  std::string code_;
};

TEST_F(ExportImportTest, SameUserHasAllKeysAndAllWaysToUnlock) {
  struct stat info = {};
  ASSERT_EQ(stat(file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_EQ(Reason(WithPassphrase(alice(), {"unlock"})), "NOT_ENROLLED");
  const RunResult imported = WithPassphrase(alice(), {"import", file_});
  ASSERT_EQ(imported.exit_code, 0) << imported.out << imported.err;
  EXPECT_EQ(JsonField(imported.out, "recovery_code"), "");
  Unlock(alice(), kPassphrase);
  EXPECT_TRUE(Reads(alice(), dir_));
  EXPECT_TRUE(Reads(alice(), work_dir_));
  ASSERT_EQ(Cli(alice(), {"lock"}).exit_code, 0);
  EXPECT_EQ(WithPassphrase(alice(), {"unlock", "--recovery"}, code_ + "\n").exit_code, 0);
  EXPECT_EQ(Reason(WithPassphrase(alice(), {"import", file_})), "ALREADY_ENROLLED");
}

TEST_F(ExportImportTest, RecoveryCodeImportsWithANewPassphrase) {
  const RunResult imported =
      WithPassphrase(alice(), {"import", file_, "--recovery"}, code_ + "\nanother passphrase\n");
  ASSERT_EQ(imported.exit_code, 0) << imported.out << imported.err;
  EXPECT_EQ(Reason(WithPassphrase(alice(), {"unlock"})), "WRONG_PASSPHRASE");
  Unlock(alice(), "another passphrase");
  EXPECT_TRUE(Reads(alice(), work_dir_));
}

TEST_F(ExportImportTest, AnotherUidGetsANewRecoveryCode) {
  GiveFileTo(bob());
  const RunResult imported = WithPassphrase(bob(), {"import", file_});
  ASSERT_EQ(imported.exit_code, 0) << imported.out << imported.err;
  const std::string fresh = JsonField(imported.out, "recovery_code");
  ASSERT_NE(fresh, "");
  EXPECT_EQ(Reason(WithPassphrase(bob(), {"unlock", "--recovery"}, code_ + "\n")),
            "WRONG_RECOVERY_CODE");
  EXPECT_EQ(WithPassphrase(bob(), {"unlock", "--recovery"}, fresh + "\n").exit_code, 0);
  EXPECT_TRUE(Reads(bob(), dir_));
  EXPECT_TRUE(Reads(bob(), work_dir_));
  // The very key is in the store: not once more for somebody else.
  GiveFileTo(alice());
  EXPECT_EQ(Reason(WithPassphrase(alice(), {"import", file_})), "KEY_EXISTS");
}

// The store is lost and nothing is unlocked: the image and the export are all there is.
TEST_F(ExportImportTest, TheOfflineReaderOpensTheFilesWithoutTheService) {
  ASSERT_EQ(StopDaemon(), 0);
  Unmount(volume_);
  const std::string image = work() + "/a.img";
  const auto extract = [&](const std::string& to, std::vector<std::string> by,
                           const std::string& line) {
    std::vector<std::string> argv = {EXT4CRYPT_TEST_BIN "/ext4crypt",
                                     "--json",
                                     "volume",
                                     "extract",
                                     image,
                                     "/",
                                     work() + "/" + to,
                                     "--key-from",
                                     file_};
    argv.insert(argv.end(), by.begin(), by.end());
    return RunAs(0, argv, line + "\n");
  };
  for (const auto& [to, by, line] : {std::tuple<const char*, std::vector<std::string>, std::string>{
                                         "by-passphrase", {"--passphrase-fd", "3"}, kPassphrase},
                                     {"by-code", {"--passphrase-fd", "3", "--recovery"}, code_}}) {
    const RunResult result = extract(to, by, line);
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    for (const char* dir : {"/d/file", "/w/file"}) {
      EXPECT_EQ(RunAs(0, {"cat", work() + "/" + to + dir}).out, "secret\n") << to;
    }
  }
  const RunResult wrong = extract("wrong", {"--passphrase-fd", "3"}, "not the passphrase");
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.out, HasSubstr("\"reason\":\"wrong_credential\""));
  EXPECT_THAT(extract("none", {}, "").out, HasSubstr("\"reason\":\"credential_unusable\""))
      << "there is no terminal";
}

// Both are files of 64 bytes, so the option is all that tells them apart.
TEST_F(ExportImportTest, AKeyFileOpensAnExportAndIsNoMasterKey) {
  ASSERT_EQ(StopDaemon(), 0);
  Unmount(volume_);
  const std::string image = work() + "/a.img";
  const auto verify = [&](std::vector<std::string> by) {
    std::vector<std::string> argv = {EXT4CRYPT_TEST_BIN "/ext4crypt", "--json", "volume", "verify",
                                     image};
    argv.insert(argv.end(), by.begin(), by.end());
    return RunAs(0, argv).exit_code;
  };
  constexpr int kClean = 0;
  constexpr int kUsage = 2;
  constexpr int kKeyMissing = 6;
  EXPECT_EQ(verify({"--key-from", file_, "--key-file", key_file_}), kClean);
  EXPECT_EQ(verify({"--key-file", key_file_}), kUsage) << "what it would open is not named";
  EXPECT_EQ(verify({"--master-key", key_file_}), kKeyMissing) << "it is the key of no file";
}

TEST_F(ExportImportTest, BesideADefaultKeyUnderAName) {
  GiveFileTo(bob());
  Enrol(bob(), "bob's own passphrase");
  EXPECT_EQ(Reason(WithPassphrase(bob(), {"import", file_, "--as", "old"})), "KEY_LOCKED");
  Unlock(bob(), "bob's own passphrase");
  EXPECT_EQ(Reason(WithPassphrase(bob(), {"import", file_, "--as", "a b"})), "KEY_NAME_INVALID");
  const RunResult imported = WithPassphrase(bob(), {"import", file_, "--as", "old"});
  ASSERT_EQ(imported.exit_code, 0) << imported.out << imported.err;
  EXPECT_TRUE(Reads(bob(), dir_));
  EXPECT_TRUE(Reads(bob(), work_dir_));
  EXPECT_THAT(Cli(bob(), {"key", "list"}).out, HasSubstr("\"old.work\""));
  // By bob's passphrase alone, from now on.
  ASSERT_EQ(Cli(bob(), {"lock"}).exit_code, 0);
  EXPECT_FALSE(Reads(bob(), dir_));
  Unlock(bob(), "bob's own passphrase");
  EXPECT_TRUE(Reads(bob(), dir_));
}

TEST_F(ExportImportTest, WrongGuessesAndDamageImportNothing) {
  GiveFileTo(bob());
  // Five are free; then the waits double, and one comes that is not over by the next guess.
  int guesses = 0;
  std::string reason;
  do {
    reason = Reason(WithPassphrase(bob(), {"import", file_}, "not the passphrase\n"));
  } while (reason == "WRONG_PASSPHRASE" && ++guesses < 20);
  EXPECT_GE(guesses, 5);
  EXPECT_EQ(reason, "THROTTLED");
  // They count for who guessed, not for whom the file names.
  MustRun({"sh", "-c", "cp " + file_ + " " + file_ + "2"});
  file_ += "2";
  GiveFileTo(alice());
  MustRun({"sh", "-c",
           "printf 0123456789abcdef | dd of=" + file_ + " bs=1 seek=100 conv=notrunc status=none"});
  EXPECT_EQ(WithPassphrase(alice(), {"import", file_}).exit_code, 27);
  MustRun({"sh", "-c", "head -c 40000 /dev/zero >" + file_});
  EXPECT_EQ(Reason(WithPassphrase(alice(), {"import", file_})), "RECORD_UNUSABLE");
  EXPECT_EQ(Reason(WithPassphrase(alice(), {"import", work() + "/stick/none"})), "RECORD_UNUSABLE");
  EXPECT_EQ(Reason(Cli(alice(), {"status"})), "") << "the service is well";
  EXPECT_EQ(JsonField(Cli(alice(), {"status"}).out, "enrolled"), "false");
}

TEST_F(ExportImportTest, ExportNeedsTheCredentialAndReplacesNoFile) {
  Enrol(bob(), kPassphrase);
  const std::string bobs = work() + "/stick/bobs";
  EXPECT_EQ(Reason(WithPassphrase(bob(), {"export", bobs}, "not the passphrase\n")),
            "WRONG_PASSPHRASE");
  EXPECT_NE(access(bobs.c_str(), F_OK), 0);
  EXPECT_EQ(Reason(WithPassphrase(bob(), {"export", file_})), "RECORD_UNUSABLE");
}

}  // namespace
}  // namespace ext4crypt
