// SPDX-License-Identifier: Apache-2.0
// The core's reports -> protobuf messages.
#pragma once

#include "daemon/core/held_keys.h"
#include "ext4crypt/keyd/v1/keyd.pb.h"

namespace ext4crypt {

void ToProto(const UnlockReport& report, keyd::v1::UnlockResponse& out);
void ToProto(const LockReport& report, keyd::v1::LockResponse& out);
void ToProto(const ProtectorRecord& record, keyd::v1::ProtectorInfo& out);
// `uid`: to whom it is reported.
void ToProto(const KeyReport& report, Uid uid, keyd::v1::KeyStatus& out);

}  // namespace ext4crypt
