// SPDX-License-Identifier: Apache-2.0
#include "volume/verify/mounted.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/types.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/directory.h"
#include "common/unique_fd.h"
#include "ext4crypt/uapi.h"
#include "volume/ext4/bytes.h"
#include "volume/finding.h"
#include "volume/verify/worker_pool.h"

namespace ext4crypt::volume {
namespace {

constexpr uint64_t kChunk = uint64_t{1} << 20;

class Walker {
 public:
  Walker(UniqueFd root, std::string path, const MountedOptions& options, MountedTotals& totals)
      : root_(std::move(root)),
        path_(std::move(path)),
        options_(options),
        totals_(totals),
        pool_(options.threads) {}

  void Run() {
    if (options_.on_total) options_.on_total(Total());
    std::vector<std::string> pending = {"."};
    while (!pending.empty()) {
      const std::string next = std::move(pending.back());
      pending.pop_back();
      WalkDirectory(next, pending);
    }
    pool_.WaitUntilDone();
  }

 private:
  // Never out of the tree, over a symbolic link or into another file system, whatever is renamed
  // meanwhile.
  [[nodiscard]] UniqueFd Open(const std::string& relative, uint64_t flags) const {
    open_how how = {};
    how.flags = flags | O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
    return UniqueFd(
        static_cast<int>(::syscall(SYS_openat2, root_.get(), relative.c_str(), &how, sizeof(how))));
  }

  void Report(Finding finding, const std::string& relative) {
    finding.path = absl::StrCat(path_, "/", relative);
    const std::lock_guard<std::mutex> lock(mutex_);
    totals_.Count(finding.reason);
    if (options_.on_finding) options_.on_finding(finding);
  }

  void ReportOpen(const std::string& relative, int error) {
    if (error == ENOENT || error == EXDEV || error == ELOOP || error == ENXIO) return;
    const bool may_not = error == ENOKEY || error == EACCES || error == EPERM;
    Report({.reason = may_not ? Reason::kKeyMissing : Reason::kInodeUnreadable,
            .detail = std::strerror(error)},
           relative);
  }

  // Of what is there now; faults are reported later, when it is read.
  uint64_t Total() {
    uint64_t bytes = 0;
    std::vector<std::string> pending = {"."};
    while (!pending.empty()) {
      const std::string relative = std::move(pending.back());
      pending.pop_back();
      const UniqueFd fd = Open(relative, O_DIRECTORY);
      if (!fd.valid()) continue;
      (void)ForEachName(fd.get(), [&](const char* name) {
        struct stat st = {};
        if (::fstatat(fd.get(), name, &st, AT_SYMLINK_NOFOLLOW) != 0) return true;
        if (S_ISREG(st.st_mode)) bytes += static_cast<uint64_t>(st.st_size);
        if (S_ISDIR(st.st_mode)) pending.push_back(absl::StrCat(relative, "/", name));
        return true;
      });
    }
    return bytes;
  }

  void WalkDirectory(const std::string& relative, std::vector<std::string>& pending) {
    UniqueFd fd = Open(relative, O_DIRECTORY);
    if (!fd.valid()) {
      ReportOpen(relative, errno);
      return;
    }
    ++totals_.directories;
    const int error = ForEachName(fd.get(), [&](const char* name) {
      const std::string child = relative == "." ? name : absl::StrCat(relative, "/", name);
      struct stat st = {};
      if (::fstatat(fd.get(), name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        ReportOpen(child, errno);
      } else if (S_ISDIR(st.st_mode)) {
        pending.push_back(child);
      } else if (S_ISREG(st.st_mode)) {
        pool_.Submit([this, child] { ReadFile(child); });
      }
      return true;
    });
    if (error != 0) {
      Report({.reason = Reason::kDirectoryMalformed, .detail = std::strerror(error)}, relative);
    }
  }

  void ReadFile(const std::string& relative) {
    const UniqueFd fd = Open(relative, 0);
    if (!fd.valid()) {
      ReportOpen(relative, errno);
      return;
    }
    // Only an authenticated file has slots; one whose first tag block is damaged says EIO.
    std::array<uint8_t, sizeof(e4c_slot)> slot = {};
    e4c_get_tags request = {};
    request.count = 1;
    request.slots = reinterpret_cast<uint64_t>(slot.data());
    if (::ioctl(fd.get(), E4C_IOC_GET_TAGS, &request) != 0 &&
        (errno == EOPNOTSUPP || errno == ENOTTY)) {
      struct stat st = {};
      if (::fstat(fd.get(), &st) == 0) bytes_done_ += static_cast<uint64_t>(st.st_size);
      const std::lock_guard<std::mutex> lock(mutex_);
      ++totals_.unauthenticated;
      return;
    }
    struct stat st = {};
    if (::fstat(fd.get(), &st) != 0) return;
    FindingList list(static_cast<uint32_t>(st.st_ino));
    const uint64_t size = ReadAll(fd.get(), list);
    for (const Finding& finding : list.findings()) Report(finding, relative);
    const std::lock_guard<std::mutex> lock(mutex_);
    ++totals_.files;
    totals_.bytes += size;
  }

  // Holes as well: that they are holes is authenticated too.
  uint64_t ReadAll(int fd, FindingList& list) {
    std::vector<uint8_t> buffer(kChunk);
    for (uint64_t at = 0;;) {
      // What is in memory already says nothing about the disk.
      (void)::posix_fadvise(fd, static_cast<off_t>(at), kChunk, POSIX_FADV_DONTNEED);
      ssize_t n = ::pread(fd, buffer.data(), kChunk, static_cast<off_t>(at));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) n = static_cast<ssize_t>(PageByPage(fd, at, buffer, list));
      if (n == 0) return at;
      at += static_cast<uint64_t>(n);
      // A file shorter than a page behind a failed one ends here.
      bytes_done_ += static_cast<uint64_t>(n);
      if (options_.on_progress) options_.on_progress(bytes_done_);
    }
  }

  // One read that fails does not say which page. The end of the file counts here, since a failing
  // page does not tell it.
  uint64_t PageByPage(int fd, uint64_t at, std::vector<uint8_t>& buffer, FindingList& list) {
    struct stat st = {};
    if (::fstat(fd, &st) != 0 || static_cast<uint64_t>(st.st_size) <= at) return 0;
    const uint64_t end = std::min<uint64_t>(static_cast<uint64_t>(st.st_size), at + kChunk);
    for (uint64_t page = at / E4C_BLOCK_SIZE; page * E4C_BLOCK_SIZE < end; ++page) {
      const ssize_t n =
          ::pread(fd, buffer.data(), E4C_BLOCK_SIZE, static_cast<off_t>(page * E4C_BLOCK_SIZE));
      if (n < 0) list.AddPages(Reason::kPageUnreadable, page, 1, std::strerror(errno));
    }
    return end - at;
  }

  const UniqueFd root_;
  const std::string path_;
  const MountedOptions& options_;
  MountedTotals& totals_;
  std::mutex mutex_;  // of totals_ and on_finding
  std::atomic<uint64_t> bytes_done_ = 0;
  WorkerPool pool_;  // last: its threads use the rest
};

}  // namespace

absl::Status VerifyMounted(const std::string& path, const MountedOptions& options,
                           MountedTotals& totals) {
  UniqueFd root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) {
    return Fail(Reason::kCannotOpen, absl::StrCat(path, ": ", std::strerror(errno)));
  }
  std::string base = path;
  while (!base.empty() && base.back() == '/') base.pop_back();
  Walker(std::move(root), base, options, totals).Run();
  return absl::OkStatus();
}

}  // namespace ext4crypt::volume
