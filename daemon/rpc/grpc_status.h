// SPDX-License-Identifier: Apache-2.0
// absl::Status -> grpc::Status, with the reason in the binary details.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace ext4crypt {

// The message carries no cause for kInternal and store failures: those words are for the log of
// the machine, not for any user who asks.
[[nodiscard]] grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace ext4crypt
