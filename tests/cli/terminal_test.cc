// SPDX-License-Identifier: Apache-2.0
// Prompts on a real terminal: nothing typed is echoed, and the echo comes back.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "tests/integration/keyd_fixture.h"

namespace ext4crypt {
namespace {

using testing::HasSubstr;
using testing::Not;

// A program on a terminal of its own, as `uid`.
class TerminalSession {
 public:
  TerminalSession(uid_t uid, const std::vector<std::string>& argv) {
    pid_ = forkpty(&master_, nullptr, nullptr, nullptr);
    if (pid_ == 0) {
      if (setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0) _exit(126);
      std::vector<char*> raw;
      for (const std::string& argument : argv) raw.push_back(const_cast<char*>(argument.c_str()));
      raw.push_back(nullptr);
      execv(raw[0], raw.data());
      _exit(127);
    }
  }
  TerminalSession(const TerminalSession&) = delete;
  TerminalSession& operator=(const TerminalSession&) = delete;
  ~TerminalSession() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    close(master_);
  }

  // Reads until `text` has appeared; false after ten seconds or at the end.
  bool WaitFor(const std::string& text) {
    while (seen_.find(text, consumed_) == std::string::npos) {
      if (!ReadSome()) return false;
    }
    consumed_ = seen_.find(text, consumed_) + text.size();
    return true;
  }
  void Type(const std::string& text) {
    // The prompt comes a moment after the echo is off; both are over when the prompt was read.
    ASSERT_EQ(write(master_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  int Wait() {
    while (ReadSome()) {
    }
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  bool EchoIsOn() {
    struct termios settings = {};
    tcgetattr(master_, &settings);
    return (settings.c_lflag & static_cast<tcflag_t>(ECHO)) != 0;
  }
  [[nodiscard]] const std::string& seen() const { return seen_; }

 private:
  bool ReadSome() {
    struct pollfd fd = {master_, POLLIN, 0};
    if (poll(&fd, 1, 10'000) <= 0) return false;
    char chunk[1024];
    const ssize_t n = read(master_, chunk, sizeof(chunk));
    if (n <= 0) return false;
    seen_.append(chunk, static_cast<size_t>(n));
    return true;
  }

  int master_ = -1;
  pid_t pid_ = -1;
  std::string seen_;
  size_t consumed_ = 0;
};

class TerminalTest : public KeydTest {
 protected:
  void SetUp() override {
    KeydTest::SetUp();
    if (!HasFatalFailure()) StartDaemon();
  }
  // The recovery code that is shown, once it is asked for.
  static std::string ReadCode(TerminalSession& session) {
    EXPECT_TRUE(session.WaitFor("Type it back from what you wrote: "));
    const std::string label = "Recovery code: ";
    return session.seen().substr(session.seen().find(label) + label.size(), 47);
  }
  std::vector<std::string> Command(const std::vector<std::string>& arguments) {
    std::vector<std::string> command = {EXT4CRYPT_TEST_BIN "/ext4crypt", "--socket", socket()};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return command;
  }
};

TEST_F(TerminalTest, EnrolAsksTwiceAndEchoesNothing) {
  TerminalSession session(alice(), Command({"enrol"}));
  ASSERT_TRUE(session.WaitFor("New passphrase: "));
  EXPECT_FALSE(session.EchoIsOn());
  session.Type("typed passphrase\n");
  ASSERT_TRUE(session.WaitFor("The same again: "));
  session.Type("typed passphrase\n");
  const std::string code = ReadCode(session);
  EXPECT_FALSE(session.EchoIsOn());
  session.Type(code + "\n");
  EXPECT_EQ(session.Wait(), 0);
  EXPECT_THAT(session.seen(), Not(HasSubstr("typed passphrase")));
  // Shown once: to write down, not typed back by the terminal or the report.
  EXPECT_EQ(session.seen().find(code), session.seen().rfind(code));
  Unlock(alice(), "typed passphrase");
}

TEST_F(TerminalTest, RecoveryCodeThatIsNotTypedBackIsAFailureThatSaysSo) {
  TerminalSession session(alice(), Command({"enrol"}));
  ASSERT_TRUE(session.WaitFor("New passphrase: "));
  session.Type("typed passphrase\n");
  ASSERT_TRUE(session.WaitFor("The same again: "));
  session.Type("typed passphrase\n");
  std::string code = ReadCode(session);
  session.Type("no code at all\n");
  ASSERT_TRUE(session.WaitFor("Once more: "));
  code[2] = code[2] == '7' ? '8' : '7';
  session.Type(code + "\n");
  ASSERT_TRUE(session.WaitFor("Mistyped in group 1. Once more: "));
  session.Type("\n");
  EXPECT_EQ(session.Wait(), 7);
  Unlock(alice(), "typed passphrase");  // the key is there
}

TEST_F(TerminalTest, OldRecoveryCodeEndsOnlyWhenTheNewOneIsTypedBack) {
  std::string old_code;
  Enrol(alice(), kPassphrase, &old_code);
  const auto opens = [&](const std::string& code) {
    return Cli(alice(), {"unlock", "--recovery", "--passphrase-fd", "3"}, code + "\n").exit_code ==
           0;
  };
  std::string unread;
  {
    TerminalSession session(alice(), Command({"recovery", "renew"}));
    ASSERT_TRUE(session.WaitFor("Passphrase: "));
    session.Type(std::string(kPassphrase) + "\n");
    unread = ReadCode(session);
    EXPECT_TRUE(opens(old_code)) << "while the new one is shown";
    for (int i = 0; i < 2; ++i) {
      session.Type("no code at all\n");
      ASSERT_TRUE(session.WaitFor("Once more: "));
    }
    session.Type("\n");
    EXPECT_EQ(session.Wait(), 7);
    EXPECT_THAT(session.seen(), HasSubstr("the old one is valid, the new one is not"));
  }
  EXPECT_TRUE(opens(old_code));
  EXPECT_FALSE(opens(unread));
  TerminalSession session(alice(), Command({"recovery", "renew"}));
  ASSERT_TRUE(session.WaitFor("Passphrase: "));
  session.Type(std::string(kPassphrase) + "\n");
  const std::string code = ReadCode(session);
  session.Type(code + "\n");
  EXPECT_EQ(session.Wait(), 0);
  EXPECT_TRUE(opens(code));
  EXPECT_FALSE(opens(old_code));
}

TEST_F(TerminalTest, RenewalThatIsInterruptedLeavesTheOldRecoveryCode) {
  std::string old_code;
  Enrol(alice(), kPassphrase, &old_code);
  TerminalSession session(alice(), Command({"recovery", "renew"}));
  ASSERT_TRUE(session.WaitFor("Passphrase: "));
  session.Type(std::string(kPassphrase) + "\n");
  ReadCode(session);
  session.Type("\x03");
  EXPECT_EQ(session.Wait(), 128 + SIGINT);
  EXPECT_EQ(
      Cli(alice(), {"unlock", "--recovery", "--passphrase-fd", "3"}, old_code + "\n").exit_code, 0);
}

TEST_F(TerminalTest, RecoveryCodeIsNotAskedForWhenToldSo) {
  TerminalSession session(alice(), Command({"enrol", "--no-confirm"}));
  ASSERT_TRUE(session.WaitFor("New passphrase: "));
  session.Type("typed passphrase\n");
  ASSERT_TRUE(session.WaitFor("The same again: "));
  session.Type("typed passphrase\n");
  ASSERT_TRUE(session.WaitFor("Recovery code: "));
  EXPECT_EQ(session.Wait(), 0);
}

TEST_F(TerminalTest, TwoDifferentPassphrasesEnrolNothing) {
  TerminalSession session(alice(), Command({"enrol"}));
  ASSERT_TRUE(session.WaitFor("New passphrase: "));
  session.Type("typed passphrase\n");
  ASSERT_TRUE(session.WaitFor("The same again: "));
  session.Type("typed passphrasf\n");
  EXPECT_EQ(session.Wait(), 7);
  EXPECT_EQ(JsonField(Cli(alice(), {"status"}).out, "enrolled"), "false");
}

TEST_F(TerminalTest, InterruptAtThePromptBringsTheEchoBack) {
  TerminalSession session(alice(), Command({"unlock"}));
  ASSERT_TRUE(session.WaitFor("Passphrase: "));
  EXPECT_FALSE(session.EchoIsOn());
  session.Type("half a pass\x03");
  EXPECT_EQ(session.Wait(), 128 + SIGINT);
  EXPECT_TRUE(session.EchoIsOn());
  EXPECT_THAT(session.seen(), Not(HasSubstr("half")));
}

}  // namespace
}  // namespace ext4crypt
