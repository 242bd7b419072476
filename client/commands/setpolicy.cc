// SPDX-License-Identifier: Apache-2.0
// ext4crypt setpolicy DIR: from now on, everything in DIR is encrypted with the user's key.
//
// The client does it itself, as the user: the kernel then applies the user's own rights, and the
// service needs none over anybody's directories.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/commands/command.h"
#include "client/commands/render.h"
#include "client/fs/policy.h"
#include "client/rpc/keyd_client.h"
#include "common/error.h"
#include "common/paths.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

struct Options {
  std::string dir;
  bool allow_unauthenticated = false;
  bool per_user = false;
};

// What can be said without the key service, in the order in which it helps most.
absl::Status CheckDirectory(const PolicyDir& dir, const Options& options) {
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

// The identifier of the user's unlocked default key.
absl::StatusOr<std::string> UnlockedKey(const GlobalOptions& globals, const PolicyDir& dir,
                                        const Options& options) {
  ASSIGN_OR_RETURN(KeydClient client, KeydClient::Connect(globals.socket));
  ASSIGN_OR_RETURN(const keyd::v1::GetStatusResponse status, client.GetStatus(std::nullopt));
  if (status.keys().empty()) return Error(ErrorReason::kNotEnrolled, "no key");
  if (status.keys(0).state() != keyd::v1::UNLOCKED) {
    return Error(ErrorReason::kVaultLocked, "the key is locked", options.dir);
  }
  if (!dir.authenticated() && !status.allow_unauthenticated()) {
    return Error(ErrorReason::kFilesystemUnauthenticated, "the service does not allow it",
                 options.dir);
  }
  if (status.keys(0).identifier().size() != std::tuple_size_v<decltype(Policy::identifier)>) {
    return Error(ErrorReason::kInternal, "an identifier of the wrong length");
  }
  return status.keys(0).identifier();
}

CommandResult Report(const Options& options, const PolicyDir& dir, const std::string& identifier,
                     bool changed) {
  CommandResult result;
  const char* word = dir.authenticated() ? "authenticated" : "unauthenticated";
  result.text =
      changed ? absl::StrCat(options.dir, ": encrypted from now on, ", word, ", with key ",
                             IdentifierHex(identifier), "\n")
              : absl::StrCat(options.dir, ": already encrypted with your key ",
                             IdentifierHex(identifier), ", ", word, "; there was nothing to do\n");
  result.json.Set("directory", options.dir);
  result.json.Set("class", word);
  result.json.Set("key_identifier", IdentifierHex(identifier));
  result.json.SetBool("changed", changed);
  return result;
}

// Needs no key: each user's own is looked for when that user creates something.
CommandResult SetPerUser(const Options& options, const PolicyDir& dir) {
  if (!dir.authenticated()) {
    return Failure(Error(ErrorReason::kFilesystemUnsupported, dir.fs_type(), options.dir));
  }
  FAIL_IF_ERROR(CheckDirectory(dir, options));
  ASSIGN_OR_FAIL(const std::optional<Policy> present, dir.GetPolicy());
  if (present.has_value()) {
    return Failure(Error(ErrorReason::kEncryptedOtherwise, "encrypted", options.dir));
  }
  ASSIGN_OR_FAIL(const bool already, dir.IsPerUser());
  if (!already) {
    ASSIGN_OR_FAIL(const bool empty, dir.IsEmpty());
    if (!empty) return Failure(Error(ErrorReason::kDirectoryNotEmpty, "not empty", options.dir));
    FAIL_IF_ERROR(dir.SetPerUser());
  }
  CommandResult result;
  result.text = absl::StrCat(
      options.dir, already ? ": already a per-user directory; there was nothing to do\n"
                           : ": from now on each user's files here get that user's own key\n");
  result.json.Set("directory", options.dir);
  result.json.Set("class", "authenticated");
  result.json.SetBool("per_user", true);
  result.json.SetBool("changed", !already);
  return result;
}

CommandResult SetPolicy(const GlobalOptions& globals, const Options& options) {
  ASSIGN_OR_FAIL(const PolicyDir dir, PolicyDir::Open(options.dir));
  if (options.per_user) return SetPerUser(options, dir);
  FAIL_IF_ERROR(CheckDirectory(dir, options));
  ASSIGN_OR_FAIL(const std::optional<Policy> present, dir.GetPolicy());
  if (!present.has_value()) {
    ASSIGN_OR_FAIL(const bool empty, dir.IsEmpty());
    if (!empty) return Failure(Error(ErrorReason::kDirectoryNotEmpty, "not empty", options.dir));
  }
  ASSIGN_OR_FAIL(const std::string identifier, UnlockedKey(globals, dir, options));
  std::array<uint8_t, 16> bytes{};
  std::copy(identifier.begin(), identifier.end(), bytes.begin());
  const Policy wanted = OurPolicy(bytes);
  if (present.has_value() && *present == wanted) return Report(options, dir, identifier, false);
  if (present.has_value()) {
    return Failure(Error(ErrorReason::kEncryptedOtherwise, "another policy", options.dir));
  }
  FAIL_IF_ERROR(dir.SetPolicy(wanted));
  return Report(options, dir, identifier, true);
}

}  // namespace

void AddSetPolicy(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected) {
  CLI::App* verb =
      app.add_subcommand("setpolicy", "Encrypt an empty directory of yours from now on");
  const auto options = std::make_shared<Options>();
  verb->add_option("DIR", options->dir, "An empty directory you own")->required();
  verb->add_flag("--allow-unauthenticated", options->allow_unauthenticated,
                 "Also on plain ext4, where changes on the disk go unnoticed");
  verb->add_flag("--per-user", options->per_user,
                 "A shared directory in which each user's files get that user's own key");
  verb->callback([&globals, &selected, options] {
    selected = {.verb = "setpolicy",
                .run = [&globals, options] { return SetPolicy(globals, *options); }};
  });
}

}  // namespace ext4crypt
