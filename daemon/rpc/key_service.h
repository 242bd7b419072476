// SPDX-License-Identifier: Apache-2.0
// The RPC surface for one user.
#pragma once

#include <memory>

#include "daemon/core/enrolment.h"
#include "daemon/core/exports.h"
#include "daemon/core/named_keys.h"
#include "daemon/core/user_keys.h"
#include "daemon/rpc/enrolled_marks.h"
#include "daemon/rpc/worker_pool.h"
#include "keys/records.h"

namespace grpc {
class Service;
}

namespace ext4crypt {

// What all users' services share. Everything outlives them.
struct ServiceParts {
  UserKeys& user_keys;
  DefaultKey& default_key;
  Enrolment& enrolment;
  NamedKeys& named_keys;
  Exports& exports;
  const EnrolledMarks& marks;
  // For calls that derive keys from passphrases: slow, memory-hungry, few at a time.
  WorkerPool& derivations;
  // For all others.
  WorkerPool& quick;
};

// A service whose every call is `peer`'s. There is one per user: the identity is a property of
// the object, set when the connection was accepted, and no request can change it.
[[nodiscard]] std::unique_ptr<grpc::Service> NewKeyService(const ServiceParts& parts, Uid peer);

}  // namespace ext4crypt
