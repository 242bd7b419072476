// SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/enrolled_marks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/directory.h"
#include "common/log.h"
#include "common/session_protocol.h"

namespace ext4crypt {

EnrolledMarks::EnrolledMarks(const std::string& path,
                             const absl::StatusOr<std::vector<Uid>>& enrolled) {
  (void)::mkdir(path.c_str(), 0700);  // under systemd it is there already
  dir_.reset(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!dir_.valid() || !enrolled.ok()) {
    Log(LogLevel::kWarning,
        absl::StrCat(path, ": ", enrolled.ok() ? strerrordesc_np(errno) : "the store is unreadable",
                     "; while the service hangs, logins of users without a key wait for it too"));
    SetIncomplete();
    return;
  }
  SetIncomplete();
  std::set<std::string> wanted;
  for (const Uid uid : *enrolled) wanted.insert(absl::StrCat(uid));
  // What an earlier run has left. A mark that is right is never away, not even for a moment.
  std::vector<std::string> stale;
  (void)ForEachName(dir_.get(), [&](const char* name) {
    if (!wanted.contains(name)) stale.emplace_back(name);
    return true;
  });
  for (const std::string& name : stale) ::unlinkat(dir_.get(), name.c_str(), 0);
  const bool all = std::all_of(wanted.begin(), wanted.end(),
                               [this](const std::string& name) { return Make(name); });
  if (all) (void)Make(E4C_ENROLLED_COMPLETE);
}

EnrolledMarks::~EnrolledMarks() { SetIncomplete(); }

void EnrolledMarks::Add(Uid uid) const {
  if (!Make(absl::StrCat(uid))) SetIncomplete();
}

bool EnrolledMarks::Make(const std::string& name) const {
  return UniqueFd(
             ::openat(dir_.get(), name.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600))
      .valid();
}

void EnrolledMarks::SetIncomplete() const {
  if (dir_.valid()) ::unlinkat(dir_.get(), E4C_ENROLLED_COMPLETE, 0);
}

}  // namespace ext4crypt
