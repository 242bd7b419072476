// SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/connection_counts.h"

namespace ext4crypt {

bool ConnectionCounts::Admit(Uid uid) {
  const size_t room = limits_.total + (uid == 0 ? kReservedForRoot : 0);
  if (total_ >= room || Of(uid) >= limits_.per_user) return false;
  ++total_;
  ++of_user_[uid];
  return true;
}

void ConnectionCounts::Release(Uid uid) {
  const auto it = of_user_.find(uid);
  if (it == of_user_.end()) return;
  --total_;
  if (--it->second == 0) of_user_.erase(it);
}

size_t ConnectionCounts::Of(Uid uid) const {
  const auto it = of_user_.find(uid);
  return it == of_user_.end() ? 0 : it->second;
}

}  // namespace ext4crypt
