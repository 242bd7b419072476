// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "verdict.h"
#include "volume/format/file_keys.h"

namespace crash {

// Opens the database of DIRECTORY as an application would after the crash: it has to hold exactly
// the transactions up to the last committed one, or also the one under way.
void JudgeDatabase(const ext4crypt::volume::Image& image, const ext4crypt::volume::KeyRing& keys,
                   const Session& session, const std::string& directory, int64_t started,
                   const std::string& scratch, Verdict& verdict);

}  // namespace crash
