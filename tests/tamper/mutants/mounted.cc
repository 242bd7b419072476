// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <new>
#include <span>

#include "mutate.h"
#include "run.h"
#include "walk.h"

namespace tamper {
namespace {

// A walk goes no deeper after the first; a process that is not gone after the second has hung. Both are wide: a
// guest may be emulated on a busy machine.
constexpr int kWalkSeconds = 20, kHungSeconds = 120;

struct Shared {
  WalkCounts counts;
  uint64_t mounted;
  char wrong[400];
};

void* SharedMemory(size_t size) {
  void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return memory;
}

void ToKernelLog(const std::string& text) { std::ofstream("/dev/kmsg") << "<4>" << text << std::endl; }

// In the child. 0: as it should be.
int MountAndWalk(const Plan& plan, uint64_t seed, const Truths& truths, Shared& shared) {
  if (::mount(plan.device.c_str(), plan.mount.c_str(), plan.fstype.c_str(), 0, "errors=continue") != 0) return 0;
  ++shared.mounted;
  uint8_t identifier[16];
  if (seed % 16 != 0) AddKey(plan.mount, identifier);  // without the key everything else must hold as well
  const std::string wrong = Walk(plan.mount, seed, truths, kWalkSeconds, shared.counts);
  std::snprintf(shared.wrong, sizeof(shared.wrong), "%s", wrong.c_str());
  if (::umount2(plan.mount.c_str(), 0) == 0) return wrong.empty() ? 0 : 1;
  std::snprintf(shared.wrong, sizeof(shared.wrong), "cannot unmount: %s", strerrorname_np(errno));
  return 1;
}

// The child's status, or -1: it hangs.
int WaitFor(pid_t child) {
  const time_t end = ::time(nullptr) + kHungSeconds;
  for (useconds_t pause = 200; ::time(nullptr) < end; pause = pause < 20000 ? pause * 2 : pause) {
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == child) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    ::usleep(pause);
  }
  return -1;
}

void SayWhereItHangs(pid_t child) {
  std::ifstream stack("/proc/" + std::to_string(child) + "/stack");
  for (std::string line; std::getline(stack, line);) std::printf("  %s\n", line.c_str());
}

}  // namespace

int RunMounted(const std::vector<uint8_t>& base, const Truths& truths, const Plan& plan) {
  auto* const shared = static_cast<Shared*>(SharedMemory(sizeof(Shared)));
  *shared = {};
  // In shared memory, so that not all of it is copied page by page after each fork.
  const std::span<uint8_t> image(static_cast<uint8_t*>(SharedMemory(base.size())), base.size());
  for (uint64_t seed = plan.first; seed < plan.first + plan.count; ++seed) {
    std::ranges::copy(base, image.begin());
    const Mutant mutant = Mutate(image, seed);
    WriteDevice(plan.device, image);
    ToKernelLog("mutant " + std::to_string(seed));
    const pid_t child = ::fork();
    if (child == 0) ::_exit(MountAndWalk(plan, seed, truths, *shared));
    const int status = child < 0 ? 127 : WaitFor(child);
    if (status == 0) continue;
    std::printf("mutant %llu: %s\n", static_cast<unsigned long long>(seed),
                status < 0 ? "hangs" : status == 1 ? shared->wrong : ("ended with status " + std::to_string(status)).c_str());
    for (const std::string& change : mutant.changes) std::printf("  %s\n", change.c_str());
    if (status < 0) SayWhereItHangs(child);
    return 1;
  }
  const WalkCounts& c = shared->counts;
  const auto n = [](uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf("%llu mutants, %llu of them mounted: %llu names, %llu files opened and %llu refused, %llu pages true and %llu refused, "
              "%llu changes made and %llu refused\n",
              n(plan.count), n(shared->mounted), n(c.names), n(c.opened), n(c.refused), n(c.pages_true), n(c.pages_failed), n(c.writes),
              n(c.writes_failed));
  return 0;
}

}  // namespace tamper
