// SPDX-License-Identifier: Apache-2.0
#include "repair.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <regex>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "volume/ext4/extents.h"
#include "volume/ext4/image.h"

namespace crash {
namespace {

namespace volume = ext4crypt::volume;

struct Ran {
  int status;
  std::string output;
};

Ran Run(const std::string& command) {
  Ran ran = {-1, ""};
  FILE* pipe = popen(absl::StrCat("LC_ALL=C ", command, " 2>&1").c_str(), "r");
  if (pipe == nullptr) return ran;
  std::array<char, 4096> buffer;
  for (size_t n; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    ran.output.append(buffer.data(), n);
  const int status = pclose(pipe);
  ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  return ran;
}

// Lines of e2fsck that tell of no repair but the allowed ones. Totals of the superblock are not
// journaled, and ext4 itself does not make an extent tree lower when it loses extents: any ext4 has
// these after a crash. The clocks of guest and host may differ, which says nothing about the disk.
bool IsHarmless(const std::string& line) {
  static const std::regex kHarmless(
      "|e2fsck 1\\..*|Pass [1-5].*|Fix\\? yes|.*FILE SYSTEM WAS MODIFIED.*|.*: clean, .*|.*: "
      "[0-9]+/[0-9]+ files .*"
      "|.*[Rr]ecovering journal.*|.*Clearing orphaned inode .*"
      "|Free (blocks|inodes) count wrong \\([0-9]+, counted=[0-9]+\\)\\.|.*Setting free "
      "(blocks|inodes) count to .*"
      "|.*extent tree \\(at level [0-9]\\) could be (shorter|narrower)\\.  Optimize\\? (yes|no)"
      "|Superblock last (mount|write) time is in the future\\."
      "|\\t?\\(by less than a day, probably due to the hardware clock being incorrectly "
      "set\\)\\s*");
  return std::regex_match(line, kHarmless);
}

void Check(const std::string& command, int highest, RepairReport& report) {
  const Ran ran = Run(command);
  if (ran.status > highest)
    report.faults.push_back(absl::StrCat(command, ": exit status ", ran.status));
  std::istringstream lines(ran.output);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("ecovering journal") != std::string::npos) report.replayed = true;
    if (line.find("Clearing orphaned inode") != std::string::npos) report.orphans = true;
    if (!IsHarmless(line) || ran.status > highest)
      report.faults.push_back(absl::StrCat(command.substr(0, 10), ": ", line));
  }
}

void MountOnce(const std::string& image, const std::string& mount_point, RepairReport& report) {
  const Ran mounted = Run(absl::StrCat("mount -t ext4 -o loop ", image, " ", mount_point));
  if (mounted.status != 0) {
    report.faults.push_back(absl::StrCat("stock mount: ", mounted.output));
    return;
  }
  const Ran unmounted = Run(absl::StrCat("umount ", mount_point));
  if (unmounted.status != 0)
    report.faults.push_back(absl::StrCat("stock umount: ", unmounted.output));
}

absl::StatusOr<std::unique_ptr<volume::Image>> OpenImage(const std::string& path) {
  auto source = volume::FileSource::Open(path);
  if (!source.ok()) return source.status();
  return volume::Image::Open(*std::move(source));
}

// The reader's replay in memory and debugfs's of a copy have to give the same blocks, but for the
// two superblocks, in which debugfs notes that it was there. Not e2fsck: even -E journal_only
// deletes unlinked files after the replay, which changes bitmaps and counts.
void ReplayInMemory(const std::string& image, RepairReport& report) {
  const auto ours = OpenImage(image);
  if (!ours.ok()) {
    report.faults.push_back(absl::StrCat("the reader: ", ours.status().message()));
    return;
  }
  if (!(*ours)->replayed().has_value()) return;
  report.replayed = (*ours)->replayed()->blocks > 0;
  const std::string copy = image + ".replayed";
  std::filesystem::copy_file(image, copy, std::filesystem::copy_options::overwrite_existing);
  // -n: the checksums of bitmaps are right only after the replay.
  const Ran ran = Run(absl::StrCat("debugfs -n -w -R journal_run ", copy));
  const auto theirs = OpenImage(copy);
  const auto journal = (*ours)->ReadInode((*ours)->fs()->super->s_journal_inum);
  if (!theirs.ok() || (*theirs)->replayed().has_value() || !journal.ok()) {
    report.faults.push_back(absl::StrCat("debugfs did not replay the copy: ", ran.output));
    return;
  }
  const volume::ExtentTree tree = volume::ReadExtents(**ours, *journal);
  volume::Block a;
  volume::Block b;
  for (uint64_t block = 1; block < (*ours)->block_count(); ++block) {
    if (!tree.extents.empty() && block == tree.extents.front().physical) continue;
    const bool read = (*ours)->ReadBlocks(block, absl::MakeSpan(a)).ok() &&
                      (*theirs)->ReadBlocks(block, absl::MakeSpan(b)).ok();
    if (!read || a != b) {
      report.faults.push_back(absl::StrCat("block ", block, " differs from debugfs's replay"));
    }
  }
}

}  // namespace

RepairReport RepairImage(const std::string& image, const std::string& mount_point, Repair repair) {
  RepairReport report;
  switch (repair) {
    case Repair::kForce:
      Check(absl::StrCat("e2fsck -fy ", image), 1, report);
      break;
    case Repair::kPreen:
      Check(absl::StrCat("e2fsck -p ", image), 1, report);
      break;
    case Repair::kStockMount:
      MountOnce(image, mount_point, report);
      break;
    case Repair::kInMemory:
      ReplayInMemory(image, report);
      return report;
  }
  // Whatever the first step left undone shows here.
  if (report.faults.empty()) Check(absl::StrCat("e2fsck -fn ", image), 0, report);
  return report;
}

}  // namespace crash
