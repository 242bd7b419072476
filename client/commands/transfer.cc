// SPDX-License-Identifier: Apache-2.0
// ext4crypt export and import: a user's keys, wrapped, from one machine to another.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands/command.h"
#include "client/commands/confirm.h"
#include "client/commands/credential.h"
#include "client/commands/render.h"
#include "client/rpc/keyd_client.h"
#include "client/ui/prompt.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "common/unique_fd.h"

namespace ext4crypt {
namespace {

// More than the service takes.
constexpr size_t kMaxTransferSize = 32 * 1024;

struct TransferOptions {
  std::string file;
  std::string as;
  bool change_passphrase = false;
  CredentialOptions credential;
  ConfirmOptions confirm;
};

absl::Status TransferFileError(int err, absl::string_view what, const std::string& path) {
  return ErrnoError(ErrorReason::kRecordUnusable, err, what, path);
}

// A new file for its owner only: what is in it can be guessed at.
absl::Status WriteTransferFile(const std::string& path, const std::string& bytes) {
  const UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return TransferFileError(errno, "create", path);
  if (::write(fd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
      ::fsync(fd.get()) != 0) {
    const int err = errno;
    ::unlink(path.c_str());
    return TransferFileError(err, "write", path);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadTransferFile(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd.valid()) return TransferFileError(errno, "open", path);
  std::string bytes(kMaxTransferSize + 1, '\0');
  size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t n = ::read(fd.get(), bytes.data() + size, bytes.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return TransferFileError(errno, "read", path);
    if (n == 0) break;
    size += static_cast<size_t>(n);
  }
  if (size > kMaxTransferSize) return Error(ErrorReason::kRecordUnusable, "too large", path);
  bytes.resize(size);
  return bytes;
}

CommandResult ExportKeys(const GlobalOptions& globals, const TransferOptions& options) {
  FAIL_IF_ERROR(KeydClient::Probe(globals.socket));
  ASSIGN_OR_FAIL(const TypedCredential credential,
                 ReadCredential(options.credential, "Passphrase"));
  ASSIGN_OR_FAIL(KeydClient client, KeydClient::Connect(globals.socket));
  ASSIGN_OR_FAIL(const keyd::v1::ExportKeysResponse response, client.ExportKeys(credential));
  FAIL_IF_ERROR(WriteTransferFile(options.file, response.bundle()));
  CommandResult result;
  result.text =
      absl::StrCat("Your keys are in ", options.file,
                   ", wrapped: they open with your passphrase, recovery code or key file.\n"
                   "Keep it from others, who could guess at the passphrase. On the other machine: "
                   "ext4crypt import FILE\n");
  result.json.Set("file", options.file);
  return result;
}

CommandResult ImportKeys(const GlobalOptions& globals, const TransferOptions& options) {
  FAIL_IF_ERROR(KeydClient::Probe(globals.socket));
  ASSIGN_OR_FAIL(const std::string bundle, ReadTransferFile(options.file));
  ASSIGN_OR_FAIL(const TypedCredential credential,
                 ReadCredential(options.credential, "Passphrase of the imported key"));
  const SecretReader reader(options.credential.passphrase_fd);
  SecretBuffer new_passphrase;
  if (options.as.empty() && credential.kind != CredentialKind::kPassphrase) {
    ASSIGN_OR_FAIL(new_passphrase, reader.ReadNew("New passphrase"));
  }
  ASSIGN_OR_FAIL(KeydClient client, KeydClient::Connect(globals.socket));
  ASSIGN_OR_FAIL(const keyd::v1::ImportKeysResponse response,
                 client.ImportKeys(credential, bundle, new_passphrase, options.as));
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

void AddTransfer(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected) {
  const auto options = std::make_shared<TransferOptions>();
  CLI::App* out = app.add_subcommand("export", "Write your keys, wrapped, to a file");
  CLI::App* in = app.add_subcommand("import", "Take over keys that were exported elsewhere");
  out->add_option("FILE", options->file, "A new file")->required();
  in->add_option("FILE", options->file, "What ext4crypt export has written")->required();
  for (CLI::App* verb : {out, in}) AddCredentialOptions(*verb, options->credential);
  in->add_option("--as", options->as,
                 "Beside your default key, which must be unlocked, under this name")
      ->type_name("NAME");
  AddConfirmOption(*in, options->confirm);
  out->callback([&globals, &selected, options] {
    selected = {.verb = "export",
                .run = [&globals, options] { return ExportKeys(globals, *options); }};
  });
  in->callback([&globals, &selected, options] {
    selected = {.verb = "import",
                .run = [&globals, options] { return ImportKeys(globals, *options); }};
  });
}

}  // namespace ext4crypt
