// SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/session_door.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/log.h"
#include "common/session_protocol.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

constexpr int kSessionsInARow = 16;  // then it is the turn of those who hung up

int64_t NowMs() {
  struct timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

bool IsRoot(int fd) {
  struct ucred peer = {};
  socklen_t size = sizeof(peer);
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && size == sizeof(peer) &&
         peer.uid == 0;
}

// systemd keeps a duplicate across our restarts, and forgets it when the other end hangs up.
// Without systemd, or when it keeps none, this does nothing.
void Store(int fd, Uid uid) {
  const std::string state = absl::StrCat("FDSTORE=1\nFDNAME=session-", uid);
  (void)sd_pid_notify_with_fds(0, 0, state.c_str(), &fd, 1);
}

}  // namespace

absl::StatusOr<std::unique_ptr<SessionDoor>> SessionDoor::Open(int listening_fd,
                                                               std::vector<StoredSession> stored,
                                                               size_t max_sessions,
                                                               Callbacks callbacks) {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  if (!epoll.valid() || !stop.valid()) {
    return ErrnoError(ErrorReason::kInternal, errno, "sessions cannot be watched");
  }
  std::unique_ptr<SessionDoor> door(new SessionDoor(
      listening_fd, max_sessions, std::move(callbacks), std::move(epoll), std::move(stop)));
  RETURN_IF_ERROR(door->Watch(door->stop_.get()));
  if (listening_fd >= 0) RETURN_IF_ERROR(door->Watch(listening_fd));
  for (StoredSession& session : stored) {
    const int fd = session.fd.get();
    // Only what we could have put there ourselves.
    if (!IsRoot(fd) || !door->Watch(fd).ok()) continue;
    door->callbacks_.begun(session.uid);
    door->connections_[fd] =
        Connection{.fd = std::move(session.fd), .uid = session.uid, .announced = true};
  }
  if (!door->connections_.empty()) {
    Log(LogLevel::kInfo, absl::StrCat(door->connections_.size(), " sessions go on"));
  }
  door->thread_ = std::thread([raw = door.get()] { raw->Run(); });
  return door;
}

SessionDoor::~SessionDoor() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(stop_.get(), &one, sizeof(one));
  if (thread_.joinable()) thread_.join();
}

absl::Status SessionDoor::Watch(int fd) {
  struct epoll_event event = {};
  event.events = EPOLLIN | EPOLLRDHUP;
  event.data.fd = fd;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return absl::OkStatus();
  return ErrnoError(ErrorReason::kInternal, errno, "epoll_ctl");
}

void SessionDoor::Run() {
  for (;;) {
    std::array<struct epoll_event, 64> events;
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                   kRequestTimeoutMs / 2);
    if (count < 0 && errno != EINTR) {
      Log(LogLevel::kError, "sessions are not watched any more");
      return;
    }
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<size_t>(i)].data.fd;
      if (fd == stop_.get()) return;
      if (fd == listening_fd_) {
        AcceptSome();
      } else {
        Handle(fd);
      }
    }
    DropSilent();
  }
}

void SessionDoor::AcceptSome() {
  for (int i = 0; i < kSessionsInARow; ++i) {
    UniqueFd fd(::accept4(listening_fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd.valid()) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      return;
    }
    if (!IsRoot(fd.get())) continue;
    if (connections_.size() >= max_sessions_) {
      Log(LogLevel::kWarning, "too many sessions: one is not counted");
      continue;
    }
    const int raw = fd.get();
    if (!Watch(raw).ok()) continue;
    connections_[raw] = Connection{.fd = std::move(fd), .deadline_ms = NowMs() + kRequestTimeoutMs};
  }
}

void SessionDoor::Handle(int fd) {
  const auto it = connections_.find(fd);
  if (it == connections_.end()) return;
  Connection& connection = it->second;
  struct e4c_session_request request = {};
  // Eight bytes in one message of a local stream: they come together or the sender is broken.
  const ssize_t size = ::recv(fd, &request, sizeof(request), 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  // The end, or something that nobody should say.
  if (connection.announced || size != sizeof(request) || request.magic != E4C_SESSION_MAGIC ||
      request.uid == static_cast<uid_t>(-1)) {
    Drop(fd);
    return;
  }
  connection.uid = request.uid;
  Announce(connection);
}

void SessionDoor::Announce(Connection& connection) {
  connection.announced = true;
  callbacks_.begun(connection.uid);
  Log(LogLevel::kInfo, absl::StrCat("uid ", connection.uid, ": a session begins"));
  Store(connection.fd.get(), connection.uid);
  const char opened = E4C_SESSION_OPENED;
  // Counted before it is said: whoever reads this may unlock for the session.
  if (::send(connection.fd.get(), &opened, 1, MSG_NOSIGNAL) != 1) Drop(connection.fd.get());
}

void SessionDoor::Drop(int fd) {
  const auto node = connections_.extract(fd);
  if (node.empty()) return;
  const Connection& connection = node.mapped();
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  if (!connection.announced) return;
  Log(LogLevel::kInfo, absl::StrCat("uid ", connection.uid, ": a session ends"));
  // systemd's duplicate would keep our end alive; it notices the hang-up by itself, and this makes
  // one out of whatever else brought us here.
  ::shutdown(fd, SHUT_RDWR);
  callbacks_.ended(connection.uid);
}

void SessionDoor::DropSilent() {
  const int64_t now = NowMs();
  for (auto it = connections_.begin(); it != connections_.end();) {
    const int fd = it->first;
    const bool silent = !it->second.announced && now >= it->second.deadline_ms;
    ++it;
    if (silent) Drop(fd);
  }
}

}  // namespace ext4crypt
