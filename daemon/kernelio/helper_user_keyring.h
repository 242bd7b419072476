// SPDX-License-Identifier: Apache-2.0
// UserKeyring by the helper program ext4crypt-keyring.
#pragma once

#include <string>

#include "daemon/core/volume_keys.h"

namespace ext4crypt {

class HelperUserKeyring final : public UserKeyring {
 public:
  explicit HelperUserKeyring(std::string helper_path) : helper_path_(std::move(helper_path)) {}

  [[nodiscard]] absl::Status InstallDefaultKey(Uid uid, const SecretBuffer& key) override;
  [[nodiscard]] absl::Status RemoveDefaultKey(Uid uid) override;

 private:
  // `request` is one KeyringRequest. kKeyringFailed when the helper says so, or says nothing.
  [[nodiscard]] absl::Status RunHelper(const SecretBuffer& request);

  const std::string helper_path_;
};

// Beside the service's own program, else where installations put it. kInternal when nowhere.
[[nodiscard]] absl::StatusOr<std::string> FindKeyringHelper();

}  // namespace ext4crypt
