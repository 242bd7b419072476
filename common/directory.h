// SPDX-License-Identifier: Apache-2.0
// The names in an open directory.
#pragma once

#include <functional>

namespace ext4crypt {

// Calls `visit` with each name but "." and "..", in the order of the file system, until it says
// false. Reads by a descriptor of its own, since reading moves the offset. 0, or errno.
[[nodiscard]] int ForEachName(int dir, const std::function<bool(const char* name)>& visit);

}  // namespace ext4crypt
