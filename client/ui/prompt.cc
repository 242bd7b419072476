// SPDX-License-Identifier: Apache-2.0
#include "client/ui/prompt.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "common/unique_fd.h"

namespace ext4crypt {
namespace {

constexpr size_t kMaxLine = 1024;

// Set by the handler while the echo is off.
volatile std::sig_atomic_t g_signal = 0;
void Remember(int signal) { g_signal = signal; }

// Turns the echo off; whatever ends the input, an ordinary end or a signal, turns it on again.
// Signals are delivered after that, so that neither ^C nor ^Z leaves a silent terminal behind.
class SilentTerminal {
 public:
  explicit SilentTerminal(int tty) : tty_(tty) {
    g_signal = 0;
    struct sigaction action = {};
    action.sa_handler = Remember;  // no SA_RESTART: read() has to return
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &action, &previous_[i]);
    valid_ = tcgetattr(tty_, &settings_) == 0;
    if (!valid_) return;
    struct termios silent = settings_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    silent.c_lflag |= ECHONL;
    valid_ = tcsetattr(tty_, TCSAFLUSH, &silent) == 0;
  }
  SilentTerminal(const SilentTerminal&) = delete;
  SilentTerminal& operator=(const SilentTerminal&) = delete;
  ~SilentTerminal() {
    if (valid_) tcsetattr(tty_, TCSAFLUSH, &settings_);
    for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &previous_[i], nullptr);
    if (g_signal != 0) raise(g_signal);
  }
  [[nodiscard]] bool valid() const { return valid_; }

 private:
  static constexpr std::array kSignals = {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGTSTP};
  const int tty_;
  bool valid_ = false;
  struct termios settings_ = {};
  std::array<struct sigaction, kSignals.size()> previous_ = {};
};

absl::Status Unreadable(absl::string_view cause) {
  return Error(ErrorReason::kPassphraseUnreadable, cause);
}

// Up to a newline or the end; the newline is not part of it. One byte at a time, so that the next
// line stays in the descriptor for the next secret.
absl::StatusOr<SecretBuffer> ReadLine(int fd) {
  SecretBuffer line(kMaxLine);
  size_t size = 0;
  for (;;) {
    uint8_t byte = 0;
    const ssize_t n = ::read(fd, &byte, 1);
    if (n < 0 && errno == EINTR && g_signal == 0) continue;
    if (n < 0) return ErrnoError(ErrorReason::kPassphraseUnreadable, errno, "read");
    if (n == 0 && size == 0) return Unreadable("the input has ended");
    if (n == 0 || byte == '\n') break;
    if (size == kMaxLine) {
      return Error(ErrorReason::kPassphraseTooLong, "the line is too long");
    }
    line.data()[size++] = byte;
  }
  line.Shrink(size);
  return line;
}

absl::StatusOr<SecretBuffer> AskOnTerminal(absl::string_view prompt) {
  const UniqueFd tty(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (!tty.valid()) return Unreadable("there is no terminal");
  const SilentTerminal silent(tty.get());
  if (!silent.valid()) return Unreadable("the terminal's echo cannot be switched off");
  const std::string text = absl::StrCat(prompt, ": ");
  if (::write(tty.get(), text.data(), text.size()) < 0) return Unreadable("no prompt");
  return ReadLine(tty.get());
}

}  // namespace

absl::StatusOr<SecretBuffer> SecretReader::Read(absl::string_view prompt) const {
  return fd_.has_value() ? ReadLine(*fd_) : AskOnTerminal(prompt);
}

absl::StatusOr<SecretBuffer> SecretReader::ReadNew(absl::string_view prompt) const {
  ASSIGN_OR_RETURN(SecretBuffer first, Read(prompt));
  if (fd_.has_value()) return first;
  ASSIGN_OR_RETURN(const SecretBuffer second, Read("The same again"));
  if (!SecretsEqual(first, second)) {
    return Error(ErrorReason::kPassphraseMismatch, "the two passphrases differ");
  }
  return first;
}

}  // namespace ext4crypt
