// SPDX-License-Identifier: Apache-2.0
// ext4crypt adopt DIR: after resize2fs has made a volume smaller.
#include "client/fs/adopt.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/commands/command.h"
#include "common/error.h"
#include "common/printable.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

struct AdoptArguments {
  std::string dir;
  AdoptOptions options;
};

std::string AdoptText(const std::string& dir, const AdoptOutcome& outcome) {
  constexpr size_t kListedRefusals = 20;
  std::string text =
      absl::StrCat(Printable(dir), ": ", outcome.adopted.size(), " adopted, ", outcome.authentic,
                   " were authentic, ", outcome.refused.size(), " refused\n");
  for (size_t i = 0; i < outcome.refused.size() && i < kListedRefusals; ++i) {
    absl::StrAppend(&text, "  ", Printable(outcome.refused[i].path), ": ",
                    AdoptRefusal(outcome.refused[i].error), "\n");
  }
  if (outcome.refused.size() > kListedRefusals) {
    absl::StrAppend(&text, "  and ", outcome.refused.size() - kListedRefusals,
                    " more; --json lists all\n");
  }
  return text;
}

CommandResult AdoptReport(const std::string& dir, const AdoptOutcome& outcome) {
  CommandResult result;
  result.text = AdoptText(dir, outcome);
  result.json.Set("directory", dir);
  result.json.SetInt("authentic", static_cast<int64_t>(outcome.authentic));
  Json adopted = Json::Array();
  for (const AdoptedFile& file : outcome.adopted) {
    Json item = Json::Object();
    item.Set("path", file.path);
    item.SetInt("was", static_cast<int64_t>(file.was));
    adopted.Append(std::move(item));
  }
  result.json.Set("adopted", std::move(adopted));
  Json refused = Json::Array();
  for (const RefusedFile& file : outcome.refused) {
    Json item = Json::Object();
    item.Set("path", file.path);
    item.Set("cause", AdoptRefusal(file.error));
    refused.Append(std::move(item));
  }
  result.json.Set("refused", std::move(refused));
  if (!outcome.refused.empty()) {
    result.status = Error(ErrorReason::kFilesNotAuthentic, "refused", dir);
  }
  return result;
}

CommandResult RunAdopt(const AdoptArguments& arguments) {
  ASSIGN_OR_FAIL(const AdoptOutcome outcome, Adopt(arguments.dir, arguments.options));
  return AdoptReport(arguments.dir, outcome);
}

}  // namespace

void AddAdopt(CLI::App& app, const GlobalOptions& /*globals*/, SelectedCommand& selected) {
  CLI::App* verb = app.add_subcommand(
      "adopt",
      "After resize2fs made a volume smaller: accept files under their new numbers (root)");
  const auto arguments = std::make_shared<AdoptArguments>();
  verb->add_option("DIR", arguments->dir,
                   "A mounted volume, or a directory of it, unlocked; all below is looked at")
      ->required();
  verb->add_option("--was", arguments->options.was,
                   "The inode number that it had, where it is known")
      ->type_name("N")
      ->check(CLI::Range(uint64_t{1}, uint64_t{0xffffffff}).description(""));
  arguments->options.numbers = uint64_t{16} << 20;
  verb->add_option("--numbers", arguments->options.numbers,
                   "Numbers to try above those that the volume has now, 16777216 if not given")
      ->type_name("N")
      ->check(CLI::Range(uint64_t{1}, uint64_t{0xffffffff}).description(""));
  verb->callback([&selected, arguments] {
    selected = {.verb = "adopt", .run = [arguments] { return RunAdopt(*arguments); }};
  });
}

}  // namespace ext4crypt
