// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "client/commands/command.h"

namespace ext4crypt {

void AddVolume(CLI::App& app, const GlobalOptions& globals, SelectedCommand& selected);

}  // namespace ext4crypt
