// SPDX-License-Identifier: Apache-2.0
// Accepts connections, asks the kernel who is at the other end, and hands each to a gRPC server
// that serves only that user.
#pragma once

#include <map>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/unique_fd.h"
#include "daemon/rpc/connection_counts.h"
#include "daemon/rpc/key_service.h"

namespace ext4crypt {

struct AcceptorOptions {
  ConnectionLimits connections;
  // A user's server without connections is kept this long.
  int idle_server_ms = 60'000;
};

// Why not gRPC's own listening: inside a call there is no trustworthy way to learn who the peer
// is. SO_PEERCRED is fixed by the kernel at connect(2), and is read here before a byte is parsed.
class Acceptor {
 public:
  // `listening_fd` is non-blocking and outlives the acceptor. kInternal when a method of the
  // service is missing from the method table.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Acceptor>> Create(int listening_fd,
                                                                        const ServiceParts& parts,
                                                                        AcceptorOptions options);
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;
  ~Acceptor();

  // Serves until `stop_fd` becomes readable; then lets calls in progress finish, for a while.
  [[nodiscard]] absl::Status Run(int stop_fd);

 private:
  class UserServer;
  struct Connection {
    Uid uid = 0;
    // A duplicate: gRPC owns and closes the other one. It shows us when the peer hangs up.
    UniqueFd watch;
  };

  Acceptor(int listening_fd, const ServiceParts& parts, AcceptorOptions options, UniqueFd epoll);

  void AcceptSome();
  void Adopt(UniqueFd fd, Uid uid);
  void Drop(int watch_fd);
  // False when there may be more of them.
  bool EvictIdleServers();
  void ShutDown();

  const int listening_fd_;
  const ServiceParts parts_;
  const AcceptorOptions options_;
  const UniqueFd epoll_;
  ConnectionCounts counts_;
  std::map<int, Connection> connections_;  // by watch descriptor
  std::map<Uid, std::unique_ptr<UserServer>> servers_;
};

}  // namespace ext4crypt
