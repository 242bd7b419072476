// SPDX-License-Identifier: Apache-2.0
// inspect, verify, extract, map: the same under `ext4crypt volume` and in the rescue tool.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace ext4crypt::volume {

// Adds the verbs below `app`. Parsing sets `selected` to what then runs and returns the exit status
// (exit_code.h). All outlive the parsing; `json` is read when the command runs.
void AddVolumeVerbs(CLI::App& app, const bool& json, std::function<int()>& selected);

}  // namespace ext4crypt::volume
