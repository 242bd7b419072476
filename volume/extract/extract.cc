// SPDX-License-Identifier: Apache-2.0
#include "volume/extract/extract.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <unordered_map>
#include <unordered_set>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/unique_fd.h"
#include "volume/format/head.h"
#include "volume/format/node.h"
#include "volume/format/plain_contents.h"
#include "volume/verify/entry_check.h"
#include "volume/verify/file_scan.h"

namespace ext4crypt::volume {
namespace {

// Deeper trees than the kernel lets anyone name in one path; open descriptors are bounded by it.
constexpr unsigned kMaxDirectoryDepth = 400;

// Two entries of one directory with the same name: damage of the volume, not of the destination.
bool TakenTwice(int at) { return errno == EEXIST && at != AT_FDCWD; }

absl::Status Unwritable(absl::string_view what) {
  return Fail(Reason::kDestinationUnusable, absl::StrCat(what, ": ", std::strerror(errno)));
}

// The file `relative` in `root` as a descriptor that can be linked to; never through a symbolic
// link and never out of `root`.
UniqueFd OpenBelow(int root, const std::string& relative) {
  open_how how = {};
  how.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  return UniqueFd(
      static_cast<int>(::syscall(SYS_openat2, root, relative.c_str(), &how, sizeof(how))));
}

class FileWriter : public PageSink {
 public:
  FileWriter(int fd, uint64_t size, bool salvage) : fd_(fd), size_(size), salvage_(salvage) {}

  [[nodiscard]] absl::Status Write(uint64_t offset, absl::Span<const uint8_t> bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return Unwritable("a file");
      bytes.remove_prefix(static_cast<size_t>(n));
      offset += static_cast<uint64_t>(n);
      written_ += static_cast<uint64_t>(n);
    }
    return absl::OkStatus();
  }
  // A page that is not proved may be an old one put back: salvage only.
  void OnPage(uint64_t page, bool proved, absl::Span<const uint8_t> text) override {
    if (!proved) damaged_ = true;
    const uint64_t offset = page * kBlockSize;
    if (offset >= size_ || !status_.ok() || (!proved && !salvage_)) return;
    status_ = Write(
        offset, text.first(static_cast<size_t>(std::min<uint64_t>(text.size(), size_ - offset))));
  }
  void OnFailedPages(uint64_t, uint64_t, Reason) override { damaged_ = true; }

  [[nodiscard]] bool damaged() const { return damaged_; }
  void set_damaged() { damaged_ = true; }
  [[nodiscard]] const absl::Status& status() const { return status_; }
  [[nodiscard]] uint64_t written() const { return written_; }

 private:
  int fd_;
  uint64_t size_;
  bool salvage_;
  bool damaged_ = false;
  uint64_t written_ = 0;
  absl::Status status_;
};

// Of a directory that is passed on the way to what is copied, and of the name that is looked up.
void CheckStep(const Image& image, const KeyRing& keys, const Node& directory,
               const DirEntry& entry, std::vector<Finding>& findings) {
  const auto add = [&](uint32_t inode, Reason reason, absl::string_view detail) {
    if (reason == Reason::kNone) return;
    findings.push_back({.reason = reason, .inode = inode, .detail = std::string(detail)});
  };
  absl::Status head = directory.fault;
  const MasterKey* master =
      directory.authenticated() ? keys.Find(directory.context->identifier()) : nullptr;
  if (head.ok() && master != nullptr) {
    auto made = master->KeysOf(*directory.context);
    head = made.ok() ? CheckHead(image, directory, nullptr, made->head()) : made.status();
  }
  add(directory.inode.number, ReasonOf(head), head.message());
  const auto child = ReadNode(image, entry.inode);
  if (!child.ok()) return;  // the copy says so
  const auto verdict = EntryChecker(directory, keys).Check(*child, entry.name);
  add(entry.inode, verdict.reason, verdict.detail);
}

class Extractor {
 public:
  // `base` is the path of what is copied, in the volume.
  Extractor(const Image& image, const KeyRing& keys, const ExtractOptions& options,
            absl::string_view base, ExtractTotals& totals)
      : image_(image), keys_(keys), options_(options), totals_(totals), base_(base) {
    while (!base_.empty() && base_.back() == '/') base_.pop_back();
  }

  // `path` is for reports only.
  absl::Status Copy(const Node& node, const std::string& path, int at, const std::string& name,
                    unsigned depth) {
    if (!node.fault.ok()) {
      Report(node, ReasonOf(node.fault), path, node.fault.message());
      // What a look-up refuses can still have pages with good tags.
      const bool readable = options_.salvage && node.authenticated() && !node.inode.IsSymlink();
      if (!readable || node.inode.IsDirectory()) ++totals_.incomplete;
      if (!readable) return absl::OkStatus();
    } else if (!node.inode.IsRegular() && !HeadIsGood(node, path)) {
      ++totals_.incomplete;
      if (!options_.salvage) return absl::OkStatus();
    }
    if (node.inode.IsDirectory()) return CopyDirectory(node, path, at, name, depth);
    if (node.inode.links > 1 && LinkedTo(node, at, name)) return absl::OkStatus();
    bool made = false;
    if (node.inode.IsSymlink()) {
      RETURN_IF_ERROR(CopySymlink(node, path, at, name, made));
    } else if (node.inode.IsRegular()) {
      RETURN_IF_ERROR(CopyFile(node, path, at, name, made));
    } else {
      RETURN_IF_ERROR(CopySpecial(node, path, at, name, made));
    }
    if (made && node.inode.links > 1 && root_ >= 0) {
      first_names_.emplace(node.inode.number, path.substr(base_.size() + 1));
    }
    return absl::OkStatus();
  }

 private:
  void Report(const Node& node, Reason reason, const std::string& path,
              absl::string_view detail = {}) {
    Report(Finding{.reason = reason, .inode = node.inode.number, .detail = std::string(detail)},
           path);
  }
  void Report(Finding finding, const std::string& path) {
    finding.path = path;
    if (options_.on_finding) options_.on_finding(finding);
  }

  absl::Status CannotMake(const Node& node, const std::string& path, int at,
                          const std::string& name) {
    if (!TakenTwice(at)) return Unwritable(name);
    Report(node, Reason::kNameMalformed, path, "the name stands twice");
    ++totals_.incomplete;
    return absl::OkStatus();
  }

  // A further name of a file that was copied. When it cannot be made the file is copied once more.
  bool LinkedTo(const Node& node, int at, const std::string& name) {
    const auto first = first_names_.find(node.inode.number);
    if (first == first_names_.end()) return false;
    const UniqueFd file = OpenBelow(root_, first->second);
    if (!file.valid()) return false;
    const std::string self = absl::StrCat("/proc/self/fd/", file.get());
    if (::linkat(AT_FDCWD, self.c_str(), at, name.c_str(), AT_SYMLINK_FOLLOW) != 0) return false;
    ++totals_.hard_links;
    return true;
  }

  absl::Status CopyDirectory(const Node& node, const std::string& path, int at,
                             const std::string& name, unsigned depth) {
    if (depth > kMaxDirectoryDepth || !copied_directories_.insert(node.inode.number).second) {
      Report(node, Reason::kDirectoryLoop, path);
      ++totals_.incomplete;
      return absl::OkStatus();
    }
    if (::mkdirat(at, name.c_str(), 0700) != 0) return CannotMake(node, path, at, name);
    const UniqueFd fd(::openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd.valid()) return Unwritable(name);
    if (depth == 0) root_ = fd.get();
    const NameReader names(node, keys_);
    const EntryChecker checker(node, keys_);
    std::vector<Finding> faults;
    absl::Status status;
    ForEachEntry(image_, node.inode, faults, [&](const DirEntry& entry) {
      const NameReader::Name child = names.Read(entry);
      const std::string child_path = absl::StrCat(path == "/" ? "" : path, "/", child.text);
      status = CopyEntry(checker, entry, child, child_path, fd.get(), depth + 1);
      return status.ok();
    });
    for (const Finding& fault : faults) Report(fault, path);
    if (!faults.empty()) ++totals_.incomplete;
    ++totals_.directories;
    KeepMetadata(image_, node, options_.metadata, fd.get(), totals_.metadata);
    return status;
  }

  absl::Status CopyEntry(const EntryChecker& checker, const DirEntry& entry,
                         const NameReader::Name& name, const std::string& path, int at,
                         unsigned depth) {
    const auto node = ReadNode(image_, entry.inode);
    if (!node.ok() || node->inode.links == 0 || node->inode.mode == 0) {
      Report({.reason = Reason::kEntryDangling, .inode = entry.inode}, path);
      ++totals_.incomplete;
      return absl::OkStatus();
    }
    auto [reason, detail] = checker.Check(*node, entry.name);
    // A no-key name is safe text; only a name of an unencrypted directory can be a dangerous one.
    if (name.fault != Reason::kNone) {
      if (name.no_key) {
        Report(*node, name.fault, path);
      } else {
        reason = name.fault;
      }
    }
    if (reason != Reason::kNone) {
      Report(*node, reason, path, detail);
      ++totals_.incomplete;
      // With a wrong name it is still a file of this user's.
      if (!options_.salvage || reason != Reason::kPlaceNotAuthentic) return absl::OkStatus();
    }
    return Copy(*node, path, at, name.text, depth);
  }

  absl::Status CopySpecial(const Node& node, const std::string& path, int at,
                           const std::string& name, bool& made) {
    const mode_t type = node.inode.mode & S_IFMT;
    const bool device = type == S_IFBLK || type == S_IFCHR;
    if (type != S_IFIFO && type != S_IFSOCK && !device) {
      Report(node, Reason::kInodeUnreadable, path, "no known type of file");
      ++totals_.incomplete;
      return absl::OkStatus();
    }
    if (device && !options_.metadata.trust) {
      ++totals_.metadata.privileges;
      return absl::OkStatus();
    }
    if (::mknodat(at, name.c_str(), type | 0600, device ? DeviceOf(node.inode) : 0) != 0) {
      if (errno != EPERM) return CannotMake(node, path, at, name);
      ++totals_.metadata.not_kept;
      return absl::OkStatus();
    }
    made = true;
    ++totals_.special;
    KeepMetadataOf(image_, node, options_.metadata, at, name, totals_.metadata);
    return absl::OkStatus();
  }

  absl::Status CopySymlink(const Node& node, const std::string& path, int at,
                           const std::string& name, bool& made) {
    const auto target = LinkTarget(image_, node, keys_);
    if (!target.ok()) {
      Report(node, ReasonOf(target.status()), path, target.status().message());
      ++totals_.incomplete;
      return absl::OkStatus();
    }
    if (node.context.has_value() && keys_.Find(node.context->identifier()) == nullptr) {
      Report(node, Reason::kKeyMissing, path);
      ++totals_.incomplete;
    }
    if (::symlinkat(target->c_str(), at, name.c_str()) != 0) {
      return CannotMake(node, path, at, name);
    }
    made = true;
    ++totals_.symlinks;
    KeepMetadataOf(image_, node, options_.metadata, at, name, totals_.metadata);
    return absl::OkStatus();
  }

  absl::Status CopyFile(const Node& node, const std::string& path, int at, const std::string& name,
                        bool& made) {
    const UniqueFd fd(
        ::openat(at, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd.valid()) return CannotMake(node, path, at, name);
    const uint64_t size = SizeOf(node);
    FileWriter writer(fd.get(), size, options_.salvage);
    // Before the contents: the end may be a hole.
    if (size > INT64_MAX || ::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) {
      Report(node, Reason::kFileTooLarge, path);
      writer.set_damaged();
    } else if (node.authenticated()) {
      CopyAuthenticated(node, path, writer);
    } else {
      RETURN_IF_ERROR(CopyUnauthenticated(node, path, writer));
    }
    RETURN_IF_ERROR(writer.status());
    if (writer.damaged()) ++totals_.incomplete;
    if (writer.damaged() && !options_.salvage) {
      if (::unlinkat(at, name.c_str(), 0) != 0) return Unwritable(name);
      return absl::OkStatus();
    }
    ++totals_.files;
    totals_.bytes += size;
    made = true;
    KeepMetadata(image_, node, options_.metadata, fd.get(), totals_.metadata);
    if (options_.on_progress) options_.on_progress(totals_.bytes);
    return absl::OkStatus();
  }

  // For the copy. Of a file whose size is damaged, the end of what is written.
  [[nodiscard]] uint64_t SizeOf(const Node& node) const {
    const Reason fault = ReasonOf(node.fault);
    if (fault == Reason::kNone || !node.authenticated() || node.size != 0) return node.size;
    uint64_t pages = 0;
    for (const Extent& extent : LayOut(image_, node).data) {
      if (!extent.unwritten) pages = extent.end();
    }
    return pages * kBlockSize;
  }

  // Of a directory, a symbolic link or a special file; true without the key.
  bool HeadIsGood(const Node& node, const std::string& path) {
    const MasterKey* master =
        node.authenticated() ? keys_.Find(node.context->identifier()) : nullptr;
    if (master == nullptr) return true;
    auto keys = master->KeysOf(*node.context);
    const absl::Status head =
        keys.ok() ? CheckHead(image_, node, nullptr, keys->head()) : keys.status();
    if (!head.ok()) Report(node, ReasonOf(head), path, head.message());
    return head.ok();
  }

  void ScanContents(const Node& node, const Layout& layout, const FileKeys& keys, bool head_good,
                    FileWriter& writer, FindingList& list) {
    auto opener = PageOpener::Create(node.context->aead(), keys.page());
    if (!opener.ok()) return writer.set_damaged();
    Scanner scanner(image_, layout, &*opener, &writer, list,
                    {.head_failed = !head_good, .salvage = options_.salvage});
    scanner.ScanFile();
    for (const GroupRange& range : layout.groups) {
      scanner.ScanGroups(range.first, range.end);
      if (writer.damaged() && !options_.salvage) break;
    }
  }

  void CopyAuthenticated(const Node& node, const std::string& path, FileWriter& writer) {
    const MasterKey* master = keys_.Find(node.context->identifier());
    absl::StatusOr<FileKeys> keys = master == nullptr
                                        ? absl::StatusOr<FileKeys>(Fail(Reason::kKeyMissing, ""))
                                        : master->KeysOf(*node.context);
    if (!keys.ok()) {
      Report(node, ReasonOf(keys.status()), path);
      writer.set_damaged();
      return;
    }
    Layout layout = LayOut(image_, node);
    layout.pages = (SizeOf(node) + kBlockSize - 1) / kBlockSize;
    FindingList list(node.inode.number);
    // What is wrong with the attribute has been reported.
    const absl::Status head =
        node.fault.ok() ? CheckHead(image_, node, &layout, keys->head()) : node.fault;
    if (!head.ok() && node.fault.ok()) list.Add(ReasonOf(head), head.message());
    if (!head.ok() || !layout.complete) writer.set_damaged();
    if (head.ok() || options_.salvage) {
      ScanContents(node, layout, *keys, head.ok(), writer, list);
    }
    for (Finding& finding : list.findings()) {
      if (SeverityOf(finding.reason) == Severity::kAuthentication) writer.set_damaged();
      Report(std::move(finding), path);
    }
  }

  absl::Status CopyUnauthenticated(const Node& node, const std::string& path, FileWriter& writer) {
    const absl::Status status = ReadUnauthenticated(
        image_, node, keys_,
        [&](uint64_t offset, absl::Span<const uint8_t> bytes) {
          return writer.Write(offset, bytes);
        },
        [&](Reason reason, uint64_t first, uint64_t count) {
          writer.set_damaged();
          Report({.reason = reason,
                  .inode = node.inode.number,
                  .first_byte = first * kBlockSize,
                  .byte_count = count * kBlockSize},
                 path);
        });
    if (ReasonOf(status) == Reason::kDestinationUnusable) return status;
    if (status.ok()) {
      ++totals_.unauthenticated;
    } else {
      Report(node, ReasonOf(status), path, status.message());
      writer.set_damaged();
    }
    return absl::OkStatus();
  }

  const Image& image_;
  const KeyRing& keys_;
  const ExtractOptions& options_;
  ExtractTotals& totals_;
  std::string base_;
  int root_ = -1;  // the destination, when that is a directory
  // Where in `root_` the inodes stand that have several names and were copied.
  std::unordered_map<uint32_t, std::string> first_names_;
  // A directory with several names would be copied once for each: a hostile volume has more of them
  // than time lasts.
  std::unordered_set<uint32_t> copied_directories_;
};

}  // namespace

absl::Status Extract(const Image& image, const KeyRing& keys, const std::string& path,
                     const std::string& destination, const ExtractOptions& options,
                     ExtractTotals& totals) {
  std::vector<Finding> on_the_way;
  ASSIGN_OR_RETURN(const uint32_t number,
                   FindPath(image, keys, path, [&](const Node& directory, const DirEntry& entry) {
                     CheckStep(image, keys, directory, entry, on_the_way);
                   }));
  ASSIGN_OR_RETURN(const Node node, ReadNode(image, number));
  struct stat st = {};
  if (::lstat(destination.c_str(), &st) == 0) {
    errno = EEXIST;
    return Unwritable(destination);
  }
  for (Finding& finding : on_the_way) {
    finding.path = path;
    if (options.on_finding) options.on_finding(finding);
  }
  if (!on_the_way.empty()) ++totals.incomplete;
  if (!on_the_way.empty() && !options.salvage) return absl::OkStatus();
  return Extractor(image, keys, options, path, totals).Copy(node, path, AT_FDCWD, destination, 0);
}

}  // namespace ext4crypt::volume
