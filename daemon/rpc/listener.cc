// SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/listener.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/error.h"
#include "common/log.h"
#include "common/session_protocol.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

absl::Status SocketError(int err, absl::string_view what, const std::string& path) {
  return ErrnoError(ErrorReason::kInternal, err, what, path);
}

absl::Status MakeNonBlocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
    return SocketError(errno, "cannot make the socket non-blocking", "");
  }
  return absl::OkStatus();
}

absl::Status TakeOne(UniqueFd fd, absl::string_view name, Listeners& listeners) {
  const bool is_session = name == "session";
  if (absl::string_view uid = name; absl::ConsumePrefix(&uid, "session-")) {
    StoredSession session{.fd = std::move(fd)};
    if (!absl::SimpleAtoi(uid, &session.uid)) {
      return Error(ErrorReason::kInternal, "systemd passed a session of nobody", name);
    }
    RETURN_IF_ERROR(MakeNonBlocking(session.fd.get()));
    listeners.stored.push_back(std::move(session));
    return absl::OkStatus();
  }
  Listener& place = is_session ? listeners.sessions : listeners.service;
  if (place.fd() >= 0) {
    return Error(ErrorReason::kInternal, "systemd passed a socket too many", name);
  }
  ASSIGN_OR_RETURN(place, Listener::Adopt(std::move(fd)));
  return absl::OkStatus();
}

absl::StatusOr<Listeners> FromSystemd() {
  Listeners listeners;
  char** names = nullptr;
  const int count = sd_listen_fds_with_names(/*unset_environment=*/1, &names);
  absl::Status status;
  for (int i = 0; i < count; ++i) {
    UniqueFd fd(SD_LISTEN_FDS_START + i);
    if (status.ok()) status = TakeOne(std::move(fd), names[i], listeners);
    std::free(names[i]);
  }
  std::free(names);
  RETURN_IF_ERROR(status);
  return listeners;
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

absl::StatusOr<Listener> Listener::Adopt(UniqueFd fd) {
  if (sd_is_socket_unix(fd.get(), SOCK_STREAM, 1, nullptr, 0) <= 0) {
    return Error(ErrorReason::kInternal, "systemd passed something else than a listening socket");
  }
  RETURN_IF_ERROR(MakeNonBlocking(fd.get()));
  return Listener(std::move(fd), "");
}

absl::StatusOr<Listeners> Listeners::Open(const std::string& path) {
  ASSIGN_OR_RETURN(Listeners listeners, FromSystemd());
  if (listeners.service.fd() >= 0) {
    if (listeners.sessions.fd() < 0) {
      Log(LogLevel::kNotice, "no session socket was passed: logins are not counted");
    }
    return listeners;
  }
  ASSIGN_OR_RETURN(listeners.service, Listener::Open(path, 0666));
  const std::string parent = path.substr(0, path.rfind('/') + 1);
  ASSIGN_OR_RETURN(listeners.sessions,
                   Listener::Open(absl::StrCat(parent, E4C_SESSION_SOCKET_NAME), 0600));
  return listeners;
}

absl::StatusOr<Listener> Listener::Open(const std::string& path, mode_t mode) {
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
      ::chmod(path.c_str(), mode) != 0 || ::listen(fd.get(), 128) != 0) {
    return SocketError(errno, "cannot listen", path);
  }
  return Listener(std::move(fd), path);
}

Listener::~Listener() {
  // A moved-from listener has neither.
  if (fd_.valid() && !own_path_.empty()) ::unlink(own_path_.c_str());
}

}  // namespace ext4crypt
