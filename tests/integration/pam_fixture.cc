// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/pam_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

namespace ext4crypt {

Login::Login(const std::string& user, const std::string& password, const std::string& answers) {
  std::array<int, 2> in;
  std::array<int, 2> out;
  if (pipe2(in.data(), O_CLOEXEC) != 0 || pipe2(out.data(), O_CLOEXEC) != 0) return;
  pid_ = fork();
  if (pid_ == 0) {
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(in[0], 0);
    dup2(out[1], 1);
    execl(EXT4CRYPT_PAM_DRIVER, "pam_driver", "e4c-test", user.c_str(),
          password.empty() ? "noauth" : "auth", nullptr);
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  in_ = in[1];
  out_ = out[0];
  const std::string lines = (password.empty() ? "" : password + "\n") + answers;
  if (!lines.empty()) [[maybe_unused]]
    const ssize_t n = write(in_, lines.data(), lines.size());
  ReadUntil("open ");
}

void Login::ReadUntil(const std::string& word) {
  std::array<char, 4096> chunk;
  while (said_.find("\n" + word) == std::string::npos) {
    const ssize_t n = read(out_, chunk.data(), chunk.size());
    if (n <= 0) return;
    said_.append(chunk.data(), static_cast<size_t>(n));
  }
}

bool Login::IsOpen() const { return said_.find("\nopen 0") != std::string::npos; }

void Login::Close() {
  [[maybe_unused]] const ssize_t n = write(in_, "close\n", 6);
  ReadUntil("closed ");
  Kill();
}

void Login::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  close(in_);
  close(out_);
  pid_ = -1;
}

void PamTest::SetUp() {
  KeydTest::SetUp();
  if (HasFatalFailure()) return;
  const std::string etc = work() + "/etc";
  // Without what is large or cannot be needed.
  MustRun({"sh", "-c",
           "mkdir -m 755 " + etc +
               " && cd /etc && cp -a passwd group shadow gshadow pam.d login.defs "
               "security nsswitch.conf ld.so.cache ld.so.conf ld.so.conf.d mke2fs.conf "
               "default " +
               etc + " && cp -a alternatives ssl " + etc + " 2>/dev/null; :"});
  const std::string alice_line =
      "alice:x:" + std::to_string(alice()) + ":" + std::to_string(alice()) + "::/:/bin/sh";
  const std::string bob_line =
      "bob:x:" + std::to_string(bob()) + ":" + std::to_string(bob()) + "::/:/bin/sh";
  MustRun({"sh", "-c",
           "cd " + etc + " && sed -i '/^alice:/d;/^bob:/d' passwd shadow && printf '%s\\n%s\\n' '" +
               alice_line + "' '" + bob_line +
               "' >>passwd && printf '%s\\n' 'alice:*:19000:0:99999:7:::' "
               "'bob:*:19000:0:99999:7:::' >>shadow"});
  ASSERT_EQ(mount(etc.c_str(), "/etc", nullptr, MS_BIND, nullptr), 0);
  const RunResult set = RunAs(0, {"sh", "-c", "chpasswd -c SHA256 <&3"},
                              std::string("alice:") + kPassword + "\nbob:" + kPassword + "\n");
  ASSERT_EQ(set.exit_code, 0) << set.out << set.err;
  WriteServices();
}

void PamTest::WriteServices(const std::string& options) {
  const std::string ours = "optional " EXT4CRYPT_TEST_BIN
                           "/pam_ext4crypt.so helper=" EXT4CRYPT_TEST_BIN
                           "/ext4crypt-session socket=" +
                           socket() + " " + options + "\n";
  // The order that docs/key-service.md asks for: ours after the one that checks the password.
  std::ofstream(std::string("/etc/pam.d/") + kService)
      << "auth required pam_unix.so\nauth " << ours << "account required pam_unix.so\n"
      << "session required pam_permit.so\nsession " << ours
      << "password requisite pam_unix.so sha256\npassword " << ours;
  std::ofstream("/etc/pam.d/passwd") << "password requisite pam_unix.so sha256\npassword " << ours;
}

void PamTest::WaitForMapping(const Child& child, const std::string& what) {
  const std::string maps = "/proc/" + std::to_string(child.pid()) + "/maps";
  for (int i = 0; i < 400; ++i) {
    std::ifstream in(maps);
    for (std::string line; std::getline(in, line);) {
      if (line.find(what) != std::string::npos) return;
    }
    usleep(50'000);
  }
  FAIL() << what << " was not mapped";
}

void PamTest::WaitForOpen(const Child& child, const std::string& path) {
  const std::string proc = "/proc/" + std::to_string(child.pid());
  std::error_code error;
  for (int i = 0; i < 400; ++i) {
    // The shell opens it; by its name in the report it is sleep that holds it.
    std::string command;
    std::getline(std::ifstream(proc + "/comm"), command);
    if (command == "sleep" && std::filesystem::read_symlink(proc + "/fd/4", error) == path) return;
    usleep(50'000);
  }
  FAIL() << path << " was not opened";
}

std::string PamTest::WaitForSessions(uid_t uid, const std::string& count) {
  std::string now = Sessions(uid);
  for (int i = 0; i < 100 && now != count; ++i) {
    usleep(50'000);
    now = Sessions(uid);
  }
  return now;
}

}  // namespace ext4crypt
