// SPDX-License-Identifier: Apache-2.0
#include "worker.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <vector>

#include "fd.h"

namespace crash {

std::vector<uint8_t> Pattern(uint32_t worker, uint32_t op, uint64_t offset, uint64_t length) {
  std::vector<uint8_t> bytes(length);
  FillPattern(worker, op, offset, bytes.data(), length);
  return bytes;
}

int64_t WriteAll(int fd, const std::vector<uint8_t>& bytes, uint64_t offset) {
  uint64_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n =
        pwrite(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return done > 0 ? static_cast<int64_t>(done) : -errno;
    done += static_cast<uint64_t>(n);
  }
  return static_cast<int64_t>(done);
}

namespace {

// A store to a hole on a full disk ends in SIGBUS.
thread_local sigjmp_buf bus_return;
thread_local uint8_t* volatile bus_address;

void OnBus(int, siginfo_t* info, void*) {
  bus_address = static_cast<uint8_t*>(info->si_addr);
  siglongjmp(bus_return, 1);
}

// Bytes stored at base + offset, less than `length` if the disk is full.
uint64_t Store(uint8_t* base, uint32_t worker, uint32_t op, uint64_t offset, uint64_t length) {
  if (sigsetjmp(bus_return, 1) == 0) {
    FillPattern(worker, op, offset, base + offset, length);
    return length;
  }
  const auto reached = static_cast<uint64_t>(bus_address - base) / kPage * kPage;
  return reached > offset ? reached - offset : 0;
}

std::string WorkerKind(const Session& session, uint32_t number) {
  return WorkersOf(session.workload)[number];
}

}  // namespace

Worker::Worker(const Session& session, const Marks& marks, uint32_t number, std::string directory)
    : session_(session),
      marks_(marks),
      number_(number),
      directory_(std::move(directory)),
      source_(WorkerKind(session, number), number, session.seed),
      model_(number) {}

void Worker::Run() {
  struct sigaction action = {};
  action.sa_sigaction = OnBus;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, nullptr);
  int64_t result = 0;
  uint64_t size = 0;
  for (op_ = 0; op_ < session_.ops; ++op_) {
    marks_.WriteWorker(number_, op_, result, size);
    const Op op = source_.Next();
    result = Do(op);
    size = SizeOf(op.file);
    model_.Apply(op_, op, {result, size});
    if (size != model_.Now(op.file).size()) {
      fprintf(stderr, "e4c-crash-load: worker %u op %u (%s): size %lu, expected %lu\n", number_,
              op_, NameOf(op.kind), size, model_.Now(op.file).size());
      _exit(1);
    }
  }
  marks_.WriteWorker(number_, op_, result, size);
  if (orphan_ >= 0) close(orphan_);
}

int64_t Worker::Checked(int64_t result, const char* what) {
  if (result >= 0 || result == -ENOSPC || result == -ENOENT) return result;
  errno = static_cast<int>(-result);
  Die("worker " + std::to_string(number_) + " op " + std::to_string(op_) + ": " + what);
}

int64_t Worker::Do(const Op& op) {
  switch (op.kind) {
    case OpKind::kStart:
      return Start();
    case OpKind::kReplace:
      return Checked(Replace(op), "replace");
    case OpKind::kRemove:
      return Checked(Remove(op), "unlink");
    case OpKind::kWrite:
      return Checked(Write(op, 0), "write");
    case OpKind::kSyncWrite:
      return Checked(Write(op, O_SYNC), "O_SYNC write");
    case OpKind::kMapped:
      return Checked(Mapped(op, false), "mmap");
    case OpKind::kMappedSync:
      return Checked(Mapped(op, true), "msync");
    case OpKind::kTruncate:
      return Checked(
          truncate(PathOf(op.file).c_str(), static_cast<off_t>(op.offset)) == 0 ? 0 : -errno,
          "truncate");
    case OpKind::kPunch:
      return Checked(Allocate(op, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE), "punch");
    case OpKind::kZero:
      return Checked(ZeroRange(op), "zero range");
    case OpKind::kAllocate:
      return Checked(Allocate(op, 0), "fallocate");
    case OpKind::kAllocateKeep:
      return Checked(Allocate(op, FALLOC_FL_KEEP_SIZE), "fallocate");
    case OpKind::kFsync:
    case OpKind::kFdatasync:
    case OpKind::kForget:
      return Sync(op);
    case OpKind::kSyncAll:
      sync();
      return 0;
    case OpKind::kVerify:
      return Verify(op);
    case OpKind::kOrphan:
      return Checked(Orphan(op), "orphan");
    case OpKind::kQuietReplace:
      return Checked(QuietReplace(op), "replace without fsync");
    case OpKind::kUnnamedReplace:
      return Checked(UnnamedReplace(op), "O_TMPFILE");
    case OpKind::kMove:
      return Checked(Move(op), "rename");
    case OpKind::kRelink:
      return Checked(Relink(op), "link");
    case OpKind::kExchange:
      return Checked(Exchange(op), "exchange");
    case OpKind::kLinks:
      return Checked(Links(op), "symlink");
    case OpKind::kTall:
      return Checked(Tall(op), "sparse write");
  }
  return 0;
}

int Worker::Open(const Op& op, int flags) {
  return open(PathOf(op.file).c_str(), flags | O_CLOEXEC);
}

uint64_t Worker::SizeOf(int file) const {
  struct stat st = {};
  return stat(PathOf(file).c_str(), &st) == 0 ? static_cast<uint64_t>(st.st_size) : 0;
}

void Worker::SyncDirectory() {
  const Fd fd(open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || fsync(fd.get()) != 0) Die("fsync of the directory");
}

int64_t Worker::Start() {
  if (mkdir(directory_.c_str(), 0755) != 0) Die("mkdir");
  const std::string parent = directory_.substr(0, directory_.rfind('/'));
  const Fd fd(open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || fsync(fd.get()) != 0) Die("fsync of the parent");
  return 0;
}

int64_t Worker::Replace(const Op& op) {
  const std::string fresh = PathOf(op.file) + ".new";
  int64_t result;
  {
    const Fd fd(open(fresh.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (fd.get() < 0) return -errno;
    result = WriteAll(fd.get(), Pattern(number_, op_, 0, op.length), 0);
    if (result == static_cast<int64_t>(op.length)) {
      if (fsync(fd.get()) != 0) Die("fsync of a new file");
      result = rename(fresh.c_str(), PathOf(op.file).c_str()) == 0 ? 0 : -errno;
    } else if (result >= 0) {
      result = -ENOSPC;
    }
  }
  if (result < 0) unlink(fresh.c_str());
  SyncDirectory();
  return result;
}

int64_t Worker::Remove(const Op& op) {
  if (unlink(PathOf(op.file).c_str()) != 0) return -errno;
  SyncDirectory();
  return 0;
}

int64_t Worker::Write(const Op& op, int flags) {
  const Fd fd(Open(op, O_WRONLY | flags));
  if (fd.get() < 0) return -errno;
  return WriteAll(fd.get(), Pattern(number_, op_, op.offset, op.length), op.offset);
}

int64_t Worker::Mapped(const Op& op, bool sync) {
  const Fd fd(Open(op, O_RDWR));
  if (fd.get() < 0) return -errno;
  const uint64_t size = SizeOf(op.file);
  if (op.length == 0 || op.offset + op.length > size) return 0;
  void* base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (base == MAP_FAILED) return -errno;
  const uint64_t stored = Store(static_cast<uint8_t*>(base), number_, op_, op.offset, op.length);
  if (sync && msync(base, size, MS_SYNC) != 0) Die("msync");
  munmap(base, size);
  return static_cast<int64_t>(stored);
}

int64_t Worker::Allocate(const Op& op, int mode) {
  const Fd fd(Open(op, O_RDWR));
  if (fd.get() < 0) return -errno;
  return fallocate(fd.get(), mode, static_cast<off_t>(op.offset), static_cast<off_t>(op.length)) ==
                 0
             ? 0
             : -errno;
}

int64_t Worker::ZeroRange(const Op& op) {
  const int64_t result = Allocate(op, FALLOC_FL_ZERO_RANGE);
  // On a full disk it may have zeroed a part before it fails. Zeroing the rest makes the outcome
  // one that the model knows.
  if (result != -ENOSPC) return result;
  if (Allocate(op, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE) != 0)
    Die("punching what zero range left");
  return 0;
}

int64_t Worker::Orphan(const Op& op) {
  if (orphan_ >= 0) close(orphan_);
  const std::string path = directory_ + "/orphan";
  orphan_ = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (orphan_ < 0) return -errno;
  const int64_t result = WriteAll(orphan_, Pattern(number_, op_, 0, op.length), 0);
  if (op.length % 2 == 0 && fsync(orphan_) != 0) Die("fsync of an orphan");
  return unlink(path.c_str()) == 0 ? std::min<int64_t>(result, 0) : -errno;
}

int64_t Worker::Sync(const Op& op) {
  const Fd fd(Open(op, O_RDWR));
  if (fd.get() < 0) return -errno;
  if ((op.kind == OpKind::kFdatasync ? fdatasync(fd.get()) : fsync(fd.get())) != 0) Die("fsync");
  if (op.kind == OpKind::kForget) posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
  return 0;
}

int64_t Worker::Verify(const Op& op) {
  const Fd fd(Open(op, O_RDONLY));
  if (fd.get() < 0) return -errno;
  const Generation& file = model_.Now(op.file);
  static const Page zeros = {};
  Page actual;
  for (const auto& [page, versions] : file.pages()) {
    if (page * kPage >= file.size()) break;
    const auto length = static_cast<ssize_t>(std::min(kPage, file.size() - page * kPage));
    const ssize_t got = pread(fd.get(), actual.data(), kPage, static_cast<off_t>(page * kPage));
    if (got < 0)
      Die("reading worker " + std::to_string(number_) + " file " + std::to_string(op.file) +
          " page " + std::to_string(page));
    const PagePtr now = file.Now(page);
    if (got != length ||
        std::memcmp(actual.data(), (now ? *now : zeros).data(), static_cast<size_t>(length)) != 0) {
      fprintf(stderr,
              "e4c-crash-load: worker %u op %u: file %d page %lu is not what was written: %s\n",
              number_, op_, op.file, page, DescribeWord(actual.data()).c_str());
      _exit(1);
    }
  }
  return 0;
}

}  // namespace crash
