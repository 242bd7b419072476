// SPDX-License-Identifier: Apache-2.0
#include "daemon/core/named_keys.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "keys/crypto/hkdf.h"
#include "keys/crypto/random.h"
#include "keys/crypto/x25519.h"

namespace ext4crypt {
namespace {

// The terminating zero is part of it.
constexpr char kSharingInfo[] = "ext4crypt sharing key";

SecretBuffer SharingSecret(const SecretBuffer& default_key) {
  return HkdfSha512(
      default_key.bytes(), {},
      absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(kSharingInfo), sizeof(kSharingInfo)),
      kX25519Size);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const HeldKey>> NamedKeys::DefaultKeyOf(Uid uid) {
  auto held = held_.FindDefault(uid);
  if (held == nullptr) return Error(ErrorReason::kKeyLocked, "the default key is not held");
  return held;
}

absl::StatusOr<std::vector<KeyRecord>> NamedKeys::All(Uid uid) {
  ASSIGN_OR_RETURN(std::vector<KeyRecord> own, keys_.ListKeys(uid));
  std::erase_if(own, [](const KeyRecord& record) { return record.name == kDefaultKeyName; });
  ASSIGN_OR_RETURN(std::vector<KeyRecord> given, store_.ListSharedWith(uid));
  std::move(given.begin(), given.end(), std::back_inserter(own));
  return own;
}

absl::StatusOr<KeyRecord> NamedKeys::Find(Uid uid, const KeyName& name) {
  ASSIGN_OR_RETURN(const std::vector<KeyRecord> all, All(uid));
  for (const KeyRecord& record : all) {
    if (record.uid == name.owner && record.name == name.name) return record;
  }
  return Error(ErrorReason::kNoSuchKey, "no such key", FormatKeyName(uid, name));
}

absl::StatusOr<SecretBuffer> NamedKeys::Open(Uid uid, const HeldKey& default_key,
                                             const KeyRecord& record) {
  const ProtectorKind kind = record.uid == uid ? ProtectorKind::kDefaultKey : ProtectorKind::kShare;
  const SecretBuffer credential =
      record.uid == uid ? default_key.key.Clone() : SharingSecret(default_key.key);
  // Bound to who opens it: a share copied to another user's row opens for nobody.
  const ProtectorBinding binding{.uid = uid, .identifier = record.identifier};
  for (const ProtectorRecord& protector : record.protectors) {
    if (protector.kind != kind) continue;
    ASSIGN_OR_RETURN(SecretBuffer key, kinds_.at(kind)->Unwrap(binding, protector, credential));
    // A share is made by another user: only what it says it is may get into the kernel.
    if (FscryptKeyIdentifier(key) != record.identifier) break;
    return key;
  }
  return Error(ErrorReason::kStoreCorrupt, "a named key does not open", record.name);
}

absl::StatusOr<UnlockReport> NamedKeys::Give(Uid uid, const KeyIdentifier& identifier,
                                             SecretBuffer key) {
  const HeldKeys::Turn turn = held_.TurnOf(uid);
  return held_.Give(turn, {.identifier = identifier, .key = std::move(key)});
}

absl::StatusOr<LockReport> NamedKeys::Take(Uid uid, const KeyIdentifier& identifier) {
  const HeldKeys::Turn turn = held_.TurnOf(uid);
  return held_.Take(turn, identifier);
}

absl::StatusOr<KeyIdentifier> NamedKeys::Create(Uid uid, const std::string& name) {
  if (!IsKeyName(name)) return InvalidKeyName(name);
  ASSIGN_OR_RETURN(const auto default_key, DefaultKeyOf(uid));
  ASSIGN_OR_RETURN(const std::vector<KeyRecord> present, keys_.ListKeys(uid));
  if (present.size() >= kMaxKeys) return Error(ErrorReason::kTooManyKeys, "as many as may be");
  SecretBuffer key = RandomSecret(kMasterKeySize);
  KeyRecord record{.uid = uid,
                   .name = name,
                   .identifier = FscryptKeyIdentifier(key),
                   .created_unix_s = clock_.UnixSeconds()};
  ASSIGN_OR_RETURN(
      ProtectorRecord protector,
      kinds_.at(ProtectorKind::kDefaultKey)
          ->Wrap({.uid = uid, .identifier = record.identifier}, key, default_key->key, {}));
  protector.created_unix_s = record.created_unix_s;
  record.protectors.push_back(std::move(protector));
  const absl::Status created = keys_.CreateKey(record);
  if (ReasonOf(created) == ErrorReason::kAlreadyEnrolled) {
    return Error(ErrorReason::kKeyExists, "a key of that name exists", name);
  }
  RETURN_IF_ERROR(created);
  RETURN_IF_ERROR(Give(uid, record.identifier, std::move(key)).status());
  return record.identifier;
}

absl::Status NamedKeys::Remove(Uid uid, const std::string& text, bool lose_data) {
  ASSIGN_OR_RETURN(const KeyName name, ParseKeyName(uid, text));
  if (name.owner == uid && name.name == kDefaultKeyName) return InvalidKeyName(text);
  ASSIGN_OR_RETURN(const KeyRecord record, Find(uid, name));
  if (name.owner == uid && !lose_data) {
    return Error(ErrorReason::kDataWouldBeLost, "nothing else opens what it encrypts", text);
  }
  RETURN_IF_ERROR(DefaultKeyOf(uid).status());
  RETURN_IF_ERROR(Take(uid, record.identifier).status());
  if (name.owner != uid) return store_.RemoveShare(name.owner, name.name, uid);
  ASSIGN_OR_RETURN(const std::vector<Uid> others, store_.ListShares(uid, name.name));
  RETURN_IF_ERROR(store_.RemoveKey(uid, name.name));
  for (const Uid other : others) (void)Take(other, record.identifier);
  return absl::OkStatus();
}

absl::Status NamedKeys::Share(Uid uid, const std::string& name, Uid with) {
  if (!IsKeyName(name) || name == kDefaultKeyName || with == uid) return InvalidKeyName(name);
  ASSIGN_OR_RETURN(const auto default_key, DefaultKeyOf(uid));
  ASSIGN_OR_RETURN(const KeyRecord record, Find(uid, {.owner = uid, .name = name}));
  ASSIGN_OR_RETURN(const SharingPublicKey receiver, store_.FindSharingKey(with));
  ASSIGN_OR_RETURN(const SecretBuffer key, Open(uid, *default_key, record));
  ASSIGN_OR_RETURN(ProtectorRecord share,
                   kinds_.at(ProtectorKind::kShare)
                       ->Wrap({.uid = with, .identifier = record.identifier}, key,
                              SecretBuffer::CopyOf(absl::MakeConstSpan(receiver)), {}));
  share.created_unix_s = clock_.UnixSeconds();
  return store_.PutShare(uid, name, with, share);
}

absl::Status NamedKeys::Unshare(Uid uid, const std::string& name, Uid with) {
  if (!IsKeyName(name)) return InvalidKeyName(name);
  RETURN_IF_ERROR(DefaultKeyOf(uid).status());
  ASSIGN_OR_RETURN(const KeyRecord record, Find(uid, {.owner = uid, .name = name}));
  RETURN_IF_ERROR(store_.RemoveShare(uid, name, with));
  return Take(with, record.identifier).status();
}

absl::StatusOr<UnlockReport> NamedKeys::Unlock(Uid uid, const std::string& text) {
  ASSIGN_OR_RETURN(const KeyName name, ParseKeyName(uid, text));
  ASSIGN_OR_RETURN(const auto default_key, DefaultKeyOf(uid));
  ASSIGN_OR_RETURN(const KeyRecord record, Find(uid, name));
  ASSIGN_OR_RETURN(SecretBuffer key, Open(uid, *default_key, record));
  return Give(uid, record.identifier, std::move(key));
}

absl::StatusOr<LockReport> NamedKeys::Lock(Uid uid, const std::string& text) {
  ASSIGN_OR_RETURN(const KeyName name, ParseKeyName(uid, text));
  ASSIGN_OR_RETURN(const KeyRecord record, Find(uid, name));
  return Take(uid, record.identifier);
}

absl::Status NamedKeys::PublishSharingKey(Uid uid, const HeldKey& default_key) {
  const SharingPublicKey ours = X25519PublicKey(SharingSecret(default_key.key));
  const auto stored = store_.FindSharingKey(uid);
  if (stored.ok() && *stored == ours) return absl::OkStatus();
  return store_.PutSharingKey(uid, ours);
}

std::vector<std::string> NamedKeys::UnlockAll(Uid uid) {
  std::vector<std::string> unlocked;
  const auto complain = [uid](const absl::Status& status) {
    Log(LogLevel::kWarning, absl::StrCat("uid ", uid, ": named keys: ", status.message()));
  };
  const auto default_key = held_.FindDefault(uid);
  if (default_key == nullptr) return unlocked;
  if (const absl::Status put = PublishSharingKey(uid, *default_key); !put.ok()) complain(put);
  const auto all = All(uid);
  if (!all.ok()) {
    complain(all.status());
    return unlocked;
  }
  for (const KeyRecord& record : *all) {
    auto key = Open(uid, *default_key, record);
    const auto given = key.ok() ? Give(uid, record.identifier, *std::move(key)) : key.status();
    if (given.ok()) {
      unlocked.push_back(FormatKeyName(uid, {.owner = record.uid, .name = record.name}));
    } else {
      complain(given.status());
    }
  }
  return unlocked;
}

absl::StatusOr<LockReport> NamedKeys::LockAll(Uid uid) {
  ASSIGN_OR_RETURN(const std::vector<KeyRecord> all, All(uid));
  LockReport report;
  for (const KeyRecord& record : all) {
    ASSIGN_OR_RETURN(LockReport one, Take(uid, record.identifier));
    MergeReports(std::move(one), report);
  }
  return report;
}

absl::StatusOr<std::vector<KeyRecord>> NamedKeys::ListSharedWith(Uid uid) {
  return store_.ListSharedWith(uid);
}

absl::StatusOr<std::vector<Uid>> NamedKeys::ListShares(Uid uid, const std::string& name) {
  return store_.ListShares(uid, name);
}

void NamedKeys::LockWithoutDefault() {
  for (const Uid uid : held_.Users()) {
    const HeldKeys::Turn turn = held_.TurnOf(uid);
    if (held_.FindDefault(uid) != nullptr) continue;
    for (const KeyIdentifier& identifier : held_.KeysOf(uid)) {
      if (const auto taken = held_.Take(turn, identifier); !taken.ok()) {
        Log(LogLevel::kWarning, absl::StrCat("uid ", uid, ": ", taken.status().message()));
      }
    }
  }
}

}  // namespace ext4crypt
