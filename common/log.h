// SPDX-License-Identifier: Apache-2.0
// Lines to standard error, with the journal's priority prefix when it is the journal that reads.
#pragma once

#include "absl/strings/string_view.h"

namespace ext4crypt {

enum class LogLevel { kError, kWarning, kNotice, kInfo };

// Never a secret. Log once, where the error stops travelling.
void Log(LogLevel level, absl::string_view message);

}  // namespace ext4crypt
