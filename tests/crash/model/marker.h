// SPDX-License-Identifier: Apache-2.0
// Sectors past the end of the file system, in which the load says how far it is. They are part of
// the same log as all other writes, so where a marker stands in the log says what had returned, and
// what had been started, when power failed.
#pragma once

#include <cstdint>

namespace crash {

inline constexpr uint64_t kSector = 512;
inline constexpr uint64_t kMarkerMagic = 0x314B52414D433445u;   // "E4CMARK1"
inline constexpr uint64_t kSessionMagic = 0x3153455353433445u;  // "E4CSESS1"
// Apart, or the block layer would merge them into one write.
inline constexpr uint64_t kMarkerStride = 4096;

// At the end of the file system. A session is one file system with one workload.
struct SessionMarker {
  uint64_t magic = kSessionMagic;
  uint32_t session = 0;
  uint32_t state = 0;  // 1 the base is complete, recording starts; 2 the end
  uint64_t seed = 0;
  uint64_t ops = 0;    // of each worker
  uint64_t bytes = 0;  // of the file system
  char workload[32] = {};
  uint8_t unused[512 - 72] = {};
};
static_assert(sizeof(SessionMarker) == kSector);

// At kMarkerStride * (1 + worker) from there: operations below `started` have returned, operation
// `started` is about to be called.
struct WorkerMarker {
  uint64_t magic = kMarkerMagic;
  uint32_t session = 0;
  uint32_t worker = 0;
  uint64_t started = 0;
  int64_t result = 0;  // of operation started - 1: bytes for a write, 0 or -errno for the others
  uint64_t size = 0;   // of its file afterwards
  uint8_t unused[512 - 40] = {};
};
static_assert(sizeof(WorkerMarker) == kSector);

}  // namespace crash
