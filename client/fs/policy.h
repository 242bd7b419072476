// SPDX-License-Identifier: Apache-2.0
// Directory policies: the client's only use of the encryption ioctls.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/unique_fd.h"

namespace ext4crypt {

struct Policy {
  int version = 0;
  std::array<uint8_t, 16> identifier{};  // with version 2
  int contents_mode = 0;                 // FSCRYPT_MODE_*
  int filenames_mode = 0;
  int flags = 0;

  bool operator==(const Policy&) const = default;
};

// The one policy we set: version 2, contents AES-256-XTS, names AES-256-CTS, names padded to
// multiples of 32 bytes. On an ext4crypt volume the kernel component seals contents with an AEAD
// in place of XTS.
[[nodiscard]] Policy OurPolicy(const std::array<uint8_t, 16>& identifier);

// An open directory, and what there is to know of it before its policy is touched.
class PolicyDir {
 public:
  // Errors have `path` as subject: kDirectoryNotFound, kNotADirectory, kDirectoryUnreadable,
  // kDiskFailed.
  [[nodiscard]] static absl::StatusOr<PolicyDir> Open(const std::string& path);

  // "ext4crypt", "ext4", "tmpfs", ... of the mount it is on.
  [[nodiscard]] const std::string& fs_type() const { return fs_type_; }
  [[nodiscard]] bool authenticated() const;
  [[nodiscard]] uint32_t owner() const { return owner_; }
  // The kernel encrypts no volume's top directory.
  [[nodiscard]] bool IsVolumeTop() const { return is_top_; }

  // nullopt when it is not encrypted. kFilesystemUnsupported, kFilesystemLacksEncrypt.
  [[nodiscard]] absl::StatusOr<std::optional<Policy>> GetPolicy() const;
  [[nodiscard]] absl::StatusOr<bool> IsEmpty() const;
  // What the kernel says is final: the checks above may be out of date. Durable when OK.
  [[nodiscard]] absl::Status SetPolicy(const Policy& policy) const;

  // Per-user directories are the kernel component's own: what is created in one is encrypted with
  // its creator's default key. kFilesystemUnsupported elsewhere.
  [[nodiscard]] absl::StatusOr<bool> IsPerUser() const;
  [[nodiscard]] absl::Status SetPerUser() const;

  // E4C_AEAD_* of an encrypted directory, the kernel component's too; it can be set while the
  // directory is empty.
  [[nodiscard]] absl::StatusOr<uint32_t> GetAead() const;
  [[nodiscard]] absl::Status SetAead(uint32_t aead) const;

 private:
  PolicyDir(std::string path, UniqueFd fd, std::string fs_type, uint32_t owner, bool is_top)
      : path_(std::move(path)),
        fd_(std::move(fd)),
        fs_type_(std::move(fs_type)),
        owner_(owner),
        is_top_(is_top) {}

  [[nodiscard]] absl::Status Sync() const;

  std::string path_;
  UniqueFd fd_;
  std::string fs_type_;
  uint32_t owner_;
  bool is_top_;
};

// "AES-256-GCM" and "ChaCha20-Poly1305"; empty for another number.
[[nodiscard]] std::string AeadName(uint32_t aead);
// "AES-256-XTS" and so on.
[[nodiscard]] std::string ModeName(int mode);

}  // namespace ext4crypt
