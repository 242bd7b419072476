// SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/method_table.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/log.h"

namespace ext4crypt {
namespace {

constexpr std::array kTable = {
    MethodRule{"Enrol", WhoMay::kSelf},
    MethodRule{"Unlock", WhoMay::kSelf},
    MethodRule{"Lock", WhoMay::kSelfOrRootFor},
    MethodRule{"GetStatus", WhoMay::kSelfOrRootFor},
    MethodRule{"ChangePassphrase", WhoMay::kSelf},
    MethodRule{"RenewRecovery", WhoMay::kSelf},
    MethodRule{"AddKeyFile", WhoMay::kSelf},
    MethodRule{"AddFido2Protector", WhoMay::kSelf},
    MethodRule{"GetProtectors", WhoMay::kSelfOrRootFor},
    MethodRule{"RenameProtector", WhoMay::kSelf},
    MethodRule{"RemoveProtector", WhoMay::kSelf},
    MethodRule{"CreateKey", WhoMay::kSelf},
    MethodRule{"RemoveKey", WhoMay::kSelf},
    MethodRule{"ShareKey", WhoMay::kSelf},
    MethodRule{"UnshareKey", WhoMay::kSelf},
    MethodRule{"ExportKeys", WhoMay::kSelf},
    MethodRule{"ImportKeys", WhoMay::kSelf},
    MethodRule{"ExportForVolume", WhoMay::kSelf},
};

}  // namespace

absl::Span<const MethodRule> MethodTable() { return kTable; }

absl::Status CheckMethodTable(absl::Span<const MethodRule> table,
                              const google::protobuf::ServiceDescriptor& service) {
  for (int i = 0; i < service.method_count(); ++i) {
    const std::string& name = service.method(i)->name();
    const auto rules = std::count_if(table.begin(), table.end(),
                                     [&](const MethodRule& rule) { return name == rule.method; });
    if (rules != 1) {
      return Error(ErrorReason::kInternal,
                   absl::StrCat("method ", name, " has ", rules, " rules, not one"), name);
    }
  }
  for (const MethodRule& rule : table) {
    if (service.FindMethodByName(rule.method) == nullptr) {
      return Error(ErrorReason::kInternal, absl::StrCat("a rule names no method: ", rule.method),
                   rule.method);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Uid> Authorize(absl::Span<const MethodRule> table, absl::string_view method,
                              Uid peer, std::optional<Uid> requested) {
  const auto rule = std::find_if(table.begin(), table.end(),
                                 [&](const MethodRule& r) { return method == r.method; });
  if (rule == table.end()) {
    return Error(ErrorReason::kNotAllowed, absl::StrCat("no rule for ", method));
  }
  if (!requested.has_value() || *requested == peer) return peer;
  if (rule->who != WhoMay::kSelfOrRootFor || peer != 0) {
    return Error(ErrorReason::kNotAllowed,
                 absl::StrCat("uid ", peer, " may not call ", method, " for uid ", *requested));
  }
  Log(LogLevel::kNotice, absl::StrCat("root calls ", method, " for uid ", *requested));
  return *requested;
}

}  // namespace ext4crypt
