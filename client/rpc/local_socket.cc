// SPDX-License-Identifier: Apache-2.0
#include "client/rpc/local_socket.h"

#include <pwd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "common/error.h"
#include "common/paths.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

// SYS_UID_MAX of Debian's login.defs.
constexpr uid_t kMaxSystemUid = 999;

// For a connected stream socket the peer is who called listen().
absl::Status CheckListener(int fd, const std::string& path) {
  struct ucred peer = {};
  socklen_t size = sizeof(peer);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return ErrnoError(ErrorReason::kServiceUntrusted, errno, "SO_PEERCRED", path);
  }
  if (peer.uid == 0 || peer.uid == ServiceUid()) return absl::OkStatus();
  return Error(ErrorReason::kServiceUntrusted, "the listener is neither root nor the service",
               path);
}

}  // namespace

uid_t ServiceUid(const std::string& passwd_path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(passwd_path.c_str(), "re"),
                                                             std::fclose);
  if (file == nullptr) return 0;
  while (const struct passwd* entry = ::fgetpwent(file.get())) {
    if (std::strcmp(entry->pw_name, kServiceUser) == 0) {
      return entry->pw_uid <= kMaxSystemUid ? entry->pw_uid : 0;
    }
  }
  return 0;
}

absl::StatusOr<UniqueFd> ConnectTrusted(const std::string& path,
                                        std::chrono::milliseconds patience) {
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return ErrnoError(ErrorReason::kServiceUnreachable, ENAMETOOLONG, "socket path", path);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // Without it connect() would wait without end.
  const struct timeval limit = {.tv_sec = patience.count() / 1000,
                                .tv_usec = patience.count() % 1000 * 1000};
  if (!fd.valid() || ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0 ||
      ::connect(fd.get(), reinterpret_cast<struct sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoError(ErrorReason::kServiceUnreachable, errno, "connect", path);
  }
  RETURN_IF_ERROR(CheckListener(fd.get(), path));
  return fd;
}

}  // namespace ext4crypt
