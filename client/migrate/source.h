// SPDX-License-Identifier: Apache-2.0
// A file that is to be moved.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/migrate/node.h"

namespace ext4crypt {

// A regular one is open, with a lease: the kernel refuses it while somebody has the file open for
// writing, and tells us of who wants to before letting them.
class Source {
 public:
  // kFileInUse, kChangedMeanwhile.
  [[nodiscard]] static absl::StatusOr<Source> Open(const At& at, const Node& node,
                                                   const std::string& path);

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] const At& at() const { return at_; }
  [[nodiscard]] const Node& node() const { return node_; }

  // Who opens it for writing waits in the kernel until we let go.
  [[nodiscard]] absl::Status CheckUnwanted(const std::string& path) const;
  // The name still leads to the file as it was when it was looked at.
  [[nodiscard]] absl::Status CheckUnchanged(const std::string& path) const;

 private:
  Source(At at, const Node& node) : at_(std::move(at)), node_(node) {}
  At at_;
  Node node_;
  UniqueFd fd_;
  bool leased_ = false;
};

}  // namespace ext4crypt
