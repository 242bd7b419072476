// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernelio/proc_busy_scanner.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fscrypt.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/unique_fd.h"

namespace ext4crypt {
namespace {

struct DirCloser {
  void operator()(DIR* dir) const { ::closedir(dir); }
};
using Dir = std::unique_ptr<DIR, DirCloser>;

Dir OpenDir(int parent, const char* name) {
  const int fd = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return nullptr;
  DIR* dir = ::fdopendir(fd);
  if (dir == nullptr) ::close(fd);
  return Dir(dir);
}

void ForEachName(const Dir& dir, const std::function<void(const char*)>& visit) {
  if (dir == nullptr) return;
  while (const struct dirent* entry = ::readdir(dir.get())) {
    if (entry->d_name[0] != '.') visit(entry->d_name);
  }
}

std::string LinkTarget(int dir, const char* name) {
  std::array<char, PATH_MAX> target = {};
  const ssize_t size = ::readlinkat(dir, name, target.data(), target.size());
  return size > 0 ? std::string(target.data(), static_cast<size_t>(size)) : std::string();
}

class Scan {
 public:
  Scan(const std::vector<Volume>& volumes, const KeyIdentifier& identifier)
      : volumes_(volumes), identifier_(identifier) {}

  std::optional<BusyProcess> Look(int proc, const char* name) {
    BusyProcess process;
    struct stat info = {};
    const UniqueFd dir(::openat(proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!dir.valid() || ::fstat(dir.get(), &info) != 0 || !absl::SimpleAtoi(name, &process.pid)) {
      return std::nullopt;
    }
    for (const char* link : {"cwd", "root", "exe"}) LookAtLink(dir.get(), link, process);
    // map_files besides fd: a mapping outlives the descriptor it was made from.
    for (const char* sub : {"fd", "map_files"}) {
      const Dir links = OpenDir(dir.get(), sub);
      ForEachName(links,
                  [&](const char* link) { LookAtLink(::dirfd(links.get()), link, process); });
    }
    if (process.paths.empty()) return std::nullopt;
    process.uid = info.st_uid;
    process.command = Command(dir.get());
    return process;
  }

 private:
  void LookAtLink(int dir, const char* name, BusyProcess& process) {
    struct stat info = {};
    if (process.paths.size() >= ProcBusyScanner::kMaxPathsEach ||
        ::fstatat(dir, name, &info, 0) != 0) {
      return;
    }
    const bool on_volume = std::any_of(volumes_.begin(), volumes_.end(), [&](const Volume& volume) {
      return volume.device == info.st_dev;
    });
    if (!on_volume || (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))) return;
    if (!HasOurKey(dir, name)) return;
    std::string path = LinkTarget(dir, name);
    if (std::find(process.paths.begin(), process.paths.end(), path) == process.paths.end()) {
      process.paths.push_back(std::move(path));
    }
  }

  // Opening works although the key is gone: the inode is in use and still carries its own.
  bool HasOurKey(int dir, const char* name) const {
    const UniqueFd fd(::openat(dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    struct fscrypt_get_policy_ex_arg arg = {};
    arg.policy_size = sizeof(arg.policy);
    return fd.valid() && ::ioctl(fd.get(), FS_IOC_GET_ENCRYPTION_POLICY_EX, &arg) == 0 &&
           arg.policy.version == FSCRYPT_POLICY_V2 &&
           std::equal(identifier_.begin(), identifier_.end(),
                      std::begin(arg.policy.v2.master_key_identifier));
  }

  static std::string Command(int dir) {
    const UniqueFd fd(::openat(dir, "comm", O_RDONLY | O_CLOEXEC));
    std::array<char, 64> text = {};
    const ssize_t size = fd.valid() ? ::read(fd.get(), text.data(), text.size()) : 0;
    std::string command(text.data(), size > 0 ? static_cast<size_t>(size) : 0);
    while (!command.empty() && command.back() == '\n') command.pop_back();
    return command;
  }

  const std::vector<Volume>& volumes_;
  const KeyIdentifier& identifier_;
};

}  // namespace

std::vector<BusyProcess> ProcBusyScanner::FindBusy(const std::vector<Volume>& volumes,
                                                   const KeyIdentifier& identifier) {
  std::vector<BusyProcess> found;
  const Dir proc = OpenDir(AT_FDCWD, "/proc");
  Scan scan(volumes, identifier);
  ForEachName(proc, [&](const char* name) {
    if (name[0] < '0' || name[0] > '9' || found.size() >= kMaxProcesses) return;
    if (auto process = scan.Look(::dirfd(proc.get()), name); process.has_value()) {
      found.push_back(*std::move(process));
    }
  });
  return found;
}

}  // namespace ext4crypt
