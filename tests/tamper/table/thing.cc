// SPDX-License-Identifier: Apache-2.0
#include "thing.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <span>
#include <stdexcept>
#include <vector>

#include "../../vm/fsx/rng.h"

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
std::span<const Run> RunsOf(Thing thing) { return thing == Thing::kSparse ? std::span<const Run>(kWrittenSparse) : kWritten; }
bool IsOverwritten(Thing thing) { return thing == Thing::kFile || thing == Thing::kLinked; }
Page Expected(Thing thing, const std::string& path, uint32_t page) {
  const bool written = std::ranges::any_of(RunsOf(thing), [page](const Run& run) { return run.first <= page && page < run.end; });
  return written ? Contents(path, page, page == kOverwritten && IsOverwritten(thing) ? 2 : 1) : Page{};
}
void Put(int fd, const std::string& path, uint32_t page, int version) {
  const Page data = Contents(path, page, version);
  const size_t length = std::min<uint64_t>(kBlock, kFileSize - page * kBlock);
  if (::pwrite(fd, data.data(), length, static_cast<off_t>(page * kBlock)) != static_cast<ssize_t>(length)) Fail(path);
}

int Open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) Fail(path);
  return fd;
}
// `path` says what the contents are.
void Write(const std::string& file, const std::string& path, Thing thing) {
  const int fd = Open(file);
  for (const Run& run : RunsOf(thing)) {
    for (uint32_t page = run.first; page < run.end; ++page) Put(fd, path, page, 1);
    // One piece after the other, so that each is an extent of its own.
    if (run.end > 15 && ::fsync(fd) != 0) Fail(path);
  }
  ::close(fd);
}
void Overwrite(const std::string& file, const std::string& path) {
  const int fd = Open(file);
  Put(fd, path, kOverwritten, 2);
  ::close(fd);
}

std::string TargetOf(Thing thing, const std::string& path) {
  return "to" + path + (thing == Thing::kLongLink ? std::string(500, 'x') : "");
}
std::string InnerOf(const std::string& path) { return "within " + path + "\n"; }

// As MakeThing(), in the first version.
void MakeFirst(const std::string& mount, Thing thing, const std::string& one, const std::string& two, bool has_two) {
  const auto make = [&](const std::string& path) {
    const std::string at = mount + path;
    switch (thing) {
      case Thing::kGrown:
      case Thing::kRemoved: ::close(Open(at)); break;
      case Thing::kLink:
      case Thing::kLongLink: fs::create_symlink(TargetOf(thing, path), at); break;
      case Thing::kDirectory:
        fs::create_directory(at);
        std::ofstream(at + "/inner") << InnerOf(path);
        break;
      default: Write(at, path, thing);
    }
  };
  if (thing == Thing::kRenamed) return Write(mount + two, one, thing);
  make(one);
  if (thing == Thing::kLinked && !has_two) return fs::create_hard_link(mount + one, mount + two);
  if (has_two) make(two);
  // Two files which each have one name more, that the head says so; in another directory, where an edit does not come upon it.
  for (const std::string& path : {one, two}) {
    if (thing == Thing::kLinked) fs::create_hard_link(mount + path, mount + "/b/" + fs::path(path).filename().string() + "-more");
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

// `path` says what the contents are.
std::string ObserveFile(const std::string& file, Thing thing, const std::string& path, const std::string& others_path) {
  // It may be a pipe by now.
  const int fd = ::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
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
    } else if (length == 0 || is(Expected(thing, path, page))) {
      continue;
    } else if (is(Contents(path, page, 1))) {
      seen["old"].push_back(page);
    } else if (is(Expected(thing, others_path, page))) {
      seen["the other file's"].push_back(page);
    } else {
      seen[is(Page{}) ? "zeros" : "FALSE"].push_back(page);
    }
  }
  ::close(fd);
  std::string out = size == kFileSize ? "" : "size " + std::to_string(size);
  if ((st.st_mode & 07777) != 0644 || st.st_uid != 0) {
    char mode[8];
    std::snprintf(mode, sizeof(mode), "%o", st.st_mode & 07777u);
    out += std::string("mode ") + mode + ", owner " + std::to_string(st.st_uid);
  }
  for (const auto& [what, pages] : seen) out += (out.empty() ? "" : "; ") + what + " " + PageList(pages);
  return out.empty() ? "true" : out;
}

std::string ObserveLink(const std::string& link, Thing thing, const std::string& path, const std::string& others_path) {
  std::array<char, 4096> target;
  const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
  if (length < 0) return std::string("readlink: ") + strerrorname_np(errno);
  const std::string found(target.data(), static_cast<size_t>(length));
  return found == TargetOf(thing, path) ? "true" : found == TargetOf(thing, others_path) ? "the other file's target" : "FALSE target";
}

std::string ObserveDirectory(const std::string& directory, const std::string& path, const std::string& others_path) {
  std::ifstream in(directory + "/inner");
  if (!in) return std::string("open in it: ") + strerrorname_np(errno);
  const std::string found{std::istreambuf_iterator<char>(in), {}};
  return found == InnerOf(path) ? "true" : found == InnerOf(others_path) ? "the other file's" : "FALSE";
}

}  // namespace

bool HasTwo(const Row& row) { return row.other != Other::kNone || row.thing == Thing::kRenamed; }

void MakeThing(const std::string& mount, const Row& row, const std::string& one, const std::string& two, bool second) {
  const Thing thing = row.thing;
  if (!second) return MakeFirst(mount, thing, one, two, HasTwo(row));
  if (thing == Thing::kRenamed) {
    fs::rename(mount + two, mount + one);
    return Write(mount + two, two, thing);
  }
  const auto change = [&](const std::string& path) {
    if (thing == Thing::kGrown) Write(mount + path, path, thing);
    if (IsOverwritten(thing)) Overwrite(mount + path, path);
  };
  change(one);
  if (HasTwo(row)) change(two);
}

std::string ObserveThing(const std::string& mount, Thing thing, const std::string& name, const std::string& path, const std::string& others_path) {
  switch (thing) {
    case Thing::kLink:
    case Thing::kLongLink: return ObserveLink(mount + name, thing, path, others_path);
    case Thing::kDirectory: return ObserveDirectory(mount + name, path, others_path);
    case Thing::kRemoved: return ::access((mount + name).c_str(), F_OK) == 0 ? "there again" : std::string("open: ") + strerrorname_np(errno);
    default: return ObserveFile(mount + name, thing, path, others_path);
  }
}

std::string OverwriteThing(const std::string& mount, const std::string& path) {
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

bool IsPage(Thing thing, const std::string& path, uint32_t page, const void* contents) {
  const Page expected = Expected(thing, path, page);
  return std::memcmp(expected.data(), contents, kBlock) == 0;
}

}  // namespace tamper
