// SPDX-License-Identifier: Apache-2.0
// e4c-crash-load: what runs in the guest while its writes are recorded.
//
//   e4c-crash-load begin|end DEVICE SESSION WORKLOAD SEED OPS BYTES     marks the log
//   e4c-crash-load run DEVICE SESSION WORKLOAD SEED OPS BYTES DIRECTORY [reader]
//
// BYTES is the size of the file system; the markers stand behind it. "reader": the device is read
// all the while, as a backup program or blkid would, which fills its page cache with copies that
// soon are old.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
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

void Run(const Session& session, const std::string& directory, bool reader) {
  const Marks marks(session);
  std::atomic<bool> stop = false;
  std::thread raw;
  if (reader) raw = std::thread([&] { ReadDevice(session, stop); });
  std::vector<std::thread> threads;
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
  if (reader) raw.join();
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
    Run(session, argv[8], argc > 9 && !strcmp(argv[9], "reader"));
  } else {
    Marks(session).WriteSession(verb == "begin" ? 1 : 2);
  }
  return 0;
}

}  // namespace
}  // namespace crash

int main(int argc, char** argv) { return crash::Main(argc, argv); }
