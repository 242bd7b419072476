// SPDX-License-Identifier: Apache-2.0
// The forms programs and documents rely on.
#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "tests/integration/keyd_fixture.h"

namespace ext4crypt {
namespace {

using testing::HasSubstr;

class OutputTest : public KeydTest {
 protected:
  static bool IsOneJsonObject(const std::string& text) {
    return RunAs(0,
                 {"python3", "-c", "import json,os\nassert type(json.load(os.fdopen(3))) is dict"},
                 text)
               .exit_code == 0;
  }
};

TEST_F(OutputTest, EveryReportIsOneJsonObject) {
  StartDaemon();
  // A mount point with everything JSON has to escape.
  const std::string volume = MountVolume("we\"ird \\ \n name");
  const std::string dir = MakeDir(volume + "/d", alice());
  const std::string phrase = std::string(kPassphrase) + "\n";
  const std::vector<std::pair<std::vector<std::string>, std::string>> calls = {
      {{"status"}, ""},
      {{"lock"}, ""},
      {{"enrol", "--passphrase-fd", "3"}, phrase},
      {{"unlock", "--passphrase-fd", "3"}, phrase},
      {{"status"}, ""},
      {{"setpolicy", dir}, ""},
      {{"setpolicy", dir, "--allow-unauthenticated"}, ""},
      {{"policy", dir}, ""},
      {{"recovery", "renew", "--passphrase-fd", "3"}, phrase},
      {{"protectors", "list"}, ""},
      {{"protectors", "add-key-file", dir + "/key", "--passphrase-fd", "3"}, phrase},
      {{"protectors", "remove", "00", "--key-file", dir + "/key"}, ""},
      {{"protectors", "rename", "00", "name"}, ""},
      {{"passphrase", "change", "--passphrase-fd", "3"}, phrase + "a new passphrase\n"},
      {{"lock"}, ""},
  };
  for (const auto& [arguments, input] : calls) {
    const RunResult result = Cli(alice(), arguments, input);
    EXPECT_TRUE(IsOneJsonObject(result.out)) << arguments[0] << ": " << result.out;
    EXPECT_EQ(result.err, "");
  }
}

TEST_F(OutputTest, StatusAndSetpolicySayUnauthenticated) {
  StartDaemon();
  const std::string volume = MountVolume("a");
  Enrol(alice(), kPassphrase);
  Unlock(alice(), kPassphrase);
  const std::string dir = MakeDir(volume + "/d", alice());
  EXPECT_EQ(JsonField(Cli(alice(), {"setpolicy", dir, "--allow-unauthenticated"}).out, "class"),
            "unauthenticated");
  EXPECT_EQ(JsonField(Cli(alice(), {"policy", dir}).out, "class"), "unauthenticated");
  EXPECT_EQ(JsonField(Cli(alice(), {"status"}).out, "class"), "unauthenticated");
  const RunResult words =
      RunAs(alice(), {EXT4CRYPT_TEST_BIN "/ext4crypt", "--socket", socket(), "status"});
  EXPECT_THAT(words.out, HasSubstr("unlocked, unauthenticated"));
}

TEST_F(OutputTest, PolicyIsWhatTheKernelHas) {
  StartDaemon();
  const std::string volume = MountVolume("a");
  Enrol(alice(), kPassphrase);
  Unlock(alice(), kPassphrase);
  const std::string dir = MakeEncryptedDir(volume, "d", alice());
  const RunResult policy = Cli(alice(), {"policy", dir});
  EXPECT_EQ(JsonField(policy.out, "key_identifier"),
            JsonField(Cli(alice(), {"status"}).out, "identifier"));
  EXPECT_EQ(JsonField(policy.out, "policy_version"), "2");
  EXPECT_EQ(JsonField(policy.out, "contents"), "AES-256-XTS");
  EXPECT_EQ(JsonField(policy.out, "names"), "AES-256-CTS");
}

TEST_F(OutputTest, EveryExitCodeOfTheHelpIsDocumented) {
  const RunResult help = RunAs(0, {EXT4CRYPT_TEST_BIN "/ext4crypt", "--help"});
  EXPECT_EQ(help.exit_code, 0);
  std::ifstream file(EXT4CRYPT_SOURCE_DIR "/docs/key-service.md");
  std::stringstream doc;
  doc << file.rdbuf();
  const size_t at = help.out.find("Exit codes:\n");
  ASSERT_NE(at, std::string::npos);
  std::istringstream lines(help.out.substr(at));
  std::string line;
  std::getline(lines, line);
  int documented = 0;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    int code = 0;
    std::string meaning;
    if (!(words >> code) || !std::getline(words >> std::ws, meaning)) continue;
    const std::string row = "| " + std::to_string(code) + " | " + meaning + " |";
    EXPECT_NE(doc.str().find(row), std::string::npos)
        << "docs/key-service.md has no row for this: " << line;
    ++documented;
  }
  EXPECT_EQ(documented, 33);
}

TEST_F(OutputTest, ReportThatCannotBeWrittenIsAFailure) {
  StartDaemon();
  const RunResult result = RunAs(alice(),
                                 {"sh", "-c",
                                  EXT4CRYPT_TEST_BIN "/ext4crypt --socket " + socket() +
                                      " enrol --passphrase-fd 3 > /dev/full"},
                                 std::string(kPassphrase) + "\n");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("could not be written"));
}

TEST_F(OutputTest, RecoveryCodeThatCouldNotBeWrittenIsNotTheOneThatCounts) {
  StartDaemon();
  std::string code;
  Enrol(alice(), kPassphrase, &code);
  const std::string renew =
      EXT4CRYPT_TEST_BIN "/ext4crypt --socket " + socket() + " recovery renew --passphrase-fd 3";
  // Descriptor 5 becomes a pipe that nobody reads any more.
  const std::string fifo = work() + "/fifo";
  MustRun({"mkfifo", "-m", "666", fifo});
  const std::string pipe = "exec 6<>" + fifo + " 5>" + fifo + " 6<&-; ";
  for (const std::string output : {" > /dev/full", " --json > /dev/full", " >&5"}) {
    const RunResult result =
        RunAs(alice(), {"sh", "-c", pipe + renew + output}, std::string(kPassphrase) + "\n");
    EXPECT_EQ(result.exit_code, 1) << output << result.out;
    EXPECT_THAT(result.err, HasSubstr("the old one is valid, the new one is not")) << output;
    EXPECT_EQ(Cli(alice(), {"unlock", "--recovery", "--passphrase-fd", "3"}, code + "\n").exit_code,
              0)
        << output;
    // Nothing is left of the attempt.
    const std::string status = Cli(alice(), {"status"}).out;
    EXPECT_EQ(status.find("\"recovery\""), status.rfind("\"recovery\"")) << status;
  }
}

TEST_F(OutputTest, RenewedRecoveryCodeEndsAllOthers) {
  StartDaemon();
  std::string code;
  Enrol(alice(), kPassphrase, &code);
  const RunResult renewed =
      Cli(alice(), {"recovery", "renew", "--passphrase-fd", "3"}, std::string(kPassphrase) + "\n");
  ASSERT_EQ(renewed.exit_code, 0) << renewed.out << renewed.err;
  const auto opens = [&](const std::string& with) {
    return Cli(alice(), {"unlock", "--recovery", "--passphrase-fd", "3"}, with + "\n").exit_code ==
           0;
  };
  EXPECT_TRUE(opens(JsonField(renewed.out, "recovery_code")));
  EXPECT_FALSE(opens(code));
}

TEST_F(OutputTest, NamesThatAreNoTextAreToldAsSuch) {
  StartDaemon();
  const std::string volume = MountVolume("a");
  Enrol(alice(), kPassphrase);
  Unlock(alice(), kPassphrase);
  const std::string dir = MakeEncryptedDir(volume, "d", alice());
  const std::string file = dir + "/caf\xe9 \x1b[31m\nheld";
  const std::string program = work() + "/caf\xe9\x1b[1m";
  MustRun({"cp", "/bin/sleep", program});
  ASSERT_EQ(RunAs(alice(), {"touch", file}).exit_code, 0);
  const Child holder(alice(), {"sh", "-c", "exec 4<\"$0\"; exec \"$1\" 60", file, program});
  const std::string exe = "/proc/" + std::to_string(holder.pid()) + "/exe";
  for (int i = 0; i < 200 && RunAs(0, {"readlink", exe}).out != program + "\n"; ++i) usleep(50'000);
  const RunResult json = Cli(alice(), {"lock"});
  EXPECT_EQ(json.exit_code, 10) << json.out << json.err;
  EXPECT_TRUE(IsOneJsonObject(json.out)) << json.out;
  EXPECT_THAT(json.out, testing::Not(HasSubstr("\x1b")));
  const RunResult text =
      RunAs(alice(), {EXT4CRYPT_TEST_BIN "/ext4crypt", "--socket", socket(), "lock"});
  EXPECT_EQ(text.exit_code, 10) << text.out << text.err;
  EXPECT_THAT(text.out, HasSubstr("held by caf\\xe9\\x1b[1m (pid "));
  EXPECT_THAT(text.out, HasSubstr("/d/caf\\xe9 \\x1b[31m\\x0aheld\n"));
  EXPECT_THAT(text.out + DaemonLog(), testing::Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace ext4crypt
