// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernelio/mount_watcher.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "common/error.h"

namespace ext4crypt {

absl::StatusOr<std::unique_ptr<MountWatcher>> MountWatcher::Start(Callbacks callbacks) {
  UniqueFd mountinfo(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  if (!mountinfo.valid() || !stop.valid()) {
    return ErrnoError(ErrorReason::kInternal, errno, "mounts cannot be watched");
  }
  std::unique_ptr<MountWatcher> watcher(
      new MountWatcher(std::move(callbacks), std::move(mountinfo), std::move(stop)));
  watcher->thread_ = std::thread([raw = watcher.get()] { raw->Run(); });
  return watcher;
}

MountWatcher::~MountWatcher() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(stop_.get(), &one, sizeof(one));
  if (thread_.joinable()) thread_.join();
}

void MountWatcher::Run() {
  std::array<struct pollfd, 2> fds = {{
      // The kernel signals a change by POLLERR and POLLPRI; there is nothing to read.
      {.fd = mountinfo_.get(), .events = POLLPRI, .revents = 0},
      {.fd = stop_.get(), .events = POLLIN, .revents = 0},
  }};
  for (;;) {
    const int ready = ::poll(fds.data(), fds.size(), kTickMs);
    if (ready < 0 && errno != EINTR) return;
    if (ready < 0) continue;
    if (fds[1].revents != 0) return;
    if ((fds[0].revents & (POLLPRI | POLLERR)) != 0) callbacks_.mounts_changed();
    callbacks_.tick();
  }
}

}  // namespace ext4crypt
