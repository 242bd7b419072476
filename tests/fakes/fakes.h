// SPDX-License-Identifier: Apache-2.0
// Doubles of the core's interfaces: each keeps its state in the open and fails when told to.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/error.h"
#include "daemon/core/clock.h"
#include "daemon/core/key_store.h"
#include "daemon/core/named_key_store.h"
#include "daemon/core/volume_keys.h"
#include "keys/protector.h"

namespace ext4crypt {

class FakeClock final : public Clock {
 public:
  [[nodiscard]] int64_t MonotonicMs() const override { return now_ms; }
  [[nodiscard]] int64_t UnixSeconds() const override { return 1'700'000'000 + now_ms / 1000 + wall_jump_s; }
  int64_t now_ms = 1000;
  int64_t wall_jump_s = 0;
};

class FakeKeyStore final : public KeyStore {
 public:
  absl::Status CreateKeys(const std::vector<KeyRecord>& records) override {
    if (!failure.ok()) return failure;
    for (const KeyRecord& record : records) {
      if (keys.contains({record.uid, record.name})) {
        return Error(ErrorReason::kAlreadyEnrolled, "exists");
      }
    }
    for (const KeyRecord& record : records)
      keys.emplace(std::pair(record.uid, record.name), record);
    return absl::OkStatus();
  }
  absl::StatusOr<KeyRecord> FindKey(Uid uid, const std::string& name) override {
    const auto it = keys.find({uid, name});
    if (it == keys.end()) return Error(ErrorReason::kNotEnrolled, "none");
    return it->second;
  }
  absl::StatusOr<std::vector<KeyRecord>> ListKeys(Uid uid) override {
    std::vector<KeyRecord> found;
    for (const auto& [id, record] : keys) {
      if (id.first == uid) found.push_back(record);
    }
    return found;
  }
  absl::Status ReplaceProtectors(Uid uid, const std::string& name,
                                 const std::vector<ProtectorReplacement>& replacements) override {
    if (!failure.ok()) return failure;
    KeyRecord changed = keys.at({uid, name});
    for (const auto& [old_id, replacement] : replacements) {
      const auto at = std::find_if(changed.protectors.begin(), changed.protectors.end(),
                                   [&](const auto& protector) { return protector.id == old_id; });
      if (at == changed.protectors.end()) return Error(ErrorReason::kChangedMeanwhile, "gone");
      *at = replacement;
    }
    keys.at({uid, name}) = changed;
    return absl::OkStatus();
  }
  absl::Status RenameProtector(Uid uid, const std::string& key, const ProtectorId& id,
                               const std::string& name) override {
    for (ProtectorRecord& protector : keys.at({uid, key}).protectors) {
      if (protector.id != id) continue;
      protector.name = name;
      return absl::OkStatus();
    }
    return Error(ErrorReason::kNoSuchProtector, "none");
  }

  absl::Status AddProtector(Uid uid, const std::string& name,
                            const ProtectorRecord& protector) override {
    if (!failure.ok()) return failure;
    keys.at({uid, name}).protectors.push_back(protector);
    return absl::OkStatus();
  }
  absl::Status RemoveProtector(Uid uid, const std::string& name, const ProtectorId& id) override {
    if (!failure.ok()) return failure;
    const auto removed =
        std::erase_if(keys.at({uid, name}).protectors,
                      [&](const ProtectorRecord& protector) { return protector.id == id; });
    return removed == 1 ? absl::OkStatus() : Error(ErrorReason::kNoSuchProtector, "none");
  }

  absl::Status failure;  // returned by what changes something
  std::map<std::pair<Uid, std::string>, KeyRecord> keys;
};

class FakeNamedKeyStore final : public NamedKeyStore {
 public:
  explicit FakeNamedKeyStore(FakeKeyStore& keys) : keys_(keys) {}
  absl::Status RemoveKey(Uid uid, const std::string& name) override {
    shares_.erase({uid, name});
    return keys_.keys.erase({uid, name}) != 0 ? absl::OkStatus() : NoSuchKey();
  }
  absl::Status PutSharingKey(Uid uid, const SharingPublicKey& key) override {
    public_keys_[uid] = key;
    return absl::OkStatus();
  }
  absl::StatusOr<SharingPublicKey> FindSharingKey(Uid uid) override {
    const auto it = public_keys_.find(uid);
    if (it == public_keys_.end()) return Error(ErrorReason::kNotEnrolled, "none");
    return it->second;
  }
  absl::Status PutShare(Uid owner, const std::string& name, Uid with,
                        const ProtectorRecord& share) override {
    if (!keys_.keys.contains({owner, name})) return NoSuchKey();
    shares_[{owner, name}][with] = share;
    return absl::OkStatus();
  }
  absl::Status RemoveShare(Uid owner, const std::string& name, Uid with) override {
    return shares_[{owner, name}].erase(with) != 0 ? absl::OkStatus()
                                                   : Error(ErrorReason::kNotShared, "none");
  }
  absl::StatusOr<std::vector<Uid>> ListShares(Uid owner, const std::string& name) override {
    std::vector<Uid> uids;
    for (const auto& [uid, share] : shares_[{owner, name}]) uids.push_back(uid);
    return uids;
  }
  absl::StatusOr<std::vector<KeyRecord>> ListSharedWith(Uid uid) override {
    std::vector<KeyRecord> records;
    for (const auto& [key, with] : shares_) {
      const auto it = with.find(uid);
      if (it == with.end() || !keys_.keys.contains(key)) continue;
      records.push_back(keys_.keys.at(key));
      records.back().protectors = {it->second};
    }
    return records;
  }
  void Clear() {
    shares_.clear();
    public_keys_.clear();
  }

 private:
  static absl::Status NoSuchKey() { return Error(ErrorReason::kNoSuchKey, "none"); }

  FakeKeyStore& keys_;
  std::map<std::pair<Uid, std::string>, std::map<Uid, ProtectorRecord>> shares_;
  std::map<Uid, SharingPublicKey> public_keys_;
};

// Keeps the key in the clear: tests of the core need no cryptography.
class FakeProtector final : public Protector {
 public:
  explicit FakeProtector(ProtectorKind kind) : kind_(kind) {}
  [[nodiscard]] ProtectorKind kind() const override { return kind_; }
  [[nodiscard]] std::optional<CredentialKind> opened_by() const override {
    return kind_ == ProtectorKind::kPassphrase ? CredentialKind::kPassphrase
           : kind_ == ProtectorKind::kRecovery ? CredentialKind::kRecoveryCode
                                               : CredentialKind::kKeyFile;
  }
  absl::StatusOr<ProtectorRecord> Wrap(const ProtectorBinding& /*binding*/, const SecretBuffer& key,
                                       const SecretBuffer& credential,
                                       const PublicParameters& /*parameters*/) override {
    ProtectorRecord record{.kind = kind_};
    record.id[0] = next_id_++;
    record.id[1] = static_cast<uint8_t>(kind_);
    record.parameters.assign(credential.bytes().begin(), credential.bytes().end());
    record.wrapped_key.assign(key.bytes().begin(), key.bytes().end());
    return record;
  }
  absl::StatusOr<SecretBuffer> Unwrap(const ProtectorBinding& /*binding*/,
                                      const ProtectorRecord& record,
                                      const SecretBuffer& credential) override {
    ++unwraps;
    if (!failure.ok()) return failure;
    if (!std::equal(credential.bytes().begin(), credential.bytes().end(), record.parameters.begin(),
                    record.parameters.end())) {
      return Error(kind_ == ProtectorKind::kPassphrase ? ErrorReason::kWrongPassphrase
                   : kind_ == ProtectorKind::kRecovery ? ErrorReason::kWrongRecoveryCode
                                                       : ErrorReason::kWrongKeyFile,
                   "wrong");
    }
    return SecretBuffer::CopyOf(absl::MakeConstSpan(record.wrapped_key));
  }

  absl::Status failure;
  int unwraps = 0;

 private:
  const ProtectorKind kind_;
  uint8_t next_id_ = 1;
};

class FakeVolumeKeys final : public VolumeKeys {
 public:
  struct Entry {
    std::set<Uid> claims;
    bool incomplete = false;
  };

  absl::StatusOr<std::vector<Volume>> ListVolumes() override { return volumes; }
  absl::Status AddKey(const Volume& volume, Uid uid, const KeyIdentifier& identifier,
                      const SecretBuffer& /*key*/) override {
    if (failing.contains(volume.device)) return Failure(volume);
    Entry& entry = keys[{volume.device, identifier}];
    entry.claims.insert(uid);
    entry.incomplete = false;
    return absl::OkStatus();
  }
  absl::StatusOr<RemovalOutcome> RemoveKey(const Volume& volume, Uid uid,
                                           const KeyIdentifier& identifier) override {
    if (failing.contains(volume.device)) return Failure(volume);
    Entry& entry = keys[{volume.device, identifier}];
    entry.claims.erase(uid);
    RemovalOutcome outcome{.claimed_by_others = !entry.claims.empty()};
    if (entry.claims.empty()) {
      entry.incomplete = open_files.contains(volume.device);
      outcome.files_busy = entry.incomplete;
    }
    return outcome;
  }
  absl::StatusOr<VolumeKeyStatus> GetKeyStatus(const Volume& volume, Uid uid,
                                               const KeyIdentifier& identifier) override {
    if (unreachable.contains(volume.device)) return Failure(volume);
    const Entry& entry = keys[{volume.device, identifier}];
    VolumeKeyStatus status{.claimed_by_user = entry.claims.contains(uid)};
    status.claimed_by_others = entry.claims.size() > (status.claimed_by_user ? 1U : 0U);
    if (entry.incomplete) {
      status.presence = KeyPresence::kRemovalIncomplete;
    } else if (!entry.claims.empty()) {
      status.presence = KeyPresence::kPresent;
    }
    return status;
  }

  std::vector<Volume> volumes;
  std::map<std::pair<dev_t, KeyIdentifier>, Entry> keys;
  std::set<dev_t> failing;      // adding and removing fails there
  std::set<dev_t> unreachable;  // asking fails there
  std::set<dev_t> open_files;   // removal stays incomplete there

 private:
  static absl::Status Failure(const Volume& volume) {
    return Error(ErrorReason::kVolumeFailed, "told to", volume.mount_point);
  }
};

class FakeUserKeyring final : public UserKeyring {
 public:
  absl::Status InstallDefaultKey(Uid uid, const SecretBuffer& /*key*/) override {
    if (failure.ok()) installed.insert(uid);
    return failure;
  }
  absl::Status RemoveDefaultKey(Uid uid) override {
    if (failure.ok()) installed.erase(uid);
    return failure;
  }
  absl::Status failure;
  std::set<Uid> installed;
};

class FakeBusyScanner final : public BusyScanner {
 public:
  std::vector<BusyProcess> FindBusy(const std::vector<Volume>& volumes,
                                    const KeyIdentifier& identifier) override {
    asked = volumes;
    if (only.has_value() && *only != identifier) return {};
    return found;
  }
  std::vector<BusyProcess> found;
  std::optional<KeyIdentifier> only;  // the key whose files are open; empty: any
  std::vector<Volume> asked;
};

}  // namespace ext4crypt
