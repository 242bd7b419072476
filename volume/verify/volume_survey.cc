// SPDX-License-Identifier: Apache-2.0
#include "volume/verify/volume_survey.h"

#include <algorithm>
#include <mutex>
#include <set>
#include <unordered_map>

#include "absl/strings/str_cat.h"
#include "common/hex.h"
#include "volume/format/head.h"
#include "volume/verify/entry_check.h"
#include "volume/verify/nonces.h"
#include "volume/verify/worker_pool.h"

namespace ext4crypt::volume {
namespace {

// 32 MiB of contents: enough to keep a thread busy, little enough to share out one large file.
constexpr uint32_t kGroupsPerTask = 64;

constexpr size_t kMostPathsKept = 1000;

bool IsPerUser(const Node& node) {
  if (!node.inode.IsDirectory() || node.inode.IsEncrypted()) return false;
  const Xattr* mark = FindXattr(node.xattrs, kXattrIndexEncryption, E4C_PER_USER_XATTR);
  return mark != nullptr && mark->value == std::vector<uint8_t>{1};
}

// One bit an inode, in pieces made when needed.
class InodeSet {
 public:
  // False: it was there already.
  bool Insert(uint32_t number) {
    std::vector<bool>& piece = pieces_[number / kPiece];
    if (piece.empty()) piece.resize(kPiece);
    const bool fresh = !piece[number % kPiece];
    piece[number % kPiece] = true;
    return fresh;
  }
  [[nodiscard]] bool Contains(uint32_t number) const {
    const auto it = pieces_.find(number / kPiece);
    return it != pieces_.end() && it->second[number % kPiece];
  }

 private:
  static constexpr uint32_t kPiece = 32768;
  std::unordered_map<uint32_t, std::vector<bool>> pieces_;
};

Policy PolicyOf(const Context& context) {
  Policy policy = {};
  std::copy(context.policy().begin(), context.policy().end(), policy.begin());
  return policy;
}

uint64_t PagesOf(const ScanCounts& counts) {
  return counts.pages_authentic + counts.pages_failed + counts.pages_unchecked;
}

// One authenticated file under way; the last of its tasks to end reports it.
struct FileJob {
  FileJob(const Image& image, const Node& of, std::string at)
      : path(std::move(at)),
        node(of),
        number(of.inode.number),
        layout(LayOut(image, node)),
        list(number) {}
  std::string path;
  Node node;
  uint32_t number;
  Layout layout;
  // By the first of the tasks: deriving keys costs more than reading a small file.
  std::once_flag prepared;
  FileKeys keys;  // empty: none
  absl::Status head;
  std::mutex mutex;
  FindingList list;
  ScanCounts counts;
};

}  // namespace

class Survey::Impl {
 public:
  Impl(const Image& image, const KeyRing& keys, const SurveyOptions& options)
      : image_(image), keys_(keys), options_(options), pool_(options.threads) {}

  void Run() {
    if (Checkpoint* before = options_.checkpoint; before != nullptr) {
      before->TakeFindings([this](const Finding& finding) { Report(finding, ""); });
      totals_.counts.Add(before->counts());
      pages_done_ += PagesOf(before->counts());
    }
    for (const Finding& finding : image_.findings()) Report(finding, "");
    Visit(EXT2_ROOT_INO, "/", nullptr);
    while (!pending_.empty()) {
      const Pending next = std::move(pending_.back());
      pending_.pop_back();
      WalkDirectory(next.inode, next.path);
    }
    FindUnreachable();
    pool_.WaitUntilDone();
  }
  [[nodiscard]] const SurveyTotals& totals() const { return totals_; }

 private:
  // Where an inode was met.
  struct Parent {
    const Node& directory;
    const EntryChecker& checker;
    absl::Span<const uint8_t> name;  // as it stands in the entry
  };
  struct Pending {
    uint32_t inode;
    std::string path;
  };

  void Report(Finding finding, const std::string& path) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (finding.path.empty()) finding.path = path;
    totals_.Count(finding.reason);
    if (options_.on_finding) options_.on_finding(finding);
  }

  void WalkDirectory(uint32_t number, const std::string& path) {
    const auto directory = ReadNode(image_, number);
    if (!directory.ok()) return;  // reported when it was met
    const NameReader names(*directory, keys_);
    const EntryChecker checker(*directory, keys_);
    std::vector<Finding> faults;
    ForEachEntry(image_, directory->inode, faults, [&](const DirEntry& entry) {
      const NameReader::Name name = names.Read(entry);
      const std::string child = absl::StrCat(path == "/" ? "" : path, "/", name.text);
      if (name.fault != Reason::kNone) {
        Report({.reason = name.fault, .inode = entry.inode}, child);
      }
      const Parent parent = {*directory, checker, entry.name};
      Visit(entry.inode, child, &parent);
      return true;
    });
    for (const Finding& fault : faults) Report(fault, path);
  }

  // `parent` nullptr: the root, or an inode without a name.
  void Visit(uint32_t number, const std::string& path, const Parent* parent) {
    auto node = ReadNode(image_, number);
    if (!node.ok()) {
      Report({.reason = parent != nullptr ? Reason::kEntryDangling : Reason::kInodeUnreadable,
              .inode = number},
             path);
      return;
    }
    if (node->inode.mode == 0 || node->inode.links == 0) {
      Report({.reason = Reason::kEntryDangling, .inode = number}, path);
      return;
    }
    if (parent != nullptr) CheckAgainstParent(*parent, *node, path);
    if (!seen_.Insert(number)) {
      if (node->inode.IsDirectory()) {
        Report({.reason = Reason::kDirectoryLoop, .inode = number}, path);
      }
      return;
    }
    const bool root = node->context.has_value() &&
                      (parent == nullptr || !parent->directory.context.has_value() ||
                       PolicyOf(*parent->directory.context) != PolicyOf(*node->context));
    CheckNode(*node, path, root);
  }

  void CheckAgainstParent(const Parent& parent, const Node& child, const std::string& path) {
    const EntryChecker::Verdict verdict = parent.checker.Check(child, parent.name);
    if (verdict.reason == Reason::kNone) return;
    Report({.reason = verdict.reason, .inode = child.inode.number, .detail = verdict.detail}, path);
  }

  // Of a directory or a symbolic link; files have their jobs.
  void CheckHeadOf(const Node& node, const std::string& path) {
    const MasterKey* master =
        node.authenticated() ? keys_.Find(node.context->identifier()) : nullptr;
    if (master == nullptr || !node.fault.ok()) return;
    auto keys = master->KeysOf(*node.context);
    const absl::Status head =
        keys.ok() ? CheckHead(image_, node, nullptr, keys->head()) : keys.status();
    if (head.ok()) return;
    Report({.reason = ReasonOf(head),
            .inode = node.inode.number,
            .detail = std::string(head.message())},
           path);
  }

  void CheckNode(const Node& node, const std::string& path, bool root) {
    const uint32_t number = node.inode.number;
    if (!node.inode.checksum_ok) {
      Report({.reason = Reason::kInodeChecksum, .inode = number}, path);
    }
    if (!node.fault.ok()) {
      Report({.reason = ReasonOf(node.fault),
              .inode = number,
              .detail = std::string(node.fault.message())},
             path);
    }
    Count(node, path, root);
    if (node.inode.IsDirectory()) {
      CheckHeadOf(node, path);
      pending_.push_back({number, path});
    } else if (node.inode.IsSymlink() && node.inode.IsEncrypted() && node.fault.ok()) {
      const auto target = LinkTarget(image_, node, keys_);
      if (!target.ok()) {
        Report({.reason = ReasonOf(target.status()), .inode = number}, path);
      } else {
        CheckHeadOf(node, path);
      }
    } else if (node.inode.IsRegular() && node.authenticated()) {
      // What is damaged in itself has contents for nobody, and has been reported.
      if (node.fault.ok()) StartFile(node, path);
    } else if (node.inode.IsRegular() && node.context.has_value() &&
               !LayOut(image_, node).tags.empty()) {
      Report({.reason = Reason::kDowngraded, .inode = number, .detail = "it has tag blocks"}, path);
    }
  }

  void Count(const Node& node, const std::string& path, bool root) {
    if (node.inode.IsDirectory()) ++totals_.directories;
    if (IsPerUser(node)) {
      ++totals_.per_user_count;
      if (totals_.per_user_paths.size() < kMostPathsKept) totals_.per_user_paths.push_back(path);
    }
    if (!node.context.has_value()) {
      if (!node.inode.IsRegular() || node.inode.IsEncrypted()) return;
      ++totals_.plain_files;
      totals_.plain_bytes += node.size;
      return;
    }
    const auto [it, fresh] = totals_.policies.try_emplace(PolicyOf(*node.context));
    PolicyTotals& totals = it->second;
    if (fresh) {
      totals.first_directory = path;
      totals.key_given = keys_.Find(node.context->identifier()) != nullptr;
      // Once a policy, not once a file: a volume of another's files is not a fault in each.
      if (!keys_.empty() && !totals.key_given) {
        Report({.reason = Reason::kKeyMissing,
                .inode = node.inode.number,
                .detail = ToHex(node.context->identifier())},
               path);
      }
    }
    if (node.inode.IsDirectory()) {
      ++totals.directories;
      if (root && ++totals.root_count <= kMostPathsKept) totals.roots.push_back(path);
    }
    if (node.inode.IsSymlink()) ++totals.symlinks;
    if (!node.inode.IsRegular()) return;
    ++totals.files;
    totals.bytes += node.size;
  }

  void StartFile(const Node& node, const std::string& path) {
    auto job = std::make_shared<FileJob>(image_, node, path);
    PolicyTotals& totals = totals_.policies[PolicyOf(*node.context)];
    totals.written_pages += job->layout.WrittenPages();
    totals.tag_blocks += job->layout.MappedTagBlocks();
    if (options_.checkpoint != nullptr && options_.checkpoint->IsDone(node.inode.number)) return;
    std::shared_ptr<FileJob> owner(job.get(), [this, job](FileJob*) { EndFile(*job); });
    job.reset();
    pool_.Submit([this, owner] { CheckWhole(*owner); });
    for (const GroupRange& range : owner->layout.groups) {
      for (uint32_t first = range.first; first < range.end;) {
        const uint32_t end = first + std::min(range.end - first, kGroupsPerTask);
        pool_.Submit([this, owner, first, end] { CheckGroups(*owner, first, end); });
        first = end;
      }
    }
  }

  void Prepare(FileJob& job) {
    std::call_once(job.prepared, [&] {
      const MasterKey* master = keys_.Find(job.node.context->identifier());
      if (master == nullptr) return;
      auto keys = master->KeysOf(*job.node.context);
      job.head = keys.ok() ? CheckHead(image_, job.node, &job.layout, keys->head()) : keys.status();
      if (keys.ok()) job.keys = *std::move(keys);
    });
  }
  // nullopt: no key.
  [[nodiscard]] static std::optional<PageOpener> OpenerOf(const FileJob& job) {
    if (job.keys.empty()) return std::nullopt;
    auto made = PageOpener::Create(job.node.context->aead(), job.keys.page());
    return made.ok() ? std::optional<PageOpener>(*std::move(made)) : std::nullopt;
  }

  void CheckWhole(FileJob& job) {
    Prepare(job);
    FindingList list(job.number);
    if (!job.head.ok()) list.Add(ReasonOf(job.head), job.head.message());
    std::optional<PageOpener> opener = OpenerOf(job);
    Scanner(image_, job.layout, opener ? &*opener : nullptr, nullptr, list,
            {.head_failed = !job.head.ok()})
        .ScanFile();
    if (job.head.ok()) FindReusedNonces(image_, job.layout, list);
    const std::lock_guard<std::mutex> lock(job.mutex);
    job.list.AddAll(list.findings());
  }

  void CheckGroups(FileJob& job, uint32_t first, uint32_t end) {
    Checkpoint* checkpoint = options_.checkpoint;
    const Checkpoint::Result* before =
        checkpoint == nullptr ? nullptr : checkpoint->PartOf(job.number, first);
    if (before != nullptr) {
      const std::lock_guard<std::mutex> lock(job.mutex);
      job.list.AddAll(before->findings);
      job.counts.Add(before->counts);
      pages_done_ += PagesOf(before->counts);
      return;
    }
    Prepare(job);
    std::optional<PageOpener> opener = OpenerOf(job);
    FindingList list(job.number);
    Scanner scanner(image_, job.layout, opener ? &*opener : nullptr, nullptr, list,
                    {.head_failed = !job.head.ok()});
    scanner.ScanGroups(first, end);
    if (checkpoint != nullptr && end - first == kGroupsPerTask) {
      checkpoint->AddPart(job.number, first, {scanner.counts(), list.findings()});
    }
    const std::lock_guard<std::mutex> lock(job.mutex);
    job.list.AddAll(list.findings());
    job.counts.Add(scanner.counts());
    const ScanCounts& counts = scanner.counts();
    pages_done_ += PagesOf(counts);
    if (options_.on_progress) options_.on_progress(pages_done_);
  }

  void EndFile(FileJob& job) {
    std::vector<Finding>& findings = job.list.findings();
    // Tasks end in any order; reports must not depend on it.
    std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
      return std::tie(a.first_byte, a.reason) < std::tie(b.first_byte, b.reason);
    });
    FindingList merged(job.number);
    merged.AddAll(findings);
    for (Finding& finding : merged.findings()) finding.path = job.path;
    if (options_.checkpoint != nullptr) {
      options_.checkpoint->AddFile(job.number, {job.counts, merged.findings()});
    }
    for (Finding& finding : merged.findings()) Report(std::move(finding), job.path);
    const std::lock_guard<std::mutex> lock(mutex_);
    totals_.counts.Add(job.counts);
  }

  // Encrypted inodes in use that no name leads to: their pages are checked all the same.
  void FindUnreachable() {
    for (uint32_t group = 0; group < image_.group_count(); ++group) {
      const Image::InodeRange range = image_.InodesOfGroup(group);
      for (uint32_t number = std::max<uint32_t>(range.first, image_.first_user_inode());
           number <= range.last; ++number) {
        if (seen_.Contains(number)) continue;
        const auto inode = image_.ReadInode(number);
        if (!inode.ok() || inode->links == 0 || inode->mode == 0 || !inode->IsEncrypted()) continue;
        const std::string path = absl::StrCat("<inode ", number, ">");
        Report({.reason = Reason::kUnreachable, .inode = number}, path);
        Visit(number, path, nullptr);
      }
    }
    while (!pending_.empty()) {
      const Pending next = std::move(pending_.back());
      pending_.pop_back();
      WalkDirectory(next.inode, next.path);
    }
  }

  const Image& image_;
  const KeyRing& keys_;
  const SurveyOptions& options_;
  std::vector<Pending> pending_;
  InodeSet seen_;
  std::atomic<uint64_t> pages_done_ = 0;
  std::mutex mutex_;  // totals_.counts, the findings' counts, on_finding
  SurveyTotals totals_;
  WorkerPool pool_;  // last: its threads use the rest
};

Survey::Survey(const Image& image, const KeyRing& keys, const SurveyOptions& options)
    : impl_(std::make_unique<Impl>(image, keys, options)) {}
Survey::~Survey() = default;
void Survey::Run() { impl_->Run(); }
const SurveyTotals& Survey::totals() const { return impl_->totals(); }

}  // namespace ext4crypt::volume
