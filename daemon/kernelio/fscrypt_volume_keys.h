// SPDX-License-Identifier: Apache-2.0
// VolumeKeys by mountinfo and the kernel's own fscrypt ioctls.
#pragma once

#include <vector>

#include "common/mountinfo.h"
#include "common/unique_fd.h"
#include "daemon/core/volume_keys.h"

namespace ext4crypt {

// Sees the mounts of its own mount namespace only.
class FscryptVolumeKeys final : public VolumeKeys {
 public:
  [[nodiscard]] absl::StatusOr<std::vector<Volume>> ListVolumes() override;
  [[nodiscard]] absl::Status AddKey(const Volume& volume, Uid uid, const KeyIdentifier& identifier,
                                    const SecretBuffer& key) override;
  [[nodiscard]] absl::StatusOr<RemovalOutcome> RemoveKey(const Volume& volume, Uid uid,
                                                         const KeyIdentifier& identifier) override;
  [[nodiscard]] absl::StatusOr<VolumeKeyStatus> GetKeyStatus(
      const Volume& volume, Uid uid, const KeyIdentifier& identifier) override;
};

}  // namespace ext4crypt
