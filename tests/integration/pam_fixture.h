// SPDX-License-Identifier: Apache-2.0
// A machine with accounts, passwords and PAM services of the test's own: a copy of /etc, seen only
// in the test's mount namespace.
#pragma once

#include <string>
#include <vector>

#include "tests/integration/keyd_fixture.h"

namespace ext4crypt {

// A login that lasts: tests/integration/pam_driver.c with pipes to it.
class Login {
 public:
  // Waits until the session is open or was refused. `password` empty: without authenticating; with
  // line breaks in it: one answer a line.
  // `answers`: lines for what is asked after that.
  Login(const std::string& user, const std::string& password, const std::string& answers = "");
  Login(const Login&) = delete;
  Login& operator=(const Login&) = delete;
  ~Login() { Kill(); }

  [[nodiscard]] bool IsOpen() const;
  // All that was printed up to then.
  [[nodiscard]] const std::string& said() const { return said_; }
  // pam_close_session and pam_end.
  void Close();
  // SIGKILL: nobody closes anything.
  void Kill();

 private:
  void ReadUntil(const std::string& word);
  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  std::string said_;
};

class PamTest : public KeydTest {
 protected:
  static constexpr char kService[] = "e4c-test";
  static constexpr char kPassword[] = "Tr0ub4dor and three";
  static constexpr char kNewPassword[] = "quite another Phrase 7";

  void SetUp() override;
  // Writes the services e4c-test (auth, session, password) and passwd, with these options of ours.
  void WriteServices(const std::string& options = "");
  // The default key's state, or "" when not enrolled; sessions by `status`.
  std::string Sessions(uid_t uid) { return JsonField(Cli(uid, {"status"}).out, "sessions"); }
  // Waits until a process has a file mapped, or open as its descriptor 4 (what it inherits for a
  // moment after the fork is something else).
  static void WaitForMapping(const Child& child, const std::string& what);
  static void WaitForOpen(const Child& child, const std::string& path);
  std::string WaitForSessions(uid_t uid, const std::string& count);
};

}  // namespace ext4crypt
