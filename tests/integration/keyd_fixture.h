// SPDX-License-Identifier: Apache-2.0
// A real key service, real users and real ext4 volumes, in a mount namespace of the test's own.
//
// Everything lives on a tmpfs that only this process's namespace has, and every child dies with
// its parent: nothing stays behind, however a test ends.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <string>
#include <vector>

namespace ext4crypt {

struct RunResult {
  int exit_code = -1;
  std::string out;
  std::string err;
};

// Runs a program to its end as `uid`, with `input` on descriptor 3.
RunResult RunAs(uid_t uid, const std::vector<std::string>& argv, const std::string& input = "");
// As root; fails the test when it does.
void MustRun(const std::vector<std::string>& argv);

// The text after `"name": ` in JSON as the client writes it, without quotes; empty when absent.
std::string JsonField(const std::string& json, const std::string& name);

// Starts a program as `uid` and lets it run. Killed when the object or the test dies.
class Child {
 public:
  Child(uid_t uid, const std::vector<std::string>& argv);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { Stop(); }
  [[nodiscard]] pid_t pid() const { return pid_; }
  void Stop();

 private:
  pid_t pid_ = -1;
};

class KeydTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // The cheapest derivation the service accepts; plain ext4 allowed: no module is needed here.
  void StartDaemon(const std::vector<std::string>& extra = {"--allow-unauthenticated"});
  // Returns the exit status, or 128 + the signal.
  int StopDaemon(int signal = 15);
  // Runs the service in the foreground, for starts that are to fail.
  RunResult TryDaemon(const std::vector<std::string>& extra = {});
  [[nodiscard]] pid_t daemon_pid() const { return daemon_; }
  // What the service has written to its log so far.
  [[nodiscard]] std::string DaemonLog() const;

  // ext4crypt with --socket and --json.
  RunResult Cli(uid_t uid, std::vector<std::string> arguments, const std::string& input = "");
  void Enrol(uid_t uid, const std::string& passphrase, std::string* recovery_code = nullptr);
  void Unlock(uid_t uid, const std::string& passphrase);
  // The default key's state by `status`.
  std::string State(uid_t uid);
  std::string WaitForState(uid_t uid, const std::string& state);

  // Makes an image and mounts it; returns the mount point. Anybody may create files at its top.
  std::string MountVolume(const std::string& name, const std::string& features = "encrypt",
                          const std::vector<std::string>& mkfs_options = {});
  void Unmount(const std::string& mount_point);
  std::string MakeDir(const std::string& path, uid_t owner);
  // A directory of `uid`'s on `volume`, encrypted with the uid's unlocked key.
  std::string MakeEncryptedDir(const std::string& volume, const std::string& name, uid_t uid);

  [[nodiscard]] const std::string& work() const { return work_; }
  [[nodiscard]] std::string state_dir() const { return work_ + "/state"; }
  [[nodiscard]] std::string socket() const { return work_ + "/run/keyd.sock"; }
  [[nodiscard]] uid_t alice() const { return alice_; }
  [[nodiscard]] uid_t bob() const { return alice_ + 1; }

  static constexpr char kPassphrase[] = "correct horse battery";

 private:
  std::vector<std::string> DaemonCommand(const std::vector<std::string>& extra) const;

  std::string work_;
  uid_t alice_ = 0;
  pid_t daemon_ = -1;
};

}  // namespace ext4crypt
