// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "marks.h"

namespace crash {

// Transactions on DIRECTORY/db: operation 0 makes the table, operation n is transaction n.
void RunSqlite(const Session& session, const Marks& marks, uint32_t worker,
               const std::string& directory, bool wal);

}  // namespace crash
