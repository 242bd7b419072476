// SPDX-License-Identifier: Apache-2.0
// Who may call what. A method that is not listed stops the service from starting.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "keys/records.h"

namespace google::protobuf {
class ServiceDescriptor;
}

namespace ext4crypt {

enum class WhoMay {
  kSelf,          // any user, for the user's own keys only
  kSelfOrRootFor  // the same, and root for a named user; such calls are logged
};

struct MethodRule {
  const char* method;  // without the service's name
  WhoMay who;
};

[[nodiscard]] absl::Span<const MethodRule> MethodTable();

// kInternal, naming the method, when the service has a method without a rule, a rule has no
// method, or a method has two rules.
[[nodiscard]] absl::Status CheckMethodTable(absl::Span<const MethodRule> table,
                                            const google::protobuf::ServiceDescriptor& service);

// Whose keys a call of `method` is about. `requested` is the request's `user`, if it has one.
// kNotAllowed for another user's, unless the rule and the peer allow it; also for a method that is
// not in the table.
[[nodiscard]] absl::StatusOr<Uid> Authorize(absl::Span<const MethodRule> table,
                                            absl::string_view method, Uid peer,
                                            std::optional<Uid> requested);

}  // namespace ext4crypt
