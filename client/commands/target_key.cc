// SPDX-License-Identifier: Apache-2.0
#include "client/commands/target_key.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

#include "client/commands/key_name.h"
#include "client/rpc/keyd_client.h"
#include "common/error.h"
#include "common/paths.h"
#include "common/status_macros.h"

namespace ext4crypt {

void AddTargetKeyOptions(CLI::App& verb, TargetKey& options) {
  verb.add_flag("--allow-unauthenticated", options.allow_unauthenticated,
                "Also on plain ext4, where changes on the disk go unnoticed");
  AddKeyOption(verb, options.key, "With this one of your keys (ext4crypt key list)");
}

absl::Status CheckTarget(const PolicyDir& dir, const TargetKey& options) {
  if (!dir.authenticated() && dir.fs_type() != kPlainFsType) {
    return Error(ErrorReason::kFilesystemUnsupported, dir.fs_type(), options.dir);
  }
  if (dir.owner() != ::geteuid() && ::geteuid() != 0) {
    return Error(ErrorReason::kDirectoryNotOwned, "not the owner", options.dir);
  }
  if (!dir.authenticated() && !options.allow_unauthenticated) {
    return Error(ErrorReason::kFilesystemUnauthenticated, "plain ext4", options.dir);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> UnlockedKey(const GlobalOptions& globals, const PolicyDir& dir,
                                        const TargetKey& options) {
  ASSIGN_OR_RETURN(const std::optional<unsigned> user, ResolveUser(options.user));
  ASSIGN_OR_RETURN(KeydClient client, KeydClient::Connect(globals.socket));
  ASSIGN_OR_RETURN(const keyd::v1::GetStatusResponse status, client.GetStatus(user));
  if (status.keys().empty()) return Error(ErrorReason::kNotEnrolled, "no key");
  ASSIGN_OR_RETURN(const std::string name, ToServiceName(options.key));
  const auto found =
      std::find_if(status.keys().begin(), status.keys().end(), [&](const keyd::v1::KeyStatus& key) {
        return key.name() == (name.empty() ? "default" : name);
      });
  if (found == status.keys().end()) {
    return Error(ErrorReason::kNoSuchKey, "no such key", options.key);
  }
  const keyd::v1::KeyStatus& key = *found;
  if (key.state() != keyd::v1::UNLOCKED) {
    return Error(ErrorReason::kKeyLocked, "the key is locked", options.dir);
  }
  if (!dir.authenticated() && !status.allow_unauthenticated()) {
    return Error(ErrorReason::kFilesystemUnauthenticated, "the service does not allow it",
                 options.dir);
  }
  if (key.identifier().size() != std::tuple_size_v<decltype(Policy::identifier)>) {
    return Error(ErrorReason::kInternal, "an identifier of the wrong length");
  }
  return key.identifier();
}

Policy PolicyFor(const std::string& identifier) {
  std::array<uint8_t, 16> bytes{};
  std::copy(identifier.begin(), identifier.end(), bytes.begin());
  return OurPolicy(bytes);
}

}  // namespace ext4crypt
