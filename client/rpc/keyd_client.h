// SPDX-License-Identifier: Apache-2.0
// The key service, as the commands see it. The only room that includes gRPC.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/secret_buffer.h"
#include "ext4crypt/keyd/v1/keyd.pb.h"
#include "keys/credential.h"

namespace ext4crypt {

using TypedCredential = Credential;

// Errors carry the service's reason. Secrets are wiped from the messages after each call; gRPC's
// own buffers cannot be reached.
class KeydClient {
 public:
  // kServiceUnreachable; kServiceUntrusted when who listens there is neither root nor the
  // service's own user (client/rpc/local_socket.h). A call may take long; but a service that shows
  // no sign of life for `patience` while one is in progress hangs, and the call ends.
  [[nodiscard]] static absl::StatusOr<KeydClient> Connect(
      const std::string& socket_path,
      std::chrono::milliseconds patience = std::chrono::seconds(10));
  // Whether Connect() would work now, for verbs that ask for a passphrase first: nobody likes to
  // think of one for nothing. Not connected while asking, since the service drops silent peers.
  [[nodiscard]] static absl::Status Probe(const std::string& socket_path);
  KeydClient(KeydClient&&) noexcept;
  KeydClient& operator=(KeydClient&&) noexcept;
  ~KeydClient();

  [[nodiscard]] absl::StatusOr<keyd::v1::EnrolResponse> Enrol(const SecretBuffer& passphrase);
  // `for_session`: only while the user has a session open; kChangedMeanwhile otherwise.
  [[nodiscard]] absl::StatusOr<keyd::v1::UnlockResponse> Unlock(const TypedCredential& credential,
                                                                bool for_session = false);
  // `user`: root only, for whom to act.
  // One key beside the default one, which must be unlocked.
  [[nodiscard]] absl::StatusOr<keyd::v1::UnlockResponse> UnlockNamed(const std::string& key);
  // An empty `key` is all of them.
  [[nodiscard]] absl::StatusOr<keyd::v1::LockResponse> Lock(std::optional<uid_t> user,
                                                            const std::string& key);
  [[nodiscard]] absl::StatusOr<keyd::v1::GetStatusResponse> GetStatus(std::optional<uid_t> user);
  [[nodiscard]] absl::Status ChangePassphrase(const TypedCredential& credential,
                                              const SecretBuffer& new_passphrase);
  // A new code beside the old one, whose protector RemoveProtector() ends.
  [[nodiscard]] absl::StatusOr<keyd::v1::RenewRecoveryResponse> AddRecovery(
      const TypedCredential& credential);
  [[nodiscard]] absl::StatusOr<keyd::v1::AddKeyFileResponse> AddKeyFile(
      const TypedCredential& credential, const SecretBuffer& contents);
  // `secret` is what a token answered when it was asked with `parameters`.
  [[nodiscard]] absl::StatusOr<keyd::v1::AddFido2ProtectorResponse> AddFido2Protector(
      const TypedCredential& credential, const SecretBuffer& secret,
      const PublicParameters& parameters, const std::string& name);
  // Of the default key, with what a credential is made from.
  [[nodiscard]] absl::StatusOr<keyd::v1::GetProtectorsResponse> GetProtectors(
      std::optional<uid_t> user);
  [[nodiscard]] absl::Status RenameProtector(const std::string& id, const std::string& name);
  // `id` is the protector's 16 bytes.
  [[nodiscard]] absl::Status RemoveProtector(const TypedCredential& credential,
                                             const std::string& id);
  // Keys beside the default one. Of the four, only the answer to the first says anything.
  [[nodiscard]] absl::StatusOr<keyd::v1::CreateKeyResponse> CreateKey(const std::string& name);
  [[nodiscard]] absl::Status RemoveKey(const std::string& name, bool lose_data);
  [[nodiscard]] absl::Status ShareKey(const std::string& name, uid_t with);
  [[nodiscard]] absl::Status UnshareKey(const std::string& name, uid_t with);
  [[nodiscard]] absl::StatusOr<keyd::v1::ExportKeysResponse> ExportKeys(
      const TypedCredential& credential);
  // An empty `new_passphrase`, `as` or `expected_identifier`: none.
  [[nodiscard]] absl::StatusOr<keyd::v1::ImportKeysResponse> ImportKeys(
      const TypedCredential& credential, const std::string& exported,
      const SecretBuffer& new_passphrase, const std::string& as,
      const std::string& expected_identifier);
  // The user's own keys as they may lie on a volume.
  [[nodiscard]] absl::StatusOr<keyd::v1::ExportForVolumeResponse> ExportForVolume();

 private:
  struct Connection;
  explicit KeydClient(std::unique_ptr<Connection> connection);
  std::unique_ptr<Connection> connection_;
};

}  // namespace ext4crypt
