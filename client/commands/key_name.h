// SPDX-License-Identifier: Apache-2.0
// Names of keys as people write them: "team", and "alice/team" for one that alice shares.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace CLI {
class App;
}

namespace ext4crypt {

// --key NAME.
void AddKeyOption(CLI::App& verb, std::string& key, const std::string& help);
// To the service's form, "UID/team". kNoSuchUser.
[[nodiscard]] absl::StatusOr<std::string> ToServiceName(const std::string& written);
[[nodiscard]] std::string FromServiceName(const std::string& name);
[[nodiscard]] std::string UserName(unsigned uid);

}  // namespace ext4crypt
