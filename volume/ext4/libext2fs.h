// SPDX-License-Identifier: Apache-2.0
// libext2fs, without the macro that some of its versions define over std::clamp.
#pragma once

#include <ext2fs/ext2fs.h>
#undef clamp
