// SPDX-License-Identifier: Apache-2.0
#include <pwd.h>

#include <CLI/CLI.hpp>
#include <array>

#include "absl/strings/numbers.h"
#include "client/commands/command.h"
#include "client/commands/volume.h"
#include "common/error.h"

namespace ext4crypt {

void AddVerbs(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected) {
  // In the order of --help.
  constexpr std::array kVerbs = {AddEnrol,   AddUnlock, AddLock,       AddStatus,   AddSetPolicy,
                                 AddEncrypt, AddPolicy, AddPassphrase, AddRecovery, AddProtectors,
                                 AddKey,     AddExport, AddDoctor,     AddAdopt,    AddVolume};
  for (const auto add : kVerbs) add(app, globals, selected);
}

void AddPassphraseFd(CLI::App& verb, std::optional<int>& fd) {
  verb.add_option("--passphrase-fd", fd,
                  "Read each passphrase or recovery code as one line of descriptor N "
                  "(0 is standard input) instead of asking on the terminal")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
}

void AddUser(CLI::App& verb, std::string& user) {
  verb.add_option("--user", user, "Act for this user (root only)")->type_name("NAME|UID");
}

absl::StatusOr<std::optional<unsigned>> ResolveUser(const std::string& user) {
  if (user.empty()) return std::optional<unsigned>();
  if (const struct passwd* entry = getpwnam(user.c_str()); entry != nullptr) {
    return std::optional<unsigned>(entry->pw_uid);
  }
  unsigned uid = 0;
  if (absl::SimpleAtoi(user, &uid) && uid != static_cast<unsigned>(-1)) {
    return std::optional<unsigned>(uid);
  }
  return Error(ErrorReason::kNoSuchUser, "no such user", user);
}

}  // namespace ext4crypt
