// SPDX-License-Identifier: Apache-2.0
#include "points.h"

#include <algorithm>
#include <cstring>

#include "tests/crash/model/marker.h"

namespace crash {
namespace {

void ApplySector(const Entry& entry, uint64_t at, std::vector<uint8_t>& disk) {
  if (entry.data != nullptr) {
    std::memcpy(disk.data() + entry.offset + at, entry.data + at, kSector);
  } else {
    std::memset(disk.data() + entry.offset + at, 0, kSector);
  }
}

// Blocks that any ext4 takes to be written in one piece: half a superblock, half a superblock of
// the journal and half a commit record fail their checksums, and stock ext4 then refuses to mount.
bool IsAtomic(const Entry& entry, uint64_t at) {
  if (entry.offset + at < kPage) return true;
  if (entry.data == nullptr) return false;
  const uint8_t* block = entry.data + at;
  static constexpr uint8_t kJournalMagic[] = {0xC0, 0x3B, 0x39, 0x98, 0, 0, 0};
  // Block type: 2 a commit record, 3 and 4 a superblock. A data block in the log never starts with
  // the magic number.
  return std::memcmp(block, kJournalMagic, sizeof kJournalMagic) == 0 && block[7] >= 2 &&
         block[7] <= 4;
}

// One write, or only the sectors of it that `torn` chooses.
void Apply(const Entry& entry, std::vector<uint8_t>& disk, fsx::Rng* torn) {
  bool atomic = false, skip = false;
  for (uint64_t at = 0; at < entry.length; at += kSector) {
    if (entry.offset + at + kSector > disk.size()) return;
    if (torn != nullptr) {
      if (at == 0 || (entry.offset + at) % kPage == 0) atomic = IsAtomic(entry, at);
      if (at == 0 || (entry.offset + at) % kPage == 0 || !atomic) skip = torn->one_in(2);
    }
    if (!skip) ApplySector(entry, at, disk);
  }
}

bool IsWrite(const Entry& entry, const Session& session) {
  return entry.length > 0 && entry.offset < session.bytes;
}

// A flush makes durable what was issued before it. QEMU's virtio disk knows no FUA: the guest sends
// a flush after such a write.
bool IsFlush(const Entry& entry) { return entry.flush && entry.length == 0; }

PointKind SomeKind(fsx::Rng& rng) {
  const uint64_t pick = rng.below(10);
  if (pick < 1) return PointKind::kPrefix;
  if (pick < 4) return PointKind::kSubset;
  if (pick < 5) return PointKind::kAllButOne;
  if (pick < 6) return PointKind::kOnlyOne;
  return PointKind::kTorn;
}

Repair SomeRepair(fsx::Rng& rng) {
  const uint64_t pick = rng.below(8);
  if (pick == 0) return Repair::kStockMount;
  if (pick <= 2) return Repair::kPreen;
  return pick <= 4 ? Repair::kInMemory : Repair::kForce;
}

}  // namespace

const char* NameOf(PointKind kind) {
  static constexpr const char* kNames[] = {"boundary",    "prefix",   "subset",
                                           "all-but-one", "only-one", "torn"};
  return kNames[static_cast<size_t>(kind)];
}

const char* NameOf(Repair repair) {
  static constexpr const char* kNames[] = {"e2fsck -fy", "e2fsck -p", "stock mount", "in memory"};
  return kNames[static_cast<size_t>(repair)];
}

std::vector<Point> ChoosePoints(const Log& log, const Session& session, size_t count,
                                uint64_t seed) {
  fsx::Rng rng(seed * 31 + session.number);
  std::vector<Point> boundaries;
  std::vector<Point> between;  // one for each unflushed write: a crash just after it
  size_t flushed = session.first;
  size_t writes = 0;
  for (size_t i = session.first; i < session.end; ++i) {
    const Entry& entry = log.entries()[i];
    if (IsWrite(entry, session)) {
      ++writes;
      between.push_back({.flushed = flushed, .position = i + 1});
    }
    if (!IsFlush(entry)) continue;
    flushed = i + 1;
    // Between two flushes without a write nothing changes on the disk.
    if (writes > 0) boundaries.push_back({.flushed = i + 1, .position = i + 1});
    writes = 0;
  }
  const auto sample = [&rng](std::vector<Point>& from, size_t wanted) {
    for (size_t i = 0; i < std::min(wanted, from.size()); ++i)
      std::swap(from[i], from[i + rng.below(from.size() - i)]);
    from.resize(std::min(wanted, from.size()));
  };
  sample(boundaries, count * 2 / 5);
  const size_t rest = count - boundaries.size();
  std::vector<Point> points = boundaries;
  for (size_t i = 0; i < rest && !between.empty(); ++i) {
    Point point = between[rng.below(between.size())];
    point.kind = SomeKind(rng);
    points.push_back(point);
  }
  std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) {
    return std::pair(a.flushed, a.position) < std::pair(b.flushed, b.position);
  });
  for (size_t i = 0; i < points.size(); ++i) {
    points[i].index = i;
    points[i].seed = rng.next();
    points[i].repair = SomeRepair(rng);
  }
  return points;
}

void ApplyAll(const Log& log, size_t from, size_t to, std::vector<uint8_t>& disk) {
  for (size_t i = from; i < to; ++i) Apply(log.entries()[i], disk, nullptr);
}

void ApplyUnflushed(const Log& log, const Point& point, std::vector<uint8_t>& disk) {
  fsx::Rng rng(point.seed);
  std::vector<size_t> writes;
  for (size_t i = point.flushed; i < point.position; ++i) {
    if (log.entries()[i].length > 0 && log.entries()[i].offset < disk.size()) writes.push_back(i);
  }
  if (writes.empty()) return;
  const size_t special = rng.below(writes.size());
  for (size_t i = 0; i < writes.size(); ++i) {
    const Entry& entry = log.entries()[writes[i]];
    switch (point.kind) {
      case PointKind::kBoundary:
      case PointKind::kPrefix:
        Apply(entry, disk, nullptr);
        break;
      case PointKind::kSubset:
        if (rng.one_in(2)) Apply(entry, disk, nullptr);
        break;
      case PointKind::kAllButOne:
        if (i != special) Apply(entry, disk, nullptr);
        break;
      case PointKind::kOnlyOne:
        if (i == special) Apply(entry, disk, nullptr);
        break;
      case PointKind::kTorn: {
        const uint64_t pick = rng.below(4);
        if (i == special || pick == 0) {
          Apply(entry, disk, &rng);
        } else if (pick != 1) {
          Apply(entry, disk, nullptr);
        }
        break;
      }
    }
  }
}

}  // namespace crash
