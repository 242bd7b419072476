// SPDX-License-Identifier: Apache-2.0
// Where power fails, and which of the writes that no flush has made durable are on the disk then.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "session.h"

namespace crash {

enum class PointKind : uint8_t {
  kBoundary,  // all that was written up to a flush, which has been done
  kPrefix,    // writes in the order in which they were issued
  kSubset,    // any of the unflushed writes
  kAllButOne,
  kOnlyOne,
  kTorn,  // any of them, and of some only some sectors
  kLast = kTorn,
};
[[nodiscard]] const char* NameOf(PointKind kind);

enum class Repair : uint8_t {
  kForce,       // e2fsck -fy
  kPreen,       // e2fsck -p, as at boot
  kStockMount,  // the host's own ext4 mounts and unmounts
  kInMemory,    // none: the offline reader replays the journal in memory
  kLast = kInMemory,
};
[[nodiscard]] const char* NameOf(Repair repair);

struct Point {
  size_t index = 0;     // of the session's list
  size_t flushed = 0;   // entries below are on the disk
  size_t position = 0;  // entries below have been issued
  PointKind kind = PointKind::kBoundary;
  Repair repair = Repair::kForce;
  uint64_t seed = 0;  // of the choice among [flushed, position)
};

// At most `count`, in the order of the log, the same for the same seed.
[[nodiscard]] std::vector<Point> ChoosePoints(const Log& log, const Session& session, size_t count,
                                              uint64_t seed);

// Applies the writes [from, to) to `disk` in full; what lies past its end is left out.
void ApplyAll(const Log& log, size_t from, size_t to, std::vector<uint8_t>& disk);
// Applies what the point chooses of its unflushed writes.
void ApplyUnflushed(const Log& log, const Point& point, std::vector<uint8_t>& disk);

}  // namespace crash
