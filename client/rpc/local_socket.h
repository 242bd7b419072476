// SPDX-License-Identifier: Apache-2.0
// Connecting to the key service, after asking the kernel who is at the other end.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

#include "absl/status/statusor.h"
#include "common/unique_fd.h"

namespace ext4crypt {

// A connected stream socket whose listener is root (systemd listens for the service, or it runs as
// root) or the service's own user; otherwise kServiceUntrusted, before anything is sent: a user
// could listen on a path of his own and collect passphrases. kServiceUnreachable, also when it
// could not be reached within `patience`: a service that hangs accepts nothing.
[[nodiscard]] absl::StatusOr<UniqueFd> ConnectTrusted(
    const std::string& path, std::chrono::milliseconds patience = std::chrono::seconds(10));

// The uid of the system user the service runs as, or 0 when this machine has none. Only the local
// account file counts, and only a uid of the system's range: a directory service that lets somebody
// call himself "ext4crypt" must not make him trusted.
[[nodiscard]] uid_t ServiceUid(const std::string& passwd_path = "/etc/passwd");

}  // namespace ext4crypt
