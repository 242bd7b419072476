// SPDX-License-Identifier: Apache-2.0
// What goes wrong at a login, and changes of the password: nothing of it may stop a login.
#include <gmock/gmock.h>
#include <signal.h>

#include <chrono>

#include "tests/integration/pam_fixture.h"

namespace ext4crypt {
namespace {

using testing::HasSubstr;
using testing::Not;
using Seconds = std::chrono::duration<double>;

class PamTroubleTest : public PamTest {
 protected:
  struct Timed {
    bool open = false;
    std::string said;
    double seconds = 0;
  };
  static Timed TimedLogin() {
    const auto begin = std::chrono::steady_clock::now();
    const Login login("alice", kPassword);
    const Seconds took = std::chrono::steady_clock::now() - begin;
    return {.open = login.IsOpen(), .said = login.said(), .seconds = took.count()};
  }
  // passwd(1), with the answers it asks for.
  RunResult Passwd(uid_t who, const std::vector<std::string>& answers) {
    std::string lines;
    for (const std::string& answer : answers) lines += answer + "\n";
    return RunAs(who, {"sh", "-c", "exec passwd alice <&3"}, lines);
  }
  // Its derivations take longer than what a hung service is given.
  void StartSlowDaemon() { StartDaemon({"--argon2-memory-mib", "128", "--argon2-ops", "32"}); }
  bool Opens(const std::string& passphrase) {
    const bool opens =
        Cli(alice(), {"unlock", "--passphrase-fd", "3"}, passphrase + "\n").exit_code == 0;
    Cli(alice(), {"lock"});
    return opens;
  }
};

TEST_F(PamTroubleTest, ServiceThatIsDownStopsNoLogin) {
  const Timed login = TimedLogin();
  EXPECT_TRUE(login.open) << login.said;
  EXPECT_THAT(login.said, HasSubstr("ext4crypt unlock"));
  EXPECT_LT(login.seconds, 5);
}

TEST_F(PamTroubleTest, ServiceThatHangsStopsNoLogin) {
  StartDaemon();
  Enrol(alice(), kPassword);
  WriteServices("timeout=120");
  kill(daemon_pid(), SIGSTOP);
  const Timed login = TimedLogin();
  kill(daemon_pid(), SIGCONT);
  EXPECT_TRUE(login.open) << login.said;
  EXPECT_THAT(login.said, HasSubstr("does not answer"));
  EXPECT_LT(login.seconds, 6);
  EXPECT_EQ(WaitForSessions(alice(), "0"), "0");
  // What the login asked for before it was given up must not have come true afterwards.
  EXPECT_EQ(State(alice()), "locked");
}

TEST_F(PamTroubleTest, ServiceThatIsSlowButAliveIsWaitedFor) {
  StartSlowDaemon();
  WriteServices("timeout=120");
  Enrol(alice(), kPassword);
  const Login login("alice", kPassword);
  EXPECT_THAT(login.said(), Not(HasSubstr("says:")));
  EXPECT_EQ(State(alice()), "unlocked");
}

TEST_F(PamTroubleTest, ServiceThatHangsWhileItUnlocksIsGivenUpBeforeTheTimeIsUp) {
  StartSlowDaemon();
  WriteServices("timeout=120");
  Enrol(alice(), kPassword);
  const Child stopper(
      0, {"sh", "-c",
          "until grep -q 'a session begins' " + work() + "/log; do sleep 0.05; done; kill -STOP " +
              std::to_string(daemon_pid())});
  const Login login("alice", kPassword);
  kill(daemon_pid(), SIGCONT);
  EXPECT_TRUE(login.IsOpen()) << login.said();
  // By the helper, which knows why; not by the module, when the time is up.
  EXPECT_THAT(login.said(), HasSubstr("ext4crypt unlock: the key service does not answer"));
}

TEST_F(PamTroubleTest, WhoHasNoKeyWaitsForNoHungService) {
  StartDaemon();
  Enrol(alice(), kPassword);
  kill(daemon_pid(), SIGSTOP);
  Login login("bob", kPassword);
  EXPECT_TRUE(login.IsOpen()) << login.said();
  EXPECT_THAT(login.said(), Not(HasSubstr("says:")));
  kill(daemon_pid(), SIGCONT);
  EXPECT_EQ(WaitForSessions(bob(), "1"), "1") << "it counts once the service is back";
  // In that session bob gets a key: he has one from then on.
  Enrol(bob(), kPassword);
  EXPECT_EQ(access((work() + "/run/enrolled/" + std::to_string(bob())).c_str(), F_OK), 0);
  login.Close();
  EXPECT_EQ(WaitForSessions(bob(), "0"), "0");
  const Login again("bob", kPassword);
  EXPECT_EQ(State(bob()), "unlocked") << again.said();
}

TEST_F(PamTroubleTest, WhoHasAKeyIsKnownAgainAfterARestart) {
  StartDaemon();
  Enrol(alice(), kPassword);
  ASSERT_EQ(StopDaemon(SIGKILL), 128 + SIGKILL);
  MustRun({"rm", work() + "/run/enrolled/" + std::to_string(alice())});
  StartDaemon();
  const Login login("alice", kPassword);
  EXPECT_EQ(State(alice()), "unlocked") << login.said();
}

TEST_F(PamTroubleTest, SocketThatNeverAnswersStopsNoLogin) {
  WriteServices("timeout=2");
  MustRun({"mkdir", work() + "/run"});
  const Child mute(0, {"python3", "-c",
                       "import socket,time\n"
                       "l=[]\n"
                       "for n in ('keyd.sock','session.sock'):\n"
                       " s=socket.socket(socket.AF_UNIX); s.bind('" +
                           work() +
                           "/run/'+n); s.listen(); l.append(s)\n"
                           "open('" +
                           work() +
                           "/run/ready','w')\n"
                           "time.sleep(60)"});
  for (int i = 0; i < 1000 && access((work() + "/run/ready").c_str(), F_OK) != 0; ++i) {
    usleep(20'000);
  }
  const Timed login = TimedLogin();
  EXPECT_TRUE(login.open) << login.said;
  EXPECT_THAT(login.said, HasSubstr("does not answer"));
  EXPECT_GT(login.seconds, 1);
  EXPECT_LT(login.seconds, 6);
}

TEST_F(PamTroubleTest, MissingAndBrokenHelpersStopNoLogin) {
  for (const char* helper : {"/nonexistent", "/bin/true", "/bin/yes"}) {
    WriteServices(std::string("timeout=2 helper=") + helper);
    const Timed login = TimedLogin();
    EXPECT_TRUE(login.open) << helper << login.said;
    EXPECT_LT(login.seconds, 5) << helper;
  }
}

TEST_F(PamTroubleTest, SomebodyElsesSocketGetsNoPassphrase) {
  MustRun({"install", "-d", "-o", "bob", work() + "/run"});
  const Child thief(bob(), {"python3", "-c",
                            "import socket\n"
                            "l=[]\n"
                            "for n in ('keyd.sock','session.sock'):\n"
                            " s=socket.socket(socket.AF_UNIX); s.bind('" +
                                work() +
                                "/run/'+n); s.listen(); l.append(s)\n"
                                "open('" +
                                work() +
                                "/run/ready','w')\n"
                                "c,_=l[1].accept()\n"
                                "open('" +
                                work() + "/run/loot','wb').write(c.recv(100))"});
  for (int i = 0; i < 1000 && access((work() + "/run/ready").c_str(), F_OK) != 0; ++i) {
    usleep(20'000);
  }
  const Timed login = TimedLogin();
  EXPECT_TRUE(login.open);
  usleep(200'000);
  EXPECT_EQ(RunAs(0, {"sh", "-c", "wc -c <" + work() + "/run/loot"}).out, "0\n");
}

TEST_F(PamTroubleTest, OnlyRootAnnouncesSessions) {
  StartDaemon();
  Enrol(alice(), kPassword);
  Enrol(bob(), kPassword);
  const std::string knock =
      "import socket,struct,sys\n"
      "s=socket.socket(socket.AF_UNIX); s.settimeout(3)\n"
      "try:\n"
      " s.connect('" +
      work() +
      "/run/session.sock')\n"
      " s.sendall(struct.pack('<II',0x31533445," +
      std::to_string(alice()) +
      "))\n"
      " sys.exit(0 if s.recv(1)==b'O' else 3)\n"
      "except OSError: sys.exit(4)";
  EXPECT_EQ(RunAs(0, {"python3", "-c", knock}).exit_code, 0) << "the test's own way in must work";
  EXPECT_EQ(RunAs(bob(), {"python3", "-c", knock}).exit_code, 4) << "the door's mode";
  MustRun({"chmod", "666", work() + "/run/session.sock"});
  EXPECT_NE(RunAs(bob(), {"python3", "-c", knock}).exit_code, 0) << "SO_PEERCRED";
  EXPECT_EQ(WaitForSessions(alice(), "0"), "0");
}

TEST_F(PamTroubleTest, PasswdByTheUserRewraps) {
  StartDaemon();
  Enrol(alice(), kPassword);
  const RunResult changed = Passwd(alice(), {kPassword, kNewPassword, kNewPassword});
  EXPECT_EQ(changed.exit_code, 0) << changed.out << changed.err;
  EXPECT_THAT(changed.out + changed.err, HasSubstr("opens with the new password"));
  EXPECT_TRUE(Opens(kNewPassword));
  EXPECT_FALSE(Opens(kPassword));
  const Login login("alice", kNewPassword);
  EXPECT_TRUE(login.IsOpen());
  EXPECT_EQ(State(alice()), "unlocked");
}

TEST_F(PamTroubleTest, PasswdByTheUserWithAnotherPassphraseSaysSo) {
  StartDaemon();
  Enrol(alice(), kPassphrase);
  const RunResult changed = Passwd(alice(), {kPassword, kNewPassword, kNewPassword});
  EXPECT_EQ(changed.exit_code, 0) << changed.out << changed.err;
  EXPECT_THAT(changed.out + changed.err, HasSubstr("another passphrase"));
  EXPECT_TRUE(Opens(kPassphrase));
}

TEST_F(PamTroubleTest, RefusedPasswdRewrapsNothing) {
  StartDaemon();
  Enrol(alice(), kPassword);
  const RunResult changed = Passwd(alice(), {"wrong old one", kNewPassword, kNewPassword});
  EXPECT_NE(changed.exit_code, 0);
  EXPECT_TRUE(Opens(kPassword));
}

TEST_F(PamTroubleTest, PasswdByRootKeepsTheOldPassphraseAndSaysSo) {
  StartDaemon();
  std::string code;
  Enrol(alice(), kPassword, &code);
  const RunResult changed = Passwd(0, {kNewPassword, kNewPassword});
  EXPECT_EQ(changed.exit_code, 0) << changed.out << changed.err;
  EXPECT_THAT(changed.out + changed.err, HasSubstr("keeps its old passphrase"));
  EXPECT_TRUE(Opens(kPassword));
  // The way out that the message names.
  Login login("alice", kNewPassword);
  EXPECT_TRUE(login.IsOpen());
  EXPECT_THAT(login.said(), HasSubstr("stay locked"));
  EXPECT_EQ(Cli(alice(), {"passphrase", "change", "--recovery", "--passphrase-fd", "3"},
                code + "\n" + kNewPassword + "\n")
                .exit_code,
            0);
  EXPECT_TRUE(Opens(kNewPassword));
}

TEST_F(PamTroubleTest, LoginThatChangesAnExpiredPasswordUnlocksWithTheNewOne) {
  StartDaemon();
  Enrol(alice(), kPassword);
  MustRun({"chage", "-d", "0", "alice"});
  const std::string answers =
      std::string(kPassword) + "\n" + kPassword + "\n" + kNewPassword + "\n" + kNewPassword;
  {
    const Login login("alice", answers);
    ASSERT_TRUE(login.IsOpen()) << login.said();
    EXPECT_THAT(login.said(), HasSubstr("opens with the new password"));
    EXPECT_THAT(login.said(), Not(HasSubstr("stay locked")));
    EXPECT_EQ(State(alice()), "unlocked");
  }
  EXPECT_TRUE(Opens(kNewPassword));
}

TEST_F(PamTroubleTest, FirstLoginThatChangesAnExpiredPasswordEnrolsWithTheNewOne) {
  StartDaemon();
  WriteServices("enrol");
  MustRun({"chage", "-d", "0", "alice"});
  const Login login("alice", std::string(kPassword) + "\n" + kPassword + "\n" + kNewPassword +
                                 "\n" + kNewPassword);
  ASSERT_TRUE(login.IsOpen()) << login.said();
  EXPECT_EQ(State(alice()), "unlocked") << login.said();
  EXPECT_TRUE(Opens(kNewPassword));
}

TEST_F(PamTroubleTest, KeyThatKeptItsPassphraseAtSuchALoginIsUnlockedWithIt) {
  StartDaemon();
  Enrol(alice(), kPassword);
  MustRun({"chage", "-d", "0", "alice"});
  // The password service cannot reach the key service, the session can.
  MustRun({"sed", "-i", "/^password optional/s|socket=[^ ]*|socket=/nonexistent/s|",
           std::string("/etc/pam.d/") + kService});
  const Login login("alice", std::string(kPassword) + "\n" + kPassword + "\n" + kNewPassword +
                                 "\n" + kNewPassword);
  ASSERT_TRUE(login.IsOpen()) << login.said();
  EXPECT_THAT(login.said(), HasSubstr("keeps its old passphrase"));
  EXPECT_EQ(State(alice()), "unlocked") << login.said();
}

TEST_F(PamTroubleTest, EntryOfAnySizeIsFound) {
  StartDaemon();
  Enrol(alice(), kPassword);
  const std::string comment(20'000, 'x');
  MustRun({"sed", "-i", "s|^\\(alice:x:[0-9]*:[0-9]*\\):|\\1:" + comment + "|", "/etc/passwd"});
  const Login login("alice", kPassword);
  ASSERT_TRUE(login.IsOpen()) << login.said();
  EXPECT_EQ(State(alice()), "unlocked") << login.said();
}

TEST_F(PamTroubleTest, PasswdWorksWithoutTheService) {
  EXPECT_EQ(Passwd(0, {kNewPassword, kNewPassword}).exit_code, 0);
  EXPECT_EQ(Passwd(alice(), {kNewPassword, kPassword, kPassword}).exit_code, 0);
}

}  // namespace
}  // namespace ext4crypt
