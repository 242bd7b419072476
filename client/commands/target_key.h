// SPDX-License-Identifier: Apache-2.0
// Which key a directory is to be encrypted with, alike for setpolicy and encrypt.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/commands/command.h"
#include "client/fs/policy.h"

namespace ext4crypt {

struct TargetKey {
  std::string dir;
  std::string user;  // root only: whose key
  std::string key;   // its name; empty: the default one
  bool allow_unauthenticated = false;
};

void AddTargetKeyOptions(CLI::App& verb, TargetKey& options);

// What can be said without the key service, in the order in which it helps most.
[[nodiscard]] absl::Status CheckTarget(const PolicyDir& dir, const TargetKey& options);
// The identifier, 16 bytes, of the unlocked key.
[[nodiscard]] absl::StatusOr<std::string> UnlockedKey(const GlobalOptions& globals,
                                                      const PolicyDir& dir,
                                                      const TargetKey& options);
[[nodiscard]] Policy PolicyFor(const std::string& identifier);

}  // namespace ext4crypt
