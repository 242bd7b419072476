// SPDX-License-Identifier: Apache-2.0
#include "client/commands/key_name.h"

#include <pwd.h>

#include <CLI/CLI.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/commands/command.h"
#include "common/error.h"
#include "common/status_macros.h"

namespace ext4crypt {

void AddKeyOption(CLI::App& verb, std::string& key, const std::string& help) {
  verb.add_option("--key", key, help)->type_name("NAME");
}

absl::StatusOr<std::string> ToServiceName(const std::string& written) {
  const size_t slash = written.find('/');
  if (slash == std::string::npos) return written;
  ASSIGN_OR_RETURN(const std::optional<unsigned> owner, ResolveUser(written.substr(0, slash)));
  if (!owner.has_value()) return Error(ErrorReason::kKeyNameInvalid, "no owner is named", written);
  return absl::StrCat(*owner, written.substr(slash));
}

std::string UserName(unsigned uid) {
  const struct passwd* entry = getpwuid(uid);
  return entry != nullptr ? std::string(entry->pw_name) : absl::StrCat(uid);
}

std::string FromServiceName(const std::string& name) {
  const size_t slash = name.find('/');
  unsigned uid = 0;
  if (slash == std::string::npos || !absl::SimpleAtoi(name.substr(0, slash), &uid)) return name;
  return absl::StrCat(UserName(uid), name.substr(slash));
}

}  // namespace ext4crypt
