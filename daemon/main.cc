// SPDX-License-Identifier: Apache-2.0
// ext4crypt-keyd: builds the objects and runs. The only file that knows every room.
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/log.h"
#include "common/process.h"
#include "common/secret_buffer.h"
#include "common/session_protocol.h"
#include "common/status_macros.h"
#include "daemon/core/clock.h"
#include "daemon/core/default_key.h"
#include "daemon/core/enrolment.h"
#include "daemon/core/exports.h"
#include "daemon/core/held_keys.h"
#include "daemon/core/key_opener.h"
#include "daemon/core/named_keys.h"
#include "daemon/core/sessions.h"
#include "daemon/core/user_keys.h"
#include "daemon/kernelio/fscrypt_volume_keys.h"
#include "daemon/kernelio/helper_user_keyring.h"
#include "daemon/kernelio/mount_watcher.h"
#include "daemon/kernelio/proc_busy_scanner.h"
#include "daemon/options.h"
#include "daemon/rpc/acceptor.h"
#include "daemon/rpc/enrolled_marks.h"
#include "daemon/rpc/listener.h"
#include "daemon/rpc/session_door.h"
#include "daemon/rpc/worker_pool.h"
#include "daemon/store/sqlite_key_store.h"
#include "daemon/store/state_dir.h"
#include "keys/protectors/all_kinds.h"

namespace ext4crypt {
namespace {

// SIGTERM and SIGINT as a descriptor. Before any thread exists, so that all inherit the mask.
absl::StatusOr<UniqueFd> CatchStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  std::signal(SIGPIPE, SIG_IGN);
  if (pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0) {
    return Error(ErrorReason::kInternal, "cannot block signals");
  }
  UniqueFd fd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return ErrnoError(ErrorReason::kInternal, errno, "signalfd");
  return fd;
}

struct FittedLimits {
  ConnectionLimits connections;
  size_t sessions = 0;
};

// One descriptor a session, two a connection, and some for everything else. Beyond that accept()
// would fail and its loop spin; what is refused in time is only refused.
FittedLimits FitLimits(ConnectionLimits limits) {
  constexpr size_t kOwnDescriptors = 128;
  constexpr size_t kMaxSessions = 4096;  // as FileDescriptorStoreMax of the unit
  const size_t descriptors = RaiseDescriptorLimit();
  const size_t sessions = std::min(kMaxSessions, descriptors / 4);
  const size_t taken = kOwnDescriptors + sessions;
  limits.total = std::min(limits.total, descriptors > taken ? (descriptors - taken) / 2 : 1);
  return {.connections = limits, .sessions = sessions};
}

std::string EnrolledDirOf(const std::string& socket_path) {
  return absl::StrCat(socket_path.substr(0, socket_path.rfind('/') + 1), E4C_ENROLLED_DIR_NAME);
}

absl::Status Serve(const Options& options) {
  ASSIGN_OR_RETURN(const UniqueFd stop, CatchStopSignals());
  ASSIGN_OR_RETURN(const StateDir state_dir, StateDir::Acquire(options.state_dir));
  ASSIGN_OR_RETURN(const auto store, SqliteKeyStore::Open(state_dir.PathOf("keys.db")));
  std::string helper = options.keyring_helper;
  if (helper.empty()) {
    ASSIGN_OR_RETURN(helper, FindKeyringHelper());
  }

  const SystemClock clock;
  const ProtectorKinds kinds = AllProtectorKinds(options.cost);
  KeyOpener opener(kinds, clock);
  Enrolment enrolment(*store, kinds, opener, clock);
  FscryptVolumeKeys volumes;
  HelperUserKeyring keyring(helper);
  ProcBusyScanner scanner;
  Sessions sessions;
  HeldKeys held(volumes, scanner, clock, {.allow_unauthenticated = options.allow_unauthenticated});
  DefaultKey default_key(*store, opener, held, keyring, sessions, clock,
                         {.idle_lock_ms = int64_t{options.idle_lock_minutes} * 60'000});
  NamedKeys named_keys(*store, *store, kinds, held, clock);
  UserKeys user_keys(*store, held, default_key, named_keys, sessions);
  Exports exports(*store, kinds, opener, enrolment, held);

  const FittedLimits limits = FitLimits(options.connections);
  ASSIGN_OR_RETURN(Listeners listeners, Listeners::Open(options.socket_path));
  const EnrolledMarks marks(EnrolledDirOf(options.socket_path), store->ListEnrolled());
  WorkerPool derivations({.threads = options.derivations});
  WorkerPool quick({.threads = 8});
  // Locks at the end of sessions. Two of a user are enough: the second sees what the first missed.
  WorkerPool endings({.threads = 2, .queued = 65536, .per_user = 2});
  ASSIGN_OR_RETURN(const auto acceptor,
                   Acceptor::Create(listeners.service.fd(),
                                    ServiceParts{.user_keys = user_keys,
                                                 .default_key = default_key,
                                                 .enrolment = enrolment,
                                                 .named_keys = named_keys,
                                                 .exports = exports,
                                                 .marks = marks,
                                                 .derivations = derivations,
                                                 .quick = quick},
                                    AcceptorOptions{.connections = limits.connections}));
  ASSIGN_OR_RETURN(
      const auto door,
      SessionDoor::Open(listeners.sessions.fd(), std::move(listeners.stored), limits.sessions,
                        {.begun = [&](Uid uid) { sessions.Begin(uid); },
                         .ended =
                             [&](Uid uid) {
                               if (sessions.End(uid) != 0) return;
                               (void)endings.Submit(
                                   uid, [&user_keys, uid] { user_keys.LockAfterLastSession(uid); });
                             }}));
  ASSIGN_OR_RETURN(const auto watcher, MountWatcher::Start({.mounts_changed =
                                                                [&] {
                                                                  held.AddKeysToNewVolumes();
                                                                  WipeFreeStack();
                                                                },
                                                            .tick = [&] { user_keys.Tick(); }}));
  sd_notify(0, "READY=1");
  Log(LogLevel::kInfo, absl::StrCat("ready on ", options.socket_path));
  const absl::Status result = acceptor->Run(stop.get());
  sd_notify(0, "STOPPING=1");
  // The kernel keeps the keys: stopping or upgrading the service must not tear files away from
  // running programs. `lock` works after a restart, from the store's identifiers.
  Log(LogLevel::kInfo, "stopped; keys already given to the kernel stay there");
  return result;
}

}  // namespace
}  // namespace ext4crypt

int main(int argc, char** argv) {
  const ext4crypt::ParsedOptions parsed = ext4crypt::ParseOptions(argc, argv);
  if (parsed.exit_status.has_value()) return *parsed.exit_status;
  umask(077);
  absl::Status status = ext4crypt::ForbidCoreDumps();
  if (status.ok()) status = ext4crypt::Serve(parsed.options);
  if (status.ok()) return 0;
  const ext4crypt::ErrorInfo info = ext4crypt::InfoOf(status);
  ext4crypt::Log(ext4crypt::LogLevel::kError,
                 absl::StrCat("cannot go on: ", status.message(),
                              info.subject.empty() ? "" : " [" + info.subject + "]"));
  return 1;
}
