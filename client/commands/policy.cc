// SPDX-License-Identifier: Apache-2.0
// ext4crypt policy DIR: what protects a directory. Needs no key and no key service.
#include "client/fs/policy.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/commands/command.h"
#include "common/error.h"
#include "common/hex.h"
#include "common/paths.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

struct PolicyOptions {
  std::string dir;
};

CommandResult ShowPolicy(const PolicyOptions& options) {
  ASSIGN_OR_FAIL(const PolicyDir dir, PolicyDir::Open(options.dir));
  if (!dir.authenticated() && dir.fs_type() != kPlainFsType) {
    return Failure(Error(ErrorReason::kFilesystemUnsupported, dir.fs_type(), options.dir));
  }
  ASSIGN_OR_FAIL(const std::optional<Policy> policy, dir.GetPolicy());
  CommandResult result;
  result.json.Set("directory", options.dir);
  result.json.Set("file_system", dir.fs_type());
  result.json.SetBool("encrypted", policy.has_value());
  if (!policy.has_value()) {
    // A module without per-user directories has no such ioctl; then there are none.
    const bool per_user = dir.authenticated() && dir.IsPerUser().value_or(false);
    result.json.SetBool("per_user", per_user);
    result.text = absl::StrCat(
        options.dir, per_user
                         ? ": not encrypted itself; each user's files here get that user's key\n"
                         : ": not encrypted\n");
    return result;
  }
  const char* word = dir.authenticated() ? "authenticated" : "unauthenticated";
  // On an ext4crypt volume the policy's contents mode only names the key; an AEAD does the work.
  std::string contents = ModeName(policy->contents_mode);
  if (dir.authenticated()) {
    // An older module does not tell which.
    const std::string name = AeadName(dir.GetAead().value_or(0));
    contents = absl::StrCat(name.empty() ? "AEAD" : name, ", page by page");
  }
  const std::string names = ModeName(policy->filenames_mode);
  const std::string key = policy->version == 2 ? ToHex(policy->identifier) : "a version 1 key";
  result.text = absl::StrCat(options.dir, ": encrypted, ", word, "\n  key: ", key,
                             "\n  contents: ", contents, "\n  names: ", names, "\n");
  result.json.Set("class", word);
  result.json.SetInt("policy_version", policy->version);
  if (policy->version == 2) result.json.Set("key_identifier", key);
  result.json.Set("contents", contents);
  result.json.Set("names", names);
  return result;
}

}  // namespace

void AddPolicy(CLI::App& app, const GlobalOptions& /*globals*/, SelectedCommand& selected) {
  CLI::App* verb = app.add_subcommand("policy", "Show how a directory is encrypted");
  const auto options = std::make_shared<PolicyOptions>();
  verb->add_option("DIR", options->dir, "A directory")->required();
  verb->callback([&selected, options] {
    selected = {.verb = "policy", .run = [options] { return ShowPolicy(*options); }};
  });
}

}  // namespace ext4crypt
