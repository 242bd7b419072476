// SPDX-License-Identifier: Apache-2.0
// Logins through PAM, with the real service, pam_unix, and fscrypt on a mounted volume.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>

#include <chrono>
#include <fstream>
#include <memory>

#include "tests/integration/pam_fixture.h"

namespace ext4crypt {
namespace {

using testing::HasSubstr;
using testing::Not;

class PamSessionTest : public PamTest {
 protected:
  void SetUp() override {
    PamTest::SetUp();
    if (HasFatalFailure()) return;
    volume_ = MountVolume("a");
  }
  // Enrolled with the login password; a directory of alice's with a file in it; locked.
  void Prepare(const std::vector<std::string>& extra = {"--allow-unauthenticated"}) {
    StartDaemon(extra);
    Enrol(alice(), kPassword);
    Unlock(alice(), kPassword);
    dir_ = MakeEncryptedDir(volume_, "alice", alice());
    MustRun({"sh", "-c", "echo secret-word >" + dir_ + "/file"});
    ASSERT_EQ(Cli(alice(), {"lock"}).exit_code, 0);
  }
  std::string Read() { return RunAs(alice(), {"cat", dir_ + "/file"}).out; }

  std::string volume_;
  std::string dir_;
};

TEST_F(PamSessionTest, PamtesterUnlocksAndLocks) {
  Prepare();
  const RunResult result =
      RunAs(0, {"sh", "-c", "pamtester -v e4c-test alice authenticate open_session <&3"},
            std::string(kPassword) + "\n");
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(DaemonLog(), HasSubstr("Unlock for uid " + std::to_string(alice()) + ": ok"));
  EXPECT_EQ(WaitForState(alice(), "locked"), "locked") << "pamtester ended without closing";
}

// The helper gets no environment: what is plugged in stands in a script before it.
class PamTokenTest : public PamSessionTest {
 protected:
  void SetUp() override {
    PamSessionTest::SetUp();
    if (HasFatalFailure()) return;
    Prepare();
    helper_ = work() + "/helper";
    PlugIn("one:1234");
    const RunResult added =
        RunAs(alice(),
              {"/usr/bin/env", "-u", "SSH_CONNECTION", "EXT4CRYPT_TEST_TOKENS=one:1234",
               EXT4CRYPT_TEST_BIN "/ext4crypt-with-test-tokens", "--socket", socket(), "--json",
               "protectors", "add", "--fido2", "--passphrase-fd", "3"},
              std::string(kPassword) + "\n1234\n");
    ASSERT_EQ(added.exit_code, 0) << added.out << added.err;
    WriteServices("fido2 helper=" + helper_);
  }
  void PlugIn(const std::string& tokens) {
    std::ofstream(helper_) << "#!/bin/sh\nEXT4CRYPT_TEST_TOKENS='" << tokens
                           << "' exec " EXT4CRYPT_TEST_BIN
                              "/ext4crypt-session-with-test-tokens \"$@\"\n";
    MustRun({"chmod", "755", helper_});
  }
  std::string helper_;
};

TEST_F(PamTokenTest, LoginWithoutAPasswordAsksForPinAndTouchAndUnlocks) {
  Login login("alice", "", "1234\n");
  ASSERT_TRUE(login.IsOpen()) << login.said();
  EXPECT_THAT(login.said(), HasSubstr("touch your security key now: Test token one"));
  EXPECT_EQ(State(alice()), "unlocked");
  EXPECT_EQ(Read(), "secret-word\n");
  Login second("alice", "");
  EXPECT_THAT(second.said(), Not(HasSubstr("touch"))) << "it is unlocked already";
  second.Close();
  login.Close();
  EXPECT_EQ(WaitForState(alice(), "locked"), "locked");
}

TEST_F(PamTokenTest, LoginWithoutTheTokenGoesOnWithoutAWordOfIt) {
  for (const char* plugged_in : {"", "another"}) {
    PlugIn(plugged_in);
    Login login("alice", "");
    ASSERT_TRUE(login.IsOpen()) << login.said();
    EXPECT_THAT(login.said(), Not(HasSubstr("security key")));
    EXPECT_THAT(login.said(), HasSubstr("Unlock them with: ext4crypt unlock"));
    EXPECT_EQ(State(alice()), "locked");
    login.Close();
  }
}

TEST_F(PamTokenTest, TokenThatIsNotTouchedOrHasAnotherPinStopsNoLogin) {
  PlugIn("one:1234:untouched");
  Login untouched("alice", "", "1234\n");
  EXPECT_TRUE(untouched.IsOpen()) << untouched.said();
  EXPECT_THAT(untouched.said(), HasSubstr("nobody touched"));
  PlugIn("one:1234");
  Login wrong("alice", "", "1\n2\n3\n");
  EXPECT_TRUE(wrong.IsOpen()) << wrong.said();
  EXPECT_THAT(wrong.said(), HasSubstr("PIN of the security key was not accepted"));
  EXPECT_EQ(State(alice()), "locked");
}

TEST_F(PamTokenTest, PasswordIsEnoughAndNobodyTouchesAnything) {
  Login login("alice", kPassword);
  ASSERT_TRUE(login.IsOpen()) << login.said();
  EXPECT_THAT(login.said(), Not(HasSubstr("touch")));
  EXPECT_EQ(State(alice()), "unlocked");
}

TEST_F(PamSessionTest, FirstSessionUnlocksLastOneLocks) {
  Prepare();
  Login first("alice", kPassword);
  ASSERT_TRUE(first.IsOpen()) << first.said();
  EXPECT_EQ(State(alice()), "unlocked");
  EXPECT_EQ(Sessions(alice()), "1");
  EXPECT_EQ(Read(), "secret-word\n");
  Login second("alice", kPassword);
  EXPECT_EQ(Sessions(alice()), "2");
  first.Close();
  EXPECT_EQ(WaitForSessions(alice(), "1"), "1");
  EXPECT_EQ(State(alice()), "unlocked");
  second.Close();
  EXPECT_EQ(WaitForState(alice(), "locked"), "locked");
  EXPECT_EQ(Sessions(alice()), "0");
  EXPECT_EQ(Read(), "");
}

TEST_F(PamSessionTest, KilledSessionCountsAsEnded) {
  Prepare();
  Login killed("alice", kPassword);
  ASSERT_EQ(State(alice()), "unlocked");
  killed.Kill();
  EXPECT_EQ(WaitForState(alice(), "locked"), "locked");
}

TEST_F(PamSessionTest, FilesHeldOpenAtLogoutAreBusyThenLocked) {
  Prepare();
  Login login("alice", kPassword);
  Child holder(alice(), {"sh", "-c", "exec 4<" + dir_ + "/file; exec sleep 60"});
  WaitForOpen(holder, dir_ + "/file");
  login.Close();
  EXPECT_EQ(WaitForState(alice(), "busy"), "busy");
  // Said once the processes were looked for, a little after the state has changed.
  for (int i = 0; i < 200 && DaemonLog().find("held open by sleep") == std::string::npos; ++i) {
    usleep(50'000);
  }
  EXPECT_THAT(DaemonLog(), HasSubstr("held open by sleep"));
  holder.Stop();
  EXPECT_EQ(WaitForState(alice(), "locked"), "locked");
}

TEST_F(PamSessionTest, UsersAreCountedApart) {
  Prepare();
  Login alices("alice", kPassword);
  Login bobs("bob", kPassword);
  EXPECT_EQ(WaitForSessions(bob(), "1"), "1");
  bobs.Close();
  EXPECT_EQ(WaitForSessions(bob(), "0"), "0");
  EXPECT_EQ(State(alice()), "unlocked");
}

TEST_F(PamSessionTest, WrongPasswordGetsNeitherLoginNorKey) {
  Prepare();
  Login login("alice", "not the password");
  EXPECT_FALSE(login.IsOpen());
  EXPECT_EQ(State(alice()), "locked");
  EXPECT_EQ(Sessions(alice()), "0");
}

TEST_F(PamSessionTest, LoginWithoutPassphraseStaysLockedWithAHintUntilUnlocked) {
  Prepare();
  Login login("alice", "");
  ASSERT_TRUE(login.IsOpen());
  EXPECT_THAT(login.said(), HasSubstr("ext4crypt unlock"));
  EXPECT_EQ(State(alice()), "locked");
  Unlock(alice(), kPassword);
  EXPECT_EQ(Read(), "secret-word\n");
  Login another("alice", "");
  EXPECT_THAT(another.said(), Not(HasSubstr("says:"))) << "nothing to hint at";
  another.Close();
  login.Close();
  EXPECT_EQ(WaitForState(alice(), "locked"), "locked") << "unlocked in a session, locked after it";
}

TEST_F(PamSessionTest, WhatWasUnlockedOutsideSessionsStays) {
  Prepare();
  Unlock(alice(), kPassword);
  Login login("alice", kPassword);
  login.Close();
  EXPECT_EQ(WaitForSessions(alice(), "0"), "0");
  usleep(500'000);
  EXPECT_EQ(State(alice()), "unlocked");
}

TEST_F(PamSessionTest, OtherPassphraseThanThePasswordIsExplained) {
  StartDaemon();
  Enrol(alice(), kPassphrase);
  Login login("alice", kPassword);
  ASSERT_TRUE(login.IsOpen());
  EXPECT_THAT(login.said(), HasSubstr("ext4crypt passphrase change"));
  EXPECT_EQ(State(alice()), "locked");
}

TEST_F(PamSessionTest, StrangersHearNothing) {
  StartDaemon();
  Login login("bob", kPassword);
  ASSERT_TRUE(login.IsOpen());
  EXPECT_THAT(login.said(), Not(HasSubstr("says:")));
}

TEST_F(PamSessionTest, FirstLoginEnrolsWhenConfigured) {
  StartDaemon();
  WriteServices("enrol");
  Login login("alice", kPassword);
  ASSERT_TRUE(login.IsOpen());
  EXPECT_EQ(State(alice()), "unlocked") << login.said();
  const std::string key = "write it down: ";
  const size_t at = login.said().find(key);
  ASSERT_NE(at, std::string::npos) << login.said();
  const std::string code = login.said().substr(at + key.size(), 47);
  login.Close();
  EXPECT_EQ(WaitForState(alice(), "locked"), "locked");
  const RunResult recovered =
      Cli(alice(), {"unlock", "--recovery", "--passphrase-fd", "3"}, code + "\n");
  EXPECT_EQ(recovered.exit_code, 0) << recovered.out;
  EXPECT_THAT(DaemonLog(), Not(HasSubstr(code)));
}

TEST_F(PamSessionTest, SessionSurvivesARestartOfTheService) {
  // As systemd does it: tests/integration/fdstore.py keeps the sessions and hands them over again.
  Child systemd(0, {"python3", EXT4CRYPT_SOURCE_DIR "/tests/integration/fdstore.py",
                    work() + "/notify", work() + "/restart", EXT4CRYPT_TEST_BIN "/ext4crypt-keyd",
                    "--socket", socket(), "--state-dir", state_dir(), "--argon2-memory-mib", "8",
                    "--argon2-ops", "4", "--allow-unauthenticated"});
  for (int i = 0; i < 200 && Cli(alice(), {"status"}).exit_code != 0; ++i) usleep(50'000);
  Enrol(alice(), kPassword);
  Login login("alice", kPassword);
  ASSERT_EQ(State(alice()), "unlocked") << login.said();
  MustRun({"touch", work() + "/restart"});  // kill -9, then a new one
  for (int i = 0; i < 200 && access((work() + "/restart").c_str(), F_OK) == 0; ++i) usleep(50'000);
  EXPECT_EQ(WaitForSessions(alice(), "1"), "1");
  EXPECT_EQ(State(alice()), "unlocked");
  login.Kill();
  EXPECT_EQ(WaitForSessions(alice(), "0"), "0");
  EXPECT_EQ(WaitForState(alice(), "locked"), "locked");
}

}  // namespace
}  // namespace ext4crypt
