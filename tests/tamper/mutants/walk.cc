// SPDX-License-Identifier: Apache-2.0
#include "walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/types.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "../../../include/ext4crypt/uapi.h"
#include "../../vm/fsx/rng.h"

namespace tamper {
namespace {

constexpr size_t kPage = 4096;
constexpr off_t kPageOff = 4096;
constexpr size_t kRun = 16;  // pages read at once
constexpr int kMaxDepth = 6;
constexpr size_t kMaxNames = 400;
constexpr uint32_t kSlotBytes = 32;

sigjmp_buf at_sigbus;
void OnSigbus(int) { siglongjmp(at_sigbus, 1); }

class Walker {
 public:
  Walker(uint64_t seed, const Truths& truths, int seconds, WalkCounts& counts)
      : rng_(seed ^ 0x77616C6B), truths_(truths), deadline_(::time(nullptr) + seconds), counts_(counts) {}

  std::string Run(const std::string& mount) {
    struct sigaction action = {};
    action.sa_handler = OnSigbus;
    ::sigaction(SIGBUS, &action, nullptr);
    List(mount, 0);
    for (const std::string& path : files_) Read(path);
    for (const std::string& path : files_) Change(path);
    for (const std::string& dir : dirs_) Create(dir);
    ::sync();
    for (const std::string& path : files_) Read(path, /*compare=*/false);
    if (rng_.one_in(2)) {
      for (const std::string& path : names_) ::unlink(path.c_str());
      for (auto dir = dirs_.rbegin(); dir != dirs_.rend(); ++dir) ::rmdir(dir->c_str());
    }
    return wrong_;
  }

 private:
  [[nodiscard]] bool Late() const { return ::time(nullptr) > deadline_; }

  void List(const std::string& dir, int depth) {
    dirs_.push_back(dir);
    std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(dir.c_str()), ::closedir);
    if (!stream) return;
    std::vector<std::string> below;
    // A changed index can lead from a block of names back to one before it: ext4 then lists the directory without end.
    while (const dirent* entry = names_.size() > kMaxNames || Late() ? nullptr : ::readdir(stream.get())) {
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      const std::string path = dir + "/" + name;
      ++counts_.names;
      struct stat st;
      if (::lstat(path.c_str(), &st) != 0) continue;
      names_.push_back(path);
      std::array<char, 4096> buffer;
      if (S_ISLNK(st.st_mode)) {
        const ssize_t length = ::readlink(path.c_str(), buffer.data(), buffer.size());
        if (length >= 0) JudgeLink(path, st.st_ino, std::string(buffer.data(), static_cast<size_t>(length)));
      }
      if (const ssize_t length = ::llistxattr(path.c_str(), buffer.data(), buffer.size()); length > 0) {
        std::array<char, 4096> value;
        for (ssize_t at = 0; at < length; at += static_cast<ssize_t>(std::strlen(&buffer[static_cast<size_t>(at)])) + 1) {
          ::lgetxattr(path.c_str(), &buffer[static_cast<size_t>(at)], value.data(), value.size());
        }
      }
      if (S_ISDIR(st.st_mode)) below.push_back(path);
      // Not devices and pipes: opening those is another driver's affair.
      if (S_ISREG(st.st_mode) && files_.size() < 40 && inodes_.insert(st.st_ino).second) files_.push_back(path);
    }
    for (const std::string& path : below) {
      if (depth < kMaxDepth && !Late()) List(path, depth + 1);
    }
  }

  // What the file of FD must read as; nullptr: nothing is known of it, or it is not encrypted.
  const Truth* TruthOf(int fd, uint64_t ino) {
    const auto truth = truths_.find(ino);
    if (truth == truths_.end()) return nullptr;
    struct statx stx;
    if (::statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx) != 0 || (stx.stx_attributes & STATX_ATTR_ENCRYPTED) == 0) return nullptr;
    return &truth->second;
  }

  static bool IsEncrypted(const std::string& path) {
    struct statx stx;
    return ::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &stx) == 0 && (stx.stx_attributes & STATX_ATTR_ENCRYPTED) != 0;
  }
  // Whether the name is that of an encrypted directory, and another one than the inode's only one.
  static bool IsOthersName(const std::string& path, const Truth& truth) {
    const size_t slash = path.rfind('/');
    return !truth.name.empty() && path.substr(slash + 1) != truth.name && IsEncrypted(path.substr(0, slash));
  }
  void JudgeWhole(const std::string& path, uint64_t ino, const Truth& truth, uint64_t size) {
    if (!wrong_.empty()) return;
    if (size != truth.size) wrong_ = path + ", inode " + std::to_string(ino) + ": opens with size " + std::to_string(size);
    if (IsOthersName(path, truth)) wrong_ = path + ", inode " + std::to_string(ino) + ": opens under a name that was " + truth.name;
  }
  // Under its name in clear, so with the key, a link leads where it did.
  void JudgeLink(const std::string& path, uint64_t ino, const std::string& target) {
    const auto truth = truths_.find(ino);
    if (!wrong_.empty() || truth == truths_.end() || truth->second.target.empty()) return;
    const size_t slash = path.rfind('/');
    if (path.substr(slash + 1) != truth->second.name || !IsEncrypted(path.substr(0, slash)) || target == truth->second.target) return;
    wrong_ = path + ", inode " + std::to_string(ino) + ": a link to " + target.substr(0, 40);
  }

  void Judge(const std::string& path, uint64_t ino, const Truth& truth, uint64_t page, const uint8_t* contents) {
    if (!wrong_.empty()) return;
    const auto known = truth.pages.find(page);
    const uint64_t expected = known == truth.pages.end() ? kZeroHash : known->second;
    const uint64_t found = HashOf(contents);
    if (found == expected) {
      ++counts_.pages_true;
      return;
    }
    wrong_ = path + ", inode " + std::to_string(ino) + ": page " + std::to_string(page) + " reads as what it never was";
  }

  // COUNT pages, zeros behind the file's end. False: not all of what there is.
  static bool ReadPages(int fd, uint64_t first, size_t count, uint64_t size, uint8_t* out) {
    std::memset(out, 0, count * kPage);
    const ssize_t got = ::pread(fd, out, count * kPage, static_cast<off_t>(first) * kPageOff);
    return got >= 0 && static_cast<uint64_t>(got) >= std::min<uint64_t>(count * kPage, size - std::min(size, first * kPage));
  }

  void Read(const std::string& path, bool compare = true) {
    if (Late()) return;
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || ::fstat(fd, &st) != 0) {
      ++counts_.refused;
      if (fd >= 0) ::close(fd);
      return;
    }
    ++counts_.opened;
    const auto size = static_cast<uint64_t>(st.st_size);
    const Truth* const truth = compare ? TruthOf(fd, st.st_ino) : nullptr;
    if (truth != nullptr) JudgeWhole(path, st.st_ino, *truth, size);
    const std::vector<uint64_t> numbers = PagesToRead(size);
    // Several neighbours at once; where one of them fails, each for itself.
    std::array<uint8_t, kRun * kPage> contents;
    for (size_t at = 0, run = 0, alone = 0; at < numbers.size(); at += run) {
      for (run = 1; at >= alone && run < kRun && at + run < numbers.size() && numbers[at + run] == numbers[at] + run;) ++run;
      if (!ReadPages(fd, numbers[at], run, size, contents.data())) {
        if (run == 1) {
          ++counts_.pages_failed;
        } else {
          alone = at + run;
          run = 0;
        }
        continue;
      }
      for (size_t i = 0; i < run && truth != nullptr; ++i) Judge(path, st.st_ino, *truth, numbers[at] + i, &contents[i * kPage]);
    }
    Map(fd, size);
    Ask(fd, size);
    ::close(fd);
  }

  void Map(int fd, uint64_t size) {
    constexpr size_t kLength = 8 * kPage;
    void* const map = ::mmap(nullptr, kLength, PROT_READ, MAP_SHARED, fd, rng_.one_in(2) || size < kLength ? 0 : static_cast<off_t>((size - kLength) & ~(kPage - 1)));
    if (map == MAP_FAILED) return;
    for (size_t at = 0; at < kLength; at += kPage) {
      if (sigsetjmp(at_sigbus, 1) == 0) {
        [[maybe_unused]] const uint8_t byte = *(static_cast<volatile uint8_t*>(map) + at);
      }
    }
    ::munmap(map, kLength);
  }

  void Ask(int fd, uint64_t size) {
    std::vector<uint8_t> slots(size_t{300} * kSlotBytes);
    const uint64_t last = std::min<uint64_t>(size / kPage, 0x50000000 - 300);
    for (const uint64_t first : {uint64_t{0}, last, uint64_t{199900}}) {
      e4c_get_tags arg = {};
      arg.first_page = first;
      arg.count = 300;
      arg.slots = reinterpret_cast<uintptr_t>(slots.data());
      ::ioctl(fd, E4C_IOC_GET_TAGS, &arg);
    }
    off_t at = 0;
    for (int i = 0; i < 80 && at >= 0; ++i) at = ::lseek(fd, at, i % 2 == 0 ? SEEK_DATA : SEEK_HOLE);
    ::lseek(fd, static_cast<off_t>(size / 2), SEEK_DATA);
    alignas(fiemap) std::array<uint8_t, sizeof(fiemap) + 64 * sizeof(fiemap_extent)> buffer = {};
    auto* map = reinterpret_cast<fiemap*>(buffer.data());
    map->fm_length = FIEMAP_MAX_OFFSET;
    map->fm_extent_count = 64;
    ::ioctl(fd, FS_IOC_FIEMAP, map);
    int flags = 0;
    ::ioctl(fd, FS_IOC_GETFLAGS, &flags);
  }

  void Count(bool good) { ++(good ? counts_.writes : counts_.writes_failed); }
  void Put(int fd, off_t at, size_t length) {
    std::array<uint8_t, kPage> data;
    rng_.fill(data.data(), length);
    Count(::pwrite(fd, data.data(), length, at) == static_cast<ssize_t>(length));
  }

  void Change(const std::string& path) {
    if (Late()) return;
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || ::fstat(fd, &st) != 0) {
      if (fd >= 0) ::close(fd);
      return;
    }
    const off_t size = st.st_size, middle = size / 2 / kPageOff * kPageOff;
    for (int left = 8; left > 0; --left) {
      switch (rng_.below(14)) {
        case 0: Put(fd, 0, kPage); break;
        case 1: Put(fd, middle, kPage); break;
        case 2: Put(fd, middle + 100, 300); break;
        case 3: Put(fd, size, 3000); break;
        case 4: Put(fd, static_cast<off_t>(rng_.below(310)) * kPageOff, kPage); break;
        case 5: Count(::ftruncate(fd, middle + 77) == 0); break;
        case 6: Count(::ftruncate(fd, static_cast<off_t>(rng_.below(2000000))) == 0); break;
        case 7: Count(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5000, 300000) == 0); break;
        case 8: Count(::fallocate(fd, FALLOC_FL_ZERO_RANGE, 3000, 100000) == 0); break;
        case 9: Count(::fallocate(fd, 0, middle, 200000) == 0); break;
        case 10: WriteMapped(fd); break;
        case 11: Count(::fsync(fd) == 0); break;
        case 12: ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); break;
        default: Count(::ftruncate(fd, 0) == 0); break;
      }
    }
    ::fsync(fd);
    ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    ::close(fd);
    if (rng_.one_in(4)) ::rename(path.c_str(), (path + "2").c_str());
    if (rng_.one_in(4)) ::setxattr(path.c_str(), "user.new", "value", 5, 0);
    if (rng_.one_in(6)) [[maybe_unused]] const int done = ::truncate(path.c_str(), 5000);
  }

  void WriteMapped(int fd) {
    void* const map = ::mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) return;
    if (sigsetjmp(at_sigbus, 1) == 0) *(static_cast<volatile uint8_t*>(map) + 5000) = 1;
    ::msync(map, 2 * kPage, MS_SYNC);
    ::munmap(map, 2 * kPage);
  }

  void Create(const std::string& dir) {
    if (Late()) return;
    const std::string path = dir + "/new";
    if (const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644); fd >= 0) {
      Put(fd, 0, kPage);
      Put(fd, 600000, 1000);
      ::fsync(fd);
      ::close(fd);
    }
    ::mkdir((dir + "/new-dir").c_str(), 0755);
    [[maybe_unused]] const int linked = ::symlink("somewhere", (dir + "/new-link").c_str());
  }

  fsx::Rng rng_;
  const Truths& truths_;
  time_t deadline_;
  WalkCounts& counts_;
  std::vector<std::string> dirs_, files_, names_;
  std::set<uint64_t> inodes_;  // of files_: each once
  std::string wrong_;
};

}  // namespace

std::string Walk(const std::string& mount, uint64_t seed, const Truths& truths, int seconds, WalkCounts& counts) {
  return Walker(seed, truths, seconds, counts).Run(mount);
}

}  // namespace tamper
