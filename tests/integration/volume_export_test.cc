// SPDX-License-Identifier: Apache-2.0
// The export of a user's keys on the volume: the store is lost, the volume is not.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/keyd_fixture.h"

namespace ext4crypt {
namespace {

using testing::HasSubstr;
using testing::Not;

class VolumeExportTest : public KeydTest {
 protected:
  void SetUp() override {
    KeydTest::SetUp();
    if (HasFatalFailure()) return;
    StartDaemon();
    volume_ = MountVolume("a");
    Enrol(alice(), kPassphrase, &code_);
    Unlock(alice(), kPassphrase);
    key_ = JsonField(Cli(alice(), {"status"}).out, "identifier");
    place_ = volume_ + "/.ext4crypt";
    export_ = place_ + "/" + key_;
  }
  void MakePlace() { MustRun({"install", "-d", "-m", "1777", place_}); }
  // With a file in it, which anybody may read who has the key.
  std::string MakeSecretDir() {
    const std::string dir = MakeEncryptedDir(volume_, "d", alice());
    MustRun({"sh", "-c", "echo secret >" + dir + "/file; chmod -R a+rX " + dir});
    return dir;
  }
  bool Reads(uid_t uid, const std::string& dir) {
    MustRun({"sh", "-c", "echo 2 > /proc/sys/vm/drop_caches"});
    return RunAs(uid, {"cat", dir + "/file"}).out == "secret\n";
  }
  // The system disk is lost: a new service, which knows nobody.
  void LoseTheStore() {
    ASSERT_EQ(Cli(alice(), {"lock"}).exit_code, 0);
    ASSERT_EQ(StopDaemon(), 0);
    MustRun({"rm", "-r", state_dir()});
    StartDaemon();
    ASSERT_EQ(JsonField(Cli(alice(), {"status"}).out, "enrolled"), "false");
  }
  RunResult ImportWith(uid_t uid, const std::string& path, const std::string& code,
                       std::vector<std::string> more = {}) {
    more.insert(more.begin(),
                {"import", "--from-volume", path, "--recovery", "--passphrase-fd", "3"});
    return Cli(uid, more, code + "\nthe new passphrase\n");
  }
  static std::string Reason(const RunResult& result) { return JsonField(result.out, "reason"); }
  bool Exists(const std::string& path) {
    struct stat info = {};
    return lstat(path.c_str(), &info) == 0;
  }

  std::string volume_;
  std::string code_;
  std::string key_;
  std::string place_;
  std::string export_;
};

TEST_F(VolumeExportTest, LostStoreComesBackFromTheVolumeWithTheRecoveryCode) {
  MakePlace();
  const std::string dir = MakeSecretDir();
  ASSERT_EQ(Cli(alice(), {"key", "create", "work"}).exit_code, 0);
  const std::string work_dir = MakeDir(volume_ + "/w", alice());
  ASSERT_EQ(
      Cli(alice(), {"setpolicy", work_dir, "--allow-unauthenticated", "--key", "work"}).exit_code,
      0);
  MustRun({"sh", "-c", "echo secret >" + work_dir + "/file; chmod -R a+rX " + work_dir});
  struct stat info = {};
  ASSERT_EQ(stat(export_.c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, alice());
  EXPECT_EQ(info.st_mode & 07777, 0600U);
  LoseTheStore();
  EXPECT_FALSE(Reads(alice(), dir));
  // By any path on the volume.
  const RunResult imported = ImportWith(alice(), dir, code_);
  ASSERT_EQ(imported.exit_code, 0) << imported.out << imported.err;
  EXPECT_EQ(JsonField(imported.out, "key_identifier"), key_);
  Unlock(alice(), "the new passphrase");
  EXPECT_TRUE(Reads(alice(), dir));
  EXPECT_TRUE(Reads(alice(), work_dir));
}

TEST_F(VolumeExportTest, HoldsNothingThatAPassphraseOpens) {
  MakePlace();
  MakeSecretDir();
  ASSERT_TRUE(Exists(export_));
  LoseTheStore();
  const RunResult refused = Cli(alice(), {"import", "--from-volume", volume_});
  EXPECT_EQ(refused.exit_code, 2) << "a passphrase is not asked for";
  // As a file it may be given one, and has nothing that would fit.
  EXPECT_EQ(Reason(Cli(alice(), {"import", export_, "--passphrase-fd", "3"},
                       std::string(kPassphrase) + "\n")),
            "WRONG_PASSPHRASE");
  EXPECT_EQ(JsonField(Cli(alice(), {"status"}).out, "enrolled"), "false");
}

TEST_F(VolumeExportTest, FollowsEachChangeOfWhatOpensTheKey) {
  MakePlace();
  MakeSecretDir();
  const std::string stick = work() + "/stick";
  MustRun({"install", "-d", "-m", "1777", stick});
  const RunResult renewed =
      Cli(alice(), {"recovery", "renew", "--passphrase-fd", "3"}, std::string(kPassphrase) + "\n");
  ASSERT_EQ(renewed.exit_code, 0) << renewed.out << renewed.err;
  const RunResult added =
      Cli(alice(), {"protectors", "add-key-file", stick + "/key", "--passphrase-fd", "3"},
          std::string(kPassphrase) + "\n");
  ASSERT_EQ(added.exit_code, 0) << added.out << added.err;
  const RunResult gone =
      Cli(alice(), {"protectors", "add-key-file", stick + "/gone", "--passphrase-fd", "3"},
          std::string(kPassphrase) + "\n");
  ASSERT_EQ(
      Cli(alice(),
          {"protectors", "remove", JsonField(gone.out, "protector_id"), "--passphrase-fd", "3"},
          std::string(kPassphrase) + "\n")
          .exit_code,
      0);
  LoseTheStore();
  EXPECT_EQ(Reason(ImportWith(alice(), volume_, code_)), "WRONG_RECOVERY_CODE");
  const auto with_file = [&](const std::string& name) {
    return Cli(
        alice(),
        {"import", "--from-volume", volume_, "--key-file", stick + name, "--passphrase-fd", "3"},
        "the new passphrase\n");
  };
  EXPECT_EQ(Reason(with_file("/gone")), "WRONG_KEY_FILE");
  const RunResult imported = with_file("/key");
  EXPECT_EQ(imported.exit_code, 0) << imported.out << imported.err;
  // The renewed code as well: it is in the store now.
  EXPECT_EQ(Cli(alice(), {"unlock", "--recovery", "--passphrase-fd", "3"},
                JsonField(renewed.out, "recovery_code") + "\n")
                .exit_code,
            0);
}

TEST_F(VolumeExportTest, WithoutAPlaceTheUserIsToldAndNothingIsMade) {
  const std::string dir = MakeDir(volume_ + "/d", alice());
  const RunResult set = RunAs(alice(), {EXT4CRYPT_TEST_BIN "/ext4crypt", "--socket", socket(),
                                        "setpolicy", dir, "--allow-unauthenticated"});
  EXPECT_EQ(set.exit_code, 0) << set.err;
  EXPECT_THAT(set.out, HasSubstr("mkdir -m 1777 " + place_));
  EXPECT_FALSE(Exists(place_));
  EXPECT_EQ(Reason(ImportWith(alice(), volume_, code_)), "RECORD_UNUSABLE");
  // There later: the next unlock puts the export into it.
  MakePlace();
  Unlock(alice(), kPassphrase);
  EXPECT_TRUE(Exists(export_));
}

TEST_F(VolumeExportTest, OnAVolumeOfTheUsersOwnThePlaceIsMade) {
  MustRun({"chown", std::to_string(alice()), volume_});
  MakeSecretDir();
  EXPECT_TRUE(Exists(export_));
}

TEST_F(VolumeExportTest, OthersCanNeitherPutOneThereNorHaveTheirPlaceUsed) {
  MakePlace();
  // Before alice's first: a link to a file of hers, which must not be written, and a file.
  MustRun({"sh", "-c",
           "echo precious >" + work() + "/precious; chown " + std::to_string(alice()) + " " +
               work() + "/precious"});
  ASSERT_EQ(RunAs(bob(), {"ln", "-s", work() + "/precious", export_}).exit_code, 0);
  const std::string dir = MakeDir(volume_ + "/d", alice());
  const RunResult set = Cli(alice(), {"setpolicy", dir, "--allow-unauthenticated"});
  EXPECT_EQ(set.exit_code, 0) << "the directory is encrypted all the same";
  EXPECT_THAT(set.out, HasSubstr("somebody else"));
  EXPECT_EQ(RunAs(0, {"cat", work() + "/precious"}).out, "precious\n");
  MustRun({"rm", export_});
  Unlock(alice(), kPassphrase);
  ASSERT_TRUE(Exists(export_));
  // bob's export under alice's name, were he able to: a file of his is not taken for hers.
  MustRun({"chown", std::to_string(bob()), export_});
  LoseTheStore();
  EXPECT_EQ(Reason(ImportWith(alice(), volume_, code_)), "RECORD_UNUSABLE");
  MustRun({"chown", std::to_string(alice()), export_});
  // A directory that others may rename things in.
  MustRun({"chmod", "0777", place_});
  EXPECT_EQ(Reason(ImportWith(alice(), volume_, code_)), "RECORD_UNUSABLE");
}

TEST_F(VolumeExportTest, HostileExportOpensNothingAndImportsNothing) {
  MakePlace();
  MakeSecretDir();
  // The keys of somebody else under alice's name: who has the disk can write anything to it.
  std::string bobs_code;
  Enrol(bob(), "bob's own passphrase", &bobs_code);
  Unlock(bob(), "bob's own passphrase");
  const std::string bobs = place_ + "/" + JsonField(Cli(bob(), {"status"}).out, "identifier");
  ASSERT_TRUE(Exists(bobs));
  LoseTheStore();
  MustRun({"cp", "-p", export_, work() + "/good"});
  MustRun({"cp", bobs, export_});
  EXPECT_EQ(Reason(ImportWith(alice(), volume_, code_)), "RECORD_UNUSABLE");
  EXPECT_EQ(Reason(ImportWith(alice(), volume_, bobs_code)), "RECORD_UNUSABLE")
      << "even with a code that opens it: it is not the key its name says";
  // Damaged, empty, endless, no file at all.
  for (const std::string spoil :
       {"printf x | dd of=$C bs=1 seek=60 conv=notrunc status=none", ": >$C",
        "head -c 40000 /dev/zero >$C", "rm $C; mkfifo $C; chown $A $C",
        "rm $C; mkdir $C; chown $A $C"}) {
    const std::string script = "C=" + export_ + " A=" + std::to_string(alice()) +
                               "; rm -rf $C; cp -p " + work() + "/good $C; " + spoil;
    MustRun({"sh", "-c", script});
    EXPECT_EQ(Reason(ImportWith(alice(), volume_, code_)), "RECORD_UNUSABLE") << script;
  }
  EXPECT_EQ(JsonField(Cli(alice(), {"status"}).out, "enrolled"), "false");
  MustRun({"sh", "-c", "rm -rf " + export_ + "; cp -p " + work() + "/good " + export_});
  EXPECT_EQ(ImportWith(alice(), volume_, code_).exit_code, 0) << "the good one";
}

TEST_F(VolumeExportTest, UserWithANewKeyTakesTheOldOneBesideIt) {
  MakePlace();
  const std::string dir = MakeSecretDir();
  LoseTheStore();
  // A first login has made a new key meanwhile, whose export lies beside the old one.
  Enrol(alice(), "another passphrase");
  Unlock(alice(), "another passphrase");
  EXPECT_FALSE(Reads(alice(), dir));
  const RunResult imported = ImportWith(alice(), volume_, code_, {"--as", "old"});
  ASSERT_EQ(imported.exit_code, 0) << imported.out << imported.err;
  EXPECT_TRUE(Reads(alice(), dir));
}

TEST_F(VolumeExportTest, PlaceThatIsEncryptedItselfGetsNone) {
  const std::string dir = MakeDir(place_, alice());
  ASSERT_EQ(Cli(alice(), {"setpolicy", dir, "--allow-unauthenticated"}).exit_code, 0);
  const RunResult unlock =
      Cli(alice(), {"unlock", "--passphrase-fd", "3"}, std::string(kPassphrase) + "\n");
  EXPECT_THAT(unlock.out, HasSubstr("encrypted itself"));
  EXPECT_THAT(RunAs(0, {"ls", "-A", place_}).out, Not(HasSubstr(key_)));
}

}  // namespace
}  // namespace ext4crypt
