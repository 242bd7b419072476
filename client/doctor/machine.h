// SPDX-License-Identifier: Apache-2.0
// The machine that the checks look at: its files below a root, and what no file tells. A test
// gives a root of its own.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/mountinfo.h"
#include "common/paths.h"

namespace ext4crypt::doctor {

// What the key service says of the user. Of a service that does not answer, `failure` alone.
struct ServiceFacts {
  std::string failure;  // one sentence; empty: it answered
  bool enrolled = false;
  bool unlocked = false;                     // the default key
  bool held = false;                         // by the service: it unlocks volumes mounted later too
  std::string identifier_hex;                // of the default key
  std::vector<std::string> protector_kinds;  // of the default key
  struct VolumeError {
    std::string mount_point;
    std::string cause;
  };
  std::vector<VolumeError> volume_errors;
};

class Machine {
 public:
  // `root` is "/" for the real one.
  Machine(std::string root, uid_t uid, int64_t now_unix_s);

  // Of /PATH, at most 1 MiB, without waiting for a pipe. nullopt: not there, or not for this user.
  [[nodiscard]] std::optional<std::string> Read(const std::string& path) const;
  // `size` bytes at `offset` of a file or device.
  [[nodiscard]] std::optional<std::string> ReadAt(const std::string& path, off_t offset,
                                                  size_t size) const;
  // The last `size` bytes of a file that has so many.
  [[nodiscard]] std::optional<std::string> ReadEnd(const std::string& path, size_t size) const;
  // Does not follow the last link: it may lead out of the root.
  [[nodiscard]] std::optional<struct stat> Look(const std::string& path) const;
  [[nodiscard]] bool Has(const std::string& path) const { return Look(path).has_value(); }
  // Sorted; none of a directory that cannot be read.
  [[nodiscard]] std::vector<std::string> Names(const std::string& path) const;
  [[nodiscard]] std::vector<Mount> Mounts() const;
  // Of the running kernel, such as "6.12.30-amd64"; empty where /proc does not say.
  [[nodiscard]] std::string KernelRelease() const;

  [[nodiscard]] uid_t uid() const { return uid_; }
  [[nodiscard]] int64_t now_unix_s() const { return now_unix_s_; }

  // Whole paths.
  std::string socket = kDefaultSocketPath;
  ServiceFacts service;
  // Whether a directory, by its whole path, is a per-user directory.
  std::function<bool(const std::string& path)> is_per_user = [](const std::string&) {
    return false;
  };

 private:
  [[nodiscard]] std::string Below(const std::string& path) const;

  std::string root_;  // without a slash at its end
  uid_t uid_;
  int64_t now_unix_s_;
};

}  // namespace ext4crypt::doctor
