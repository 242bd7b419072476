// SPDX-License-Identifier: Apache-2.0
// ext4crypt volume: the offline commands, as in the rescue tool ext4crypt-volume.
#include "client/commands/volume.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <functional>
#include <memory>

#include "volume/cli/exit_code.h"
#include "volume/cli/verbs.h"

namespace ext4crypt {

void AddVolume(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected) {
  CLI::App& verb = *app.add_subcommand("volume", "Look at a volume without the kernel");
  verb.require_subcommand(1);
  verb.fallthrough();
  const auto chosen = std::make_shared<std::function<int()>>();
  volume::AddVolumeVerbs(verb, globals.json, *chosen);
  // After its verbs, which would inherit it.
  verb.footer(volume::kExitCodeHelp);
  verb.final_callback([chosen, &selected] {
    selected.verb = "volume";
    selected.run = [chosen]() -> CommandResult {
      // Reports of millions of files are written as they grow, and say with the exit status what
      // was found; neither fits in a CommandResult.
      std::exit((*chosen)());
    };
  });
}

}  // namespace ext4crypt
