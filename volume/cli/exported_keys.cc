// SPDX-License-Identifier: Apache-2.0
// The one place of the offline reader that uses the service's own code: a second way to open
// protectors would be a second way to get it wrong, and what it gives is checked by the volume.
#include "volume/cli/exported_keys.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/ui/prompt.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "common/unique_fd.h"
#include "daemon/core/bundle_keys.h"
#include "daemon/protectors/hkdf_protector.h"
#include "daemon/protectors/passphrase_protector.h"
#include "volume/reason.h"

namespace ext4crypt::volume {
namespace {

Reason ReasonFor(ErrorReason reason) {
  switch (reason) {
    case ErrorReason::kWrongPassphrase:
    case ErrorReason::kWrongRecoveryCode:
    case ErrorReason::kWrongKeyFile:
      return Reason::kWrongCredential;
    case ErrorReason::kRecoveryCodeMistyped:
    case ErrorReason::kPassphraseUnreadable:
    case ErrorReason::kPassphraseTooLong:
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
  return Fail(ReasonFor(info.reason), absl::StrCat(file, ": ", status.message(),
                                                   info.subject.empty() ? "" : ": ", info.subject));
}

// At most `limit` bytes of a file, and one more if it is longer.
absl::StatusOr<SecretBuffer> ReadUpTo(const std::string& path, size_t limit, Reason reason) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd.valid()) return Fail(reason, absl::StrCat(path, ": ", std::strerror(errno)));
  SecretBuffer bytes(limit + 1);
  size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t n = ::read(fd.get(), bytes.data() + size, bytes.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Fail(reason, absl::StrCat(path, ": ", std::strerror(errno)));
    if (n == 0) break;
    size += static_cast<size_t>(n);
  }
  bytes.Shrink(size);
  return bytes;
}

absl::StatusOr<Credential> CredentialFor(const ExportedKeyOptions& options,
                                         const std::string& file) {
  if (!options.key_file.empty()) {
    ASSIGN_OR_RETURN(SecretBuffer bytes,
                     ReadUpTo(options.key_file, kKeyFileSize, Reason::kCredentialUnusable));
    if (bytes.size() != kKeyFileSize) {
      return Fail(Reason::kCredentialUnusable, absl::StrCat(options.key_file, ": not 64 bytes"));
    }
    return Credential{.kind = ProtectorKind::kKeyFile, .secret = std::move(bytes)};
  }
  auto typed =
      SecretReader(options.secrets_fd)
          .Read(absl::StrCat(options.recovery ? "Recovery code" : "Passphrase", " for ", file));
  if (!typed.ok()) return Translated(typed.status(), file);
  return Credential{
      .kind = options.recovery ? ProtectorKind::kRecovery : ProtectorKind::kPassphrase,
      .secret = *std::move(typed)};
}

// What a bundle can hold. The cost is for new records, of which none are made.
ProtectorKinds BundleKinds() {
  ProtectorKinds kinds;
  kinds[ProtectorKind::kPassphrase] = std::make_unique<PassphraseProtector>(PassphraseCost{});
  for (const ProtectorKind kind :
       {ProtectorKind::kRecovery, ProtectorKind::kKeyFile, ProtectorKind::kDefaultKey}) {
    kinds[kind] = std::make_unique<HkdfProtector>(kind);
  }
  return kinds;
}

}  // namespace

absl::Status AddExportedKeys(const ExportedKeyOptions& options, KeyRing& keys) {
  const ProtectorKinds kinds = BundleKinds();
  const SystemClock clock;
  KeyOpener opener(kinds, clock);
  for (const std::string& file : options.files) {
    ASSIGN_OR_RETURN(const SecretBuffer bytes,
                     ReadUpTo(file, kMaxBundleSize, Reason::kExportUnusable));
    // Before anybody types a passphrase for it.
    const auto bundle = DecodeBundle(bytes.bytes());
    if (!bundle.ok()) return Translated(bundle.status(), file);
    ASSIGN_OR_RETURN(const Credential credential, CredentialFor(options, file));
    const auto opened = OpenBundle(*bundle, credential, kinds, opener, ::getuid());
    if (!opened.ok()) return Translated(opened.status(), file);
    for (const PlainKey& plain : *opened) {
      ASSIGN_OR_RETURN(MasterKey key, MasterKey::FromRaw(plain.key.bytes()));
      keys.Add(std::move(key));
    }
  }
  return absl::OkStatus();
}

}  // namespace ext4crypt::volume
