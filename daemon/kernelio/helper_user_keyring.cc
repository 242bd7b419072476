// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernelio/helper_user_keyring.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "common/unique_fd.h"
#include "daemon/kernelio/keyring_protocol.h"

namespace ext4crypt {
namespace {

// The helper runs with the user's real uid: the user can stop it. We do not wait for ever.
constexpr int kHelperTimeoutMs = 10'000;

static_assert(sizeof(KeyringRequest) < PIPE_BUF, "the request must fit a pipe in one write");
static_assert(sizeof(KeyringRequest::key) == kMasterKeySize);

SecretBuffer MakeRequest(KeyringVerb verb, Uid uid, const SecretBuffer* key) {
  SecretBuffer block(sizeof(KeyringRequest));
  const auto uid32 = static_cast<uint32_t>(uid);
  std::memcpy(block.data() + offsetof(KeyringRequest, verb), &verb, sizeof(verb));
  std::memcpy(block.data() + offsetof(KeyringRequest, uid), &uid32, sizeof(uid32));
  if (key != nullptr) {
    std::memcpy(block.data() + offsetof(KeyringRequest, key), key->data(), key->size());
  }
  return block;
}

absl::Status Failure(int err, absl::string_view what) {
  return ErrnoError(ErrorReason::kKeyringFailed, err, what);
}

// An empty environment, default signals, standard input from `stdin_fd`; everything else of ours
// is close-on-exec.
absl::StatusOr<pid_t> Spawn(const std::string& path, int stdin_fd) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, stdin_fd, STDIN_FILENO);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string name = kKeyringHelperName;
  std::array<char*, 2> argv = {name.data(), nullptr};
  std::array<char*, 1> environment = {nullptr};
  pid_t pid = -1;
  const int err =
      posix_spawn(&pid, path.c_str(), &actions, &attributes, argv.data(), environment.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (err != 0) return Failure(err, absl::StrCat("cannot start ", path));
  return pid;
}

// The exit status as an errno value.
absl::StatusOr<int> WaitForExit(pid_t pid) {
  const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  struct pollfd poll_fd = {.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  int ready = 0;
  do {
    ready = pidfd.valid() ? poll(&poll_fd, 1, kHelperTimeoutMs) : 1;
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return Failure(errno, "cannot wait for the keyring helper");
  }
  if (ready <= 0) return Failure(ETIMEDOUT, "the keyring helper does not answer");
  if (!WIFEXITED(status)) return Failure(EIO, "the keyring helper was killed");
  return WEXITSTATUS(status);
}

}  // namespace

absl::Status HelperUserKeyring::InstallDefaultKey(Uid uid, const SecretBuffer& key) {
  if (key.size() != kMasterKeySize) {
    return Error(ErrorReason::kInternal, "a key of the wrong size");
  }
  return RunHelper(MakeRequest(KeyringVerb::kInstall, uid, &key));
}

absl::Status HelperUserKeyring::RemoveDefaultKey(Uid uid) {
  return RunHelper(MakeRequest(KeyringVerb::kRemove, uid, nullptr));
}

absl::Status HelperUserKeyring::RunHelper(const SecretBuffer& request) {
  std::array<int, 2> ends = {-1, -1};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return Failure(errno, "no pipe for the keyring helper");
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  // Before the start: it fits the pipe, so nobody waits, and a dead reader cannot raise SIGPIPE.
  if (::write(write_end.get(), request.data(), request.size()) !=
      static_cast<ssize_t>(request.size())) {
    return Failure(errno, "cannot write to the keyring helper");
  }
  write_end.reset();
  ASSIGN_OR_RETURN(const pid_t pid, Spawn(helper_path_, read_end.get()));
  ASSIGN_OR_RETURN(const int err, WaitForExit(pid));
  return err == 0 ? absl::OkStatus() : Failure(err, "the keyring helper failed");
}

absl::StatusOr<std::string> FindKeyringHelper() {
  std::array<char, PATH_MAX> self = {};
  const ssize_t size = ::readlink("/proc/self/exe", self.data(), self.size() - 1);
  if (size > 0) {
    const std::string path(self.data(), static_cast<size_t>(size));
    const std::string beside =
        absl::StrCat(path.substr(0, path.rfind('/') + 1), kKeyringHelperName);
    if (::access(beside.c_str(), X_OK) == 0) return beside;
  }
  const std::string installed = absl::StrCat(EXT4CRYPT_LIBEXECDIR, "/", kKeyringHelperName);
  if (::access(installed.c_str(), X_OK) == 0) return installed;
  return Error(ErrorReason::kInternal, "the helper program ext4crypt-keyring is missing",
               installed);
}

}  // namespace ext4crypt
