// SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/acceptor.h"

#include <fcntl.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "daemon/rpc/method_table.h"
#include "ext4crypt/keyd/v1/keyd.grpc.pb.h"

namespace ext4crypt {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kMaxMessageBytes = 32 * 1024;
constexpr int kMaxMetadataBytes = 8 * 1024;
constexpr int kMaxStreamsPerConnection = 8;
constexpr int kSilentPeerMs = 60'000;
// A login's client asks each second whether we are alive while it waits for a derivation; who asks
// more often is sent away.
constexpr int kPingIntervalMs = 500;
constexpr int kSweepMs = 10'000;
constexpr int kNextSweepMs = 100;  // when one was not enough
// Then it is the turn of those who hung up: or a crowd that comes as fast as it is let in would be
// counted without end, and refused once the limit is reached.
constexpr int kAcceptsInARow = 16;
// Nor must who waits to be let in wait for thousands of servers to be taken down.
constexpr int kEvictionsInARow = 64;
constexpr auto kDrainTime = std::chrono::seconds(5);

std::optional<Uid> PeerOf(int fd) {
  struct ucred peer = {};
  socklen_t size = sizeof(peer);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || size != sizeof(peer) ||
      peer.uid == static_cast<uid_t>(-1)) {
    return std::nullopt;
  }
  return peer.uid;
}

int MsUntil(SteadyClock::time_point then) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(then - SteadyClock::now());
  return static_cast<int>(std::max<int64_t>(left.count(), 0));
}

absl::Status Watch(int epoll, int fd, uint32_t events) {
  struct epoll_event event = {};
  event.events = events;
  event.data.fd = fd;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0) return absl::OkStatus();
  return ErrnoError(ErrorReason::kInternal, errno, "epoll_ctl");
}

}  // namespace

// One gRPC server without a port; connections are given to it.
class Acceptor::UserServer {
 public:
  UserServer(const ServiceParts& parts, Uid uid) : service_(NewKeyService(parts, uid)) {
    grpc::ServerBuilder builder;
    builder.RegisterService(service_.get());
    builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
    builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsPerConnection);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kSilentPeerMs);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                               kPingIntervalMs);
    server_ = builder.BuildAndStart();
  }
  UserServer(const UserServer&) = delete;
  UserServer& operator=(const UserServer&) = delete;
  ~UserServer() {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
  }

  [[nodiscard]] grpc::Server* get() { return server_.get(); }
  void BeginShutdown(std::chrono::system_clock::time_point deadline) {
    server_->Shutdown(deadline);
  }
  void Touch() { last_used_ = SteadyClock::now(); }
  [[nodiscard]] bool IdleFor(std::chrono::milliseconds time) const {
    return SteadyClock::now() - last_used_ >= time;
  }

 private:
  std::unique_ptr<grpc::Service> service_;  // outlives the server
  std::unique_ptr<grpc::Server> server_;
  SteadyClock::time_point last_used_ = SteadyClock::now();
};

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Create(int listening_fd,
                                                           const ServiceParts& parts,
                                                           AcceptorOptions options) {
  const auto* service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
      keyd::v1::KeyService::service_full_name());
  if (service == nullptr) return Error(ErrorReason::kInternal, "the service has no descriptor");
  RETURN_IF_ERROR(CheckMethodTable(MethodTable(), *service));
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return ErrnoError(ErrorReason::kInternal, errno, "epoll_create1");
  RETURN_IF_ERROR(Watch(epoll.get(), listening_fd, EPOLLIN));
  return std::unique_ptr<Acceptor>(new Acceptor(listening_fd, parts, options, std::move(epoll)));
}

Acceptor::Acceptor(int listening_fd, const ServiceParts& parts, AcceptorOptions options,
                   UniqueFd epoll)
    : listening_fd_(listening_fd),
      parts_(parts),
      options_(options),
      epoll_(std::move(epoll)),
      counts_(options.connections) {}

Acceptor::~Acceptor() = default;

absl::Status Acceptor::Run(int stop_fd) {
  RETURN_IF_ERROR(Watch(epoll_.get(), stop_fd, EPOLLIN));
  auto next_sweep = SteadyClock::now() + std::chrono::milliseconds(kSweepMs);
  for (;;) {
    std::array<struct epoll_event, 64> events;
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                   MsUntil(next_sweep));
    if (count < 0 && errno != EINTR) return ErrnoError(ErrorReason::kInternal, errno, "epoll_wait");
    bool somebody_waits = false;
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<size_t>(i)].data.fd;
      if (fd == stop_fd) {
        ShutDown();
        return absl::OkStatus();
      }
      if (fd == listening_fd_) {
        somebody_waits = true;
      } else {
        Drop(fd);
      }
    }
    if (somebody_waits) AcceptSome();
    if (SteadyClock::now() >= next_sweep) {
      const bool all = EvictIdleServers();
      next_sweep = SteadyClock::now() + std::chrono::milliseconds(all ? kSweepMs : kNextSweepMs);
    }
  }
}

void Acceptor::AcceptSome() {
  for (int i = 0; i < kAcceptsInARow; ++i) {
    UniqueFd fd(::accept4(listening_fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd.valid()) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      return;
    }
    const std::optional<Uid> peer = PeerOf(fd.get());
    // Over the limit: closed at once, before anything is read. Not logged: whoever floods us
    // would flood the journal too.
    if (!peer.has_value() || !counts_.Admit(*peer)) continue;
    Adopt(std::move(fd), *peer);
  }
}

void Acceptor::Adopt(UniqueFd fd, Uid uid) {
  UniqueFd watch(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!watch.valid() || !Watch(epoll_.get(), watch.get(), EPOLLRDHUP).ok()) {
    counts_.Release(uid);
    return;
  }
  std::unique_ptr<UserServer>& server = servers_[uid];
  if (server == nullptr) server = std::make_unique<UserServer>(parts_, uid);
  const int watch_fd = watch.get();
  connections_[watch_fd] = Connection{.uid = uid, .watch = std::move(watch)};
  if (server->get() == nullptr) {
    Log(LogLevel::kError, absl::StrCat("no server can be made for uid ", uid));
    servers_.erase(uid);
    Drop(watch_fd);
    return;
  }
  server->Touch();
  grpc::AddInsecureChannelFromFd(server->get(), fd.release());
}

void Acceptor::Drop(int watch_fd) {
  const auto it = connections_.find(watch_fd);
  if (it == connections_.end()) return;
  const Uid uid = it->second.uid;
  // Explicitly: closing a duplicate does not take it out of the epoll while gRPC's is open.
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, watch_fd, nullptr);
  connections_.erase(it);
  counts_.Release(uid);
  if (const auto server = servers_.find(uid); server != servers_.end()) server->second->Touch();
}

bool Acceptor::EvictIdleServers() {
  int evicted = 0;
  for (auto it = servers_.begin(); it != servers_.end();) {
    // Without calls in progress, or shutting down would wait for them and keep everyone waiting.
    const Uid uid = it->first;
    const bool idle = counts_.Of(uid) == 0 && !parts_.derivations.HasWorkOf(uid) &&
                      !parts_.quick.HasWorkOf(uid) &&
                      it->second->IdleFor(std::chrono::milliseconds(options_.idle_server_ms));
    if (idle && evicted == kEvictionsInARow) return false;
    evicted += idle ? 1 : 0;
    it = idle ? servers_.erase(it) : std::next(it);
  }
  return true;
}

void Acceptor::ShutDown() {
  const auto deadline = std::chrono::system_clock::now() + kDrainTime;
  for (auto& [uid, server] : servers_) server->BeginShutdown(deadline);
  servers_.clear();
  connections_.clear();
}

}  // namespace ext4crypt
