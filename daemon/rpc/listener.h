// SPDX-License-Identifier: Apache-2.0
// The listening Unix socket: our own, or one systemd hands over.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/unique_fd.h"

namespace ext4crypt {

class Listener {
 public:
  // A socket of systemd's, when there is one; otherwise a new one at `path`, open to every user
  // (who may do what is decided per call, by peer credentials). The directory is created when
  // missing. A socket left behind by a dead service is replaced; a live one is kStoreInUse.
  [[nodiscard]] static absl::StatusOr<Listener> Open(const std::string& path);

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

}  // namespace ext4crypt
