// SPDX-License-Identifier: Apache-2.0
// What a user opens a key with, and what comes of it. How the key is wrapped is another matter: one
// kind of credential may open several kinds of protectors (keys/protector.h).
#pragma once

#include <map>
#include <memory>

#include "common/secret_buffer.h"
#include "keys/protector.h"
#include "keys/records.h"

namespace ext4crypt {

struct Credential {
  CredentialKind kind{};
  // The passphrase, the recovery code in its written form, the key file's bytes, or what a
  // security key answers.
  SecretBuffer secret;
};

struct OpenedKey {
  SecretBuffer key;
  // The protector that fitted.
  ProtectorId protector{};
};

// The kinds of protectors this build knows.
using ProtectorKinds = std::map<ProtectorKind, std::unique_ptr<Protector>>;

}  // namespace ext4crypt
