// SPDX-License-Identifier: Apache-2.0
#include "client/migrate/work_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/migrate/metadata.h"
#include "common/error.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

constexpr std::array kRooms = {"tree", "links", "part"};

absl::Status Unfinished(absl::string_view cause, const std::string& path) {
  return Error(ErrorReason::kEncryptionUnfinished, cause, path);
}

absl::StatusOr<std::string> ReadAll(int fd, const std::string& path) {
  std::string text;
  std::array<char, 4096> chunk;
  for (;;) {
    const ssize_t n = ::read(fd, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return NodeError(errno, "read", path);
    if (n == 0) return text;
    text.append(chunk.data(), static_cast<size_t>(n));
  }
}

absl::Status WriteAll(int fd, const std::string& text, const std::string& path) {
  const ssize_t n = ::write(fd, text.data(), text.size());
  if (n == static_cast<ssize_t>(text.size())) return absl::OkStatus();
  return NodeError(n < 0 ? errno : ENOSPC, "write", path);
}

absl::Status RemoveNames(int dir, const std::string& path) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(dir, path));
  for (const std::string& name : names) {
    if (::unlinkat(dir, name.c_str(), 0) != 0) return NodeError(errno, "unlink", path);
  }
  return absl::OkStatus();
}

struct State {
  NodeId source;
  NodeId tree;
};

std::string FormatState(const State& state) {
  return absl::StrFormat("ext4crypt encrypt 1\nsource %u %d\ntree %u %d\nend\n", state.source.ino,
                         state.source.birth_ns, state.tree.ino, state.tree.birth_ns);
}

std::optional<State> ParseState(const std::string& text) {
  State state;
  int end = 0;
  const int fields = std::sscanf(
      text.c_str(),
      "ext4crypt encrypt 1\nsource %" SCNu64 " %" SCNd64 "\ntree %" SCNu64 " %" SCNd64 "\nend%n",
      &state.source.ino, &state.source.birth_ns, &state.tree.ino, &state.tree.birth_ns, &end);
  // Written back it must be the same: one form, nothing before, between or after it.
  if (fields != 4 || FormatState(state) != text) return std::nullopt;
  return state;
}

// nullopt when there is no state: nothing was moved yet.
absl::StatusOr<std::optional<State>> ReadState(int dir, const std::string& path) {
  const UniqueFd fd(::openat(dir, "state", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid() && errno == ENOENT) return std::optional<State>();
  if (!fd.valid()) return NodeError(errno, "open", path + "/state");
  ASSIGN_OR_RETURN(const std::string text, ReadAll(fd.get(), path + "/state"));
  std::optional<State> state = ParseState(text);
  if (!state.has_value()) return Unfinished("the state cannot be read", path + "/state");
  return state;
}

// Ours, private, and nobody else's at work in it.
absl::StatusOr<UniqueFd> OpenAndLock(const At& at, const std::string& path) {
  ASSIGN_OR_RETURN(UniqueFd fd, OpenDirectory(at, path));
  ASSIGN_OR_RETURN(const Node node, LookAtFd(fd.get(), path));
  if (node.stat.st_uid != ::geteuid() || (node.stat.st_mode & 077) != 0) {
    return Unfinished("it belongs to someone else", path);
  }
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return Error(ErrorReason::kMoveRunning, "locked", path);
  }
  return fd;
}

// What a creation that was cut short has left, which is nothing of anybody's.
absl::Status RemoveEmpty(int parent, const std::string& name, int dir, const std::string& path) {
  for (const char* file : {"state.new", "dirs"}) ::unlinkat(dir, file, 0);
  for (const char* room : kRooms) {
    if (::unlinkat(dir, room, AT_REMOVEDIR) != 0 && errno != ENOENT) {
      return Unfinished("it has contents but no state", path);
    }
  }
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0) return NodeError(errno, "rmdir", path);
  return absl::OkStatus();
}

std::string FormatRecord(const NodeId& id, const struct stat& stat) {
  return absl::StrFormat("%u %d %o %d %d %d %d ;\n", id.ino, id.birth_ns, stat.st_mode & 07777,
                         stat.st_atim.tv_sec, stat.st_atim.tv_nsec, stat.st_mtim.tv_sec,
                         stat.st_mtim.tv_nsec);
}

}  // namespace

absl::StatusOr<std::optional<WorkDir>> WorkDir::Find(int parent, const std::string& parent_path,
                                                     const NodeId& dir) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(parent, parent_path));
  const std::string own_name = absl::StrCat(kWorkDirPrefix, dir.ino);
  for (const std::string& name : names) {
    if (!absl::StartsWith(name, kWorkDirPrefix)) continue;
    const std::string path = absl::StrCat(parent_path, "/", name);
    const bool own = name == own_name;
    // About another directory, it is not ours to judge; a run at its very end needs no help.
    auto opened = OpenAndLock({.dir = parent, .name = name}, path);
    if (!opened.ok() && !own) continue;
    RETURN_IF_ERROR(opened.status());
    ASSIGN_OR_RETURN(const std::optional<State> state, ReadState(opened->get(), path));
    if (!state.has_value()) {
      if (own) RETURN_IF_ERROR(RemoveEmpty(parent, name, opened->get(), path));
      continue;
    }
    if (state->source != dir && state->tree != dir) {
      if (own) return Unfinished("it is about a directory that is gone", path);
      continue;
    }
    WorkDir work;
    work.name_ = name;
    work.path_ = path;
    work.fd_ = *std::move(opened);
    work.source_ = state->source;
    work.tree_id_ = state->tree;
    if (state->source == dir) RETURN_IF_ERROR(work.OpenRooms());
    return std::optional<WorkDir>(std::move(work));
  }
  return std::optional<WorkDir>();
}

absl::StatusOr<WorkDir> WorkDir::Create(int parent, const std::string& parent_path,
                                        const NodeId& source, const Policy& policy) {
  WorkDir work;
  work.source_ = source;
  work.name_ = absl::StrCat(kWorkDirPrefix, source.ino);
  work.path_ = absl::StrCat(parent_path, "/", work.name_);
  if (::mkdirat(parent, work.name_.c_str(), 0700) != 0) {
    const bool denied = errno == EACCES || errno == EPERM;
    return denied ? ErrnoError(ErrorReason::kParentUnwritable, errno, "mkdir", parent_path)
                  : NodeError(errno, "mkdir", work.path_);
  }
  ASSIGN_OR_RETURN(work.fd_, OpenAndLock({.dir = parent, .name = work.name_}, work.path_));
  absl::Status filled = work.MakeRooms(parent_path, policy);
  if (filled.ok()) filled = work.OpenRooms();
  if (filled.ok()) filled = work.WriteState();
  if (filled.ok()) filled = Sync(parent, parent_path);
  if (!filled.ok()) {
    ::unlinkat(work.fd(), "state", 0);  // nothing was moved yet
    (void)RemoveEmpty(parent, work.name_, work.fd(), work.path_);
    return filled;
  }
  return work;
}

absl::Status WorkDir::MakeRooms(const std::string& parent_path, const Policy& policy) {
  ASSIGN_OR_RETURN(const Node node, LookAtFd(fd(), path_));
  if (node.encrypted) {
    return Error(ErrorReason::kEncryptedOtherwise, "what is made there is encrypted already",
                 parent_path);
  }
  RETURN_IF_ERROR(DropInheritedAcls({.dir = fd(), .name = "."}, path_));
  for (const char* room : kRooms) {
    const std::string path = absl::StrCat(path_, "/", room);
    if (::mkdirat(fd(), room, 0700) != 0) return NodeError(errno, "mkdir", path);
    const auto set = [&]() -> absl::Status {
      ASSIGN_OR_RETURN(const PolicyDir dir,
                       PolicyDir::Open(absl::StrCat("/proc/self/fd/", fd(), "/", room)));
      return dir.SetPolicy(policy);
    }();
    if (!set.ok()) {
      ErrorInfo info = InfoOf(set);
      info.subject = path;
      return Error(info, set.message());
    }
  }
  return absl::OkStatus();
}

absl::Status WorkDir::OpenRooms() {
  const std::array<UniqueFd*, kRooms.size()> fds = {&tree_, &links_, &part_};
  for (size_t i = 0; i < kRooms.size(); ++i) {
    const std::string path = absl::StrCat(path_, "/", kRooms[i]);
    ASSIGN_OR_RETURN(*fds[i], OpenDirectory({.dir = fd(), .name = kRooms[i]}, path));
  }
  ASSIGN_OR_RETURN(const Node tree_node, LookAtFd(tree(), path_));
  if (tree_id_ == NodeId{}) tree_id_ = tree_node.id;
  if (tree_id_ != tree_node.id || !tree_node.encrypted) {
    return Unfinished("its tree is another one", path_);
  }
  return ReadRecords();
}

absl::Status WorkDir::WriteState() {
  const std::string path = path_ + "/state";
  const UniqueFd fd(::openat(fd_.get(), "state.new",
                             O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return NodeError(errno, "create", path);
  RETURN_IF_ERROR(WriteAll(fd.get(), FormatState({.source = source_, .tree = tree_id_}), path));
  RETURN_IF_ERROR(Sync(fd.get(), path));
  if (::renameat(fd_.get(), "state.new", fd_.get(), "state") != 0) {
    return NodeError(errno, "rename", path);
  }
  return Sync(fd_.get(), path_);
}

absl::Status WorkDir::ReadRecords() {
  const std::string path = path_ + "/dirs";
  records_file_.reset(
      ::openat(fd_.get(), "dirs", O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!records_file_.valid()) return NodeError(errno, "open", path);
  ASSIGN_OR_RETURN(const std::string text, ReadAll(records_file_.get(), path));
  size_t good = 0;
  for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', good)) {
    const std::string line = text.substr(good, end + 1 - good);
    NodeId id;
    struct stat stat = {};
    if (std::sscanf(line.c_str(), "%" SCNu64 " %" SCNd64 " %o %ld %ld %ld %ld ;", &id.ino,
                    &id.birth_ns, &stat.st_mode, &stat.st_atim.tv_sec, &stat.st_atim.tv_nsec,
                    &stat.st_mtim.tv_sec, &stat.st_mtim.tv_nsec) != 7 ||
        FormatRecord(id, stat) != line) {
      return Unfinished("its record of directories is damaged", path);
    }
    records_.emplace(id, stat);
    good = end + 1;
  }
  // A record that was cut short was never acted upon.
  if (good != text.size() && ::ftruncate(records_file_.get(), static_cast<off_t>(good)) != 0) {
    return NodeError(errno, "truncate", path);
  }
  return absl::OkStatus();
}

absl::StatusOr<struct stat> WorkDir::Remember(const Node& dir, const std::string& path) {
  struct stat wanted = dir.stat;
  const auto known = records_.find(dir.id);
  if (known == records_.end()) {
    const std::string line = FormatRecord(dir.id, dir.stat);
    RETURN_IF_ERROR(WriteAll(records_file_.get(), line, path));
    records_synced_ = false;
    records_.emplace(dir.id, dir.stat);
    return wanted;
  }
  wanted.st_mode = (wanted.st_mode & S_IFMT) | (known->second.st_mode & 07777);
  wanted.st_atim = known->second.st_atim;
  wanted.st_mtim = known->second.st_mtim;
  return wanted;
}

absl::Status WorkDir::SyncRecords() {
  if (!records_synced_) RETURN_IF_ERROR(Sync(records_file_.get(), path_ + "/dirs"));
  records_synced_ = true;
  return absl::OkStatus();
}

absl::Status WorkDir::SyncVolume() {
  if (::syncfs(fd()) != 0) return NodeError(errno, "syncfs", path_);
  records_synced_ = true;
  return absl::OkStatus();
}

absl::Status WorkDir::ClearPart() { return RemoveNames(part(), path_ + "/part"); }

absl::Status WorkDir::Remove(int parent) {
  for (const char* room : {"part", "links"}) {
    auto dir = OpenDirectory({.dir = fd(), .name = room}, path_);
    if (!dir.ok()) continue;  // gone already
    RETURN_IF_ERROR(RemoveNames(dir->get(), path_));
    if (::unlinkat(fd(), room, AT_REMOVEDIR) != 0) return NodeError(errno, "rmdir", path_);
  }
  // Whatever got into the old directory at the very end must not be lost.
  if (::unlinkat(fd(), "tree", AT_REMOVEDIR) != 0 && errno != ENOENT) {
    return Error(ErrorReason::kFilesLeft, "new files are in the old directory", path_ + "/tree");
  }
  for (const char* file : {"dirs", "state.new", "state"}) {
    if (::unlinkat(fd(), file, 0) != 0 && errno != ENOENT) {
      return NodeError(errno, "unlink", path_ + "/" + file);
    }
  }
  if (::unlinkat(parent, name_.c_str(), AT_REMOVEDIR) != 0) {
    return NodeError(errno, "rmdir", path_);
  }
  return Sync(parent, path_);
}

}  // namespace ext4crypt
