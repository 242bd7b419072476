// SPDX-License-Identifier: Apache-2.0
#include "client/fs/policy.h"

#include <fcntl.h>
#include <linux/fscrypt.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/directory.h"
#include "common/error.h"
#include "common/mountinfo.h"
#include "common/paths.h"
#include "common/status_macros.h"
#include "ext4crypt/uapi.h"
#include "volume/ext4/bytes.h"

namespace ext4crypt {
namespace {

absl::Status OpenError(int err, const std::string& path) {
  if (IsDiskError(err)) return ErrnoError(ErrorReason::kDiskFailed, err, "open", path);
  switch (err) {
    case ENOENT:
      return ErrnoError(ErrorReason::kDirectoryNotFound, err, "open", path);
    case ENOTDIR:
      return ErrnoError(ErrorReason::kNotADirectory, err, "open", path);
    default:
      return ErrnoError(ErrorReason::kDirectoryUnreadable, err, "open", path);
  }
}

// Through the open descriptor: a path can lead elsewhere by the time it is looked up again.
absl::StatusOr<int> MountIdOf(int fd, const std::string& path) {
  const UniqueFd info(::open(absl::StrCat("/proc/self/fdinfo/", fd).c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 1024> text = {};
  const ssize_t size = info.valid() ? ::read(info.get(), text.data(), text.size()) : -1;
  if (size > 0) {
    for (const absl::string_view line :
         absl::StrSplit(absl::string_view(text.data(), static_cast<size_t>(size)), '\n')) {
      int id = 0;
      const std::pair<absl::string_view, absl::string_view> field =
          absl::StrSplit(line, absl::MaxSplits(':', 1));
      if (field.first == "mnt_id" && absl::SimpleAtoi(field.second, &id)) return id;
    }
  }
  return Error(ErrorReason::kInternal, "no mount id in fdinfo", path);
}

absl::StatusOr<std::string> FsTypeOf(int fd, const std::string& path) {
  ASSIGN_OR_RETURN(const int id, MountIdOf(fd, path));
  ASSIGN_OR_RETURN(const std::vector<Mount> mounts, ReadMountInfo());
  for (const Mount& mount : mounts) {
    if (mount.mount_id == id) return mount.fs_type;
  }
  // A mount of another namespace, reached by a descriptor or /proc: not ours to judge.
  return std::string("unknown");
}

absl::Status SetPolicyError(int err, const std::string& path) {
  ErrorReason reason = ErrorReason::kInternal;
  switch (err) {
    case ENOTEMPTY:
      reason = ErrorReason::kDirectoryNotEmpty;
      break;
    case EEXIST:
      reason = ErrorReason::kEncryptedOtherwise;
      break;
    case EACCES:
      reason = ErrorReason::kDirectoryNotOwned;
      break;
    case ENOKEY:
      reason = ErrorReason::kKeyLocked;
      break;
    case EROFS:
      reason = ErrorReason::kFilesystemReadOnly;
      break;
    case EOPNOTSUPP:
      reason = ErrorReason::kFilesystemLacksEncrypt;
      break;
    case ENOTTY:
      reason = ErrorReason::kFilesystemUnsupported;
      break;
    case ENOSPC:
    case EDQUOT:
      reason = ErrorReason::kVolumeFull;
      break;
    default:
      if (IsDiskError(err)) reason = ErrorReason::kDiskFailed;
      break;
  }
  return ErrnoError(reason, err, "setting the policy", path);
}

}  // namespace

Policy OurPolicy(const std::array<uint8_t, 16>& identifier) {
  return Policy{.version = FSCRYPT_POLICY_V2,
                .identifier = identifier,
                .contents_mode = FSCRYPT_MODE_AES_256_XTS,
                .filenames_mode = FSCRYPT_MODE_AES_256_CTS,
                .flags = FSCRYPT_POLICY_FLAGS_PAD_32};
}

absl::StatusOr<PolicyDir> PolicyDir::Open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return OpenError(errno, path);
  struct stat info = {};
  if (::fstat(fd.get(), &info) != 0) return OpenError(errno, path);
  ASSIGN_OR_RETURN(std::string fs_type, FsTypeOf(fd.get(), path));
  const bool is_ext4 = fs_type == kAuthenticatedFsType || fs_type == kPlainFsType;
  return PolicyDir(path, std::move(fd), std::move(fs_type), info.st_uid,
                   is_ext4 && info.st_ino == kTopInode);
}

bool PolicyDir::authenticated() const { return fs_type_ == kAuthenticatedFsType; }

absl::StatusOr<std::optional<Policy>> PolicyDir::GetPolicy() const {
  struct fscrypt_get_policy_ex_arg arg = {};
  arg.policy_size = sizeof(arg.policy);
  if (::ioctl(fd_.get(), FS_IOC_GET_ENCRYPTION_POLICY_EX, &arg) != 0) {
    switch (errno) {
      case ENODATA:
        return std::optional<Policy>();
      case EOPNOTSUPP:
        return Error(ErrorReason::kFilesystemLacksEncrypt, "no encrypt feature", path_);
      case ENOTTY:
        return Error(ErrorReason::kFilesystemUnsupported, "no encryption ioctls", path_);
      default:
        return ErrnoError(IsDiskError(errno) ? ErrorReason::kDiskFailed : ErrorReason::kInternal,
                          errno, "asking for the policy", path_);
    }
  }
  Policy policy;
  if (arg.policy.version == FSCRYPT_POLICY_V1) {
    policy = {.version = 1,
              .contents_mode = arg.policy.v1.contents_encryption_mode,
              .filenames_mode = arg.policy.v1.filenames_encryption_mode,
              .flags = arg.policy.v1.flags};
  } else {
    policy = {.version = arg.policy.v2.version,
              .contents_mode = arg.policy.v2.contents_encryption_mode,
              .filenames_mode = arg.policy.v2.filenames_encryption_mode,
              .flags = arg.policy.v2.flags};
    std::copy_n(std::begin(arg.policy.v2.master_key_identifier), policy.identifier.size(),
                policy.identifier.begin());
  }
  return std::optional<Policy>(policy);
}

absl::StatusOr<bool> PolicyDir::IsEmpty() const {
  bool empty = true;
  const int error = ForEachName(fd_.get(), [&empty](const char*) { return empty = false; });
  if (error != 0) return OpenError(error, path_);
  return empty;
}

absl::Status PolicyDir::SetPolicy(const Policy& policy) const {
  struct fscrypt_policy_v2 arg = {};
  arg.version = FSCRYPT_POLICY_V2;
  arg.contents_encryption_mode = static_cast<__u8>(policy.contents_mode);
  arg.filenames_encryption_mode = static_cast<__u8>(policy.filenames_mode);
  arg.flags = static_cast<__u8>(policy.flags);
  std::copy(policy.identifier.begin(), policy.identifier.end(),
            std::begin(arg.master_key_identifier));
  if (::ioctl(fd_.get(), FS_IOC_SET_ENCRYPTION_POLICY, &arg) != 0) {
    return SetPolicyError(errno, path_);
  }
  return Sync();
}

absl::StatusOr<bool> PolicyDir::IsPerUser() const {
  __u32 per_user = 0;
  if (::ioctl(fd_.get(), E4C_IOC_GET_PER_USER, &per_user) != 0) {
    return SetPolicyError(errno, path_);
  }
  return per_user != 0;
}

absl::Status PolicyDir::SetPerUser() const {
  const __u32 per_user = 1;
  if (::ioctl(fd_.get(), E4C_IOC_SET_PER_USER, &per_user) != 0) {
    return SetPolicyError(errno, path_);
  }
  return Sync();
}

absl::StatusOr<uint32_t> PolicyDir::GetAead() const {
  __u32 aead = 0;
  if (::ioctl(fd_.get(), E4C_IOC_GET_AEAD, &aead) != 0) return SetPolicyError(errno, path_);
  return aead;
}

absl::Status PolicyDir::SetAead(uint32_t aead) const {
  const __u32 wanted = aead;
  if (::ioctl(fd_.get(), E4C_IOC_SET_AEAD, &wanted) != 0) return SetPolicyError(errno, path_);
  return Sync();
}

absl::Status PolicyDir::Sync() const {
  if (::fsync(fd_.get()) == 0) return absl::OkStatus();
  return ErrnoError(IsDiskError(errno) ? ErrorReason::kDiskFailed : ErrorReason::kInternal, errno,
                    "syncing the directory", path_);
}

std::string AeadName(uint32_t aead) {
  if (aead == E4C_AEAD_AES_256_GCM) return "AES-256-GCM";
  return aead == E4C_AEAD_CHACHA20_POLY1305 ? "ChaCha20-Poly1305" : "";
}

std::string ModeName(int mode) {
  switch (mode) {
    case FSCRYPT_MODE_AES_256_XTS:
      return "AES-256-XTS";
    case FSCRYPT_MODE_AES_256_CTS:
      return "AES-256-CTS";
    case FSCRYPT_MODE_AES_128_CBC:
      return "AES-128-CBC";
    case FSCRYPT_MODE_AES_128_CTS:
      return "AES-128-CTS";
    case FSCRYPT_MODE_ADIANTUM:
      return "Adiantum";
    case FSCRYPT_MODE_AES_256_HCTR2:
      return "AES-256-HCTR2";
    default:
      return absl::StrCat("mode ", mode);
  }
}

}  // namespace ext4crypt
