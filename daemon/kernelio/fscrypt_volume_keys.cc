// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernelio/fscrypt_volume_keys.h"

#include <fcntl.h>
#include <linux/fscrypt.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/paths.h"
#include "common/status_macros.h"
#include "daemon/kernelio/fs_uid_scope.h"

namespace ext4crypt {
namespace {

bool IsCandidate(const Mount& mount) {
  return mount.fs_type == kAuthenticatedFsType || mount.fs_type == kPlainFsType;
}

// Something of the file system at `mount_point`; invalid when another file system covers it.
// O_NONBLOCK and O_NOCTTY because a mount point may be any file, a bind-mounted one for example.
UniqueFd OpenOnDevice(const std::string& mount_point, dev_t device) {
  UniqueFd fd(::open(mount_point.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  struct stat info = {};
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0 || info.st_dev != device ||
      (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode))) {
    return UniqueFd();
  }
  return fd;
}

// Held only for the length of one ioctl, so that we hardly ever stand in the way of an unmount.
absl::StatusOr<UniqueFd> OpenVolume(const Volume& volume) {
  if (UniqueFd fd = OpenOnDevice(volume.mount_point, volume.device); fd.valid()) return fd;
  // The mount point may have been covered or moved since it was listed.
  ASSIGN_OR_RETURN(const std::vector<Mount> mounts, ReadMountInfo());
  for (const Mount& mount : mounts) {
    if (mount.device != volume.device) continue;
    if (UniqueFd fd = OpenOnDevice(mount.mount_point, volume.device); fd.valid()) return fd;
  }
  return Error(ErrorReason::kVolumeFailed,
               absl::StrCat("the volume at ", volume.mount_point, " cannot be reached"),
               volume.mount_point);
}

// The file system's answer to the encryption ioctls: EOPNOTSUPP without the encrypt feature.
bool HasEncryptFeature(int fd) {
  struct fscrypt_get_policy_ex_arg arg = {};
  arg.policy_size = sizeof(arg.policy);
  return ::ioctl(fd, FS_IOC_GET_ENCRYPTION_POLICY_EX, &arg) == 0 ||
         (errno != EOPNOTSUPP && errno != ENOTTY);
}

void SetIdentifier(struct fscrypt_key_specifier& spec, const KeyIdentifier& identifier) {
  static_assert(sizeof(spec.u.identifier) == std::tuple_size_v<KeyIdentifier>);
  spec.type = FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER;
  std::copy(identifier.begin(), identifier.end(), std::begin(spec.u.identifier));
}

absl::Status IoctlError(int err, absl::string_view what, const Volume& volume) {
  return ErrnoError(err == EDQUOT ? ErrorReason::kKeyQuotaExceeded : ErrorReason::kVolumeFailed,
                    err, absl::StrCat(what, " on ", volume.mount_point), volume.mount_point);
}

// Runs `request` on the volume with `uid`'s claim. Opens before it takes the user's fsuid: as the
// user, the mount point might not be reachable.
absl::Status IoctlAs(Uid uid, const Volume& volume, unsigned long request, void* arg,
                     absl::string_view what) {
  ASSIGN_OR_RETURN(const UniqueFd fd, OpenVolume(volume));
  int err = 0;
  {
    const FsUidScope as_user(uid);
    RETURN_IF_ERROR(as_user.status());
    if (::ioctl(fd.get(), request, arg) != 0) err = errno;
  }
  return err == 0 ? absl::OkStatus() : IoctlError(err, what, volume);
}

}  // namespace

absl::StatusOr<std::vector<Volume>> FscryptVolumeKeys::ListVolumes() {
  ASSIGN_OR_RETURN(const std::vector<Mount> mounts, ReadMountInfo());
  std::vector<Volume> volumes;
  for (const Mount& mount : mounts) {
    const bool known = std::any_of(volumes.begin(), volumes.end(), [&](const Volume& volume) {
      return volume.device == mount.device;
    });
    if (known || !IsCandidate(mount)) continue;
    const bool authenticated = mount.fs_type == kAuthenticatedFsType;
    const UniqueFd fd = OpenOnDevice(mount.mount_point, mount.device);
    // Not reachable here: another mount of the same volume may be. But an authenticated volume
    // that cannot be reached at all is worth an error later; plain ones are not ours to judge.
    if (fd.valid() ? !HasEncryptFeature(fd.get()) : !authenticated) continue;
    volumes.push_back(Volume{.device = mount.device,
                             .mount_point = mount.mount_point,
                             .source = mount.source,
                             .authenticated = authenticated});
  }
  return volumes;
}

absl::Status FscryptVolumeKeys::AddKey(const Volume& volume, Uid uid,
                                       const KeyIdentifier& identifier, const SecretBuffer& key) {
  // The key follows the header in one block; it must not touch ordinary memory.
  SecretBuffer block(sizeof(struct fscrypt_add_key_arg) + key.size());
  struct fscrypt_add_key_arg header = {};
  // Left empty in type IDENTIFIER: the kernel computes it from the key and writes it back.
  header.key_spec.type = FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER;
  header.raw_size = static_cast<__u32>(key.size());
  std::memcpy(block.data(), &header, sizeof(header));
  std::memcpy(block.data() + sizeof(header), key.data(), key.size());
  RETURN_IF_ERROR(IoctlAs(uid, volume, FS_IOC_ADD_ENCRYPTION_KEY, block.data(), "adding a key"));
  std::memcpy(&header, block.data(), sizeof(header));
  if (!std::equal(identifier.begin(), identifier.end(), std::begin(header.key_spec.u.identifier))) {
    return Error(ErrorReason::kVolumeFailed,
                 absl::StrCat("the kernel names the key differently on ", volume.mount_point),
                 volume.mount_point);
  }
  return absl::OkStatus();
}

absl::StatusOr<RemovalOutcome> FscryptVolumeKeys::RemoveKey(const Volume& volume, Uid uid,
                                                            const KeyIdentifier& identifier) {
  struct fscrypt_remove_key_arg arg = {};
  SetIdentifier(arg.key_spec, identifier);
  absl::Status removed = IoctlAs(uid, volume, FS_IOC_REMOVE_ENCRYPTION_KEY, &arg, "removing a key");
  if (!removed.ok()) {
    // The last busy file may have been closed since the caller looked; then there is no key left
    // to remove, and that is what was wanted.
    const auto status = GetKeyStatus(volume, uid, identifier);
    if (status.ok() && status->presence == KeyPresence::kAbsent) return RemovalOutcome{};
    return removed;
  }
  return RemovalOutcome{
      .files_busy = (arg.removal_status_flags & FSCRYPT_KEY_REMOVAL_STATUS_FLAG_FILES_BUSY) != 0,
      .claimed_by_others =
          (arg.removal_status_flags & FSCRYPT_KEY_REMOVAL_STATUS_FLAG_OTHER_USERS) != 0};
}

absl::StatusOr<VolumeKeyStatus> FscryptVolumeKeys::GetKeyStatus(const Volume& volume, Uid uid,
                                                                const KeyIdentifier& identifier) {
  struct fscrypt_get_key_status_arg arg = {};
  SetIdentifier(arg.key_spec, identifier);
  RETURN_IF_ERROR(IoctlAs(uid, volume, FS_IOC_GET_ENCRYPTION_KEY_STATUS, &arg, "asking for a key"));
  VolumeKeyStatus status;
  switch (arg.status) {
    case FSCRYPT_KEY_STATUS_ABSENT:
      break;
    case FSCRYPT_KEY_STATUS_PRESENT:
      status.presence = KeyPresence::kPresent;
      break;
    default:
      status.presence = KeyPresence::kRemovalIncomplete;
      break;
  }
  status.claimed_by_user = (arg.status_flags & FSCRYPT_KEY_STATUS_FLAG_ADDED_BY_SELF) != 0;
  status.claimed_by_others = arg.user_count > (status.claimed_by_user ? 1U : 0U);
  return status;
}

}  // namespace ext4crypt
