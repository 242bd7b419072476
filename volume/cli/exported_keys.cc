// SPDX-License-Identifier: Apache-2.0
// Opens protectors by the code that the service uses: a second way would be a second way to get it
// wrong, and what it gives is checked by the volume.
#include "volume/cli/exported_keys.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "fido2/security_key.h"
#include "fido2/terminal_prompt.h"
#include "keys/export.h"
#include "keys/key_file.h"
#include "keys/open_export.h"
#include "keys/protectors/all_kinds.h"
#include "terminal/prompt.h"
#include "volume/reason.h"

namespace ext4crypt::volume {
namespace {

Reason ReasonFor(ErrorReason reason) {
  switch (reason) {
    case ErrorReason::kWrongPassphrase:
    case ErrorReason::kWrongRecoveryCode:
    case ErrorReason::kWrongKeyFile:
    case ErrorReason::kWrongToken:
      return Reason::kWrongCredential;
    case ErrorReason::kRecoveryCodeMistyped:
    case ErrorReason::kPassphraseUnreadable:
    case ErrorReason::kKeyFileUnusable:
    case ErrorReason::kPassphraseTooLong:
    case ErrorReason::kNoSuchProtector:
    case ErrorReason::kNoToken:
    case ErrorReason::kTokenFailed:
    case ErrorReason::kTokenPinWrong:
    case ErrorReason::kTokenUntouched:
    case ErrorReason::kTokenUnsuitable:
    case ErrorReason::kTokenRemote:
      return Reason::kCredentialUnusable;
    case ErrorReason::kRecordUnusable:
    case ErrorReason::kStoreTooNew:
    case ErrorReason::kStoreCorrupt:
      return Reason::kExportUnusable;
    default:
      return Reason::kInternal;
  }
}

absl::Status Translated(const absl::Status& status, const std::string& file) {
  const ErrorInfo info = InfoOf(status);
  const std::string subject = info.subject == file ? "" : info.subject;
  return Fail(ReasonFor(info.reason),
              absl::StrCat(file, ": ", status.message(), subject.empty() ? "" : ": ", subject));
}

absl::StatusOr<Export> ReadExport(const std::string& file) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadExportFile(file));
  return DecodeExport(
      absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
}

absl::StatusOr<Credential> AskTokenFor(const ExportedKeyOptions& options, const Export& exported,
                                       const std::string& file) {
  const SecretReader reader(options.secrets_fd);
  TerminalTokenPrompt prompt(reader);
  auto secret = AskToken(ParametersOf(exported.keys[0], ProtectorKind::kFido2), prompt);
  if (!secret.ok()) return Translated(secret.status(), file);
  return Credential{.kind = CredentialKind::kFido2, .secret = *std::move(secret)};
}

absl::StatusOr<Credential> CredentialFor(const ExportedKeyOptions& options, const Export& exported,
                                         const std::string& file) {
  if (options.fido2) return AskTokenFor(options, exported, file);
  if (!options.key_file.empty()) {
    auto bytes = ReadKeyFile(options.key_file);
    if (!bytes.ok()) return Translated(bytes.status(), options.key_file);
    return Credential{.kind = CredentialKind::kKeyFile, .secret = *std::move(bytes)};
  }
  auto typed =
      SecretReader(options.secrets_fd)
          .Read(absl::StrCat(options.recovery ? "Recovery code" : "Passphrase", " for ", file));
  if (!typed.ok()) return Translated(typed.status(), file);
  return Credential{
      .kind = options.recovery ? CredentialKind::kRecoveryCode : CredentialKind::kPassphrase,
      .secret = *std::move(typed)};
}

}  // namespace

absl::Status AddExportedKeys(const ExportedKeyOptions& options, KeyRing& keys) {
  const ProtectorKinds kinds = AllProtectorKinds({});
  for (const std::string& file : options.files) {
    // Before anybody types a passphrase for it.
    const auto exported = ReadExport(file);
    if (!exported.ok()) return Translated(exported.status(), file);
    ASSIGN_OR_RETURN(const Credential credential, CredentialFor(options, *exported, file));
    const auto opened = OpenExport(*exported, kinds, credential);
    if (!opened.ok()) return Translated(opened.status(), file);
    for (const PlainKey& plain : *opened) {
      ASSIGN_OR_RETURN(MasterKey key, MasterKey::FromRaw(plain.key.bytes()));
      keys.Add(std::move(key));
    }
  }
  return absl::OkStatus();
}

}  // namespace ext4crypt::volume
