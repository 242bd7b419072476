// SPDX-License-Identifier: Apache-2.0
// The service as the packaged unit runs it: its own user, and the unit's capabilities, no more.
#include <gmock/gmock.h>
#include <signal.h>

#include <fstream>
#include <memory>
#include <sstream>

#include "tests/integration/pam_fixture.h"

namespace ext4crypt {
namespace {

using testing::HasSubstr;

constexpr char kServiceUid[] = "990";

// The unit's AmbientCapabilities, as setpriv names them: "setuid".
std::vector<std::string> UnitCapabilities() {
  std::ifstream unit(EXT4CRYPT_SOURCE_DIR "/packaging/systemd/ext4crypt-keyd.service");
  std::vector<std::string> names;
  for (std::string line; std::getline(unit, line);) {
    const std::string key = "AmbientCapabilities=";
    if (line.rfind(key, 0) != 0) continue;
    std::istringstream words(line.substr(key.size()));
    for (std::string word; words >> word;) {
      for (char& c : word) c = static_cast<char>(std::tolower(c));
      names.push_back(word.substr(4));
    }
  }
  return names;
}

class ServiceUserTest : public PamTest {
 protected:
  void SetUp() override {
    PamTest::SetUp();
    if (HasFatalFailure()) return;
    MustRun({"sh", "-c",
             "sed -i '/^ext4crypt:/d' /etc/passwd && echo "
             "'ext4crypt:x:990:990::/:/usr/sbin/nologin' >>/etc/passwd"});
    // Behind a directory of root's that nobody else may enter.
    volume_ = MountVolume("a");
    MustRun({"install", "-d", "-o", kServiceUid, "-g", kServiceUid, "-m", "755", work() + "/run"});
    MustRun({"install", "-d", "-o", kServiceUid, "-g", kServiceUid, "-m", "700", state_dir()});
  }
  void TearDown() override {
    Cli(alice(), {"lock"});
    service_.reset();
    PamTest::TearDown();
  }
  void StartWith(const std::vector<std::string>& capabilities) {
    std::string list = "-all";
    for (const std::string& name : capabilities) list += ",+" + name;
    std::vector<std::string> command = {"setpriv",
                                        "--reuid",
                                        kServiceUid,
                                        "--regid",
                                        kServiceUid,
                                        "--clear-groups",
                                        "--no-new-privs",
                                        "--inh-caps=" + list,
                                        "--ambient-caps=" + list,
                                        "--bounding-set=" + list};
    for (const std::string& word :
         {std::string(EXT4CRYPT_TEST_BIN "/ext4crypt-keyd"), std::string("--socket"), socket(),
          std::string("--state-dir"), state_dir(), std::string("--argon2-memory-mib=8"),
          std::string("--argon2-ops=4"), std::string("--allow-unauthenticated")}) {
      command.push_back(word);
    }
    service_ = std::make_unique<Child>(0, command);
    for (int i = 0; i < 200 && access((work() + "/run/session.sock").c_str(), F_OK) != 0; ++i) {
      usleep(50'000);
    }
    // Bound is not yet listening; of the two this one comes last.
    for (int i = 0; i < 200 && !Answers(); ++i) usleep(50'000);
  }
  bool Answers() const {
    return RunAs(0, {"python3", "-c",
                     "import socket; socket.socket(socket.AF_UNIX).connect('" + work() +
                         "/run/session.sock')"})
               .exit_code == 0;
  }
  // All that needs a capability. What was wrong, a word each.
  std::string WhatFails() {
    std::string wrong;
    Login login("alice", kPassword);
    if (JsonField(Cli(alice(), {"status"}).out, "state") != "unlocked" || Sessions(alice()) != "1")
      wrong += "login ";
    if (!KeyringHasKey()) wrong += "keyring ";
    // As a user's files are in practice: readable to nobody else, in a place nobody else may enter.
    const std::string dir = MakeDir(volume_ + "/d", alice());
    Cli(alice(), {"setpolicy", dir, "--allow-unauthenticated"});
    RunAs(alice(),
          {"sh", "-c",
           "umask 077; echo text >" + dir + "/open; cp " + dir + "/open " + dir + "/mapped"});
    MustRun({"chmod", "700", volume_});
    MustRun({"chown", std::to_string(alice()), volume_});
    const Child opens(alice(), {"sh", "-c", "exec 4<" + dir + "/open; exec sleep 60"});
    // By mmap(2) itself: Python's keeps a duplicate of the descriptor, which would be found
    // instead.
    const Child maps(alice(), {"python3", "-c",
                               "import ctypes,os,time\n"
                               "mmap=ctypes.CDLL(None).mmap\n"
                               "mmap.restype=ctypes.c_void_p\n"
                               "mmap.argtypes=[ctypes.c_void_p,ctypes.c_size_t,ctypes.c_int,"
                               "ctypes.c_int,ctypes.c_int,ctypes.c_long]\n"
                               "f=os.open('" +
                                   dir +
                                   "/mapped',os.O_RDONLY)\n"
                                   "mmap(None,4096,1,2,f,0)\n"
                                   "os.close(f)\n"
                                   "time.sleep(60)"});
    WaitForOpen(opens, dir + "/open");
    WaitForMapping(maps, "/mapped");
    const std::string locked = Cli(alice(), {"lock"}).out;
    if (JsonField(locked, "state") != "busy") wrong += "lock ";
    if (locked.find("/open\"") == std::string::npos) wrong += "open-file ";
    if (locked.find("/mapped\"") == std::string::npos) wrong += "mapping ";
    if (KeyringHasKey()) wrong += "keyring-left ";
    return wrong;
  }
  bool KeyringHasKey() {
    return RunAs(alice(), {"keyctl", "search", "@u", "logon", "ext4crypt:EXT4_DEFAULT_KEY"})
               .exit_code == 0;
  }

  std::string volume_;
  std::unique_ptr<Child> service_;
};

TEST_F(ServiceUserTest, DoesAllOfItWithTheUnitsCapabilities) {
  StartWith(UnitCapabilities());
  Enrol(alice(), kPassword);
  EXPECT_EQ(WhatFails(), "");
  // Root owns the keyring's key, for the user's sake and because of the quota of 200 keys.
  Unlock(alice(), kPassword);
  const std::string shown =
      RunAs(alice(),
            {"sh", "-c", "keyctl describe $(keyctl search @u logon ext4crypt:EXT4_DEFAULT_KEY)"})
          .out;
  EXPECT_THAT(shown, testing::ContainsRegex("------------ +0 +[0-9]+ logon")) << shown;
  // The store belongs to the service and to nobody else.
  EXPECT_EQ(RunAs(0, {"stat", "-c", "%u %a", state_dir() + "/keys.db"}).out, "990 600\n");
}

class EachCapabilityTest : public ServiceUserTest, public testing::WithParamInterface<int> {};

TEST_P(EachCapabilityTest, IsNeeded) {
  std::vector<std::string> names = UnitCapabilities();
  ASSERT_EQ(names.size(), 4U) << "give this test as many parameters as the unit has capabilities";
  const std::string missing = names.at(static_cast<size_t>(GetParam()));
  names.erase(names.begin() + GetParam());
  StartWith(names);
  RunAs(alice(),
        {EXT4CRYPT_TEST_BIN "/ext4crypt", "--socket", socket(), "enrol", "--passphrase-fd", "3"},
        std::string(kPassword) + "\n");
  const std::string wrong = WhatFails();
  EXPECT_NE(wrong, "") << missing << " is not needed";
  GTEST_LOG_(INFO) << "without " << missing << ": " << wrong;
}

INSTANTIATE_TEST_SUITE_P(All, EachCapabilityTest, testing::Range(0, 4));

TEST_F(ServiceUserTest, AnotherUsersListenerIsNotTrusted) {
  // As the service, but of a user who is not it.
  MustRun({"sed", "-i", "s/^ext4crypt:x:990:/ext4crypt:x:991:/", "/etc/passwd"});
  StartWith({});
  EXPECT_EQ(JsonField(Cli(alice(), {"status"}).out, "reason"), "SERVICE_UNTRUSTED");
  // A person may be called so in a directory service; only a system uid counts.
  MustRun({"sed", "-i", "s/^ext4crypt:x:991:/ext4crypt:x:2990:/", "/etc/passwd"});
  EXPECT_EQ(JsonField(Cli(alice(), {"status"}).out, "reason"), "SERVICE_UNTRUSTED");
  MustRun({"sed", "-i", "s/^ext4crypt:x:2990:/ext4crypt:x:990:/", "/etc/passwd"});
  EXPECT_EQ(Cli(alice(), {"status"}).exit_code, 0);
}

}  // namespace
}  // namespace ext4crypt
