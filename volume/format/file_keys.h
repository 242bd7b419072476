// SPDX-License-Identifier: Apache-2.0
// From the master key to the keys of one inode: fscrypt version 2, and section 3 of the format.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/secret_buffer.h"
#include "volume/format/context.h"

namespace ext4crypt::volume {

inline constexpr size_t kMasterKeySize = 64;

// The keys of one inode: docs/on-disk-format.md section 3.
class FileKeys {
 public:
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  // Of pages and seals.
  [[nodiscard]] absl::Span<const uint8_t> page() const {
    return bytes_.bytes().first(E4C_KEY_SIZE);
  }
  // The same bytes, of a directory: of the places of its entries.
  [[nodiscard]] absl::Span<const uint8_t> place() const { return page(); }
  [[nodiscard]] absl::Span<const uint8_t> head() const {
    return bytes_.bytes().subspan(E4C_KEY_SIZE);
  }

 private:
  friend class MasterKey;
  SecretBuffer bytes_;  // both keys; empty: none
};

class MasterKey {
 public:
  // `raw` is kMasterKeySize bytes.
  [[nodiscard]] static absl::StatusOr<MasterKey> FromRaw(absl::Span<const uint8_t> raw);
  // The file holds the 64 raw bytes, or 128 hexadecimal digits and white space after them.
  [[nodiscard]] static absl::StatusOr<MasterKey> FromFile(const std::string& path);

  [[nodiscard]] const KeyIdentifier& identifier() const { return identifier_; }
  // AES-256-XTS, 64 bytes.
  [[nodiscard]] absl::StatusOr<SecretBuffer> ContentsKey(const Context& context) const;
  // 32 bytes.
  [[nodiscard]] absl::StatusOr<SecretBuffer> NamesKey(const Context& context) const;
  [[nodiscard]] absl::StatusOr<FileKeys> KeysOf(const Context& context) const;

 private:
  MasterKey() = default;
  [[nodiscard]] absl::StatusOr<SecretBuffer> PerFile(const Context& context, size_t size) const;

  SecretBuffer raw_;
  KeyIdentifier identifier_ = {};
};

class KeyRing {
 public:
  void Add(MasterKey key) { keys_.insert_or_assign(key.identifier(), std::move(key)); }
  // nullptr: not among them.
  [[nodiscard]] const MasterKey* Find(const KeyIdentifier& identifier) const;
  [[nodiscard]] bool empty() const { return keys_.empty(); }
  [[nodiscard]] std::vector<KeyIdentifier> identifiers() const {
    std::vector<KeyIdentifier> all;
    for (const auto& [identifier, key] : keys_) all.push_back(identifier);
    return all;
  }

 private:
  std::map<KeyIdentifier, MasterKey> keys_;
};

}  // namespace ext4crypt::volume
