// SPDX-License-Identifier: Apache-2.0
// Text of unknown origin for people to read.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace ext4crypt {

// Bytes that are neither printable nor part of UTF-8 as in C, so that a file's name cannot steer
// the terminal.
[[nodiscard]] std::string Printable(absl::string_view text);

}  // namespace ext4crypt
