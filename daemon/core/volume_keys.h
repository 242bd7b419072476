// SPDX-License-Identifier: Apache-2.0
// What the service needs of the kernel: volumes and the keys in them, user keyrings, open files.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/secret_buffer.h"
#include "keys/records.h"

namespace ext4crypt {

// One mounted file system (not one mount: bind mounts of it share its keys).
struct Volume {
  dev_t device = 0;
  std::string mount_point;
  std::string source;
  // False: plain ext4 with the encrypt feature, whose contents nothing authenticates.
  bool authenticated = false;
};

enum class KeyPresence { kAbsent, kPresent, kRemovalIncomplete };

struct VolumeKeyStatus {
  KeyPresence presence = KeyPresence::kAbsent;
  bool claimed_by_user = false;
  bool claimed_by_others = false;
};

struct RemovalOutcome {
  // Files opened earlier keep the key; try again when they are closed.
  bool files_busy = false;
  bool claimed_by_others = false;
};

class VolumeKeys {
 public:
  virtual ~VolumeKeys() = default;

  // Every mounted volume that can hold keys, authenticated or not.
  [[nodiscard]] virtual absl::StatusOr<std::vector<Volume>> ListVolumes() = 0;
  // Idempotent. kKeyQuotaExceeded, or kVolumeFailed with the mount point as subject.
  [[nodiscard]] virtual absl::Status AddKey(const Volume& volume, Uid uid,
                                            const KeyIdentifier& identifier,
                                            const SecretBuffer& key) = 0;
  [[nodiscard]] virtual absl::StatusOr<RemovalOutcome> RemoveKey(
      const Volume& volume, Uid uid, const KeyIdentifier& identifier) = 0;
  [[nodiscard]] virtual absl::StatusOr<VolumeKeyStatus> GetKeyStatus(
      const Volume& volume, Uid uid, const KeyIdentifier& identifier) = 0;
};

// The user's own keyring, where the kernel component looks for EXT4_DEFAULT_KEY.
class UserKeyring {
 public:
  virtual ~UserKeyring() = default;
  [[nodiscard]] virtual absl::Status InstallDefaultKey(Uid uid, const SecretBuffer& key) = 0;
  // OK when there was none.
  [[nodiscard]] virtual absl::Status RemoveDefaultKey(Uid uid) = 0;
};

struct BusyProcess {
  pid_t pid = 0;
  Uid uid = 0;
  std::string command;
  std::vector<std::string> paths;  // a few of them
};

class BusyScanner {
 public:
  virtual ~BusyScanner() = default;
  // Processes that hold files of this key open on these volumes.
  [[nodiscard]] virtual std::vector<BusyProcess> FindBusy(const std::vector<Volume>& volumes,
                                                          const KeyIdentifier& identifier) = 0;
};

}  // namespace ext4crypt
