// SPDX-License-Identifier: Apache-2.0
// e4c-crash-judge: lets power fail at many points of a recorded workload and judges what is left.
//
//   --log FILE       the recording
//   --points N       crash points in all, shared out among the sessions
//   --seed S         of the choice of points
//   --scratch DIR    for images, best in memory
//   --keep DIR       where the images of failures go
//   --jobs J
//   --session K --point I   only this one
//   --self-test      spoils images instead and wants to see that noticed
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "disk.h"
#include "self_test.h"

namespace crash {
namespace {

constexpr size_t kMostSessions = 64;
constexpr unsigned kMostKept = 4;

struct Options {
  std::string log, scratch, keep;
  size_t points = 200;
  uint64_t seed = 1;
  unsigned jobs = 1;
  long session = -1, point = -1;
  bool self_test = false;
};

// Shared by the judging processes.
struct Tally {
  std::atomic<uint64_t> kinds[static_cast<size_t>(PointKind::kLast) + 1];
  std::atomic<uint64_t> repairs[static_cast<size_t>(Repair::kLast) + 1];
  std::atomic<uint64_t> sessions[kMostSessions];
  std::atomic<uint64_t> passed, failed, authentication, contents, repaired, replayed, orphans,
      pages, kept, mid_load;
};

class Judging {
 public:
  Judging(const Options& options, const Log& log, Tally& tally, unsigned job)
      : options_(options),
        log_(log),
        tally_(tally),
        disk_(absl::StrCat(options.scratch, "/", job)) {}

  void OnePoint(const Session& session, const Point& point) {
    Advance(session, point.flushed);
    std::vector<uint8_t> bytes = rolling_;
    ApplyUnflushed(log_, point, bytes);
    disk_.Set(bytes);
    const RepairReport repair = disk_.Repair(point.repair);
    const std::vector<int64_t> started = session.Started(point.position);
    const Verdict verdict = Judge(disk_.bytes(), session, started, disk_.directory());
    Count(session, point, repair, verdict);
    if (repair.faults.empty() && verdict.authentication.empty() && verdict.contents.empty()) {
      ++tally_.passed;
      return;
    }
    ++tally_.failed;
    Report(session, point, started, repair, verdict, bytes);
  }

 private:
  // The disk with everything flushed below `position`.
  void Advance(const Session& session, size_t position) {
    if (rolling_.size() != session.bytes || position < at_) {
      rolling_.assign(session.bytes, 0);
      at_ = 0;
    }
    ApplyAll(log_, at_, position, rolling_);
    at_ = position;
  }

  void Count(const Session& session, const Point& point, const RepairReport& repair,
             const Verdict& verdict) {
    ++tally_.kinds[static_cast<size_t>(point.kind)];
    ++tally_.repairs[static_cast<size_t>(point.repair)];
    ++tally_.sessions[session.number % kMostSessions];
    tally_.pages += verdict.pages;
    if (repair.replayed) ++tally_.replayed;
    if (repair.orphans) ++tally_.orphans;
    if (!repair.faults.empty()) ++tally_.repaired;
    if (!verdict.authentication.empty()) ++tally_.authentication;
    if (!verdict.contents.empty()) ++tally_.contents;
  }

  void Report(const Session& session, const Point& point, const std::vector<int64_t>& started,
              const RepairReport& repair, const Verdict& verdict,
              const std::vector<uint8_t>& bytes) {
    std::string text =
        absl::StrCat("not ok ", session.name(), ": --session ", session.number, " --point ",
                     point.index, " (", NameOf(point.kind), ", entries ", point.flushed, "..",
                     point.position, ", ", NameOf(point.repair), "); ops");
    for (const int64_t op : started) absl::StrAppend(&text, " ", op);
    absl::StrAppend(&text, "\n");
    for (const auto& [title, lines] :
         {std::pair("repair", &repair.faults), std::pair("reader", &verdict.authentication),
          std::pair("contents", &verdict.contents)}) {
      for (size_t i = 0; i < std::min<size_t>(lines->size(), 12); ++i)
        absl::StrAppend(&text, "    # ", title, ": ", (*lines)[i], "\n");
    }
    if (!options_.keep.empty() && tally_.kept++ < kMostKept) {
      std::filesystem::create_directories(options_.keep);
      const std::string path =
          absl::StrCat(options_.keep, "/session", session.number, "-point", point.index, ".img");
      std::ofstream(path, std::ios::binary)
          .write(reinterpret_cast<const char*>(bytes.data()),
                 static_cast<std::streamsize>(bytes.size()));
      absl::StrAppend(&text, "    # the disk before repair: ", path, "\n");
    }
    fputs(text.c_str(), stdout);
    fflush(stdout);
  }

  const Options& options_;
  const Log& log_;
  Tally& tally_;
  CrashedDisk disk_;
  std::vector<uint8_t> rolling_;
  size_t at_ = 0;
};

struct Task {
  const Session* session;
  Point point;
};

std::vector<Task> Plan(const Options& options, const Log& log,
                       const std::vector<Session>& sessions) {
  std::vector<Task> tasks;
  for (size_t i = 0; i < sessions.size(); ++i) {
    const size_t share =
        options.points * (i + 1) / sessions.size() - options.points * i / sessions.size();
    if (options.session >= 0 && sessions[i].number != static_cast<uint32_t>(options.session))
      continue;
    for (const Point& point : ChoosePoints(log, sessions[i], share, options.seed)) {
      if (options.point < 0 || point.index == static_cast<size_t>(options.point))
        tasks.push_back({&sessions[i], point});
    }
  }
  return tasks;
}

void Summary(const std::vector<Session>& sessions, const Tally& tally) {
  for (const Session& session : sessions) {
    printf("# %s: %lu points\n", session.name().c_str(),
           tally.sessions[session.number % kMostSessions].load());
  }
  printf("# kinds:");
  for (size_t i = 0; i < std::size(tally.kinds); ++i)
    printf(" %s %lu", NameOf(static_cast<PointKind>(i)), tally.kinds[i].load());
  printf("\n# repairs:");
  for (size_t i = 0; i < std::size(tally.repairs); ++i)
    printf(" %s %lu,", NameOf(static_cast<Repair>(i)), tally.repairs[i].load());
  printf(" journal replayed %lu, unlinked files deleted %lu\n", tally.replayed.load(),
         tally.orphans.load());
  printf(
      "# pages judged: %lu; points with authentication failures %lu, with wrong contents %lu, with "
      "other repairs %lu\n",
      tally.pages.load(), tally.authentication.load(), tally.contents.load(),
      tally.repaired.load());
  printf("%lu passed, %lu failed\n", tally.passed.load(), tally.failed.load());
}

// Each process takes every jobs-th of a contiguous share, so that it goes through the log once.
bool RunJobs(const Options& options, const Log& log, const std::vector<Task>& tasks, Tally& tally) {
  fflush(stdout);
  for (unsigned job = 0; job < options.jobs; ++job) {
    const pid_t child = fork();
    if (child != 0) continue;
    {
      Judging judging(options, log, tally, job);
      for (size_t i = job; i < tasks.size(); i += options.jobs)
        judging.OnePoint(*tasks[i].session, tasks[i].point);
    }
    _exit(0);
  }
  bool good = true;
  for (int status; wait(&status) > 0;) good = good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return good;
}

bool Parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--self-test") {
      options.self_test = true;
      continue;
    }
    if (++i == argc) return false;
    const std::string value = argv[i];
    if (name == "--log")
      options.log = value;
    else if (name == "--points")
      options.points = strtoull(value.c_str(), nullptr, 10);
    else if (name == "--seed")
      options.seed = strtoull(value.c_str(), nullptr, 10);
    else if (name == "--scratch")
      options.scratch = value;
    else if (name == "--keep")
      options.keep = value;
    else if (name == "--jobs")
      options.jobs = static_cast<unsigned>(strtoul(value.c_str(), nullptr, 10));
    else if (name == "--session")
      options.session = strtol(value.c_str(), nullptr, 10);
    else if (name == "--point")
      options.point = strtol(value.c_str(), nullptr, 10);
    else
      return false;
  }
  return !options.log.empty() && !options.scratch.empty() && options.jobs > 0;
}

int Main(int argc, char** argv) {
  Options options;
  if (!Parse(argc, argv, options)) {
    fputs("e4c-crash-judge: see the head of main.cc\n", stderr);
    return 2;
  }
  const auto log = Log::Open(options.log);
  if (!log.ok()) {
    fprintf(stderr, "e4c-crash-judge: %s\n", std::string(log.status().message()).c_str());
    return 2;
  }
  const auto sessions = FindSessions(**log);
  if (!sessions.ok()) {
    fprintf(stderr, "e4c-crash-judge: %s\n", std::string(sessions.status().message()).c_str());
    return 2;
  }
  if (options.self_test) {
    CrashedDisk disk(options.scratch + "/self-test");
    return SelfTest(**log, sessions->front(), disk) == 0 ? 0 : 1;
  }
  void* shared =
      mmap(nullptr, sizeof(Tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto& tally = *new (shared) Tally();
  const std::vector<Task> tasks = Plan(options, **log, *sessions);
  const bool ended = RunJobs(options, **log, tasks, tally);
  if (!ended || tally.passed + tally.failed != tasks.size()) {
    printf("not ok a judging process ended early\n");
    ++tally.failed;
  }
  Summary(*sessions, tally);
  return tally.failed == 0 && tally.passed > 0 ? 0 : 1;
}

}  // namespace
}  // namespace crash

int main(int argc, char** argv) { return crash::Main(argc, argv); }
