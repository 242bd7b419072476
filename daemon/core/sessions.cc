// SPDX-License-Identifier: Apache-2.0
#include "daemon/core/sessions.h"

namespace ext4crypt {

void Sessions::Begin(Uid uid) {
  const std::lock_guard lock(mutex_);
  ++open_[uid];
}

size_t Sessions::End(Uid uid) {
  const std::lock_guard lock(mutex_);
  const auto it = open_.find(uid);
  if (it == open_.end()) return 0;
  const size_t left = --it->second;
  if (left == 0) open_.erase(it);
  return left;
}

size_t Sessions::Of(Uid uid) const {
  const std::lock_guard lock(mutex_);
  const auto it = open_.find(uid);
  return it == open_.end() ? 0 : it->second;
}

}  // namespace ext4crypt
