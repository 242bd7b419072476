// SPDX-License-Identifier: Apache-2.0
// Whether a password typed at login gets to the key service: the PAM stacks.
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/doctor/checks.h"
#include "client/doctor/lines.h"

namespace ext4crypt::doctor {
namespace {

constexpr char kModule[] = "pam_ext4crypt.so";
constexpr char kSystemd[] = "pam_systemd.so";
// Programs that open sessions, as far as they are installed.
constexpr std::array kLogins = {"sshd", "login", "gdm-password", "lightdm", "sddm", "greetd"};
constexpr int kDeepestInclude = 8;
constexpr char kSetUp[] =
    "Install libpam-ext4crypt, then choose \"ext4crypt\" in: pam-auth-update, as root.";

// The control is one word, or several in brackets.
size_t AfterControl(const std::vector<std::string>& words) {
  size_t i = 1;
  if (i < words.size() && words[i][0] == '[') {
    while (i < words.size() && words[i].back() != ']') ++i;
  }
  return i + 1;
}

// Appends the modules of one kind ("auth") in the order in which they run.
void AddModules(const Machine& machine, const std::string& file, absl::string_view kind, int depth,
                std::vector<std::string>& modules) {
  if (depth > kDeepestInclude) return;
  for (const std::string& line : Lines(machine, absl::StrCat("/etc/pam.d/", file))) {
    const std::vector<std::string> words = Words(line);
    if (words.size() < 2 || words[0][0] == '#') continue;
    if (words[0] == "@include") {
      AddModules(machine, words[1], kind, depth + 1, modules);
      continue;
    }
    // A leading hyphen: nothing is logged if the module is missing.
    const std::string of = absl::StartsWith(words[0], "-") ? words[0].substr(1) : words[0];
    const size_t at = AfterControl(words);
    if (of != kind || at >= words.size()) continue;
    if (words[1] == "include" || words[1] == "substack") {
      AddModules(machine, words[at], kind, depth + 1, modules);
    } else {
      modules.push_back(words[at].substr(words[at].rfind('/') + 1));
    }
  }
}

std::vector<std::string> Modules(const Machine& machine, const std::string& service,
                                 absl::string_view kind) {
  std::vector<std::string> modules;
  AddModules(machine, service, kind, 0, modules);
  return modules;
}

std::optional<size_t> IndexOf(const std::vector<std::string>& modules, absl::string_view name) {
  for (size_t i = 0; i < modules.size(); ++i) {
    if (modules[i] == name) return i;
  }
  return std::nullopt;
}

void CheckLogin(const Machine& machine, const std::string& service, Findings& out) {
  const std::vector<std::string> session = Modules(machine, service, "session");
  const auto ours = IndexOf(session, kModule);
  if (!IndexOf(Modules(machine, service, "auth"), kModule).has_value() || !ours.has_value()) {
    out.Warn("login.pam", service,
             "This login program does not unlock keys: its PAM stack lacks pam_ext4crypt.so in "
             "auth or session.",
             kSetUp);
    return;
  }
  out.Ok("login.pam", service, "This login program unlocks keys.");
  const auto systemd = IndexOf(session, kSystemd);
  if (systemd.has_value() && *systemd < *ours) {
    out.Warn("login.pam-order", service,
             "pam_systemd.so comes before pam_ext4crypt.so in session: the user's services start "
             "while the files are still locked.",
             "Put pam_ext4crypt.so first; pam-auth-update does so.");
  }
}

}  // namespace

void CheckPam(const Machine& machine, Findings& out) {
  bool any = false;
  for (const char* service : kLogins) {
    if (!machine.Has(absl::StrCat("/etc/pam.d/", service))) continue;
    any = true;
    CheckLogin(machine, service, out);
  }
  if (!any) {
    out.Note("login.pam", "/etc/pam.d", "No login program is set up there.",
             "Unlock by hand: ext4crypt unlock");
    return;
  }
  if (machine.Has("/etc/pam.d/passwd") &&
      !IndexOf(Modules(machine, "passwd", "password"), kModule).has_value()) {
    out.Warn("login.passwd", "passwd",
             "A changed login password leaves the passphrase as it was: logins then no longer "
             "unlock.",
             kSetUp);
  }
}

}  // namespace ext4crypt::doctor
