// SPDX-License-Identifier: Apache-2.0
#include "daemon/options.h"

#include <unistd.h>

#include <CLI/CLI.hpp>

#include "common/paths.h"

namespace ext4crypt {

ParsedOptions ParseOptions(int argc, char** argv) {
  ParsedOptions parsed;
  Options& options = parsed.options;
  options.socket_path = kDefaultSocketPath;
  options.state_dir = kDefaultStateDir;
  uint32_t passes = 0;

  CLI::App app{"The ext4crypt key service. See docs/key-service.md.", "ext4crypt-keyd"};
  app.set_version_flag("--version", EXT4CRYPT_VERSION);
  app.set_config("--config", kDefaultConfigPath, "Options from a file, see keyd.conf(5)")
      ->type_name("TEXT");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.add_option("--socket", options.socket_path, "Where to listen (not with socket activation)")
      ->capture_default_str();
  app.add_option("--state-dir", options.state_dir, "The private directory of the store")
      ->capture_default_str();
  app.add_option("--keyring-helper", options.keyring_helper,
                 "The ext4crypt-keyring program (default: beside this one)");
  app.add_flag("--allow-unauthenticated", options.allow_unauthenticated,
               "Also give keys to plain ext4 volumes, whose contents nothing authenticates");
  app.add_option(
         "--idle-lock-minutes", options.idle_lock_minutes,
         "Lock a key that no session and no open file has used for so long (default: never)")
      ->check(CLI::Range(1U, 10080U));
  app.add_option("--argon2-memory-mib", options.cost.memory_mib,
                 "Memory of one passphrase derivation, for new protectors")
      ->check(CLI::Range(kArgon2MinMemoryMib, kArgon2MaxMemoryMib))
      ->capture_default_str();
  app.add_option("--argon2-ops", passes,
                 "Passes over that memory, for new protectors (default: measured for 0.5 s)")
      ->check(CLI::Range(1U, kArgon2MaxPasses));
  app.add_option("--derivations", options.derivations, "Passphrase derivations at one time")
      ->check(CLI::Range(1U, 64U))
      ->capture_default_str();
  app.add_option("--max-connections-per-user", options.connections.per_user,
                 "Connections of one user at one time")
      ->check(CLI::Range(1U, 4096U))
      ->capture_default_str();
  app.add_option("--max-connections", options.connections.total, "Connections at one time")
      ->check(CLI::Range(1U, 65536U))
      ->capture_default_str();
  try {
    // A default file that cannot be read would be passed over as if there were none.
    if (access(kDefaultConfigPath, F_OK) == 0 && access(kDefaultConfigPath, R_OK) != 0) {
      throw CLI::FileError(std::string(kDefaultConfigPath) +
                           " cannot be read by the service's user: chmod 644");
    }
    app.parse(argc, argv);
    if (passes != 0) {
      options.cost.passes = passes;
      if (!IsAcceptable({.passes = passes, .memory_mib = options.cost.memory_mib})) {
        throw CLI::ValidationError("--argon2-ops", "too few: passes times MiB must be at least " +
                                                       std::to_string(kArgon2MinPassesTimesMib));
      }
    }
  } catch (const CLI::ParseError& error) {
    // CLI11 has its own numbers; ours are 0 for --help and --version, 2 for a usage error.
    parsed.exit_status = app.exit(error) == 0 ? 0 : 2;
  }
  return parsed;
}

}  // namespace ext4crypt
