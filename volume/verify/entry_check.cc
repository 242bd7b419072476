// SPDX-License-Identifier: Apache-2.0
#include "volume/verify/entry_check.h"

#include "volume/verify/policy_check.h"

namespace ext4crypt::volume {

EntryChecker::EntryChecker(const Node& directory, const KeyRing& keys) : directory_(directory) {
  if (!directory.authenticated()) return;
  const MasterKey* master = keys.Find(directory.context->identifier());
  if (master == nullptr) return;
  if (auto made = master->KeysOf(*directory.context); made.ok()) keys_ = *std::move(made);
}

EntryChecker::Verdict EntryChecker::Check(const Node& child, absl::Span<const uint8_t> name) const {
  Verdict verdict;
  verdict.reason = ComparePolicies(directory_, child, verdict.detail);
  if (verdict.reason != Reason::kNone || !directory_.authenticated()) return verdict;
  if (child.inode.IsDevice() && !child.inode.IsWhiteout()) return {Reason::kDeviceRefused, ""};
  // With several names the head says so, and it is checked before the contents are used.
  if (!child.fault.ok() || child.state.linked) return {};
  if (!child.place.has_value() || *child.place == Mac{}) {
    return {Reason::kPlaceNotAuthentic, "it has no place"};
  }
  if (keys_.empty()) return {};
  const auto mac = PlaceMac(keys_.place(), child.subject(), name);
  if (mac.ok() && *mac == *child.place) return {};
  return {Reason::kPlaceNotAuthentic, ""};
}

}  // namespace ext4crypt::volume
