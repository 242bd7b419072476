// SPDX-License-Identifier: Apache-2.0
#include "terminal/prompt.h"

#include <fcntl.h>
#include <poll.h>
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

// Written to by the handler while the echo is off: a flag alone would be missed between looking at
// it and going to sleep in read(), and another thread may be the one that gets the signal.
volatile std::sig_atomic_t g_signal = 0;
int g_wake_fd = -1;
void Remember(int signal) {
  const int saved = errno;
  g_signal = signal;
  [[maybe_unused]] const ssize_t n = ::write(g_wake_fd, "", 1);
  errno = saved;
}

// Turns the echo off; whatever ends the input, an ordinary end or a signal, turns it on again.
// Signals are delivered after that, so that neither ^C nor ^Z leaves a silent terminal behind.
class SilentTerminal {
 public:
  explicit SilentTerminal(int tty) : tty_(tty) {
    std::array<int, 2> ends = {-1, -1};
    if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return;
    woken_.reset(ends[0]);
    wake_.reset(ends[1]);
    g_wake_fd = wake_.get();
    g_signal = 0;
    struct sigaction action = {};
    action.sa_handler = Remember;
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
    if (!wake_.valid()) return;
    for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &previous_[i], nullptr);
    if (g_signal != 0) raise(g_signal);
  }
  [[nodiscard]] bool valid() const { return valid_; }
  // Readable once a signal has come.
  [[nodiscard]] int woken_fd() const { return woken_.get(); }

 private:
  static constexpr std::array kSignals = {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGTSTP};
  const int tty_;
  UniqueFd woken_;
  UniqueFd wake_;
  bool valid_ = false;
  struct termios settings_ = {};
  std::array<struct sigaction, kSignals.size()> previous_ = {};
};

absl::Status Unreadable(absl::string_view cause) {
  return Error(ErrorReason::kPassphraseUnreadable, cause);
}

// False when `woken_fd` became readable first.
bool WaitForInput(int fd, int woken_fd) {
  std::array<struct pollfd, 2> fds = {{{.fd = fd, .events = POLLIN, .revents = 0},
                                       {.fd = woken_fd, .events = POLLIN, .revents = 0}}};
  while (::poll(fds.data(), fds.size(), -1) < 0 && errno == EINTR) {
  }
  return fds[1].revents == 0;
}

// Up to a newline or the end; the newline is not part of it. One byte at a time, so that the next
// line stays in the descriptor for the next secret.
absl::StatusOr<SecretBuffer> ReadLine(int fd, int woken_fd = -1) {
  SecretBuffer line(kMaxLine);
  size_t size = 0;
  for (;;) {
    uint8_t byte = 0;
    if (woken_fd >= 0 && !WaitForInput(fd, woken_fd)) return Unreadable("interrupted");
    const ssize_t n = ::read(fd, &byte, 1);
    if (n < 0 && errno == EINTR) continue;
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
  return ReadLine(tty.get(), silent.woken_fd());
}

}  // namespace

absl::StatusOr<SecretBuffer> SecretReader::Read(absl::string_view prompt) const {
  return fd_.has_value() ? ReadLine(*fd_) : AskOnTerminal(prompt);
}

bool SecretReader::HasTerminal() const {
  return !fd_.has_value() && UniqueFd(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)).valid();
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
