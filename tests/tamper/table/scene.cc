// SPDX-License-Identifier: Apache-2.0
#include "scene.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fscrypt.h>
#include <linux/types.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "../mutants/world.h"
#include "thing.h"

namespace tamper {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void Fail(const std::string& what) { throw std::runtime_error(what + ": " + strerrorname_np(errno)); }

// fn(one, two): the paths of the row's files, the second one only if there is one.
void ForEach(const Row& row, const auto& fn) {
  for (uint32_t number = 0; number < row.files; ++number) fn(PathOf(row, 1, number), PathOf(row, 2, number));
}

std::string ObserveOwn(const std::string& mount, const Row& row) {
  const std::string dir = mount + DirectoryOf(row, 1), file = PathOf(row, 1, 0), others = PathOf(row, 2, 0);
  std::string name;
  if (DIR* stream = ::opendir(dir.c_str()); stream != nullptr) {
    while (const dirent* entry = ::readdir(stream)) {
      if (entry->d_name[0] != '.' || std::strlen(entry->d_name) > 2) name = entry->d_name;
    }
    ::closedir(stream);
  }
  std::string out = name == "file" ? "name in clear" : name.empty() ? "no names" : "no-key name";
  // By whatever name it is listed.
  const int fd = ::open((dir + "/" + name).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    out += "; file: " + std::string(strerrorname_np(errno));
  } else {
    std::array<uint8_t, kBlock> page;
    const bool read = ::pread(fd, page.data(), kBlock, 0) == static_cast<ssize_t>(kBlock);
    const bool good = read && IsPage(row.thing, file, 0, page.data());
    out += good ? "; file: true" : read && IsPage(row.thing, others, 0, page.data()) ? "; file: the other file's" : "; file: not true";
    ::close(fd);
  }
  const int made = ::open((dir + "/new").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (made < 0) return "new file: " + std::string(strerrorname_np(errno)) + "; " + out;
  struct statx stx = {};
  ::statx(made, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx);
  ::close(made);
  return ((stx.stx_attributes & STATX_ATTR_ENCRYPTED) != 0 ? "new file: encrypted; " : "new file: in plaintext; ") + out;
}

void SetPolicy(const std::string& dir, const uint8_t (&identifier)[16]) {
  fscrypt_policy_v2 policy = {};
  policy.version = FSCRYPT_POLICY_V2;
  policy.contents_encryption_mode = FSCRYPT_MODE_AES_256_XTS;
  policy.filenames_encryption_mode = FSCRYPT_MODE_AES_256_CTS;
  policy.flags = FSCRYPT_POLICY_FLAGS_PAD_32;
  std::memcpy(policy.master_key_identifier, identifier, sizeof(identifier));
  fs::create_directory(dir);
  const int fd = ::open(dir.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 || ::ioctl(fd, FS_IOC_SET_ENCRYPTION_POLICY, &policy) != 0) Fail("cannot set the policy of " + dir);
  ::close(fd);
}

}  // namespace

std::string DirectoryOf(const Row& row, int file) {
  if (row.directory == Own::kNone) return file == 2 && row.other == Other::kOtherDirectory ? "/b" : "/a";
  return (row.directory == Own::kTop ? "/" : "/a/") + std::string(row.name) + (file == 2 ? "-2" : "");
}

std::string PathOf(const Row& row, int file, uint32_t number) {
  if (row.directory != Own::kNone) return DirectoryOf(row, file) + "/file";
  const std::string path = DirectoryOf(row, file) + "/" + row.name + "-" + std::to_string(number);
  return file == 2 && row.other != Other::kOtherDirectory ? path + "-2" : path;
}

void MakeFiles(const std::string& mount, bool second) {
  uint8_t identifier[16];
  if (!AddKey(mount, identifier)) Fail("cannot add the key");
  if (!second) {
    SetPolicy(mount + "/a", identifier);
    SetPolicy(mount + "/b", identifier);
  }
  for (const Row& row : Rows()) {
    for (int file = 1; file <= (row.other == Other::kNone ? 1 : 2) && row.directory != Own::kNone && !second; ++file) {
      if (row.directory == Own::kTop) SetPolicy(mount + DirectoryOf(row, file), identifier);
      if (row.directory == Own::kNested) fs::create_directory(mount + DirectoryOf(row, file));
    }
    ForEach(row, [&](const std::string& one, const std::string& two) { MakeThing(mount, row, one, two, second); });
  }
  // At the end, so that nothing takes the places of what is removed.
  for (const Row& row : Rows()) {
    if (row.thing == Thing::kRemoved && second) fs::remove(mount + PathOf(row, 1, 0));
  }
}

void PrintInodes(const std::string& mount) {
  const auto print = [&](const std::string& path) {
    struct stat st;
    if (::lstat((mount + path).c_str(), &st) != 0) Fail(path);
    std::printf("%s %lu\n", path.c_str(), static_cast<unsigned long>(st.st_ino));
  };
  print("/a");
  print("/b");
  for (const Row& row : Rows()) {
    if (row.directory != Own::kNone) print(DirectoryOf(row, 1));
    if (row.directory != Own::kNone && HasTwo(row)) print(DirectoryOf(row, 2));
    ForEach(row, [&](const std::string& one, const std::string& two) {
      // What is removed has none any more.
      if (row.thing == Thing::kRemoved) std::printf("%s 0\n", one.c_str());
      else print(one);
      if (HasTwo(row)) print(two);
    });
  }
}

Inodes ReadInodes(const std::string& path) {
  Inodes inodes;
  std::ifstream in(path);
  std::string name;
  for (uint32_t ino = 0; in >> name >> ino;) inodes[name] = ino;
  return inodes;
}

void Edit(std::span<uint8_t> now, std::span<uint8_t> old, const Inodes& inodes) {
  Disk disk(now), before(old);
  for (const Row& row : Rows()) {
    for (uint32_t number = 0; number < row.files; ++number) {
      Scene scene = {.now = disk, .old = before, .number = number};
      try {
        scene.file = inodes.at(PathOf(row, 1, number));
        if (HasTwo(row)) scene.other = inodes.at(PathOf(row, 2, number));
        scene.parent = inodes.at(DirectoryOf(row, 1));
        if (HasTwo(row)) scene.other_parent = inodes.at(DirectoryOf(row, 2));
        if (row.directory != Own::kNone) scene.dir = scene.parent;
        row.edit(scene);
      } catch (const std::exception& error) {
        throw std::runtime_error(std::string(row.name) + ": " + error.what());
      }
    }
  }
}

std::string Observe(const std::string& mount, const Row& row) {
  if (row.directory != Own::kNone && row.thing == Thing::kFile) return ObserveOwn(mount, row);
  std::string all;
  for (uint32_t number = 0; number < row.files; ++number) {
    const std::string one = PathOf(row, 1, number), two = PathOf(row, 2, number);
    std::string out = ObserveThing(mount, row.thing, one, one, two);
    if (HasTwo(row)) out += "; file 2: " + ObserveThing(mount, row.thing, two, two, one);
    else if (row.thing == Thing::kLinked) out += "; second name: " + ObserveThing(mount, row.thing, two, one, two);
    if (row.overwrite) {
      out += "; overwriting: " + OverwriteThing(mount, one);
      out += "; then " + ObserveThing(mount, row.thing, one, one, two);
    }
    if (number == 0) all = out;
    // All files of a row must fare alike.
    if (out != all) return all + ", but number " + std::to_string(number) + ": " + out;
  }
  return all;
}

bool UseAll(const std::string& mount) {
  std::vector<std::string> files;
  std::error_code ignored;
  for (fs::recursive_directory_iterator at(mount, fs::directory_options::skip_permission_denied, ignored), end; at != end; at.increment(ignored)) {
    // The directory may be wrong about what is a file.
    struct stat st;
    if (::lstat(at->path().c_str(), &st) == 0 && S_ISREG(st.st_mode)) files.push_back(at->path());
  }
  for (const std::string& path : files) {
    if (const int fd = ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC); fd >= 0) {
      [[maybe_unused]] ssize_t done = ::pwrite(fd, "x", 1, kOverwritten * kBlock);
      done = ::fsync(fd);
      done = ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 12 * kBlock, 4 * kBlock);
      done = ::ftruncate(fd, kBlock);
      ::close(fd);
    }
    ::unlink(path.c_str());
    const int alive = ::open((mount + "/alive").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (alive < 0) return false;
    ::close(alive);
    ::unlink((mount + "/alive").c_str());
  }
  return true;
}

std::string ReaderFound(const std::string& json, const Inodes& inodes, const Row& row) {
  const auto reasons = [&](const std::string& path) {
    const std::string inode = "\"inode\":" + std::to_string(inodes.at(path)) + ",";
    std::string out;
    for (size_t at = json.find(inode); at != std::string::npos; at = json.find(inode, at + 1)) {
      const std::string key = "\"reason\":\"";
      const size_t from = json.rfind(key, at) + key.size();
      const std::string reason = json.substr(from, json.find('"', from) - from);
      if (out.find(reason) == std::string::npos) out += (out.empty() ? "" : ", ") + reason;
    }
    return out.empty() ? std::string("clean") : out;
  };
  if (row.directory != Own::kNone && row.thing == Thing::kFile) return reasons(DirectoryOf(row, 1)) + "; file: " + reasons(PathOf(row, 1, 0));
  std::string all;
  for (uint32_t number = 0; number < row.files; ++number) {
    std::string out = reasons(PathOf(row, 1, number));
    if (HasTwo(row)) out += "; file 2: " + reasons(PathOf(row, 2, number));
    if (number == 0) all = out;
    if (out != all) return all + ", but number " + std::to_string(number) + ": " + out;
  }
  return all;
}

}  // namespace tamper
