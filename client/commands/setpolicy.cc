// SPDX-License-Identifier: Apache-2.0
// ext4crypt setpolicy DIR: from now on, everything in DIR is encrypted with the user's key.
//
// The client does it itself, as the user: the kernel then applies the user's own rights, and the
// service needs none over anybody's directories.
#include <CLI/CLI.hpp>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/commands/command.h"
#include "client/commands/render.h"
#include "client/commands/target_key.h"
#include "client/commands/volume_export.h"
#include "client/fs/policy.h"
#include "client/rpc/keyd_client.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "volume/ext4/bytes.h"

namespace ext4crypt {
namespace {

constexpr char kAesName[] = "aes-256-gcm";
constexpr char kChaChaName[] = "chacha20-poly1305";

struct SetPolicyOptions {
  TargetKey key;
  bool per_user = false;
  std::string aead;
};

// A directory gets the machine's default with its policy; another is chosen while it is empty.
absl::Status ChooseAead(const PolicyDir& dir, const std::string& name) {
  if (name.empty()) return absl::OkStatus();
  const uint32_t wanted = name == kAesName ? E4C_AEAD_AES_256_GCM : E4C_AEAD_CHACHA20_POLY1305;
  ASSIGN_OR_RETURN(const uint32_t present, dir.GetAead());
  return present == wanted ? absl::OkStatus() : dir.SetAead(wanted);
}

CommandResult Report(const SetPolicyOptions& options, const PolicyDir& dir,
                     const std::string& identifier, bool changed) {
  CommandResult result;
  const char* word = dir.authenticated() ? "authenticated" : "unauthenticated";
  result.text =
      changed ? absl::StrCat(options.key.dir, ": encrypted from now on, ", word, ", with key ",
                             IdentifierHex(identifier), "\n")
              : absl::StrCat(options.key.dir, ": already encrypted with your key ",
                             IdentifierHex(identifier), ", ", word, "; there was nothing to do\n");
  result.json.Set("directory", options.key.dir);
  result.json.Set("class", word);
  result.json.Set("key_identifier", IdentifierHex(identifier));
  result.json.SetBool("changed", changed);
  return result;
}

// Needs no key: each user's own is looked for when that user creates something.
CommandResult SetPerUser(const SetPolicyOptions& options, const PolicyDir& dir) {
  if (!dir.authenticated()) {
    return Failure(Error(ErrorReason::kFilesystemUnsupported, dir.fs_type(), options.key.dir));
  }
  FAIL_IF_ERROR(CheckTarget(dir, options.key));
  ASSIGN_OR_FAIL(const std::optional<Policy> present, dir.GetPolicy());
  if (present.has_value()) {
    return Failure(Error(ErrorReason::kEncryptedOtherwise, "encrypted", options.key.dir));
  }
  ASSIGN_OR_FAIL(const bool already, dir.IsPerUser());
  if (!already) {
    ASSIGN_OR_FAIL(const bool empty, dir.IsEmpty());
    if (!empty)
      return Failure(Error(ErrorReason::kDirectoryNotEmpty, "not empty", options.key.dir));
    FAIL_IF_ERROR(dir.SetPerUser());
  }
  CommandResult result;
  result.text = absl::StrCat(
      options.key.dir, already ? ": already a per-user directory; there was nothing to do\n"
                               : ": from now on each user's files here get that user's own key\n");
  result.json.Set("directory", options.key.dir);
  result.json.Set("class", "authenticated");
  result.json.SetBool("per_user", true);
  result.json.SetBool("changed", !already);
  return result;
}

CommandResult SetPolicy(const GlobalOptions& globals, const SetPolicyOptions& options) {
  ASSIGN_OR_FAIL(const PolicyDir dir, PolicyDir::Open(options.key.dir));
  if (options.per_user) return SetPerUser(options, dir);
  if (!options.aead.empty() && !dir.authenticated()) {
    return Failure(Error(ErrorReason::kFilesystemUnsupported, dir.fs_type(), options.key.dir));
  }
  FAIL_IF_ERROR(CheckTarget(dir, options.key));
  // Before it is said not to be empty, which with its lost+found it is not.
  if (dir.IsVolumeTop()) {
    return Failure(Error(ErrorReason::kVolumeTop, "a volume's top", options.key.dir));
  }
  ASSIGN_OR_FAIL(const std::optional<Policy> present, dir.GetPolicy());
  if (!present.has_value()) {
    ASSIGN_OR_FAIL(const bool empty, dir.IsEmpty());
    if (!empty)
      return Failure(Error(ErrorReason::kDirectoryNotEmpty, "not empty", options.key.dir));
  }
  ASSIGN_OR_FAIL(const std::string identifier, UnlockedKey(globals, dir, options.key));
  const Policy wanted = PolicyFor(identifier);
  if (present.has_value() && *present == wanted) {
    FAIL_IF_ERROR(ChooseAead(dir, options.aead));
    return Report(options, dir, identifier, false);
  }
  if (present.has_value()) {
    return Failure(Error(ErrorReason::kEncryptedOtherwise, "another policy", options.key.dir));
  }
  FAIL_IF_ERROR(dir.SetPolicy(wanted));
  FAIL_IF_ERROR(ChooseAead(dir, options.aead));
  CommandResult result = Report(options, dir, identifier, true);
  if (auto client = KeydClient::Connect(globals.socket); client.ok()) {
    UpdateVolumeExports(*client, result, options.key.dir);
  }
  return result;
}

}  // namespace

void AddSetPolicy(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected) {
  CLI::App* verb =
      app.add_subcommand("setpolicy", "Encrypt an empty directory of yours from now on");
  const auto options = std::make_shared<SetPolicyOptions>();
  verb->add_option("DIR", options->key.dir, "An empty directory you own")->required();
  AddTargetKeyOptions(*verb, options->key);
  CLI::Option* per_user =
      verb->add_flag("--per-user", options->per_user,
                     "A shared directory in which each user's files get that user's own key");
  verb->add_option("--aead", options->aead,
                   "Seal contents with aes-256-gcm or chacha20-poly1305, not the machine's default")
      ->type_name("NAME")
      ->check(CLI::IsMember({kAesName, kChaChaName}).description(""))
      ->excludes(per_user);
  verb->callback([&globals, &selected, options] {
    selected = {.verb = "setpolicy",
                .run = [&globals, options] { return SetPolicy(globals, *options); }};
  });
}

}  // namespace ext4crypt
