// SPDX-License-Identifier: Apache-2.0
// ext4crypt: understands the command line, runs one verb, prints what it says.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "client/commands/command.h"
#include "client/commands/usage.h"
#include "client/ui/errors.h"
#include "common/paths.h"
#include "common/printable.h"
#include "common/process.h"

namespace ext4crypt {
namespace {

void Print(std::FILE* stream, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stream);
}

// False when it is not where it was sent, a full disk or a closed pipe say.
bool Flush() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return true;
  std::perror("ext4crypt: the report could not be written");
  return false;
}

int Finish(const GlobalOptions& globals, const SelectedCommand& selected) {
  CommandResult result = selected.run();
  // From here on a closed pipe is to be an error that can be told.
  std::signal(SIGPIPE, SIG_IGN);
  if (globals.json) {
    if (!result.status.ok()) result.json.Set("error", ErrorJson(selected.verb, result.status));
    Print(stdout, result.json.ToText());
  } else {
    Print(stdout, PrintableText(result.text));
    std::fflush(stdout);
    if (!result.status.ok()) Print(stderr, Explain(selected.verb, result.status) + "\n");
  }
  // A report that could not be written must not pass for one: a recovery code is shown only once.
  const bool written = Flush();
  if (result.after != nullptr) {
    const absl::Status status = result.after(written);
    if (!status.ok()) Print(stderr, Explain(selected.verb, status) + "\n");
    if (result.status.ok()) result.status = status;
  }
  if (!written) return 1;
  return result.status.ok() ? result.exit_code : ExitCodeOf(result.status);
}

int UsageError(const GlobalOptions& globals, const std::string& line) {
  if (!globals.json) {
    Print(stderr, line + "\n");
    return kExitUsage;
  }
  Json error = Json::Object();
  error.Set("reason", "USAGE");
  error.SetInt("exit_code", kExitUsage);
  error.Set("message", line);
  Json json = Json::Object();
  json.Set("error", std::move(error));
  Print(stdout, json.ToText());
  return Flush() ? kExitUsage : 1;
}

int Main(int argc, char** argv) {
  if (!ForbidCoreDumps().ok()) return 1;
  GlobalOptions globals{.socket = kDefaultSocketPath};
  SelectedCommand selected = StatusAndNextStep(globals);
  CLI::App app{"Authenticated encryption for ext4: your keys and your directories.", "ext4crypt"};
  app.set_version_flag("--version", EXT4CRYPT_VERSION);
  app.require_subcommand(0, 1);
  app.fallthrough();
  app.add_option("--socket", globals.socket, "The key service's socket")->capture_default_str();
  app.add_flag("--json", globals.json, "Write one JSON object to standard output");
  AddVerbs(app, globals, selected);
  // After the verbs, which would inherit it.
  app.footer(ExitCodeHelp());
  std::vector<std::string> arguments = ReadArguments(app, argc, argv);
  try {
    // CLI11 takes them from the end.
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    globals.json = std::find(arguments.begin(), arguments.end(), "--json") != arguments.end();
    return UsageError(globals, ExplainUsage(app, arguments, error.what()));
  }
  if (const std::string empty = FindEmptyArgument(app); !empty.empty()) {
    return UsageError(globals, ExplainUsage(app, arguments, empty));
  }
  return Finish(globals, selected);
}

}  // namespace
}  // namespace ext4crypt

int main(int argc, char** argv) { return ext4crypt::Main(argc, argv); }
