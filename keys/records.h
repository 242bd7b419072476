// SPDX-License-Identifier: Apache-2.0
// The nouns of the key service. Nothing here is secret.
#pragma once

#include <sys/types.h>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace ext4crypt {

using Uid = uid_t;

inline constexpr size_t kMasterKeySize = 64;  // FSCRYPT_MAX_KEY_SIZE, what AES-256-XTS wants
inline constexpr size_t kKeyFileSize = 64;
// Of one key; each costs its owner nothing but the service's store some bytes.
inline constexpr size_t kMaxProtectors = 16;
// Of one user's own. The kernel lets a user claim 200.
inline constexpr size_t kMaxKeys = 64;
// Of one user's keys, those given to one other. The rest of what a user can be given is thereby out
// of the giver's reach.
inline constexpr size_t kMaxSharesFromOne = 16;
// By everybody together. With kMaxKeys own ones, still below 200.
inline constexpr size_t kMaxSharesWithOne = 128;
inline constexpr char kDefaultKeyName[] = "default";

// fscrypt's name for a key: 16 bytes derived from it.
using KeyIdentifier = std::array<uint8_t, 16>;
using SharingPublicKey = std::array<uint8_t, 32>;
using ProtectorId = std::array<uint8_t, 16>;

// How a key is wrapped. The number is part of what a protector authenticates: never renumber. Files
// and stores have the name instead, so that a later version's kind can be named when it is refused.
enum class ProtectorKind : uint8_t {
  kPassphrase = 1,
  kRecovery = 2,
  kKeyFile = 3,
  kDefaultKey = 4,  // a named key, under its owner's default key
  kShare = 5,       // a named key, sealed to another user
  kFido2 = 6,       // what a security key answers
};

[[nodiscard]] constexpr const char* KindName(ProtectorKind kind) {
  switch (kind) {
    case ProtectorKind::kPassphrase:
      return "passphrase";
    case ProtectorKind::kRecovery:
      return "recovery";
    case ProtectorKind::kKeyFile:
      return "key-file";
    case ProtectorKind::kDefaultKey:
      return "default-key";
    case ProtectorKind::kShare:
      return "share";
    case ProtectorKind::kFido2:
      return "fido2";
  }
  return "unknown";
}

// nullopt for a kind of a later version.
[[nodiscard]] std::optional<ProtectorKind> KindByName(absl::string_view name);

inline constexpr size_t kMaxProtectorName = 64;  // bytes
// Whether it may be what a protector is called: nothing, or text on one line.
[[nodiscard]] bool IsProtectorName(absl::string_view name);

// One way to unwrap a key, as stored. `parameters` is the kind's own canonical encoding.
struct ProtectorRecord {
  ProtectorId id{};
  ProtectorKind kind{};
  std::vector<uint8_t> parameters;
  std::vector<uint8_t> nonce;
  std::vector<uint8_t> wrapped_key;
  int64_t created_unix_s = 0;
  // What its owner calls it, such as a token's maker; may be empty. Not authenticated.
  std::string name;
};

struct KeyRecord {
  Uid uid = 0;
  std::string name;
  KeyIdentifier identifier{};
  int64_t created_unix_s = 0;
  std::vector<ProtectorRecord> protectors;
};

// The parameters of all its protectors of that kind.
[[nodiscard]] std::vector<std::vector<uint8_t>> ParametersOf(const KeyRecord& record,
                                                             ProtectorKind kind);

}  // namespace ext4crypt
