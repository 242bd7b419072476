// SPDX-License-Identifier: Apache-2.0
// Tells logins who has no key, so that a service that hangs costs those nothing.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/unique_fd.h"
#include "keys/records.h"

namespace ext4crypt {

// The directory E4C_ENROLLED_DIR_NAME of common/session_protocol.h. What cannot be marked makes it
// incomplete, and logins ask the service instead.
class EnrolledMarks {
 public:
  // `path` is made unless it is there. `enrolled`: everybody with a default key.
  EnrolledMarks(const std::string& path, const absl::StatusOr<std::vector<Uid>>& enrolled);
  EnrolledMarks(const EnrolledMarks&) = delete;
  EnrolledMarks& operator=(const EnrolledMarks&) = delete;
  ~EnrolledMarks();

  // Before a key is created: one too many costs its owner a moment, one too few an unlocked key.
  void Add(Uid uid) const;

 private:
  [[nodiscard]] bool Make(const std::string& name) const;
  void SetIncomplete() const;
  UniqueFd dir_;
};

}  // namespace ext4crypt
