// SPDX-License-Identifier: Apache-2.0
// ErrorReason <-> absl::Status.
#include "common/error.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace ext4crypt {
namespace {

constexpr char kPayloadUrl[] = "ext4crypt/error-info";

struct ReasonRow {
  const char* name;
  absl::StatusCode code;
};

using Code = absl::StatusCode;

// Indexed by the reason's number.
constexpr std::array<ReasonRow, kErrorReasonLimit> kRows = {{
    {"ERROR_REASON_UNSPECIFIED", Code::kUnknown},
    {"INTERNAL", Code::kInternal},
    {"INVALID_REQUEST", Code::kInvalidArgument},
    {"NOT_ALLOWED", Code::kPermissionDenied},
    {"SERVICE_OVERLOADED", Code::kResourceExhausted},
    {"SERVICE_UNREACHABLE", Code::kUnavailable},
    {"SERVICE_UNTRUSTED", Code::kPermissionDenied},
    {"NOT_ENROLLED", Code::kNotFound},
    {"ALREADY_ENROLLED", Code::kAlreadyExists},
    {"WRONG_PASSPHRASE", Code::kPermissionDenied},
    {"WRONG_RECOVERY_CODE", Code::kPermissionDenied},
    {"RECOVERY_CODE_MISTYPED", Code::kInvalidArgument},
    {"PASSPHRASE_TOO_SHORT", Code::kInvalidArgument},
    {"PASSPHRASE_TOO_LONG", Code::kInvalidArgument},
    {"PASSPHRASE_MISMATCH", Code::kInvalidArgument},
    {"PASSPHRASE_UNREADABLE", Code::kInvalidArgument},
    {"THROTTLED", Code::kResourceExhausted},
    {"KEY_LOCKED", Code::kFailedPrecondition},
    {"FILES_BUSY", Code::kFailedPrecondition},
    {"STORE_CORRUPT", Code::kDataLoss},
    {"STORE_TOO_NEW", Code::kFailedPrecondition},
    {"STORE_IN_USE", Code::kFailedPrecondition},
    {"STORE_UNWRITABLE", Code::kUnavailable},
    {"KEY_QUOTA_EXCEEDED", Code::kResourceExhausted},
    {"VOLUME_FAILED", Code::kInternal},
    {"KEYRING_FAILED", Code::kInternal},
    {"DIRECTORY_NOT_FOUND", Code::kNotFound},
    {"NOT_A_DIRECTORY", Code::kInvalidArgument},
    {"DIRECTORY_NOT_EMPTY", Code::kFailedPrecondition},
    {"DIRECTORY_NOT_OWNED", Code::kPermissionDenied},
    {"DIRECTORY_UNREADABLE", Code::kPermissionDenied},
    {"ENCRYPTED_OTHERWISE", Code::kAlreadyExists},
    {"FILESYSTEM_UNSUPPORTED", Code::kFailedPrecondition},
    {"FILESYSTEM_LACKS_ENCRYPT", Code::kFailedPrecondition},
    {"FILESYSTEM_UNAUTHENTICATED", Code::kFailedPrecondition},
    {"FILESYSTEM_READ_ONLY", Code::kFailedPrecondition},
    {"CHANGED_MEANWHILE", Code::kAborted},
    {"NO_SUCH_USER", Code::kNotFound},
    {"WRONG_KEY_FILE", Code::kPermissionDenied},
    {"KEY_FILE_UNUSABLE", Code::kInvalidArgument},
    {"LAST_PROTECTOR", Code::kFailedPrecondition},
    {"NO_SUCH_PROTECTOR", Code::kNotFound},
    {"TOO_MANY_PROTECTORS", Code::kResourceExhausted},
    {"DIRECTORY_SPANS_MOUNTS", Code::kFailedPrecondition},
    {"FILES_LEFT", Code::kFailedPrecondition},
    {"FILE_IN_USE", Code::kFailedPrecondition},
    {"VOLUME_FULL", Code::kResourceExhausted},
    {"FILE_UNMOVABLE", Code::kFailedPrecondition},
    {"INTERRUPTED", Code::kAborted},
    {"MOVE_CONFLICT", Code::kAlreadyExists},
    {"ENCRYPTION_UNFINISHED", Code::kFailedPrecondition},
    {"MOVE_RUNNING", Code::kFailedPrecondition},
    {"NO_SUCH_KEY", Code::kNotFound},
    {"KEY_EXISTS", Code::kAlreadyExists},
    {"KEY_NAME_INVALID", Code::kInvalidArgument},
    {"TOO_MANY_KEYS", Code::kResourceExhausted},
    {"DATA_WOULD_BE_LOST", Code::kFailedPrecondition},
    {"NOT_SHARED", Code::kNotFound},
    {"RECORD_UNUSABLE", Code::kInvalidArgument},
    {"RECOVERY_CODE_UNCONFIRMED", Code::kInvalidArgument},
    {"PARENT_UNWRITABLE", Code::kPermissionDenied},
    {"VOLUME_TOP", Code::kFailedPrecondition},
    {"DISK_FAILED", Code::kDataLoss},
    {"PROCESS_LIMIT", Code::kResourceExhausted},
    {"PROTECTOR_NAME_INVALID", Code::kInvalidArgument},
    {"WRONG_TOKEN", Code::kPermissionDenied},
    {"NO_TOKEN", Code::kNotFound},
    {"TOKEN_FAILED", Code::kUnavailable},
    {"TOKEN_PIN_WRONG", Code::kPermissionDenied},
    {"TOKEN_UNTOUCHED", Code::kDeadlineExceeded},
    {"SEVERAL_TOKENS", Code::kFailedPrecondition},
    {"TOKEN_UNSUITABLE", Code::kFailedPrecondition},
    {"TOKEN_REMOTE", Code::kFailedPrecondition},
    {"FILES_NOT_AUTHENTIC", Code::kDataLoss},
}};

const ReasonRow& RowOf(ErrorReason reason) {
  const auto index = static_cast<uint32_t>(reason);
  return kRows[index < kErrorReasonLimit ? index : 0];
}

}  // namespace

absl::string_view ReasonName(ErrorReason reason) { return RowOf(reason).name; }

absl::Status Error(const ErrorInfo& info, absl::string_view cause) {
  absl::Status status(RowOf(info.reason).code, cause);
  status.SetPayload(
      kPayloadUrl, absl::Cord(absl::StrCat(static_cast<uint32_t>(info.reason), ",",
                                           info.retry_after_ms, ",", info.err, ",", info.subject)));
  return status;
}

absl::Status Error(ErrorReason reason, absl::string_view cause, absl::string_view subject) {
  return Error(ErrorInfo{.reason = reason, .subject = std::string(subject)}, cause);
}

absl::Status ErrnoError(ErrorReason reason, int err, absl::string_view cause,
                        absl::string_view subject) {
  const char* words = strerrordesc_np(err);
  return Error(ErrorInfo{.reason = reason, .subject = std::string(subject), .err = err},
               absl::StrCat(cause, ": ", words != nullptr ? words : "unknown error"));
}

bool IsDiskError(int err) {
  // ESHUTDOWN and EIO: of a volume that is shut down; EUCLEAN and EBADMSG: of ext4's own checks.
  return err == EIO || err == ESHUTDOWN || err == EUCLEAN || err == EBADMSG || err == ENODEV ||
         err == ENXIO;
}

ErrorInfo InfoOf(const absl::Status& status) {
  if (status.ok()) return {};
  ErrorInfo info{.reason = ErrorReason::kInternal};
  const auto payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value()) return info;
  const std::vector<std::string> parts =
      absl::StrSplit(std::string(*payload), absl::MaxSplits(',', 3));
  uint32_t reason = 0;
  if (parts.size() != 4 || !absl::SimpleAtoi(parts[0], &reason) || reason >= kErrorReasonLimit ||
      !absl::SimpleAtoi(parts[1], &info.retry_after_ms) || !absl::SimpleAtoi(parts[2], &info.err)) {
    return info;
  }
  info.reason = static_cast<ErrorReason>(reason);
  info.subject = parts[3];
  return info;
}

ErrorReason ReasonOf(const absl::Status& status) { return InfoOf(status).reason; }

}  // namespace ext4crypt
