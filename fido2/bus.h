// SPDX-License-Identifier: Apache-2.0
// Where security keys are plugged in.
#pragma once

#include <fido.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ext4crypt {

struct Token {
  std::string path;  // "/dev/hidraw3"
  std::string name;  // "Yubico YubiKey FIDO"; what its maker says, any bytes
};

[[nodiscard]] absl::StatusOr<std::vector<Token>> FindTokens();
// A FIDO_ERR_* number.
[[nodiscard]] int OpenToken(fido_dev_t* device, const std::string& path);

}  // namespace ext4crypt
