// SPDX-License-Identifier: Apache-2.0
// Calls back when the mounts of our namespace change, and now and then while asked to.
#pragma once

#include <functional>
#include <memory>
#include <thread>

#include "absl/status/statusor.h"
#include "common/unique_fd.h"

namespace ext4crypt {

class MountWatcher {
 public:
  struct Callbacks {
    std::function<void()> mounts_changed;
    // Called every kTickMs; work that waits for files to be closed has no event to wait for.
    std::function<void()> tick;
  };
  static constexpr int kTickMs = 1000;

  // Both callbacks run on the watcher's own thread.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<MountWatcher>> Start(Callbacks callbacks);
  MountWatcher(const MountWatcher&) = delete;
  MountWatcher& operator=(const MountWatcher&) = delete;
  ~MountWatcher();

 private:
  MountWatcher(Callbacks callbacks, UniqueFd mountinfo, UniqueFd stop)
      : callbacks_(std::move(callbacks)),
        mountinfo_(std::move(mountinfo)),
        stop_(std::move(stop)) {}
  void Run();

  const Callbacks callbacks_;
  const UniqueFd mountinfo_;
  const UniqueFd stop_;
  std::thread thread_;
};

}  // namespace ext4crypt
