// SPDX-License-Identifier: Apache-2.0
// ext4crypt: understands the command line, runs one verb, prints what it says.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "client/commands/command.h"
#include "client/ui/errors.h"
#include "common/paths.h"
#include "common/process.h"

namespace ext4crypt {
namespace {

void Print(std::FILE* stream, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stream);
}

int Finish(const GlobalOptions& globals, const SelectedCommand& selected) {
  CommandResult result = selected.run();
  if (globals.json) {
    if (!result.status.ok()) result.json.Set("error", ErrorJson(selected.verb, result.status));
    Print(stdout, result.json.ToText());
  } else {
    Print(stdout, result.text);
    std::fflush(stdout);
    if (!result.status.ok()) Print(stderr, Explain(selected.verb, result.status) + "\n");
  }
  // A report that could not be written, to a full disk say, must not pass for one: a recovery
  // code is shown only once.
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    std::perror("ext4crypt: the report could not be written");
    return 1;
  }
  return ExitCodeOf(result.status);
}

int Main(int argc, char** argv) {
  if (!ForbidCoreDumps().ok()) return 1;
  GlobalOptions globals{.socket = kDefaultSocketPath};
  SelectedCommand selected;
  CLI::App app{"Authenticated encryption for ext4: your keys and your directories.", "ext4crypt"};
  app.set_version_flag("--version", EXT4CRYPT_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--socket", globals.socket, "The key service's socket")->capture_default_str();
  app.add_flag("--json", globals.json, "Write one JSON object to standard output");
  app.footer(ExitCodeHelp());
  AddVerbs(app, globals, selected);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11 has its own numbers; ours are 0 for --help and --version, 2 for a usage error.
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  return Finish(globals, selected);
}

}  // namespace
}  // namespace ext4crypt

int main(int argc, char** argv) { return ext4crypt::Main(argc, argv); }
