// SPDX-License-Identifier: Apache-2.0
// How many login sessions each user has open.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>

#include "keys/records.h"

namespace ext4crypt {

// Safe to call from any thread. What a session is, and when it ends, is decided elsewhere (a
// descriptor that root's helper left with us); here they are only counted.
class Sessions {
 public:
  void Begin(Uid uid);
  // How many the user has left.
  size_t End(Uid uid);
  [[nodiscard]] size_t Of(Uid uid) const;

 private:
  mutable std::mutex mutex_;
  std::map<Uid, size_t> open_;  // guarded by mutex_; no zeros
};

}  // namespace ext4crypt
