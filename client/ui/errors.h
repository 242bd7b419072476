// SPDX-License-Identifier: Apache-2.0
// Reasons -> exit codes and words. All human wording about failures is in errors.cc.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/error.h"
#include "terminal/json.h"

namespace ext4crypt {

inline constexpr int kExitUsage = 2;

[[nodiscard]] int ExitCodeOf(const absl::Status& status);

// One line: what failed, on which object, why, the cause in parentheses unless these words say it,
// and what to do next. `verb` is the command's name.
[[nodiscard]] std::string Explain(absl::string_view verb, const absl::Status& status);

// {"reason", "exit_code", "subject", "message", "cause", "errno"}.
[[nodiscard]] Json ErrorJson(absl::string_view verb, const absl::Status& status);

// For --help: every exit code with its meaning.
[[nodiscard]] std::string ExitCodeHelp();

}  // namespace ext4crypt
