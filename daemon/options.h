// SPDX-License-Identifier: Apache-2.0
// The key service's command line, and its configuration file, which has the same options.
#pragma once

#include <optional>
#include <string>

#include "daemon/rpc/connection_counts.h"
#include "keys/protectors/passphrase_protector.h"

namespace ext4crypt {

struct Options {
  std::string socket_path;
  std::string state_dir;
  std::string keyring_helper;  // empty: found beside the program
  bool allow_unauthenticated = false;
  uint32_t idle_lock_minutes = 0;
  PassphraseCost cost;
  unsigned derivations = 2;
  ConnectionLimits connections;
};

// The exit status to leave with, when there is nothing to run: after --help, or a usage error.
struct ParsedOptions {
  Options options;
  std::optional<int> exit_status;
};

[[nodiscard]] ParsedOptions ParseOptions(int argc, char** argv);

}  // namespace ext4crypt
