// SPDX-License-Identifier: Apache-2.0
// How many connections there are, of each user and in all.
#pragma once

#include <cstddef>
#include <map>

#include "keys/records.h"

namespace ext4crypt {

struct ConnectionLimits {
  size_t per_user = 32;
  // Well below the limit on descriptors: each connection needs two, and a full table makes an
  // accept loop spin.
  size_t total = 1024;
};

// Not thread-safe: the acceptor's thread owns it.
class ConnectionCounts {
 public:
  explicit ConnectionCounts(ConnectionLimits limits) : limits_(limits) {}

  // Root is counted like everybody, but finds room when others have filled the total.
  [[nodiscard]] bool Admit(Uid uid);
  void Release(Uid uid);
  [[nodiscard]] size_t Of(Uid uid) const;

 private:
  // Kept free for root, so that users cannot keep the administrator out.
  static constexpr size_t kReservedForRoot = 8;

  const ConnectionLimits limits_;
  std::map<Uid, size_t> of_user_;
  size_t total_ = 0;
};

}  // namespace ext4crypt
