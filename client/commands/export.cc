// SPDX-License-Identifier: Apache-2.0
// ext4crypt export and import: a user's keys, wrapped, from one machine to another.
#include "keys/export.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands/command.h"
#include "client/commands/confirm.h"
#include "client/commands/credential.h"
#include "client/commands/render.h"
#include "client/fs/volume_export.h"
#include "client/rpc/keyd_client.h"
#include "common/error.h"
#include "common/hex.h"
#include "common/status_macros.h"
#include "terminal/prompt.h"

namespace ext4crypt {
namespace {

struct ExportOptions {
  std::string file;
  std::string volume;
  std::string as;
  bool change_passphrase = false;
  CredentialOptions credential;
  ConfirmOptions confirm;
};

CommandResult ExportKeys(const GlobalOptions& globals, const ExportOptions& options) {
  FAIL_IF_ERROR(KeydClient::Probe(globals.socket));
  ASSIGN_OR_FAIL(const TypedCredential credential,
                 ReadCredential(globals, options.credential, "Passphrase"));
  ASSIGN_OR_FAIL(KeydClient client, KeydClient::Connect(globals.socket));
  ASSIGN_OR_FAIL(const keyd::v1::ExportKeysResponse response, client.ExportKeys(credential));
  FAIL_IF_ERROR(WriteExportFile(options.file, response.exported()));
  CommandResult result;
  result.text =
      absl::StrCat("Your keys are in ", options.file,
                   ", wrapped: they open with your passphrase, recovery code or key file.\n"
                   "Keep it from others, who could guess at the passphrase. On the other machine: "
                   "ext4crypt import FILE\n");
  result.json.Set("file", options.file);
  return result;
}

std::string HexBytes(const std::string& hex) {
  const auto bytes = FromHex(hex);
  return bytes.has_value() ? std::string(bytes->begin(), bytes->end()) : std::string();
}

// Of a user who has been given another key meanwhile, by a first login say, not the export of that.
absl::StatusOr<VolumeExport> ExportOnVolume(const GlobalOptions& globals, const std::string& path) {
  std::string ours;
  ASSIGN_OR_RETURN(KeydClient client, KeydClient::Connect(globals.socket));
  ASSIGN_OR_RETURN(const keyd::v1::GetStatusResponse status, client.GetStatus(std::nullopt));
  if (status.enrolled()) ours = IdentifierHex(status.keys(0).identifier());
  return FindVolumeExport(path, ours);
}

// What a security key has to be asked for to open an export.
absl::StatusOr<std::vector<PublicParameters>> Fido2Of(const std::string& bytes) {
  ASSIGN_OR_RETURN(const Export exported,
                   DecodeExport(absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(bytes.data()),
                                                    bytes.size())));
  return ParametersOf(exported.keys[0], ProtectorKind::kFido2);
}

CommandResult ImportKeys(const GlobalOptions& globals, const ExportOptions& options) {
  FAIL_IF_ERROR(KeydClient::Probe(globals.socket));
  VolumeExport exported;
  if (options.volume.empty()) {
    ASSIGN_OR_FAIL(exported.bytes, ReadExportFile(options.file));
  } else {
    ASSIGN_OR_FAIL(exported, ExportOnVolume(globals, options.volume));
  }
  ASSIGN_OR_FAIL(const TypedCredential credential,
                 ReadCredential([&exported] { return Fido2Of(exported.bytes); }, options.credential,
                                "Passphrase of the imported key"));
  const SecretReader reader(options.credential.passphrase_fd);
  SecretBuffer new_passphrase;
  if (options.as.empty() && credential.kind != CredentialKind::kPassphrase) {
    ASSIGN_OR_FAIL(new_passphrase, reader.ReadNew("New passphrase"));
  }
  ASSIGN_OR_FAIL(KeydClient client, KeydClient::Connect(globals.socket));
  ASSIGN_OR_FAIL(const keyd::v1::ImportKeysResponse response,
                 client.ImportKeys(credential, exported.bytes, new_passphrase, options.as,
                                   HexBytes(exported.identifier_hex)));
  const std::string identifier = IdentifierHex(response.key_identifier());
  CommandResult result;
  result.text =
      absl::StrCat("Imported ", absl::StrJoin(response.names(), ", "), ".\n",
                   options.as.empty() ? "Unlock with: ext4crypt unlock\n"
                                      : "They open with your default key and are unlocked.\n");
  Json names = Json::Array();
  for (const std::string& name : response.names()) names.Append(Json::String(name));
  result.json.Set("key_identifier", identifier);
  result.json.Set("names", std::move(names));
  if (!response.recovery_code().empty()) {
    result.text +=
        "Your uid here is another one: the old recovery code and key files do not work here.\n";
    ReportRecoveryCode(globals, options.confirm, reader, response.recovery_code(), result);
  }
  return result;
}

}  // namespace

void AddExport(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected) {
  const auto options = std::make_shared<ExportOptions>();
  CLI::App* out = app.add_subcommand("export", "Write your keys, wrapped, to a file");
  CLI::App* in = app.add_subcommand("import", "Take over keys that were exported elsewhere");
  out->add_option("FILE", options->file, "A new file")->required();
  CLI::Option* file = in->add_option("FILE", options->file, "What ext4crypt export has written");
  CLI::Option* volume = in->add_option("--from-volume", options->volume,
                                       "The export on the volume of PATH, instead of a file")
                            ->type_name("PATH")
                            ->excludes(file);
  for (CLI::App* verb : {out, in}) AddCredentialOptions(*verb, options->credential);
  in->add_option("--as", options->as,
                 "Beside your default key, which must be unlocked, under this name")
      ->type_name("NAME");
  AddConfirmOption(*in, options->confirm);
  out->callback([&globals, &selected, options] {
    selected = {.verb = "export",
                .run = [&globals, options] { return ExportKeys(globals, *options); }};
  });
  in->callback([&globals, &selected, options, file, volume] {
    if (file->empty() && volume->empty()) throw CLI::RequiredError("FILE or --from-volume");
    // A passphrase would only be typed for nothing: no export on a volume has what it opens.
    if (!volume->empty() && !options->credential.recovery && !options->credential.fido2 &&
        options->credential.key_file.empty()) {
      throw CLI::RequiredError("With --from-volume, --recovery, --key-file or --fido2");
    }
    selected = {.verb = "import",
                .run = [&globals, options] { return ImportKeys(globals, *options); }};
  });
}

}  // namespace ext4crypt
