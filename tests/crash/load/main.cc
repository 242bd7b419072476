// SPDX-License-Identifier: Apache-2.0
// e4c-crash-load: what runs in the guest while its writes are recorded.
//
//   e4c-crash-load begin|end DEVICE SESSION WORKLOAD SEED OPS BYTES     marks the log
//   e4c-crash-load run DEVICE SESSION WORKLOAD SEED OPS BYTES DIRECTORY [reader] [memory]
//
// BYTES is the size of the file system; the markers stand behind it. "reader": the device is read
// all the while, as a backup program or blkid would, which fills its page cache with copies that
// soon are old. "memory": time and again nearly all memory is taken, so that everybody has to wait
// for pages to be written and given up.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "sqlite_worker.h"
#include "worker.h"

namespace crash {
namespace {

void ReadDevice(const Session& session, const std::atomic<bool>& stop) {
  const int fd = open(session.device.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) Die("open " + session.device);
  std::vector<uint8_t> buffer(64 << 10);
  fsx::Rng rng(session.seed);
  while (!stop) {
    // Neighbourhoods stay in the cache for a while, then go, so that copies of every age are there.
    const uint64_t start = rng.below(session.bytes / buffer.size()) * buffer.size();
    for (uint64_t at = start; at < session.bytes && at < start + (4 << 20) && !stop;
         at += buffer.size()) {
      if (pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(at)) < 0)
        Die("reading the device");
      usleep(500);
    }
    if (rng.one_in(6)) posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  }
  close(fd);
}

// What the kernel could still give without killing anybody, in KiB.
uint64_t MemoryLeft() {
  std::ifstream info("/proc/meminfo");
  for (std::string name; info >> name; info.ignore(std::numeric_limits<std::streamsize>::max(), '\n')) {
    uint64_t value = 0;
    if (name == "MemAvailable:" && info >> value) return value;
  }
  Die("/proc/meminfo");
}

void TakeMemory(const std::atomic<bool>& stop) {
  constexpr uint64_t kLeaveKiB = 20 << 10;
  constexpr size_t kStep = 1 << 20, kAll = size_t{1} << 30;
  void* const all = mmap(nullptr, kAll, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (all == MAP_FAILED) Die("mmap");
  while (!stop) {
    for (size_t at = 0; at < kAll && !stop && MemoryLeft() > kLeaveKiB; at += kStep) {
      memset(static_cast<char*>(all) + at, 1, kStep);
    }
    usleep(20000);
    madvise(all, kAll, MADV_DONTNEED);
    usleep(100000);
  }
  munmap(all, kAll);
}

void Run(const Session& session, const std::string& directory, bool reader, bool memory) {
  const Marks marks(session);
  std::atomic<bool> stop = false;
  std::vector<std::thread> disturbers, threads;
  if (reader) disturbers.emplace_back([&] { ReadDevice(session, stop); });
  if (memory) disturbers.emplace_back([&] { TakeMemory(stop); });
  const std::vector<std::string> workers = WorkersOf(session.workload);
  for (uint32_t number = 0; number < workers.size(); ++number) {
    threads.emplace_back([&, number] {
      const std::string own = directory + "/w" + std::to_string(number);
      if (workers[number].rfind("sqlite-", 0) == 0) {
        RunSqlite(session, marks, number, own, workers[number] == "sqlite-wal");
      } else {
        Worker(session, marks, number, own).Run();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  stop = true;
  for (std::thread& thread : disturbers) thread.join();
}

int Main(int argc, char** argv) {
  if (argc < 8) {
    fputs("e4c-crash-load: see the head of main.cc\n", stderr);
    return 2;
  }
  const std::string verb = argv[1];
  Session session = {argv[2],
                     static_cast<uint32_t>(atoi(argv[3])),
                     argv[4],
                     strtoull(argv[5], nullptr, 10),
                     strtoull(argv[6], nullptr, 10),
                     strtoull(argv[7], nullptr, 10)};
  if (WorkersOf(session.workload).empty()) {
    fprintf(stderr, "e4c-crash-load: no workload %s\n", session.workload.c_str());
    return 2;
  }
  if (verb == "run" && argc >= 9) {
    const std::vector<std::string> with(argv + 9, argv + argc);
    const auto has = [&](const char* word) { return std::find(with.begin(), with.end(), word) != with.end(); };
    Run(session, argv[8], has("reader"), has("memory"));
  } else {
    Marks(session).WriteSession(verb == "begin" ? 1 : 2);
  }
  return 0;
}

}  // namespace
}  // namespace crash

int main(int argc, char** argv) { return crash::Main(argc, argv); }
