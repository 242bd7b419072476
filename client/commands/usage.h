// SPDX-License-Identifier: Apache-2.0
// What is said of a command line that is not understood.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace CLI {
class App;
}

namespace ext4crypt {

// The command line without the program's name; `help VERB` and `VERB help` have become
// `VERB --help`.
[[nodiscard]] std::vector<std::string> ReadArguments(const CLI::App& app, int argc, char** argv);

// One line: what was wrong, and what was probably meant. `what` is CLI11's own complaint.
[[nodiscard]] std::string ExplainUsage(const CLI::App& app,
                                       const std::vector<std::string>& arguments,
                                       const std::string& what);

// Nothing has an empty name, and a variable of a script that is not set looks like one.
[[nodiscard]] std::string FindEmptyArgument(const CLI::App& app);

}  // namespace ext4crypt
