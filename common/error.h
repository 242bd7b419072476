// SPDX-License-Identifier: Apache-2.0
// A stable reason carried inside absl::Status, so that callers and tests never depend on wording.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace ext4crypt {

// Numbers and names equal those of ext4crypt.keyd.v1.ErrorReason; a unit test holds them together.
enum class ErrorReason : uint32_t {
  kUnspecified = 0,
  kInternal = 1,
  kInvalidRequest = 2,
  kNotAllowed = 3,
  kServiceOverloaded = 4,
  kServiceUnreachable = 5,
  kServiceUntrusted = 6,
  kNotEnrolled = 7,
  kAlreadyEnrolled = 8,
  kWrongPassphrase = 9,
  kWrongRecoveryCode = 10,
  kRecoveryCodeMistyped = 11,
  kPassphraseTooShort = 12,
  kPassphraseTooLong = 13,
  kPassphraseMismatch = 14,
  kPassphraseUnreadable = 15,
  kThrottled = 16,
  kKeyLocked = 17,
  kFilesBusy = 18,
  kStoreCorrupt = 19,
  kStoreTooNew = 20,
  kStoreInUse = 21,
  kStoreUnwritable = 22,
  kKeyQuotaExceeded = 23,
  kVolumeFailed = 24,
  kKeyringFailed = 25,
  kDirectoryNotFound = 26,
  kNotADirectory = 27,
  kDirectoryNotEmpty = 28,
  kDirectoryNotOwned = 29,
  kDirectoryUnreadable = 30,
  kEncryptedOtherwise = 31,
  kFilesystemUnsupported = 32,
  kFilesystemLacksEncrypt = 33,
  kFilesystemUnauthenticated = 34,
  kFilesystemReadOnly = 35,
  kChangedMeanwhile = 36,
  kNoSuchUser = 37,
  kWrongKeyFile = 38,
  kKeyFileUnusable = 39,
  kLastProtector = 40,
  kNoSuchProtector = 41,
  kTooManyProtectors = 42,
  kDirectorySpansMounts = 43,
  kFilesLeft = 44,
  kFileInUse = 45,
  kVolumeFull = 46,
  kFileUnmovable = 47,
  kInterrupted = 48,
  kMoveConflict = 49,
  kEncryptionUnfinished = 50,
  kMoveRunning = 51,
  kNoSuchKey = 52,
  kKeyExists = 53,
  kKeyNameInvalid = 54,
  kTooManyKeys = 55,
  kDataWouldBeLost = 56,
  kNotShared = 57,
  kRecordUnusable = 58,
  kRecoveryCodeUnconfirmed = 59,
  kParentUnwritable = 60,
  kVolumeTop = 61,
  kDiskFailed = 62,
  kProcessLimit = 63,
  kProtectorNameInvalid = 64,
  kWrongToken = 65,
  kNoToken = 66,
  kTokenFailed = 67,
  kTokenPinWrong = 68,
  kTokenUntouched = 69,
  kSeveralTokens = 70,
  kTokenUnsuitable = 71,
  kTokenRemote = 72,
  kFilesNotAuthentic = 73,
};
inline constexpr uint32_t kErrorReasonLimit = 74;

struct ErrorInfo {
  ErrorReason reason = ErrorReason::kUnspecified;
  // What the failure is about: a path, a mount point. Never a secret.
  std::string subject;
  // With kThrottled: how long the caller has to wait.
  uint32_t retry_after_ms = 0;
  // What the kernel said, when that is the cause; 0 otherwise.
  int err = 0;
};

// The name as in the proto: "WRONG_PASSPHRASE".
[[nodiscard]] absl::string_view ReasonName(ErrorReason reason);

// `cause`: plain words, no secret, for logs and for who wants to know more. Words for people are
// the client's, from the reason.
[[nodiscard]] absl::Status Error(ErrorReason reason, absl::string_view cause,
                                 absl::string_view subject = {});
[[nodiscard]] absl::Status Error(const ErrorInfo& info, absl::string_view cause);

// As Error, with strerror(err) appended to the cause.
[[nodiscard]] absl::Status ErrnoError(ErrorReason reason, int err, absl::string_view cause,
                                      absl::string_view subject = {});

// What the kernel says when a disk fails, or a file system that it has given up.
[[nodiscard]] bool IsDiskError(int err);

// A status without our payload has reason kInternal; an OK status has none.
[[nodiscard]] ErrorInfo InfoOf(const absl::Status& status);
[[nodiscard]] ErrorReason ReasonOf(const absl::Status& status);

}  // namespace ext4crypt
