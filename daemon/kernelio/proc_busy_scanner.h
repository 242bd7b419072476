// SPDX-License-Identifier: Apache-2.0
// BusyScanner by reading /proc.
#pragma once

#include "daemon/core/volume_keys.h"

namespace ext4crypt {

// A snapshot for people to act on, not a guarantee: processes come and go while it is taken, and
// those of other mount or pid namespaces may be missing.
class ProcBusyScanner final : public BusyScanner {
 public:
  static constexpr size_t kMaxProcesses = 64;
  static constexpr size_t kMaxPathsEach = 4;

  [[nodiscard]] std::vector<BusyProcess> FindBusy(const std::vector<Volume>& volumes,
                                                  const KeyIdentifier& identifier) override;
};

}  // namespace ext4crypt
