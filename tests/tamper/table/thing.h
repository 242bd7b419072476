// SPDX-License-Identifier: Apache-2.0
// The files, links and directories of a row: how each is made, and what programs see of it.
#pragma once

#include <string>

#include "rows.h"

namespace tamper {

// Whether the row has two of them.
[[nodiscard]] bool HasTwo(const Row& row);
// Makes those of the paths `one` and `two` below `mount`; `second`: what the second version of the volume changes in them.
void MakeThing(const std::string& mount, const Row& row, const std::string& one, const std::string& two, bool second);

// What programs see under `name`, in the words of the table; it should be what belongs to `path`.
[[nodiscard]] std::string ObserveThing(const std::string& mount, Thing thing, const std::string& name, const std::string& path,
                                       const std::string& others_path);
// Overwrites page 12 of a file: "done" or the error.
[[nodiscard]] std::string OverwriteThing(const std::string& mount, const std::string& path);
[[nodiscard]] bool IsPage(Thing thing, const std::string& path, uint32_t page, const void* contents);

}  // namespace tamper
