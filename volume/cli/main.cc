// SPDX-License-Identifier: Apache-2.0
// ext4crypt-volume: the volume commands alone, for a rescue system without the key service.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>

#include "common/process.h"
#include "volume/cli/exit_code.h"
#include "volume/cli/verbs.h"

int main(int argc, char** argv) {
  if (!ext4crypt::ForbidCoreDumps().ok()) return ext4crypt::volume::kExitError;
  bool json = false;
  std::function<int()> selected;
  CLI::App app{"Looks at ext4crypt volumes without the kernel. Never writes to them.",
               "ext4crypt-volume"};
  app.set_version_flag("--version", EXT4CRYPT_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_flag("--json", json, "Write one JSON object to standard output");
  app.footer(ext4crypt::volume::kExitCodeHelp);
  ext4crypt::volume::AddVolumeVerbs(app, json, selected);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : ext4crypt::volume::kExitUsage;
  }
  return selected();
}
