// SPDX-License-Identifier: Apache-2.0
// Where login sessions are announced, and how their end is noticed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "common/unique_fd.h"
#include "keys/records.h"

namespace ext4crypt {

// A session kept by systemd while the service was restarted.
struct StoredSession {
  Uid uid = 0;
  UniqueFd fd;
};

// Not gRPC: root's helper sends eight bytes (common/session_protocol.h), and the connection itself
// is the session. Whoever is not root by SO_PEERCRED is turned away before a byte is read.
class SessionDoor {
 public:
  // Both run on the door's own thread and must not block.
  struct Callbacks {
    std::function<void(Uid)> begun;
    std::function<void(Uid)> ended;
  };
  static constexpr int kRequestTimeoutMs = 10'000;

  // `listening_fd` outlives the door; -1: no new sessions, only the stored ones. At most
  // `max_sessions` at a time, those not yet announced included.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<SessionDoor>> Open(
      int listening_fd, std::vector<StoredSession> stored, size_t max_sessions,
      Callbacks callbacks);
  SessionDoor(const SessionDoor&) = delete;
  SessionDoor& operator=(const SessionDoor&) = delete;
  // Without a word about the sessions: the service ends, they do not.
  ~SessionDoor();

 private:
  struct Connection {
    UniqueFd fd;
    Uid uid = 0;
    bool announced = false;
    int64_t deadline_ms = 0;  // for the request
  };

  SessionDoor(int listening_fd, size_t max_sessions, Callbacks callbacks, UniqueFd epoll,
              UniqueFd stop)
      : listening_fd_(listening_fd),
        max_sessions_(max_sessions),
        callbacks_(std::move(callbacks)),
        epoll_(std::move(epoll)),
        stop_(std::move(stop)) {}

  [[nodiscard]] absl::Status Watch(int fd);
  void Run();
  void AcceptSome();
  void Handle(int fd);
  void Announce(Connection& connection);
  void Drop(int fd);
  void DropSilent();

  const int listening_fd_;
  const size_t max_sessions_;
  const Callbacks callbacks_;
  const UniqueFd epoll_;
  const UniqueFd stop_;
  std::map<int, Connection> connections_;
  std::thread thread_;
};

}  // namespace ext4crypt
