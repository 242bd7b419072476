// SPDX-License-Identifier: Apache-2.0
#include "volume/ext4/io_manager.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace ext4crypt::volume {
namespace {

thread_local const BlockSource* next_source = nullptr;

struct_io_manager* Manager();

errcode_t Open(const char* /*name*/, int /*flags*/, io_channel* channel) {
  // libext2fs frees nothing of a channel itself: Close() below does.
  auto* io = static_cast<io_channel>(std::calloc(1, sizeof(struct_io_channel)));
  if (io == nullptr) return EXT2_ET_NO_MEMORY;
  io->magic = EXT2_ET_MAGIC_IO_CHANNEL;
  io->manager = Manager();
  io->block_size = 1024;
  io->refcount = 1;
  io->private_data = const_cast<BlockSource*>(next_source);
  *channel = io;
  return 0;
}

errcode_t Close(io_channel io) {
  if (--io->refcount == 0) std::free(io);
  return 0;
}

errcode_t SetBlockSize(io_channel io, int size) {
  if (size <= 0) return EINVAL;
  io->block_size = size;
  return 0;
}

// libext2fs counts in blocks, or in bytes when the count is negative.
errcode_t Read64(io_channel io, unsigned long long block, int count, void* data) {
  const auto block_size = static_cast<uint64_t>(io->block_size);
  const uint64_t bytes = count < 0 ? static_cast<uint64_t>(-static_cast<int64_t>(count))
                                   : static_cast<uint64_t>(count) * block_size;
  if (block > std::numeric_limits<uint64_t>::max() / block_size) return EXT2_ET_SHORT_READ;
  const auto* source = static_cast<const BlockSource*>(io->private_data);
  const absl::Status status =
      source->Read(block * block_size, {static_cast<uint8_t*>(data), bytes});
  return status.ok() ? 0 : EXT2_ET_SHORT_READ;
}

errcode_t Read(io_channel io, unsigned long block, int count, void* data) {
  return Read64(io, block, count, data);
}

errcode_t Write(io_channel, unsigned long, int, const void*) { return EROFS; }
errcode_t Write64(io_channel, unsigned long long, int, const void*) { return EROFS; }
errcode_t WriteByte(io_channel, unsigned long, int, const void*) { return EROFS; }
errcode_t Flush(io_channel) { return 0; }
errcode_t SetOption(io_channel, const char*, const char*) { return 0; }
errcode_t NoDiscard(io_channel, unsigned long long, unsigned long long) { return EROFS; }
errcode_t NoReadahead(io_channel, unsigned long long, unsigned long long) {
  return EXT2_ET_OP_NOT_SUPPORTED;
}

struct_io_manager* Manager() {
  static struct_io_manager manager = [] {
    struct_io_manager m = {};
    m.magic = EXT2_ET_MAGIC_IO_MANAGER;
    m.name = "ext4crypt read-only";
    m.open = Open;
    m.close = Close;
    m.set_blksize = SetBlockSize;
    m.read_blk = Read;
    m.read_blk64 = Read64;
    m.write_blk = Write;
    m.write_blk64 = Write64;
    m.write_byte = WriteByte;
    m.flush = Flush;
    m.set_option = SetOption;
    m.discard = NoDiscard;
    m.zeroout = NoDiscard;
    m.cache_readahead = NoReadahead;
    return m;
  }();
  return &manager;
}

}  // namespace

io_manager ReadOnlyManager(const BlockSource* source) {
  next_source = source;
  return Manager();
}

}  // namespace ext4crypt::volume
