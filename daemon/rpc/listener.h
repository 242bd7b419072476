// SPDX-License-Identifier: Apache-2.0
// The listening Unix sockets: our own, or those systemd hands over.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/unique_fd.h"
#include "daemon/rpc/session_door.h"

namespace ext4crypt {

class Listener {
 public:
  Listener() = default;
  // A new socket at `path`. The directory is created when missing. A socket left behind by a dead
  // service is replaced; a live one is kStoreInUse.
  [[nodiscard]] static absl::StatusOr<Listener> Open(const std::string& path, mode_t mode);
  // One that systemd hands over.
  [[nodiscard]] static absl::StatusOr<Listener> Adopt(UniqueFd fd);

  Listener(Listener&&) = default;
  Listener& operator=(Listener&&) = default;
  // Removes the path, if it is our own.
  ~Listener();

  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  Listener(UniqueFd fd, std::string own_path)
      : fd_(std::move(fd)), own_path_(std::move(own_path)) {}

  UniqueFd fd_;
  std::string own_path_;  // empty with systemd's socket
};

// Everything the service listens on.
struct Listeners {
  Listener service;   // open to every user: who may do what is decided per call
  Listener sessions;  // for root; invalid when systemd hands over a socket but not this one
  std::vector<StoredSession> stored;

  // systemd's when there are any (by name: "session" is the second, "session-UID" a kept session);
  // otherwise new ones, at `path` and beside it.
  [[nodiscard]] static absl::StatusOr<Listeners> Open(const std::string& path);
};

}  // namespace ext4crypt
