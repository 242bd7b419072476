// SPDX-License-Identifier: Apache-2.0
#include "keys/export.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/secret_buffer.h"
#include "common/status_macros.h"
#include "common/whole_file.h"
#include "keys/crypto/checksum.h"

namespace ext4crypt {
namespace {

constexpr std::array<uint8_t, 7> kExportMagic = {'E', '4', 'C', 'K', 'E', 'Y', 'S'};
// In version 1 kinds were numbers, and protectors had no names.
constexpr uint8_t kExportVersion = 2;
constexpr uint8_t kNumberedKinds = 1;
constexpr size_t kMaxParameters = 4096;  // as the store's
constexpr size_t kNonceSize = 24;
constexpr size_t kWrappedSize = 80;

absl::Status Unusable(absl::string_view why) { return Error(ErrorReason::kRecordUnusable, why); }

// All numbers are little-endian.
class ExportWriter {
 public:
  template <typename Integer>
  void Number(Integer value) {
    for (size_t i = 0; i < sizeof(value); ++i) {
      bytes_.push_back(static_cast<uint8_t>(static_cast<uint64_t>(value) >> (8 * i)));
    }
  }
  template <typename Range>
  void Bytes(const Range& range) {
    bytes_.insert(bytes_.end(), range.begin(), range.end());
  }
  std::vector<uint8_t>& bytes() { return bytes_; }

 private:
  std::vector<uint8_t> bytes_;
};

// After the end everything reads as zero, and failed() says so.
class ExportReader {
 public:
  explicit ExportReader(absl::Span<const uint8_t> bytes) : rest_(bytes) {}

  template <typename Integer>
  Integer Number() {
    uint64_t value = 0;
    const auto bytes = Take(sizeof(Integer));
    for (size_t i = 0; i < bytes.size(); ++i) value |= uint64_t{bytes[i]} << (8 * i);
    return static_cast<Integer>(value);
  }
  absl::Span<const uint8_t> Take(size_t size) {
    if (size > rest_.size()) {
      failed_ = true;
      return {};
    }
    const auto taken = rest_.first(size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::vector<uint8_t> Vector(size_t size) {
    const auto taken = Take(size);
    return {taken.begin(), taken.end()};
  }
  template <size_t N>
  void Into(std::array<uint8_t, N>& out) {
    const auto taken = Take(N);
    std::copy(taken.begin(), taken.end(), out.begin());
  }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] bool empty() const { return rest_.empty(); }

 private:
  absl::Span<const uint8_t> rest_;
  bool failed_ = false;
};

void WriteText(absl::string_view text, ExportWriter& out) {
  out.Number(static_cast<uint8_t>(text.size()));
  out.Bytes(text);
}

std::string ReadText(ExportReader& in) {
  const auto text = in.Take(in.Number<uint8_t>());
  return {text.begin(), text.end()};
}

// A share is between users of one machine and is not carried.
bool IsCarried(ProtectorKind kind) {
  switch (kind) {
    case ProtectorKind::kPassphrase:
    case ProtectorKind::kRecovery:
    case ProtectorKind::kKeyFile:
    case ProtectorKind::kDefaultKey:
    case ProtectorKind::kFido2:
      return true;
    case ProtectorKind::kShare:
      return false;
  }
  return false;
}

// All that version 1 had.
std::optional<ProtectorKind> KindByNumber(uint8_t number) {
  for (const ProtectorKind kind : {ProtectorKind::kPassphrase, ProtectorKind::kRecovery,
                                   ProtectorKind::kKeyFile, ProtectorKind::kDefaultKey}) {
    if (number == static_cast<uint8_t>(kind)) return kind;
  }
  return std::nullopt;
}

absl::StatusOr<ProtectorKind> ReadKind(uint8_t version, ExportReader& in) {
  std::string name;
  std::optional<ProtectorKind> kind;
  if (version == kNumberedKinds) {
    const auto number = in.Number<uint8_t>();
    kind = KindByNumber(number);
    name = absl::StrCat(number);
  } else {
    name = ReadText(in);
    kind = KindByName(name);
  }
  if (in.failed()) return Unusable("cut short");
  if (!kind.has_value() || !IsCarried(*kind)) {
    return Unusable(absl::StrCat("a protector of the kind \"", name,
                                 "\", which this version does not take from an export"));
  }
  return *kind;
}

void WriteProtector(const ProtectorRecord& record, ExportWriter& out) {
  out.Bytes(record.id);
  WriteText(KindName(record.kind), out);
  out.Number(record.created_unix_s);
  WriteText(record.name, out);
  out.Number(static_cast<uint16_t>(record.parameters.size()));
  out.Bytes(record.parameters);
  out.Bytes(record.nonce);
  out.Bytes(record.wrapped_key);
}

absl::StatusOr<ProtectorRecord> ReadProtector(uint8_t version, ExportReader& in) {
  ProtectorRecord record;
  in.Into(record.id);
  ASSIGN_OR_RETURN(record.kind, ReadKind(version, in));
  record.created_unix_s = in.Number<int64_t>();
  if (version != kNumberedKinds) record.name = ReadText(in);
  if (!IsProtectorName(record.name)) return Unusable("an impossible name");
  const auto size = in.Number<uint16_t>();
  if (size > kMaxParameters) return Unusable("impossible parameters");
  record.parameters = in.Vector(size);
  record.nonce = in.Vector(kNonceSize);
  record.wrapped_key = in.Vector(kWrappedSize);
  if (in.failed()) return Unusable("cut short");
  return record;
}

absl::StatusOr<KeyRecord> ReadKey(Uid uid, uint8_t version, ExportReader& in) {
  KeyRecord key{.uid = uid};
  key.name = ReadText(in);
  in.Into(key.identifier);
  key.created_unix_s = in.Number<int64_t>();
  const auto protectors = in.Number<uint8_t>();
  if (in.failed() || protectors == 0 || protectors > kMaxProtectors) {
    return Unusable("an impossible number of protectors");
  }
  const bool is_default = key.name == kDefaultKeyName;
  size_t passphrases = 0;
  for (size_t i = 0; i < protectors; ++i) {
    ASSIGN_OR_RETURN(ProtectorRecord record, ReadProtector(version, in));
    if (is_default == (record.kind == ProtectorKind::kDefaultKey)) {
      return Unusable("a protector of the wrong kind");
    }
    // More would each cost the service a derivation.
    if (record.kind == ProtectorKind::kPassphrase && ++passphrases > 1) {
      return Unusable("more than one passphrase");
    }
    key.protectors.push_back(std::move(record));
  }
  return key;
}

absl::StatusOr<std::string> WithinLimit(const SecretBuffer& bytes, const std::string& path) {
  if (bytes.size() > kMaxExportSize) {
    return Error(ErrorReason::kRecordUnusable, "too large", path);
  }
  return std::string(bytes.text());
}

}  // namespace

absl::StatusOr<std::string> ReadExportFile(const std::string& path) {
  ASSIGN_OR_RETURN(const SecretBuffer bytes,
                   ReadWholeFile(path, kMaxExportSize, ErrorReason::kRecordUnusable));
  return WithinLimit(bytes, path);
}

absl::StatusOr<std::string> ReadExportFile(int fd, const std::string& path) {
  ASSIGN_OR_RETURN(const SecretBuffer bytes,
                   ReadWholeFile(fd, path, kMaxExportSize, ErrorReason::kRecordUnusable));
  return WithinLimit(bytes, path);
}

absl::Status WriteExportFile(const std::string& path, absl::string_view bytes) {
  return WriteNewFile(
      path, absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()),
      ErrorReason::kRecordUnusable);
}

absl::StatusOr<std::vector<uint8_t>> EncodeExport(const Export& exported) {
  ExportWriter out;
  out.Bytes(kExportMagic);
  out.Number(kExportVersion);
  out.Number(uint32_t{exported.uid});
  out.Number(static_cast<uint8_t>(exported.keys.size()));
  for (const KeyRecord& key : exported.keys) {
    WriteText(key.name, out);
    out.Bytes(key.identifier);
    out.Number(key.created_unix_s);
    out.Number(static_cast<uint8_t>(key.protectors.size()));
    for (const ProtectorRecord& record : key.protectors) WriteProtector(record, out);
  }
  out.Bytes(Checksum(out.bytes()));
  if (out.bytes().size() > kMaxExportSize) {
    return Error(ErrorReason::kTooManyKeys, "too many keys for one export");
  }
  return std::move(out.bytes());
}

absl::StatusOr<Export> DecodeExport(absl::Span<const uint8_t> bytes) {
  if (bytes.size() > kMaxExportSize) return Unusable("too large");
  if (bytes.size() < kExportMagic.size() + 1 + kChecksumSize ||
      !std::equal(kExportMagic.begin(), kExportMagic.end(), bytes.begin())) {
    return Unusable("not an export");
  }
  const auto text = bytes.first(bytes.size() - kChecksumSize);
  const auto sum = Checksum(text);
  if (!std::equal(sum.begin(), sum.end(), bytes.end() - kChecksumSize)) return Unusable("damaged");
  ExportReader in(text.subspan(kExportMagic.size()));
  const auto version = in.Number<uint8_t>();
  if (version < kNumberedKinds || version > kExportVersion) {
    return Error(ErrorReason::kStoreTooNew, "exported by a later version");
  }
  Export exported{.uid = in.Number<uint32_t>()};
  const auto count = in.Number<uint8_t>();
  std::set<std::string> names;
  for (size_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(KeyRecord key, ReadKey(exported.uid, version, in));
    if (!names.insert(key.name).second) return Unusable("a key twice");
    exported.keys.push_back(std::move(key));
  }
  if (in.failed() || !in.empty()) return Unusable("of an impossible length");
  // The first opens the others.
  if (exported.keys.empty() || exported.keys[0].name != kDefaultKeyName) {
    return Unusable("without a default key");
  }
  return exported;
}

}  // namespace ext4crypt
