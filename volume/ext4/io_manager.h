// SPDX-License-Identifier: Apache-2.0
// A libext2fs I/O manager over a BlockSource. Its write calls fail, so nothing libext2fs does can
// change the volume.
#pragma once

#include "volume/ext4/block_source.h"
#include "volume/ext4/libext2fs.h"

namespace ext4crypt::volume {

// ext2fs_open2() takes a name, not a pointer: the source for the next open on this thread is handed
// over here. The source must outlive the file system handle.
[[nodiscard]] io_manager ReadOnlyManager(const BlockSource* source);

}  // namespace ext4crypt::volume
