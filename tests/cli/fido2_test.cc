// SPDX-License-Identifier: Apache-2.0
// A security key from the command line to the volume: the shipped code but for where tokens are
// found, with the real service.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/integration/keyd_fixture.h"

namespace ext4crypt {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kProgram[] = EXT4CRYPT_TEST_BIN "/ext4crypt-with-test-tokens";

class Fido2Test : public KeydTest {
 protected:
  void SetUp() override {
    KeydTest::SetUp();
    StartDaemon();
    Enrol(alice(), kPassphrase, &code_);
  }
  RunResult WithTokens(const std::string& tokens, std::vector<std::string> arguments,
                       const std::string& input = "", const std::string& more = "A=") {
    std::vector<std::string> command = {
        "/usr/bin/env", "-u",     "SSH_CONNECTION", "EXT4CRYPT_TEST_TOKENS=" + tokens,
        more,           kProgram, "--socket",       socket(),
        "--json"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return RunAs(alice(), command, input);
  }
  std::string Add(const std::string& tokens, const std::string& pin = "") {
    const RunResult added =
        WithTokens(tokens, {"protectors", "add", "--fido2", "--passphrase-fd", "3"},
                   std::string(kPassphrase) + "\n" + pin);
    EXPECT_EQ(added.exit_code, 0) << added.out << added.err;
    EXPECT_THAT(added.err, HasSubstr("Touch your security key now: Test token"));
    return JsonField(added.out, "protector_id");
  }
  std::string UnlockReason(const std::string& tokens, const std::string& input = "",
                           const std::string& more = "A=") {
    const RunResult result =
        WithTokens(tokens, {"unlock", "--fido2", "--passphrase-fd", "3"}, input, more);
    return result.exit_code == 0 ? "" : JsonField(result.out, "reason");
  }
  std::string code_;
};

TEST_F(Fido2Test, TokenUnlocksUntilItIsRemoved) {
  const std::string volume = MountVolume("a");
  const std::string id = Add("one");
  EXPECT_THAT(Cli(alice(), {"protectors", "list"}).out,
              testing::AllOf(HasSubstr(id), HasSubstr("fido2"), HasSubstr("Test token one")));
  EXPECT_EQ(State(alice()), "locked");
  EXPECT_EQ(UnlockReason("one"), "");
  EXPECT_EQ(State(alice()), "unlocked");
  EXPECT_EQ(Cli(alice(), {"lock"}).exit_code, 0);
  EXPECT_EQ(UnlockReason("two"), "WRONG_TOKEN");
  EXPECT_EQ(UnlockReason(""), "NO_TOKEN");
  EXPECT_EQ(UnlockReason("one::untouched"), "TOKEN_UNTOUCHED");
  EXPECT_EQ(UnlockReason("one", "", "SSH_CONNECTION=192.0.2.1 1 192.0.2.2 22"), "TOKEN_REMOTE");
  EXPECT_EQ(State(alice()), "locked");
  const RunResult removed = WithTokens("one", {"protectors", "remove", id, "--fido2"});
  EXPECT_EQ(removed.exit_code, 0) << removed.out;
  EXPECT_EQ(UnlockReason("one"), "NO_SUCH_PROTECTOR");
  Unlock(alice(), kPassphrase);
}

TEST_F(Fido2Test, PinIsAskedForAndSeveralTokensOpenOneKey) {
  Add("one:1234", "1234\n");
  Add("two");
  EXPECT_EQ(UnlockReason("one:1234", "1234\n"), "");
  EXPECT_EQ(UnlockReason("three two"), "");
  EXPECT_EQ(UnlockReason("one:1234", "9999\n1234\n"), "");
  EXPECT_EQ(UnlockReason("one:1234", "9999\n"), "PASSPHRASE_UNREADABLE");
  EXPECT_EQ(UnlockReason("one:1234", "9999\n9998\n9997\n9996\n"), "TOKEN_PIN_WRONG");
  const RunResult unclear =
      WithTokens("one two", {"protectors", "add", "--fido2", "--passphrase-fd", "3"},
                 std::string(kPassphrase) + "\n");
  EXPECT_EQ(unclear.exit_code, 29);
  EXPECT_EQ(JsonField(unclear.out, "reason"), "SEVERAL_TOKENS");
}

TEST_F(Fido2Test, WrongPassphraseAddsNothingAndForgottenOneIsChangedWithTheToken) {
  const RunResult refused =
      WithTokens("one", {"protectors", "add", "--fido2", "--passphrase-fd", "3"}, "nonsense\n");
  EXPECT_EQ(JsonField(refused.out, "reason"), "WRONG_PASSPHRASE");
  EXPECT_THAT(Cli(alice(), {"protectors", "list"}).out, Not(HasSubstr("fido2")));
  Add("one");
  const RunResult changed = WithTokens(
      "one", {"passphrase", "change", "--fido2", "--passphrase-fd", "3"}, "a new passphrase\n");
  EXPECT_EQ(changed.exit_code, 0) << changed.out;
  Unlock(alice(), "a new passphrase");
}

TEST_F(Fido2Test, ExportOpensWithTheToken) {
  Add("one");
  const std::string dir = MakeDir(work() + "/out", alice());
  const RunResult exported = WithTokens("one", {"export", dir + "/keys", "--fido2"});
  ASSERT_EQ(exported.exit_code, 0) << exported.out;
  ASSERT_EQ(StopDaemon(), 0);
  MustRun({"sh", "-c", "rm " + state_dir() + "/keys.db*"});
  StartDaemon();
  const std::string phrase = "another passphrase";
  const RunResult imported = WithTokens(
      "one", {"import", dir + "/keys", "--fido2", "--passphrase-fd", "3"}, phrase + "\n");
  EXPECT_EQ(imported.exit_code, 0) << imported.out;
  EXPECT_EQ(UnlockReason("one"), "");
  Unlock(alice(), phrase);
}

}  // namespace
}  // namespace ext4crypt
