// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "disk.h"

namespace crash {

// Proves that the judge can say no: spoils good images in known ways. Prints a line for each;
// returns how many it did not notice.
[[nodiscard]] int SelfTest(const Log& log, const Session& session, CrashedDisk& disk);

}  // namespace crash
