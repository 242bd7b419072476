// SPDX-License-Identifier: Apache-2.0
#include "world.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fscrypt.h>
#include <linux/types.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "../../../include/ext4crypt/uapi.h"
#include "../../vm/fsx/rng.h"

namespace tamper {
namespace {

namespace fs = std::filesystem;
constexpr size_t kPage = 4096;

[[noreturn]] void Fail(const std::string& what) { throw std::runtime_error(what + ": " + strerrorname_np(errno)); }

class File {
 public:
  File(const std::string& path, int flags) : path_(path), fd_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    if (fd_ < 0) Fail(path);
  }
  ~File() { ::close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] int fd() const { return fd_; }
  void Pages(uint64_t first, uint64_t count, size_t tail = kPage) {
    std::array<uint8_t, kPage> page;
    for (uint64_t i = 0; i < count; ++i) {
      fsx::Rng(std::hash<std::string>()(path_) + first + i).fill(page.data(), kPage);
      const size_t length = i + 1 == count ? tail : kPage;
      if (::pwrite(fd_, page.data(), length, static_cast<off_t>((first + i) * kPage)) != static_cast<ssize_t>(length)) Fail(path_);
    }
  }
  void Allocate(int mode, uint64_t first, uint64_t count) {
    if (::fallocate(fd_, mode, static_cast<off_t>(first * kPage), static_cast<off_t>(count * kPage)) != 0) Fail(path_);
  }

 private:
  std::string path_;
  int fd_;
};

void MakeFiles(const std::string& dir) {
  const auto at = [&](const char* name) { return dir + "/" + name; };
  constexpr int kNew = O_RDWR | O_CREAT | O_EXCL;
  File(at("empty"), kNew).Pages(0, 0);
  File(at("one"), kNew).Pages(0, 1, 100);
  File(at("small"), kNew).Pages(0, 5);
  File(at("groups"), kNew).Pages(0, 300, 17);
  {
    File sparse(at("sparse"), kNew);
    for (const uint64_t page : {0, 5, 126, 127, 253, 1000, 20000, 2100000}) sparse.Pages(page, 1);
  }
  {
    File unwritten(at("unwritten"), kNew);
    unwritten.Allocate(0, 0, 40);
    unwritten.Pages(10, 3);
  }
  {
    File fragmented(at("fragmented"), kNew);  // more extents than fit into the inode
    for (uint64_t page = 0; page < 60; page += 2) fragmented.Pages(page, 1);
  }
  {
    File kept(at("kept"), kNew);
    kept.Pages(0, 3);
    kept.Allocate(FALLOC_FL_KEEP_SIZE, 3, 20);
  }
  {
    File punched(at("punched"), kNew);
    punched.Pages(0, 140);
    if (::fsync(punched.fd()) != 0) Fail("fsync");
    punched.Allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 20, 50);
    punched.Pages(130, 2);
  }
  File(at("far"), kNew).Pages(200000, 2);
  File(at("attribute"), kNew).Pages(0, 2);
  const std::string value(1000, 'v');
  if (::setxattr(at("attribute").c_str(), "user.large", value.data(), value.size(), 0) != 0) Fail("setxattr");
  if (::setxattr(at("one").c_str(), "user.small", value.data(), 20, 0) != 0) Fail("setxattr");
}

void MakeLinks(const std::string& dir) {
  fs::create_hard_link(dir + "/small", dir + "/linked");
  fs::create_symlink("target", dir + "/short-link");
  fs::create_symlink(std::string(900, 'l'), dir + "/long-link");
  fs::create_directory(dir + "/sub");
  File(dir + "/sub/inner", O_RDWR | O_CREAT).Pages(0, 3);
  // Enough for an indexed directory.
  fs::create_directory(dir + "/many");
  for (int i = 0; i < 50; ++i) fs::create_hard_link(dir + "/one", dir + "/many/" + std::string(90, 'n') + std::to_string(i));
}

void SetPolicy(const std::string& dir, const uint8_t (&identifier)[16]) {
  fscrypt_policy_v2 policy = {};
  policy.version = FSCRYPT_POLICY_V2;
  policy.contents_encryption_mode = FSCRYPT_MODE_AES_256_XTS;
  policy.filenames_encryption_mode = FSCRYPT_MODE_AES_256_CTS;
  policy.flags = FSCRYPT_POLICY_FLAGS_PAD_32;
  std::memcpy(policy.master_key_identifier, identifier, sizeof(identifier));
  if (::ioctl(File(dir, O_RDONLY).fd(), FS_IOC_SET_ENCRYPTION_POLICY, &policy) != 0) Fail("set policy");
}

}  // namespace

bool AddKey(const std::string& mount, uint8_t (&identifier)[16]) {
  constexpr size_t kKeyBytes = 64;
  alignas(fscrypt_add_key_arg) std::array<uint8_t, sizeof(fscrypt_add_key_arg) + kKeyBytes> buffer = {};
  auto* arg = reinterpret_cast<fscrypt_add_key_arg*>(buffer.data());
  arg->key_spec.type = FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER;
  arg->raw_size = kKeyBytes;
  std::memset(buffer.data() + sizeof(*arg), 7, kKeyBytes);
  const int fd = ::open(mount.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const int result = ::ioctl(fd, FS_IOC_ADD_ENCRYPTION_KEY, arg);
  ::close(fd);
  std::memcpy(identifier, arg->key_spec.u.identifier, sizeof(identifier));
  return result == 0;
}

void MakeWorld(const std::string& mount, const uint8_t (&key_identifier)[16]) {
  const std::string dir = mount + "/d", other = mount + "/e";
  fs::create_directory(dir);
  fs::create_directory(other);
  SetPolicy(dir, key_identifier);
  SetPolicy(other, key_identifier);
  MakeFiles(dir);
  MakeLinks(dir);
  File(other + "/small", O_RDWR | O_CREAT).Pages(0, 5);
  fs::create_directory(mount + "/user");
  __u32 on = 1;
  if (::ioctl(File(mount + "/user", O_RDONLY).fd(), E4C_IOC_SET_PER_USER, &on) != 0) Fail("per-user");
  fs::create_directory(mount + "/plain");
  File(mount + "/plain/file", O_RDWR | O_CREAT).Pages(0, 3);
  ::sync();
}

uint64_t HashOf(const void* page) {
  uint64_t hash = 0, word;
  for (size_t i = 0; i < kPage; i += sizeof(word)) {
    std::memcpy(&word, static_cast<const uint8_t*>(page) + i, sizeof(word));
    hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
  }
  return hash;
}

std::vector<uint64_t> PagesToRead(uint64_t size) {
  std::vector<uint64_t> pages;
  const uint64_t end = std::min<uint64_t>((size + kPage - 1) / kPage, 0x50000000);
  for (uint64_t page = 0; page < std::min<uint64_t>(end, 302); ++page) pages.push_back(page);
  for (const uint64_t page : {1000, 1001, 20000, 200000, 200001}) {
    if (page < end) pages.push_back(page);
  }
  for (uint64_t page = std::max<uint64_t>(302, end < 3 ? 0 : end - 3); page < end; ++page) pages.push_back(page);
  std::ranges::sort(pages);
  pages.erase(std::ranges::unique(pages).begin(), pages.end());
  return pages;
}

Truths ReadTruths(const std::string& mount) {
  Truths truths;
  for (const auto& entry : fs::recursive_directory_iterator(mount)) {
    if (entry.is_symlink()) {
      struct stat st;
      if (::lstat(entry.path().c_str(), &st) != 0) Fail(entry.path());
      truths[st.st_ino] = {.size = 0, .name = entry.path().filename(), .target = fs::read_symlink(entry.path()), .pages = {}};
      continue;
    }
    if (!entry.is_regular_file()) continue;
    File file(entry.path(), O_RDONLY);
    struct stat st;
    if (::fstat(file.fd(), &st) != 0) Fail("fstat");
    Truth& truth = truths[st.st_ino];
    truth.size = static_cast<uint64_t>(st.st_size);
    if (st.st_nlink == 1) truth.name = entry.path().filename();
    for (const uint64_t number : PagesToRead(truth.size)) {
      std::array<uint8_t, kPage> page = {};
      if (::pread(file.fd(), page.data(), kPage, static_cast<off_t>(number * kPage)) < 0) Fail(entry.path());
      if (const uint64_t hash = HashOf(page.data()); hash != kZeroHash) truth.pages[number] = hash;
    }
  }
  return truths;
}

}  // namespace tamper
