// SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/grpc_status.h"

#include <cstring>
#include <string>

#include "common/error.h"
#include "ext4crypt/keyd/v1/keyd.pb.h"

namespace ext4crypt {
namespace {

bool IsForTheLogOnly(ErrorReason reason) {
  switch (reason) {
    case ErrorReason::kInternal:
    case ErrorReason::kStoreCorrupt:
    case ErrorReason::kStoreUnwritable:
      return true;
    default:
      return false;
  }
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const ErrorInfo info = InfoOf(status);
  keyd::v1::ErrorDetail detail;
  detail.set_reason(static_cast<keyd::v1::ErrorReason>(info.reason));
  detail.set_retry_after_ms(info.retry_after_ms);
  std::string message(ReasonName(info.reason));
  if (IsForTheLogOnly(info.reason)) {
    // What the kernel said tells nothing of the service's inside: a full disk, say.
    if (info.err != 0) message = strerrordesc_np(info.err);
  } else {
    detail.set_subject(info.subject);
    message = std::string(status.message());
  }
  return {static_cast<grpc::StatusCode>(status.code()), message, detail.SerializeAsString()};
}

}  // namespace ext4crypt
