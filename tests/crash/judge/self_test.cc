// SPDX-License-Identifier: Apache-2.0
#include "self_test.h"

#include <cstdio>
#include <functional>

#include "volume/verify/volume_survey.h"

namespace crash {
namespace {

namespace volume = ext4crypt::volume;

// The byte of the disk where the first written page of a file, or its slot, stands.
struct Place {
  uint64_t page = 0;
  uint64_t slot = 0;
};

std::vector<Place> WrittenPages(absl::Span<const uint8_t> bytes, const Session& session) {
  std::vector<Place> places;
  auto image = volume::Image::Open(std::make_unique<volume::MemorySource>(bytes));
  volume::KeyRing keys;
  keys.Add(*volume::MasterKey::FromRaw(std::vector<uint8_t>(volume::kMasterKeySize, 7)));
  for (size_t worker = 0; worker < session.workers.size(); ++worker) {
    for (const char* file : {"/f0", "/f1", "/db"}) {
      const auto number = volume::FindPath(**image, keys, "/d/w" + std::to_string(worker) + file);
      if (!number.ok()) continue;
      const auto node = volume::ReadNode(**image, *number);
      const volume::Layout layout = volume::LayOut(**image, *node);
      for (const volume::Extent& extent : layout.data) {
        if (extent.unwritten || extent.logical * kPage >= node->size) continue;
        const auto block = layout.BlockOf(0, volume::GroupOfPage(extent.logical));
        if (!block.has_value()) continue;
        places.push_back({extent.physical * kPage,
                          *block * kPage + (volume::PlaceOfPage(extent.logical) + 1) * 32});
      }
    }
  }
  return places;
}

class Tester {
 public:
  Tester(const Log& log, const Session& session, CrashedDisk& disk)
      : log_(log), session_(session), disk_(disk) {}

  // The disk at a flush, with some writes left out.
  void Load(size_t position, const std::function<bool(size_t)>& dropped = nullptr) {
    std::vector<uint8_t> bytes(session_.bytes);
    for (size_t i = 0; i < position; ++i) {
      if (!dropped || !dropped(i)) ApplyAll(log_, i, i + 1, bytes);
    }
    disk_.Set(bytes);
    static_cast<void>(disk_.Repair(Repair::kForce));
  }
  Verdict JudgeAt(size_t position) {
    return Judge(disk_.bytes(), session_, session_.Started(position), disk_.directory());
  }
  void Say(const char* what, bool good) {
    printf("%s self-test: %s\n", good ? "ok" : "not ok", what);
    noticed_ += good ? 1 : 0;
    missed_ += good ? 0 : 1;
  }
  void Spoil(const char* what, uint64_t at, size_t position) {
    disk_.bytes()[at] ^= 1;
    Say(what, !JudgeAt(position).authentication.empty());
    disk_.bytes()[at] ^= 1;
  }
  int End() const {
    printf("%d passed, %d failed\n", noticed_, missed_);
    return missed_;
  }

 private:
  const Log& log_;
  const Session& session_;
  CrashedDisk& disk_;
  int noticed_ = 0;
  int missed_ = 0;
};

std::vector<size_t> Flushes(const Log& log, const Session& session) {
  std::vector<size_t> flushes;
  for (size_t i = session.first; i < session.end; ++i) {
    if (log.entries()[i].flush) flushes.push_back(i + 1);
  }
  return flushes;
}

}  // namespace

int SelfTest(const Log& log, const Session& session, CrashedDisk& disk) {
  Tester tester(log, session, disk);
  const std::vector<size_t> flushes = Flushes(log, session);
  // A third from the end: the load is running, and there is enough before and after it.
  const size_t middle = flushes[flushes.size() * 2 / 3];
  tester.Load(middle);
  Verdict verdict = tester.JudgeAt(middle);
  tester.Say("an image that nobody spoiled is good",
             verdict.authentication.empty() && verdict.contents.empty());
  const std::vector<Place> places = WrittenPages(disk.bytes(), session);
  tester.Say("there are pages to spoil", !places.empty());
  if (places.empty()) return tester.End();
  const Place place = places[places.size() / 2];
  tester.Spoil("a bit of a page", place.page + 1000, middle);
  tester.Spoil("a bit of a tag", place.slot, middle);
  tester.Spoil("a bit of a nonce", place.slot + 17, middle);
  tester.Spoil("the state of a slot", place.slot + 28, middle);

  const size_t later = flushes[flushes.size() * 5 / 6];
  verdict = tester.JudgeAt(later);
  tester.Say("a disk that lost all syncs of a while: contents", !verdict.contents.empty());
  tester.Say("a disk that lost all syncs of a while: every page authentic",
             verdict.authentication.empty());

  tester.Load(middle, [&](size_t i) {
    return i + 400 >= middle && log.entries()[i].offset % kPage == 0 && i % 3 == 0;
  });
  verdict = tester.JudgeAt(middle);
  tester.Say("a disk that dropped each third of the last 400 writes",
             !verdict.contents.empty() || !verdict.authentication.empty());

  Session other = session;
  other.models.clear();
  other.seed += 1;
  for (uint32_t worker = 0; worker < session.models.size(); ++worker) {
    OpSource source(session.workers[worker], worker, other.seed);
    Model& model = other.models.emplace_back(worker);
    for (uint64_t n = 0; n < session.ops; ++n) {
      const Op op = source.Next();
      model.Apply(static_cast<int64_t>(n), op,
                  {static_cast<int64_t>(op.length), op.offset + op.length});
    }
  }
  tester.Load(middle);
  tester.Say(
      "the contents of another seed",
      !Judge(disk.bytes(), other, session.Started(middle), disk.directory()).contents.empty());
  return tester.End();
}

}  // namespace crash
