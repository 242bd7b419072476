// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/keyd_fixture.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <mntent.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

namespace ext4crypt {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Beyond those of people, services and containers (whose ranges begin at 100,000 and end, by
// /etc/subuid, long before); two billion is free on every system that useradd(8) has made users on.
constexpr uid_t kFirstTestUid = 2'000'000'000;

[[noreturn]] void ExecAs(uid_t uid, const std::vector<std::string>& argv) {
  if (uid != 0 && (setgroups(0, nullptr) != 0 || setresgid(uid, uid, uid) != 0 ||
                   setresuid(uid, uid, uid) != 0)) {
    _exit(126);
  }
  // After the change of uid, which clears it.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::vector<char*> raw;
  for (const std::string& argument : argv) raw.push_back(const_cast<char*>(argument.c_str()));
  raw.push_back(nullptr);
  execvp(raw[0], raw.data());
  _exit(127);
}

int WaitFor(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Reads both ends until both are closed.
void Drain(int out_fd, std::string& out, int err_fd, std::string& err) {
  std::array<struct pollfd, 2> fds = {{{out_fd, POLLIN, 0}, {err_fd, POLLIN, 0}}};
  std::array<std::string*, 2> texts = {&out, &err};
  int open = 2;
  while (open > 0 && poll(fds.data(), fds.size(), -1) > 0) {
    for (size_t i = 0; i < fds.size(); ++i) {
      if (fds[i].revents == 0) continue;
      std::array<char, 4096> chunk;
      const ssize_t n = read(fds[i].fd, chunk.data(), chunk.size());
      if (n > 0) {
        texts[i]->append(chunk.data(), static_cast<size_t>(n));
      } else {
        fds[i].fd = -1;
        --open;
      }
    }
  }
}

bool IsWithin(const std::string& path, const std::string& directory) {
  return directory == "/" || path == directory || path.rfind(directory + "/", 0) == 0;
}

// The machine's own volumes, in this namespace only: the service of a test would give its keys to
// each, and count them as its own.
void UnmountOthersVolumes() {
  const std::vector<std::string> needed = {EXT4CRYPT_TEST_BIN,
                                           EXT4CRYPT_SOURCE_DIR,
                                           "/usr",
                                           "/bin",
                                           "/sbin",
                                           "/lib",
                                           "/lib64",
                                           "/etc",
                                           "/tmp",
                                           "/var/lib"};
  std::vector<std::string> others;
  std::FILE* mounts = setmntent("/proc/self/mounts", "re");
  ASSERT_NE(mounts, nullptr);
  while (const struct mntent* entry = getmntent(mounts)) {
    const std::string type = entry->mnt_type;
    const std::string place = entry->mnt_dir;
    if (type != "ext4" && type != "ext4crypt") continue;
    const bool is_needed =
        type == "ext4" && std::any_of(needed.begin(), needed.end(), [&](const std::string& path) {
          return IsWithin(path, place);
        });
    if (!is_needed) others.push_back(place);
  }
  endmntent(mounts);
  for (auto place = others.rbegin(); place != others.rend(); ++place) {
    umount2(place->c_str(), MNT_DETACH);  // one that went with another is gone
  }
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

bool Connects(const std::string& path) {
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool ok = connect(fd, reinterpret_cast<struct sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return ok;
}

}  // namespace

RunResult RunAs(uid_t uid, const std::vector<std::string>& argv, const std::string& input) {
  RunResult result;
  std::array<int, 2> in;
  std::array<int, 2> out;
  std::array<int, 2> err;
  if (pipe2(in.data(), O_CLOEXEC) != 0 || pipe2(out.data(), O_CLOEXEC) != 0 ||
      pipe2(err.data(), O_CLOEXEC) != 0) {
    return result;
  }
  const pid_t pid = fork();
  if (pid == 0) {
    // A session of its own: there is no terminal to ask on.
    setsid();
    const int null = open("/dev/null", O_RDONLY);
    // Out of the way of the numbers they go to.
    const int in_copy = fcntl(in[0], F_DUPFD, 10);
    dup2(null, 0);
    dup2(out[1], 1);
    dup2(err[1], 2);
    dup2(in_copy, 3);
    close(in_copy);
    ExecAs(uid, argv);
  }
  close(in[0]);
  close(out[1]);
  close(err[1]);
  signal(SIGPIPE, SIG_IGN);
  [[maybe_unused]] const ssize_t n = write(in[1], input.data(), input.size());
  close(in[1]);
  Drain(out[0], result.out, err[0], result.err);
  close(out[0]);
  close(err[0]);
  result.exit_code = WaitFor(pid);
  return result;
}

void MustRun(const std::vector<std::string>& argv) {
  const RunResult result = RunAs(0, argv);
  ASSERT_EQ(result.exit_code, 0) << argv[0] << ": " << result.out << result.err;
}

std::string JsonField(const std::string& json, const std::string& name) {
  const std::string key = "\"" + name + "\": ";
  const size_t at = json.find(key);
  if (at == std::string::npos) return "";
  size_t begin = at + key.size();
  const bool quoted = json[begin] == '"';
  if (quoted) ++begin;
  const size_t end = json.find_first_of(quoted ? "\"" : ",\n}", begin);
  return json.substr(begin, end - begin);
}

Child::Child(uid_t uid, const std::vector<std::string>& argv) : pid_(fork()) {
  if (pid_ == 0) ExecAs(uid, argv);
}

void Child::Stop() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  WaitFor(pid_);
  pid_ = -1;
}

void KeydTest::SetUp() {
  ASSERT_EQ(geteuid(), 0U) << "these tests mount and change users: run them as root";
  ASSERT_EQ(unshare(CLONE_NEWNS), 0) << std::strerror(errno);
  ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  UnmountOthersVolumes();
  for (const std::string candidate : {"/mnt", "/srv", "/media", "/opt"}) {
    struct stat info = {};
    const bool has_programs = std::string(EXT4CRYPT_TEST_BIN).rfind(candidate + "/", 0) == 0;
    if (!has_programs && stat(candidate.c_str(), &info) == 0) work_ = candidate;
    if (!work_.empty()) break;
  }
  ASSERT_FALSE(work_.empty());
  ASSERT_EQ(mount("tmpfs", work_.c_str(), "tmpfs", 0, "mode=0755,size=512m"), 0);
  alice_ = kFirstTestUid + static_cast<uid_t>(getpid()) * 4U;
}

void KeydTest::TearDown() {
  if (daemon_ > 0) {
    for (const uid_t uid : {alice(), bob()}) Cli(uid, {"lock"});
    EXPECT_EQ(StopDaemon(), 0) << DaemonLog();
  }
  if (HasFailure()) GTEST_LOG_(INFO) << DaemonLog();
  if (!work_.empty()) {
    RunAs(0, {"sh", "-c", "umount -l " + work_ + "/vol-* 2>/dev/null"});
    umount2(work_.c_str(), MNT_DETACH);
  }
}

std::vector<std::string> KeydTest::DaemonCommand(const std::vector<std::string>& extra) const {
  std::vector<std::string> command = {EXT4CRYPT_TEST_BIN "/ext4crypt-keyd", "--socket", socket(),
                                      "--state-dir", state_dir()};
  if (std::find(extra.begin(), extra.end(), "--argon2-ops") == extra.end()) {
    command.insert(command.end(), {"--argon2-memory-mib", "8", "--argon2-ops", "4"});
  }
  command.insert(command.end(), extra.begin(), extra.end());
  return command;
}

void KeydTest::StartDaemon(const std::vector<std::string>& extra) {
  ASSERT_LE(daemon_, 0);
  const std::vector<std::string> command = DaemonCommand(extra);
  daemon_ = fork();
  if (daemon_ == 0) {
    const int log = open((work_ + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(log, 1);
    dup2(log, 2);
    // As under systemd: a session keyring from which no way leads to any user's keyring.
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) < 0) _exit(126);
    ExecAs(0, command);
  }
  const auto give_up = steady_clock::now() + std::chrono::seconds(20);
  while (!Connects(socket())) {
    ASSERT_LT(steady_clock::now(), give_up) << DaemonLog();
    ASSERT_EQ(waitpid(daemon_, nullptr, WNOHANG), 0) << DaemonLog();
    std::this_thread::sleep_for(milliseconds(10));
  }
}

int KeydTest::StopDaemon(int signal) {
  if (daemon_ <= 0) return -1;
  kill(daemon_, signal);
  const int status = WaitFor(daemon_);
  daemon_ = -1;
  return status;
}

RunResult KeydTest::TryDaemon(const std::vector<std::string>& extra) {
  // One that starts all the same would never end.
  std::vector<std::string> command = DaemonCommand(extra);
  command.insert(command.begin(), {"timeout", "20"});
  return RunAs(0, command);
}

std::string KeydTest::DaemonLog() const { return ReadFile(work_ + "/log"); }

RunResult KeydTest::Cli(uid_t uid, std::vector<std::string> arguments, const std::string& input) {
  std::vector<std::string> command = {EXT4CRYPT_TEST_BIN "/ext4crypt", "--socket", socket(),
                                      "--json"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return RunAs(uid, command, input);
}

void KeydTest::Enrol(uid_t uid, const std::string& passphrase, std::string* recovery_code) {
  // A user's keyring is the machine's, not the test's: unlocking for root would replace the key of
  // a root who uses the product, and locking take it away.
  ASSERT_GE(uid, kFirstTestUid) << "that user may be somebody";
  const RunResult result = Cli(uid, {"enrol", "--passphrase-fd", "3"}, passphrase + "\n");
  ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  if (recovery_code != nullptr) *recovery_code = JsonField(result.out, "recovery_code");
}

void KeydTest::Unlock(uid_t uid, const std::string& passphrase) {
  const RunResult result = Cli(uid, {"unlock", "--passphrase-fd", "3"}, passphrase + "\n");
  ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
}

std::string KeydTest::State(uid_t uid) {
  const RunResult result = Cli(uid, {"status"});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  return JsonField(result.out, "state");
}

std::string KeydTest::WaitForState(uid_t uid, const std::string& state) {
  const auto give_up = steady_clock::now() + std::chrono::seconds(10);
  std::string now = State(uid);
  while (now != state && steady_clock::now() < give_up) {
    std::this_thread::sleep_for(milliseconds(100));
    now = State(uid);
  }
  return now;
}

std::string KeydTest::MountVolume(const std::string& name, const std::string& features,
                                  const std::vector<std::string>& mkfs_options) {
  const std::string image = work_ + "/" + name + ".img";
  const std::string mount_point = work_ + "/vol-" + name;
  MustRun({"truncate", "-s", "24M", image});
  std::vector<std::string> mkfs = {"mkfs.ext4", "-q", "-I", "512", "-O", features};
  mkfs.insert(mkfs.end(), mkfs_options.begin(), mkfs_options.end());
  mkfs.push_back(image);
  MustRun(mkfs);
  MustRun({"mkdir", "-p", mount_point});
  MustRun({"mount", "-o", "loop", image, mount_point});
  MustRun({"chmod", "1777", mount_point});
  return mount_point;
}

void KeydTest::Unmount(const std::string& mount_point) { MustRun({"umount", mount_point}); }

std::string KeydTest::MakeDir(const std::string& path, uid_t owner) {
  EXPECT_EQ(mkdir(path.c_str(), 0755), 0) << path;
  EXPECT_EQ(chown(path.c_str(), owner, owner), 0) << path;
  return path;
}

std::string KeydTest::MakeEncryptedDir(const std::string& volume, const std::string& name,
                                       uid_t uid) {
  const std::string dir = MakeDir(volume + "/" + name, uid);
  const RunResult result = Cli(uid, {"setpolicy", dir, "--allow-unauthenticated"});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  return dir;
}

}  // namespace ext4crypt
