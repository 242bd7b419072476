// SPDX-License-Identifier: Apache-2.0
#include "session.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "tests/crash/model/marker.h"

namespace crash {
namespace {

// Calls visit(offset, sector) for each sector of an entry.
template <typename Visit>
void ForEachSector(const Entry& entry, Visit visit) {
  if (entry.data == nullptr) return;
  for (uint64_t at = 0; at < entry.length; at += kSector) visit(entry.offset + at, entry.data + at);
}

absl::Status Finish(Session& session, const std::vector<std::vector<Outcome>>& outcomes) {
  session.done.resize(session.workers.size());
  for (uint32_t worker = 0; worker < session.workers.size(); ++worker) {
    if (outcomes[worker].size() != session.ops) {
      return absl::DataLossError(absl::StrCat(session.name(), ": worker ", worker, " did ",
                                              outcomes[worker].size(), " of ", session.ops));
    }
    if (session.workload.rfind("sqlite-", 0) == 0) continue;
    OpSource source(session.workers[worker], worker, session.seed);
    Model& model = session.models.emplace_back(worker);
    for (uint64_t number = 0; number < session.ops; ++number) {
      const Op op = source.Next();
      model.Apply(static_cast<int64_t>(number), op, outcomes[worker][number]);
      session.done[worker].push_back({op, outcomes[worker][number]});
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<int64_t> Session::Started(size_t position) const {
  std::vector<int64_t> started(workers.size(), -1);
  for (const Step& step : steps) {
    if (step.entry >= position) break;
    started[step.worker] = step.started;
  }
  return started;
}

std::string Session::History(uint32_t worker, int file, int64_t started) const {
  constexpr int kMost = 10;
  std::string text;
  int lines = 0;
  for (int64_t n = std::min(started, static_cast<int64_t>(done[worker].size()) - 1);
       n >= 0 && lines < kMost; --n) {
    const auto& [op, outcome] = done[worker][static_cast<size_t>(n)];
    if (op.file != file && op.kind != OpKind::kSyncAll) continue;
    text = absl::StrCat("op ", n, " ", NameOf(op.kind), " ", op.offset, "+", op.length, " = ",
                        outcome.result, ", size ", outcome.size, "; ", text);
    ++lines;
  }
  return text;
}

absl::StatusOr<std::vector<Session>> FindSessions(const Log& log) {
  std::vector<Session> sessions;
  std::vector<std::vector<Outcome>> outcomes;
  bool open = false;
  absl::Status status;
  for (size_t i = 0; i < log.entries().size() && status.ok(); ++i) {
    ForEachSector(log.entries()[i], [&](uint64_t offset, const uint8_t* sector) {
      uint64_t magic;
      std::memcpy(&magic, sector, sizeof magic);
      if (magic == kSessionMagic) {
        SessionMarker marker;
        std::memcpy(&marker, sector, sizeof marker);
        if (offset != marker.bytes) return;
        if (marker.state == 1) {
          Session session = {.number = marker.session,
                             .workload = marker.workload,
                             .seed = marker.seed,
                             .ops = marker.ops,
                             .bytes = marker.bytes,
                             .first = i};
          session.workers = WorkersOf(session.workload);
          outcomes.assign(session.workers.size(), {});
          sessions.push_back(std::move(session));
          open = true;
        } else if (open) {
          sessions.back().end = i;
          open = false;
          status = Finish(sessions.back(), outcomes);
        }
      } else if (magic == kMarkerMagic && open) {
        WorkerMarker marker;
        std::memcpy(&marker, sector, sizeof marker);
        if (offset != sessions.back().bytes + kMarkerStride * (1 + marker.worker) ||
            marker.session != sessions.back().number)
          return;
        sessions.back().steps.push_back({i, marker.worker, static_cast<int64_t>(marker.started)});
        if (marker.started > 0) outcomes[marker.worker].push_back({marker.result, marker.size});
      }
    });
  }
  if (!status.ok()) return status;
  if (open)
    return absl::DataLossError(absl::StrCat(sessions.back().name(), ": the recording has no end"));
  if (sessions.empty()) return absl::DataLossError("nothing was recorded");
  return sessions;
}

}  // namespace crash
