// SPDX-License-Identifier: Apache-2.0
// ext4crypt encrypt DIR: encrypts a directory with what is in it.
#include "client/migrate/encrypt.h"

#include <CLI/CLI.hpp>
#include <csignal>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/commands/command.h"
#include "client/commands/render.h"
#include "client/commands/target_key.h"
#include "client/commands/volume_export.h"
#include "client/rpc/keyd_client.h"
#include "client/ui/errors.h"
#include "common/error.h"
#include "common/printable.h"
#include "common/status_macros.h"
#include "terminal/progress.h"

namespace ext4crypt {
namespace {

constexpr size_t kListed = 20;
constexpr char kNotWiped[] =
    "The blocks where the old, unencrypted contents were are free now, but not overwritten: who "
    "reads\nthe disk itself can find them until they are used again. Nothing can promise more; on "
    "an SSD\nfstrim gives them back to the drive, which may keep copies. See docs/encrypt.md.\n";

volatile std::sig_atomic_t g_stop = 0;
void Stop(int /*signal*/) { g_stop = 1; }

// The second one ends the program at once, which harms nothing either.
void StopOnSignals() {
  struct sigaction action = {};
  action.sa_handler = Stop;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
}

Json LeftJson(const std::vector<Obstacle>& left) {
  Json list = Json::Array();
  for (const Obstacle& obstacle : left) {
    Json item = Json::Object();
    item.Set("path", obstacle.path);
    item.Set("reason", ReasonName(ReasonOf(obstacle.status)));
    item.Set("cause", std::string(obstacle.status.message()));
    list.Append(std::move(item));
  }
  return list;
}

std::string LeftText(const EncryptOutcome& outcome) {
  std::string text;
  for (size_t i = 0; i < outcome.left.size() && i < kListed; ++i) {
    absl::StrAppend(&text, "  ", Printable(outcome.left[i].path), ": ",
                    Printable(outcome.left[i].status.message()), "\n");
  }
  if (outcome.left.size() > kListed) {
    absl::StrAppend(&text, "  and ", outcome.left.size() - kListed, " more; --json lists all\n");
  }
  if (!outcome.work_dir.empty()) {
    absl::StrAppend(&text, "What is encrypted already waits in ", Printable(outcome.work_dir),
                    "/tree\n");
  }
  return text;
}

CommandResult Report(const TargetKey& options, const EncryptOutcome& outcome, const char* word,
                     const std::string& identifier) {
  CommandResult result;
  result.status = outcome.status;
  const std::string key = IdentifierHex(identifier);
  if (!outcome.status.ok()) {
    result.text = LeftText(outcome);
  } else if (!outcome.changed) {
    result.text = absl::StrCat(options.dir, ": already encrypted with your key ", key, ", ", word,
                               "; there was nothing to do\n");
  } else {
    result.text = absl::StrCat(options.dir, ": encrypted, ", word, ", with key ", key, ": ",
                               outcome.counts.files, " files, ", HumanBytes(outcome.counts.bytes),
                               "\n", kNotWiped);
  }
  result.json.Set("directory", options.dir);
  result.json.Set("class", word);
  result.json.Set("key_identifier", key);
  result.json.SetBool("changed", outcome.changed);
  result.json.SetBool("complete", outcome.status.ok());
  result.json.SetInt("files", static_cast<int64_t>(outcome.counts.files));
  result.json.SetInt("bytes", static_cast<int64_t>(outcome.counts.bytes));
  result.json.Set("left", LeftJson(outcome.left));
  if (!outcome.work_dir.empty()) result.json.Set("work_directory", outcome.work_dir);
  return result;
}

CommandResult Encrypt(const GlobalOptions& globals, const TargetKey& options) {
  std::string identifier;
  const char* word = "";
  {
    // Not open any longer than this: the directory is exchanged for another.
    ASSIGN_OR_FAIL(const PolicyDir dir, PolicyDir::Open(options.dir));
    FAIL_IF_ERROR(CheckTarget(dir, options));
    FAIL_IF_ERROR(dir.GetPolicy().status());
    ASSIGN_OR_FAIL(identifier, UnlockedKey(globals, dir, options));
    word = dir.authenticated() ? "authenticated" : "unauthenticated";
  }
  StopOnSignals();
  Progress progress(!globals.json);
  const EncryptOutcome outcome =
      EncryptDirectory(options.dir, PolicyFor(identifier),
                       {.begins =
                            [&](const Survey& survey) {
                              progress.Begin({.files = survey.files, .bytes = survey.bytes});
                            },
                        .progress =
                            [&](const MoveCounts& done) {
                              progress.Update({.files = done.files, .bytes = done.bytes});
                            },
                        .stop = [] { return g_stop != 0; }});
  progress.Clear();
  CommandResult result = Report(options, outcome, word, identifier);
  // Not of the key of somebody for whom root acts: an export on a volume is its user's file.
  if (outcome.changed && options.user.empty()) {
    if (auto client = KeydClient::Connect(globals.socket); client.ok()) {
      UpdateVolumeExports(*client, result, options.dir);
    }
  }
  return result;
}

}  // namespace

void AddEncrypt(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected) {
  CLI::App* verb = app.add_subcommand(
      "encrypt", "Encrypt a directory of yours with what is in it; run again to go on");
  const auto options = std::make_shared<TargetKey>();
  verb->add_option("DIR", options->dir, "A directory that nobody uses meanwhile")->required();
  AddTargetKeyOptions(*verb, *options);
  verb->add_option("--user", options->user, "With this user's unlocked key (root only)")
      ->type_name("NAME|UID");
  verb->callback([&globals, &selected, options] {
    selected = {.verb = "encrypt",
                .run = [&globals, options] { return Encrypt(globals, *options); }};
  });
}

}  // namespace ext4crypt
