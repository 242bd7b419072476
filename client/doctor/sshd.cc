// SPDX-License-Identifier: Apache-2.0
// Settings of sshd that keep a password from the session, for which there is no key then.
#include <map>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/doctor/checks.h"
#include "client/doctor/lines.h"

namespace ext4crypt::doctor {
namespace {

constexpr char kConfig[] = "/etc/ssh/sshd_config";
constexpr int kDeepestInclude = 8;

// Keywords in lower case. As with sshd, the first value of each counts.
using Settings = std::map<std::string, std::string>;

void ReadConfig(const Machine& machine, const std::string& path, int depth, Settings& settings);

// Of the patterns, "DIRECTORY/*SUFFIX", which is what Debian has.
void Include(const Machine& machine, const std::string& pattern, int depth, Settings& settings) {
  const std::string path = pattern[0] == '/' ? pattern : absl::StrCat("/etc/ssh/", pattern);
  const size_t slash = path.rfind('/');
  const std::string name = path.substr(slash + 1);
  if (name[0] != '*') {
    ReadConfig(machine, path, depth + 1, settings);
    return;
  }
  const std::string dir = path.substr(0, slash);
  for (const std::string& file : machine.Names(dir)) {
    if (file[0] != '.' && absl::EndsWith(file, name.substr(1))) {
      ReadConfig(machine, absl::StrCat(dir, "/", file), depth + 1, settings);
    }
  }
}

void ReadConfig(const Machine& machine, const std::string& path, int depth, Settings& settings) {
  if (depth > kDeepestInclude) return;
  for (const std::string& line : Lines(machine, path)) {
    // "Keyword value" and "Keyword=value".
    const std::vector<std::string> words = Words(absl::StrReplaceAll(line, {{"=", " "}}));
    if (words.size() < 2 || words[0][0] == '#') continue;
    const std::string keyword = absl::AsciiStrToLower(words[0]);
    // What follows counts for some logins only.
    if (keyword == "match") return;
    if (keyword == "include") {
      for (size_t i = 1; i < words.size(); ++i) Include(machine, words[i], depth, settings);
    } else {
      settings.emplace(keyword, absl::AsciiStrToLower(words[1]));
    }
  }
}

std::string Get(const Settings& settings, const char* keyword, const char* otherwise) {
  const auto found = settings.find(keyword);
  return found == settings.end() ? otherwise : found->second;
}

}  // namespace

void CheckSshd(const Machine& machine, Findings& out) {
  if (!machine.Has(kConfig)) return;
  if (!machine.Read(kConfig).has_value()) {
    out.Note("login.sshd", kConfig, "The settings of sshd are not for you to read.",
             "Ask root to run: ext4crypt doctor");
    return;
  }
  Settings settings;
  ReadConfig(machine, kConfig, 0, settings);
  // Where a line is missing, what sshd does then. ChallengeResponseAuthentication is the old word.
  const std::string interactive =
      Get(settings, "kbdinteractiveauthentication",
          Get(settings, "challengeresponseauthentication", "yes").c_str());
  const bool password = Get(settings, "passwordauthentication", "yes") == "yes";
  if (Get(settings, "usepam", "no") != "yes") {
    out.Warn("login.sshd", kConfig,
             "UsePAM is off: logins by ssh unlock nothing, and logouts lock nothing.",
             "Write \"UsePAM yes\" there, and: systemctl reload ssh");
  } else if (interactive == "yes") {
    out.Warn("login.sshd", kConfig,
             "KbdInteractiveAuthentication is on: sshd asks for the password in another process "
             "than the one that opens the session, which does not get it.",
             "Write \"KbdInteractiveAuthentication no\" there, and: systemctl reload ssh");
  } else if (!password) {
    out.Note("login.sshd", kConfig, "Logins by ssh have no password, and leave the files locked.",
             "Type after the login: ext4crypt unlock");
  } else {
    out.Ok("login.sshd", kConfig, "A password typed at an ssh login unlocks; a key does not.");
  }
}

}  // namespace ext4crypt::doctor
