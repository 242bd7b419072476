// SPDX-License-Identifier: Apache-2.0
// Reads passphrases and codes: from the terminal without echo, or from a descriptor when told to.
// Never from argv or the environment, which other processes can read.
#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/secret_buffer.h"

namespace ext4crypt {

class SecretReader {
 public:
  // With a descriptor each secret is one line of it; without, each is asked for on /dev/tty.
  explicit SecretReader(std::optional<int> fd) : fd_(fd) {}

  // kPassphraseUnreadable when there is no terminal, or no line; kPassphraseTooLong.
  [[nodiscard]] absl::StatusOr<SecretBuffer> Read(absl::string_view prompt) const;
  // Asked for twice on a terminal, where typing errors happen; once from a descriptor.
  // kPassphraseMismatch.
  [[nodiscard]] absl::StatusOr<SecretBuffer> ReadNew(absl::string_view prompt) const;

  // Whether somebody is there who could be asked.
  [[nodiscard]] bool HasTerminal() const;

 private:
  std::optional<int> fd_;
};

}  // namespace ext4crypt
