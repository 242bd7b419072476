// SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/listener.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "common/error.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

absl::Status SocketError(int err, absl::string_view what, const std::string& path) {
  return ErrnoError(ErrorReason::kInternal, err, what, path);
}

absl::StatusOr<std::optional<UniqueFd>> FromSystemd() {
  const int count = sd_listen_fds(/*unset_environment=*/1);
  if (count == 0) return std::nullopt;
  if (count != 1 || sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, 1, nullptr, 0) <= 0) {
    return Error(ErrorReason::kInternal, "systemd did not pass exactly one listening Unix socket");
  }
  UniqueFd fd(SD_LISTEN_FDS_START);
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return SocketError(errno, "cannot make the socket non-blocking", "");
  }
  return fd;
}

// Whether somebody answers at `address`.
bool IsAlive(const struct sockaddr_un& address) {
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe.valid()) return true;
  const auto* generic = reinterpret_cast<const struct sockaddr*>(&address);
  return ::connect(probe.get(), generic, sizeof(address)) == 0 || errno == EAGAIN;
}

absl::Status MakeParent(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos || slash == 0) return absl::OkStatus();
  const std::string parent = path.substr(0, slash);
  if (::mkdir(parent.c_str(), 0755) != 0) {
    return errno == EEXIST ? absl::OkStatus()
                           : SocketError(errno, "cannot create the socket's directory", parent);
  }
  // The process's umask is for secrets; every user must reach the socket.
  if (::chmod(parent.c_str(), 0755) != 0) {
    return SocketError(errno, "cannot open the socket's directory to all", parent);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Listener> Listener::Open(const std::string& path) {
  ASSIGN_OR_RETURN(std::optional<UniqueFd> inherited, FromSystemd());
  if (inherited.has_value()) return Listener(*std::move(inherited), "");

  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return SocketError(ENAMETOOLONG, "the socket's path is too long", path);
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  RETURN_IF_ERROR(MakeParent(path));
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return SocketError(errno, "no socket", path);
  struct stat info = {};
  if (::lstat(path.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode)) return SocketError(EEXIST, "the path is no socket", path);
    if (IsAlive(address)) {
      return Error(ErrorReason::kStoreInUse, "another key service listens there", path);
    }
    if (::unlink(path.c_str()) != 0) return SocketError(errno, "cannot remove the socket", path);
  }
  if (::bind(fd.get(), reinterpret_cast<struct sockaddr*>(&address), sizeof(address)) != 0 ||
      ::chmod(path.c_str(), 0666) != 0 || ::listen(fd.get(), 128) != 0) {
    return SocketError(errno, "cannot listen", path);
  }
  return Listener(std::move(fd), path);
}

Listener::~Listener() {
  // A moved-from listener has neither.
  if (fd_.valid() && !own_path_.empty()) ::unlink(own_path_.c_str());
}

}  // namespace ext4crypt
