// SPDX-License-Identifier: Apache-2.0
// ext4crypt encrypt: nothing is lost, doubled or changed, whatever happens on the way.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <random>

#include "tests/integration/keyd_fixture.h"

namespace ext4crypt {
namespace {

using testing::HasSubstr;

// What changes something on the disk, and so divides one state from the next.
constexpr std::array kSteps = {"mkdirat",      "openat",    "ftruncate", "pwrite64", "fchownat",
                               "fchmod",       "fchmodat",  "lsetxattr", "fsync",    "syncfs",
                               "renameat",     "linkat",    "symlinkat", "mknodat",  "unlinkat",
                               "lremovexattr", "utimensat", "renameat2", "write"};

class EncryptTest : public KeydTest {
 protected:
  void SetUp() override {
    KeydTest::SetUp();
    if (HasFatalFailure()) return;
    StartDaemon();
    volume_ = MountVolume("a");
    Enrol(alice(), kPassphrase);
    Unlock(alice(), kPassphrase);
    dir_ = volume_ + "/d";
  }
  void TearDown() override {
    RunAs(0, {"umount", dir_ + "/a/b/c"});
    KeydTest::TearDown();
  }

  static std::string Tool() { return EXT4CRYPT_SOURCE_DIR "/tests/integration/tree.py"; }
  // A tree at dir_ that belongs to `uid`, and what it is in before_.
  void MakeTree(uid_t uid, int seed, int files = 20) {
    MakeDir(dir_, uid);
    const RunResult made =
        RunAs(uid, {"python3", Tool(), "make", dir_, std::to_string(seed), std::to_string(files)});
    ASSERT_EQ(made.exit_code, 0) << made.err;
    before_ = Show();
    std::ofstream(work() + "/before.json") << before_;
  }
  std::string Show() {
    const RunResult shown = RunAs(0, {"python3", Tool(), "show", dir_});
    EXPECT_EQ(shown.exit_code, 0) << shown.err;
    return shown.out;
  }
  std::vector<std::string> Command(uid_t uid) {
    std::vector<std::string> command = {
        EXT4CRYPT_TEST_BIN "/ext4crypt", "--socket", socket(), "--json", "encrypt", dir_,
        "--allow-unauthenticated"};
    if (uid == 0) command.insert(command.end(), {"--user", std::to_string(alice())});
    return command;
  }
  RunResult Encrypt(uid_t uid) { return RunAs(uid, Command(uid)); }
  // strace needs to be root to follow a program that forbids it; the search for leaks, in a build
  // with sanitizers, is a tracer too and would be the second one.
  RunResult EncryptUnder(uid_t uid, const std::string& injection) {
    std::vector<std::string> command = {
        "env", "ASAN_OPTIONS=detect_leaks=0", "strace", "-qq", "-o", "/dev/null",
        "-e",  "inject=" + injection};
    if (uid != 0) {
      command.insert(command.end(), {"setpriv", "--reuid", std::to_string(uid), "--regid",
                                     std::to_string(uid), "--clear-groups"});
    }
    const std::vector<std::string> inner = Command(uid);
    command.insert(command.end(), inner.begin(), inner.end());
    return RunAs(0, command);
  }
  void ExpectWhole() {
    const RunResult whole =
        RunAs(0, {"python3", Tool(), "whole", work() + "/before.json", dir_, volume_});
    ASSERT_EQ(whole.exit_code, 0) << whole.out << whole.err;
  }
  void ExpectDone() {
    EXPECT_EQ(Show(), before_);
    EXPECT_EQ(JsonField(Cli(0, {"policy", dir_}).out, "encrypted"), "true");
    EXPECT_EQ(RunAs(0, {"ls", "-A", volume_}).out, "d\nlost+found\n");
  }
  static void Expect(const RunResult& result, const std::string& reason, int exit_code) {
    EXPECT_EQ(JsonField(result.out, "reason"), reason) << result.out << result.err;
    EXPECT_EQ(result.exit_code, exit_code) << result.out;
  }

  std::string volume_;
  std::string dir_;
  std::string before_;
};

TEST_F(EncryptTest, EverythingIsKeptAndEncrypted) {
  MakeTree(alice(), 1);
  const RunResult result = Encrypt(alice());
  ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_EQ(JsonField(result.out, "changed"), "true");
  ExpectDone();
  EXPECT_EQ(JsonField(Encrypt(alice()).out, "changed"), "false");
  ASSERT_EQ(Cli(alice(), {"lock"}).exit_code, 0);
  EXPECT_NE(RunAs(alice(), {"cat", dir_ + "/three"}).exit_code, 0);
  EXPECT_THAT(RunAs(0, {"ls", dir_}).out, testing::Not(HasSubstr("three")));
}

TEST_F(EncryptTest, RootEncryptsForAUserWithOwnersDevicesAndCapabilities) {
  MakeTree(0, 2);
  const RunResult result = Encrypt(0);
  ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  ExpectDone();
}

// EXT4CRYPT_KILLS in the environment asks for more of them. A tree is killed at most so often and
// then finished: a program killed while it is still being loaded gets nowhere, and chance would
// decide how long the test takes.
TEST_F(EncryptTest, KilledAtAnyInstantItGoesOnAndLosesNothing) {
  const char* wanted = std::getenv("EXT4CRYPT_KILLS");
  const int goal = wanted != nullptr ? std::atoi(wanted) : 6;
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const auto draw = [&](size_t most) {
    return std::uniform_int_distribution<int>(1, static_cast<int>(most))(random);
  };
  const int most_of_a_tree = wanted != nullptr ? 40 : 3;
  int kills = 0;
  int trees = 0;
  while (kills < goal) {
    const uid_t uid = trees % 2 == 0 ? alice() : uid_t{0};
    MakeTree(uid, static_cast<int>(seed % 1000) + trees++);
    if (HasFatalFailure()) return;
    for (int round = 0;; ++round) {
      RunResult result;
      if (round == most_of_a_tree) {
        result = Encrypt(uid);
        ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
      } else if (round % 3 == 1) {
        // By the clock; a fast machine has finished after a tenth of a second.
        const int ms = draw(150);
        std::vector<std::string> command = {"timeout", "-s", "KILL",
                                            "0." + std::to_string(1000 + ms).substr(1)};
        const std::vector<std::string> inner = Command(uid);
        command.insert(command.end(), inner.begin(), inner.end());
        result = RunAs(uid, command);
      } else {
        // By the step: before the n-th call of its kind.
        const std::string step = kSteps.at(static_cast<size_t>(draw(kSteps.size()) - 1));
        result = EncryptUnder(
            uid, step + ":signal=KILL:when=" + std::to_string(draw(static_cast<size_t>(draw(25)))));
      }
      if (result.exit_code == 0) break;
      ASSERT_EQ(result.exit_code, 128 + SIGKILL) << result.out << result.err;
      ++kills;
      ExpectWhole();
      if (HasFatalFailure()) return;
      if (round == 2) {  // as after a reboot
        ASSERT_EQ(Cli(alice(), {"lock"}).exit_code, 0);
        Unmount(volume_);
        MustRun({"mount", "-o", "loop", work() + "/a.img", volume_});
        Expect(Encrypt(alice()), uid == 0 ? "DIRECTORY_NOT_OWNED" : "KEY_LOCKED",
               uid == 0 ? 13 : 9);
        Unlock(alice(), kPassphrase);
      }
    }
    ExpectDone();
    if (HasFailure()) return;
    MustRun({"rm", "-rf", dir_});
  }
  std::printf("%d kills, %d trees\n", kills, trees);
  Unmount(volume_);
  MustRun({"e2fsck", "-fn", work() + "/a.img"});
}

// A sync is what a small file costs: one for each makes it sixty a second on a disk that turns.
TEST_F(EncryptTest, SmallFilesShareTheirSyncs) {
  MakeDir(dir_, alice());
  ASSERT_EQ(
      RunAs(alice(), {"sh", "-c",
                      "cd " + dir_ +
                          " && for d in 1 2 3 4 5 6 7 8 9 10; do mkdir $d; for f in $(seq 60); "
                          "do echo $d/$f > $d/$f; done; done"})
          .exit_code,
      0);
  before_ = Show();
  const std::string trace = work() + "/trace";
  std::vector<std::string> command = {
      "env", "ASAN_OPTIONS=detect_leaks=0",      "strace", "-f", "-qq", "-o", trace,
      "-e",  "trace=fsync,fdatasync,syncfs,sync"};
  const std::vector<std::string> inner = Command(0);
  command.insert(command.end(), inner.begin(), inner.end());
  const RunResult result = RunAs(0, command);
  ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  ExpectDone();
  const RunResult syncs = RunAs(0, {"grep", "-c", "sync", trace});
  EXPECT_GT(std::stoi(syncs.out), 4) << "nothing was counted";
  EXPECT_LT(std::stoi(syncs.out), 40) << "of 600 files in 10 directories";
}

TEST_F(EncryptTest, FileOfABatchThatSomebodyWantsToWriteToStays) {
  MakeDir(dir_, alice());
  ASSERT_EQ(RunAs(alice(),
                  {"sh", "-c", "cd " + dir_ + " && for f in $(seq -w 20); do echo $f > $f; done"})
                .exit_code,
            0);
  // Opens a file of which there is a copy already, while the batch waits for its sync.
  const Child writer(
      alice(), {"sh", "-c",
                "until ls " + volume_ +
                    "/.ext4crypt-encrypt-*/part/19 2>/dev/null; do :; done; echo more >> " + dir_ +
                    "/05; exec sleep 60"});
  const RunResult result = EncryptUnder(alice(), "syncfs:delay_enter=3000000:when=1");
  EXPECT_EQ(result.exit_code, 22) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr("FILE_IN_USE"));
  EXPECT_EQ(RunAs(0, {"ls", dir_}).out, "05\n");
  for (int i = 0; i < 200 && RunAs(0, {"cat", dir_ + "/05"}).out != "05\nmore\n"; ++i)
    usleep(50'000);
  ASSERT_EQ(Encrypt(alice()).exit_code, 0);
  EXPECT_EQ(RunAs(0, {"cat", dir_ + "/05"}).out, "05\nmore\n");
}

TEST_F(EncryptTest, FullVolumeIsToldAndGoneOnFromWithRoom) {
  MakeTree(alice(), 3);
  const RunResult full = EncryptUnder(alice(), "pwrite64:error=ENOSPC:when=9+");
  Expect(full, "VOLUME_FULL", 24);
  ExpectWhole();
  // Really full, too.
  MustRun({"sh", "-c", "cat /dev/zero > " + volume_ + "/filler 2>/dev/null; true"});
  Expect(Encrypt(alice()), "VOLUME_FULL", 24);
  ExpectWhole();
  MustRun({"rm", volume_ + "/filler"});
  ASSERT_EQ(Encrypt(alice()).exit_code, 0);
  ExpectDone();
}

TEST_F(EncryptTest, RoomForTheLargestFileIsEnough) {
  MakeDir(dir_, alice());
  // Eight files of a megabyte on a volume that has not room for all of them twice.
  RunAs(alice(),
        {"sh", "-c",
         "for i in 1 2 3 4 5 6 7 8; do head -c 1000000 /dev/urandom > " + dir_ + "/$i; done"});
  before_ = Show();
  MustRun({"sh", "-c",
           "cat /dev/zero > " + volume_ + "/filler 2>/dev/null; sync; truncate -s -4M " + volume_ +
               "/filler; sync"});
  const RunResult result = Encrypt(alice());
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  MustRun({"rm", volume_ + "/filler"});
  ExpectDone();
}

TEST_F(EncryptTest, FileThatIsBeingWrittenStaysAndIsDoneLater) {
  MakeTree(alice(), 4);
  Child writer(alice(), {"sh", "-c", "exec 9>>" + dir_ + "/three; exec sleep 60"});
  usleep(300'000);
  const RunResult result = Encrypt(alice());
  EXPECT_EQ(result.exit_code, 22) << result.out;
  EXPECT_THAT(result.out, HasSubstr("FILE_IN_USE"));
  EXPECT_EQ(access((dir_ + "/three").c_str(), F_OK), 0);
  writer.Stop();
  ASSERT_EQ(Encrypt(alice()).exit_code, 0);
  ExpectDone();
}

TEST_F(EncryptTest, RunsAtTheSameTimeDoNotMix) {
  MakeTree(alice(), 5);
  const Child holder(0, {"sh", "-c",
                         "while ! cd " + volume_ +
                             "/.ext4crypt-encrypt-* 2>/dev/null; "
                             "do :; done; exec flock --no-fork . sleep 60"});
  EncryptUnder(alice(), "linkat:signal=KILL:when=1");
  usleep(500'000);
  Expect(Encrypt(alice()), "MOVE_RUNNING", 20);
  ExpectWhole();
}

TEST_F(EncryptTest, WhatCannotBeKeptIsRefusedBeforeAnythingIsTouched) {
  MakeTree(alice(), 6);
  // Another file system inside.
  ASSERT_EQ(mount("none", (dir_ + "/a/b/c").c_str(), "tmpfs", 0, nullptr), 0);
  Expect(Encrypt(alice()), "DIRECTORY_SPANS_MOUNTS", 22);
  ASSERT_EQ(umount((dir_ + "/a/b/c").c_str()), 0);
  // A bind mount of the very same file system.
  ASSERT_EQ(mount(dir_.c_str(), (dir_ + "/a/b/c").c_str(), nullptr, MS_BIND, nullptr), 0);
  Expect(Encrypt(alice()), "DIRECTORY_SPANS_MOUNTS", 22);
  ASSERT_EQ(umount((dir_ + "/a/b/c").c_str()), 0);
  // A name of a file outside.
  ASSERT_EQ(link((dir_ + "/three").c_str(), (volume_ + "/outside").c_str()), 0);
  Expect(Encrypt(alice()), "FILE_UNMOVABLE", 22);
  MustRun({"rm", volume_ + "/outside"});
  // Somebody else's file, which only root could give back.
  MustRun({"touch", dir_ + "/roots"});
  Expect(Encrypt(alice()), "FILE_UNMOVABLE", 22);
  MustRun({"rm", dir_ + "/roots"});
  // One that cannot be deleted.
  MustRun({"chattr", "+i", dir_ + "/three"});
  Expect(Encrypt(alice()), "FILE_UNMOVABLE", 22);
  MustRun({"chattr", "-i", dir_ + "/three"});
  MustRun({"touch", "-d", "@1222222222.222222222", dir_});
  EXPECT_EQ(Show(), before_);
  EXPECT_EQ(RunAs(0, {"ls", "-A", volume_}).out, "d\nlost+found\n");
}

TEST_F(EncryptTest, ParentOneMayNotWriteToIsNamed) {
  const std::string parent = MakeDir(volume_ + "/homes", 0);
  dir_ = MakeDir(parent + "/d", alice());
  for (const char* mode : {"755", "711"}) {
    MustRun({"chmod", mode, parent});
    const RunResult result = Encrypt(alice());
    Expect(result, "PARENT_UNWRITABLE", 13);
    EXPECT_EQ(JsonField(result.out, "subject"), parent);
    EXPECT_EQ(JsonField(result.out, "errno"), "EACCES");
  }
}

TEST_F(EncryptTest, VolumeWithoutAFreeInodeIsToldAndLeftClean) {
  const std::string few = MountVolume("few", "encrypt", {"-N", "64"});
  Unlock(alice(), kPassphrase);
  dir_ = MakeDir(few + "/d", alice());
  MustRun({"sh", "-c", "i=0; while touch " + few + "/f$i 2>/dev/null; do i=$((i + 1)); done"});
  const RunResult result = Encrypt(alice());
  Expect(result, "VOLUME_FULL", 24);
  EXPECT_THAT(result.out, HasSubstr("free inodes"));
  EXPECT_EQ(RunAs(0, {"sh", "-c", "ls -A " + few + " | grep -c ext4crypt"}).out, "0\n");
}

TEST_F(EncryptTest, DirectoriesFinishedInABatchGiveTheirInodesBack) {
  const std::string few = MountVolume("few", "encrypt", {"-N", "128"});
  Unlock(alice(), kPassphrase);
  dir_ = MakeDir(few + "/d", alice());
  ASSERT_EQ(
      RunAs(alice(), {"sh", "-c",
                      "cd " + dir_ + " && for i in $(seq 20); do mkdir $i && echo $i > $i/f; done"})
          .exit_code,
      0);
  before_ = Show();
  MustRun({"sh", "-c",
           "cd " + few +
               " && i=0; while touch f$i 2>/dev/null; do i=$((i + 1)); done; "
               "rm f0 f1 f2 f3 f4 f5 f6 f7 f8 f9"});
  const RunResult result = Encrypt(alice());
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_EQ(Show(), before_);
}

TEST_F(EncryptTest, DeadVolumeIsToldAsSuch) {
  MakeTree(alice(), 11);
  MustRun(
      {"python3", "-c",
       "import fcntl,os,struct\n"
       "fd=os.open('" +
           volume_ +
           "',os.O_RDONLY)\n"
           "fcntl.ioctl(fd,0x8004587d,struct.pack('I',2))"});  // FS_IOC_SHUTDOWN, without a flush
  const RunResult result = Encrypt(alice());
  Expect(result, "DISK_FAILED", 28);
  EXPECT_EQ(JsonField(result.out, "errno"), "EIO");
}

TEST_F(EncryptTest, LinkThatIsTooLongEncryptedIsFoundBeforeAnythingIsMoved) {
  const std::string volume = MountVolume("blocks", "encrypt", {"-b", "4096"});
  Unlock(alice(), kPassphrase);
  dir_ = MakeDir(volume + "/d", alice());
  const auto link = [&](int size) {
    return RunAs(alice(),
                 {"python3", "-c",
                  "import os; os.symlink('x'*" + std::to_string(size) + ",'" + dir_ + "/z')"});
  };
  ASSERT_EQ(RunAs(alice(), {"touch", dir_ + "/a"}).exit_code, 0);
  ASSERT_EQ(link(4094).exit_code, 0);
  const RunResult result = Encrypt(alice());
  Expect(result, "FILE_UNMOVABLE", 22);
  EXPECT_THAT(result.out, HasSubstr("4093"));
  EXPECT_EQ(RunAs(0, {"ls", dir_}).out, "a\nz\n");
  EXPECT_EQ(RunAs(0, {"ls", "-A", volume}).out, "d\nlost+found\n");
  MustRun({"rm", dir_ + "/z"});
  ASSERT_EQ(link(4093).exit_code, 0);
  EXPECT_EQ(Encrypt(alice()).exit_code, 0);
}

TEST_F(EncryptTest, DirectoriesThatAreNotOnesOwnOrMountPointsAreRefused) {
  MakeDir(dir_, bob());
  Expect(Encrypt(alice()), "DIRECTORY_NOT_OWNED", 13);
  dir_ = volume_;
  Expect(RunAs(0, Command(0)), "DIRECTORY_SPANS_MOUNTS", 22);
}

TEST_F(EncryptTest, FileMadeUnderAMovedNameIsKept) {
  MakeTree(alice(), 7);
  EncryptUnder(alice(), "unlinkat:signal=KILL:when=50");
  ExpectWhole();
  // All names of the top that are gone from it come back as other files.
  const RunResult made =
      RunAs(alice(), {"sh", "-c",
                      "cd " + volume_ +
                          "/.ext4crypt-encrypt-*/tree && for f in f*; do "
                          "[ -e " +
                          dir_ + "/$f ] || echo new > " + dir_ + "/$f; done; ls -d f*"});
  ASSERT_THAT(made.out, HasSubstr("f"));
  const RunResult result = Encrypt(alice());
  EXPECT_EQ(result.exit_code, 22) << result.out;
  EXPECT_THAT(result.out, HasSubstr("MOVE_CONFLICT"));
  EXPECT_THAT(RunAs(0, {"sh", "-c", "cat " + dir_ + "/f*"}).out, HasSubstr("new"));
}

TEST_F(EncryptTest, InterruptionIsSaidAndTheRestIsDoneNextTime) {
  MakeTree(alice(), 8);
  Expect(EncryptUnder(alice(), "fsync:signal=INT:when=20"), "INTERRUPTED", 23);
  ExpectWhole();
  ASSERT_EQ(Encrypt(alice()).exit_code, 0);
  ExpectDone();
}

TEST_F(EncryptTest, SetpolicyOnADirectoryWithContentsLeadsHere) {
  MakeTree(alice(), 9, 0);
  const RunResult result = Cli(alice(), {"setpolicy", dir_, "--allow-unauthenticated"});
  Expect(result, "DIRECTORY_NOT_EMPTY", 12);
  EXPECT_THAT(result.out, HasSubstr("ext4crypt encrypt"));
}

}  // namespace
}  // namespace ext4crypt
