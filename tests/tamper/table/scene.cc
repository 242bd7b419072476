// SPDX-License-Identifier: Apache-2.0
#include "scene.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fscrypt.h>
#include <linux/types.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "../../vm/fsx/rng.h"
#include "../mutants/world.h"

namespace tamper {
namespace {

namespace fs = std::filesystem;
using Page = std::array<uint8_t, kBlock>;

[[noreturn]] void Fail(const std::string& what) { throw std::runtime_error(what + ": " + strerrorname_np(errno)); }

// Contents are as different as files, pages and versions are, and zero past the end.
Page Contents(const std::string& path, uint32_t page, int version) {
  Page out;
  fsx::Rng(std::hash<std::string>()(path) * 31 + page * 7 + static_cast<uint32_t>(version)).fill(out.data(), out.size());
  if ((page + uint64_t{1}) * kBlock > kFileSize) std::fill(out.begin() + kFileSize % kBlock, out.end(), uint8_t{0});
  return out;
}
bool IsWritten(uint32_t page) {
  return std::ranges::any_of(kWritten, [page](const Run& run) { return run.first <= page && page < run.end; });
}
Page Expected(const std::string& path, uint32_t page) {
  return IsWritten(page) ? Contents(path, page, page == kOverwritten ? 2 : 1) : Page{};
}
void Put(int fd, const std::string& path, uint32_t page, int version) {
  const Page data = Contents(path, page, version);
  const size_t length = std::min<uint64_t>(kBlock, kFileSize - page * kBlock);
  if (::pwrite(fd, data.data(), length, static_cast<off_t>(page * kBlock)) != static_cast<ssize_t>(length)) Fail(path);
}

void MakeFile(const std::string& mount, const std::string& path, bool second) {
  const int fd = ::open((mount + path).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) Fail(path);
  if (second) {
    Put(fd, path, kOverwritten, 2);
  } else {
    for (const Run& run : kWritten) {
      for (uint32_t page = run.first; page < run.end; ++page) Put(fd, path, page, 1);
      // One piece after the other, so that each is an extent of its own.
      if (run.end > 15 && ::fsync(fd) != 0) Fail(path);
    }
  }
  ::close(fd);
}

void ForEachFile(const Row& row, const auto& fn) {
  for (uint32_t number = 0; number < row.files; ++number) {
    fn(PathOf(row, 1, number));
    if (row.other != Other::kNone) fn(PathOf(row, 2, number));
  }
}

// "13", "12-15", "group 0": a list of pages of kRead, those of a whole group as one.
std::string PageList(const std::vector<uint32_t>& pages) {
  std::string out;
  const auto has = [&](uint32_t page) { return std::ranges::find(pages, page) != pages.end(); };
  const auto add = [&](const std::string& word) { out += (out.empty() ? "" : ", ") + word; };
  for (uint32_t group = 0; group < 3; ++group) {
    const bool whole = std::ranges::all_of(kRead, [&](uint32_t page) { return GroupOf(page) != group || has(page); });
    if (whole) add("group " + std::to_string(group));
    for (size_t i = 0; !whole && i < std::size(kRead); ++i) {
      if (GroupOf(kRead[i]) != group || !has(kRead[i])) continue;
      size_t last = i;
      while (last + 1 < std::size(kRead) && GroupOf(kRead[last + 1]) == group && has(kRead[last + 1])) ++last;
      add(std::to_string(kRead[i]) + (last > i ? "-" + std::to_string(kRead[last]) : ""));
      i = last;
    }
  }
  return out;
}

std::string ObserveFile(const std::string& mount, const std::string& path, const std::string& others_path) {
  const int fd = ::open((mount + path).c_str(), O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (fd < 0 || ::fstat(fd, &st) != 0) return std::string("open: ") + strerrorname_np(errno);
  std::map<std::string, std::vector<uint32_t>> seen;
  const auto size = static_cast<uint64_t>(st.st_size);
  for (const uint32_t page : kRead) {
    Page found = {};
    const ssize_t count = ::pread(fd, found.data(), kBlock, static_cast<off_t>(page * kBlock));
    const size_t length = std::min<uint64_t>(kBlock, size > page * kBlock ? size - page * kBlock : 0);
    const auto is = [&](const Page& page_contents) { return std::equal(found.begin(), found.begin() + static_cast<ptrdiff_t>(length), page_contents.begin()); };
    if (count < 0) {
      seen[strerrorname_np(errno)].push_back(page);
    } else if (length == 0 || is(Expected(path, page))) {
      continue;
    } else if (is(Contents(path, page, 1))) {
      seen["old"].push_back(page);
    } else if (is(Expected(others_path, page))) {
      seen["the other file's"].push_back(page);
    } else {
      seen[is(Page{}) ? "zeros" : "FALSE"].push_back(page);
    }
  }
  ::close(fd);
  std::string out = size == kFileSize ? "" : "size " + std::to_string(size);
  for (const auto& [what, pages] : seen) out += (out.empty() ? "" : "; ") + what + " " + PageList(pages);
  return out.empty() ? "true" : out;
}

std::string Overwrite(const std::string& mount, const std::string& path) {
  constexpr uint32_t kPage = 12;
  const int fd = ::open((mount + path).c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return strerrorname_np(errno);
  const Page data = Contents(path, kPage, 1);
  const bool good = ::pwrite(fd, data.data(), data.size(), kPage * kBlock) == static_cast<ssize_t>(data.size()) && ::fsync(fd) == 0;
  const std::string out = good ? "done" : strerrorname_np(errno);
  ::close(fd);
  ::sync();
  std::ofstream("/proc/sys/vm/drop_caches") << 3 << std::endl;
  return out;
}

std::string ObserveDirectory(const std::string& mount, const Row& row) {
  const std::string dir = mount + DirectoryOf(row), file = PathOf(row, 1, 0);
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
    Page page = {};
    const bool good = ::pread(fd, page.data(), kBlock, 0) == static_cast<ssize_t>(kBlock) && page == Expected(file, 0);
    out += good ? "; file: true" : "; file: not true";
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

std::string DirectoryOf(const Row& row) {
  if (row.directory == Own::kNone) return "/a";
  return (row.directory == Own::kTop ? "/" : "/a/") + std::string(row.name);
}

std::string PathOf(const Row& row, int file, uint32_t number) {
  if (row.directory != Own::kNone) return DirectoryOf(row) + "/file";
  const std::string name = std::string(row.name) + "-" + std::to_string(number);
  if (file == 1) return "/a/" + name;
  return row.other == Other::kOtherDirectory ? "/b/" + name : "/a/" + name + "-2";
}

void MakeFiles(const std::string& mount, bool second) {
  uint8_t identifier[16];
  if (!AddKey(mount, identifier)) Fail("cannot add the key");
  if (!second) {
    SetPolicy(mount + "/a", identifier);
    SetPolicy(mount + "/b", identifier);
  }
  for (const Row& row : Rows()) {
    if (row.directory == Own::kTop && !second) SetPolicy(mount + DirectoryOf(row), identifier);
    if (row.directory == Own::kNested && !second) fs::create_directory(mount + DirectoryOf(row));
    ForEachFile(row, [&](const std::string& path) { MakeFile(mount, path, second); });
  }
}

void PrintInodes(const std::string& mount) {
  const auto print = [&](const std::string& path) {
    struct stat st;
    if (::stat((mount + path).c_str(), &st) != 0) Fail(path);
    std::printf("%s %lu\n", path.c_str(), static_cast<unsigned long>(st.st_ino));
  };
  for (const Row& row : Rows()) {
    if (row.directory != Own::kNone) print(DirectoryOf(row));
    ForEachFile(row, print);
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
        if (row.other != Other::kNone) scene.other = inodes.at(PathOf(row, 2, number));
        if (row.directory != Own::kNone) scene.dir = inodes.at(DirectoryOf(row));
        row.edit(scene);
      } catch (const std::exception& error) {
        throw std::runtime_error(std::string(row.name) + ": " + error.what());
      }
    }
  }
}

std::string Observe(const std::string& mount, const Row& row) {
  if (row.directory != Own::kNone) return ObserveDirectory(mount, row);
  std::string all;
  for (uint32_t number = 0; number < row.files; ++number) {
    const std::string one = PathOf(row, 1, number), two = PathOf(row, 2, number);
    std::string out = ObserveFile(mount, one, two);
    if (row.other != Other::kNone) out += "; file 2: " + ObserveFile(mount, two, one);
    if (row.overwrite) {
      out += "; overwriting: " + Overwrite(mount, one);
      out += "; then " + ObserveFile(mount, one, two);
    }
    if (number == 0) all = out;
    // All files of a row must fare alike.
    if (out != all) return all + ", but number " + std::to_string(number) + ": " + out;
  }
  return all;
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
  if (row.directory != Own::kNone) return reasons(DirectoryOf(row)) + "; file: " + reasons(PathOf(row, 1, 0));
  std::string all;
  for (uint32_t number = 0; number < row.files; ++number) {
    std::string out = reasons(PathOf(row, 1, number));
    if (row.other != Other::kNone) out += "; file 2: " + reasons(PathOf(row, 2, number));
    if (number == 0) all = out;
    if (out != all) return all + ", but number " + std::to_string(number) + ": " + out;
  }
  return all;
}

}  // namespace tamper
