// SPDX-License-Identifier: Apache-2.0
// Findings as people and as programs read them.
#pragma once

#include <string>

#include "client/doctor/finding.h"
#include "terminal/json.h"

namespace ext4crypt::doctor {

// For monitoring. Apart from the codes of failures, which they must not be taken for.
inline constexpr int kExitWarning = 40;
inline constexpr int kExitProblem = 41;

// 0 with nothing above a note.
[[nodiscard]] int ExitCodeFor(Severity worst);

// "warning", for --json.
[[nodiscard]] const char* SeverityWord(Severity severity);

// The worst first, each with its remedy; then how many checks found nothing. `all`: those as well.
[[nodiscard]] std::string FindingsText(const Findings& findings, bool all);
[[nodiscard]] Json FindingsJson(const Findings& findings);

}  // namespace ext4crypt::doctor
