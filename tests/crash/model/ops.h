// SPDX-License-Identifier: Apache-2.0
// What a worker does, as a function of its kind, its number and the seed alone: the load in the
// guest does it, the judge on the host knows it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "../../vm/fsx/rng.h"

namespace crash {

inline constexpr uint64_t kPage = 4096;
inline constexpr int kFiles = 2;  // of each worker

enum class OpKind : uint8_t {
  kStart,       // makes the worker's directory, durably
  kReplace,     // new file under another name, written, synced, renamed over the old one, directory
                // synced
  kRemove,      // unlinked, directory synced
  kWrite,       // write(2)
  kSyncWrite,   // write(2) with O_SYNC
  kMapped,      // through a shared mapping
  kMappedSync,  // and msync(2) of the whole mapping
  kTruncate,    // to `offset`
  kPunch,
  kZero,          // zero range, may extend the file
  kAllocate,      // fallocate(2) mode 0
  kAllocateKeep,  // ... KEEP_SIZE
  kFsync,
  kFdatasync,
  kSyncAll,         // sync(2)
  kVerify,          // reads and compares
  kForget,          // fsync, and the file's pages leave the cache
  kOrphan,          // writes a file that has no name, and holds it open for a while
  kQuietReplace,    // as kReplace, but nothing is synced before the rename
  kUnnamedReplace,  // as kReplace, by O_TMPFILE and linkat(2)
  kMove,            // to another name and back
  kRelink,          // to another name and back by link(2) and unlink(2)
  kExchange,        // with another file and back
  kLinks,           // symbolic links, short and long, come, move and go
  kTall,            // a file of its own gets a tree of another height
};
[[nodiscard]] const char* NameOf(OpKind kind);

struct Op {
  OpKind kind = OpKind::kStart;
  int file = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
};

// The kinds of the workers of a workload; empty: no such workload.
[[nodiscard]] std::vector<std::string> WorkersOf(const std::string& workload);

class OpSource {
 public:
  OpSource(const std::string& worker_kind, uint32_t worker, uint64_t seed);
  [[nodiscard]] Op Next();

 private:
  struct Weight;
  void Fill(Op& op);
  [[nodiscard]] uint64_t SomeOffset(uint64_t limit);
  [[nodiscard]] uint64_t SomeLength();

  const Weight* weights_;
  fsx::Rng rng_;
  bool far_;  // now and then far from the start, so that groups lie apart
  uint64_t count_ = 0;
  // If every operation succeeds; only to aim with. 0 also when there is no file.
  uint64_t size_[kFiles] = {};
  bool exists_[kFiles] = {};
};

// Where kMove, kRelink and kExchange put a file for a moment.
[[nodiscard]] inline std::string OtherName(const std::string& path) { return path + ".other"; }

// The bytes that operation `op` of `worker` puts at [offset, offset + length). Each aligned word of
// eight bytes names worker, operation and its own place, so that any word on a disk tells where it
// comes from; it is never zero.
void FillPattern(uint32_t worker, uint32_t op, uint64_t offset, uint8_t* out, uint64_t length);

}  // namespace crash
