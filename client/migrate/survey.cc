// SPDX-License-Identifier: Apache-2.0
#include "client/migrate/survey.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/migrate/work_dir.h"
#include "common/error.h"
#include "common/status_macros.h"

namespace ext4crypt {
namespace {

// What fscrypt takes of a block for an encrypted link: a length of two bytes, and a zero at its
// end.
constexpr off_t kLinkOverhead = 3;

class Surveyor {
 public:
  Surveyor(uint64_t mount_id, const Policy& policy, off_t block_bytes)
      : mount_id_(mount_id), policy_(policy), longest_link_(block_bytes - kLinkOverhead) {
    groups_.resize(static_cast<size_t>(std::max(0, ::getgroups(0, nullptr))));
    (void)!::getgroups(static_cast<int>(groups_.size()), groups_.data());
    groups_.push_back(::getegid());
  }

  absl::Status Visit(int dir, const std::string& path) {
    ++survey_.directories;
    ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(dir, path));
    for (const std::string& name : names) {
      const std::string child_path = absl::StrCat(path, "/", name);
      const absl::Status status = Entry({.dir = dir, .name = name}, child_path);
      if (!status.ok()) survey_.obstacles.push_back({.path = child_path, .status = status});
    }
    return absl::OkStatus();
  }

  Survey Finish() {
    for (const auto& [id, seen] : links_) {
      if (seen.names == seen.all_names) continue;
      survey_.obstacles.push_back(
          {.path = seen.path, .status = Unmovable("it has another name outside", seen.path)});
    }
    return std::move(survey_);
  }

  absl::Status CheckNode(const Node& node, const std::string& path) const {
    if (node.mount_id != mount_id_) {
      return Error(ErrorReason::kDirectorySpansMounts, "a mount point", path);
    }
    if (node.undeletable) return Unmovable("it is immutable or append-only", path);
    if (node.verity) return Unmovable("fs-verity would be lost", path);
    if (::geteuid() == 0) return absl::OkStatus();
    if (node.stat.st_uid != ::geteuid()) return Unmovable("it belongs to someone else", path);
    if (std::find(groups_.begin(), groups_.end(), node.stat.st_gid) == groups_.end()) {
      return Unmovable("its group is none of yours", path);
    }
    if (S_ISBLK(node.stat.st_mode) || S_ISCHR(node.stat.st_mode)) {
      return Unmovable("only root can make a device", path);
    }
    return absl::OkStatus();
  }

 private:
  struct Links {
    uint64_t names = 0;
    uint64_t all_names = 0;
    std::string path;
  };

  static absl::Status Unmovable(absl::string_view why, const std::string& path) {
    return Error(ErrorReason::kFileUnmovable, why, path);
  }

  absl::Status Entry(const At& at, const std::string& path) {
    ASSIGN_OR_RETURN(const Node node, Look(at, path));
    RETURN_IF_ERROR(CheckNode(node, path));
    if (node.IsDirectory()) return Directory(at, node, path);
    ++survey_.files;
    const uint64_t bytes = static_cast<uint64_t>(node.stat.st_blocks) * 512;
    if (node.IsRegular() && ::faccessat(at.dir, at.name.c_str(), R_OK, AT_EACCESS) != 0) {
      return NodeError(errno, "it cannot be read", path);
    }
    if (S_ISLNK(node.stat.st_mode) && node.stat.st_size > longest_link_) {
      return Unmovable(absl::StrCat("a link of ", node.stat.st_size,
                                    " bytes: encrypted, one has at most ", longest_link_),
                       path);
    }
    if (node.stat.st_nlink > 1) {
      Links& links = links_[node.id];
      if (links.names++ > 0) return absl::OkStatus();
      links.all_names = node.stat.st_nlink;
      links.path = path;
    }
    survey_.bytes += bytes;
    survey_.largest_bytes = std::max(survey_.largest_bytes, bytes);
    return absl::OkStatus();
  }

  absl::Status Directory(const At& at, const Node& node, const std::string& path) {
    if (absl::StartsWith(at.name, kWorkDirPrefix)) {
      return Error(ErrorReason::kEncryptionUnfinished, "one inside", path);
    }
    ASSIGN_OR_RETURN(const UniqueFd fd, OpenDirectory(at, path));
    if (node.encrypted) {
      ASSIGN_OR_RETURN(const PolicyDir dir,
                       PolicyDir::Open(absl::StrCat("/proc/self/fd/", fd.get())));
      ASSIGN_OR_RETURN(const std::optional<Policy> policy, dir.GetPolicy());
      if (policy != policy_) {
        return Error(ErrorReason::kEncryptedOtherwise, "encrypted with another key", path);
      }
    }
    return Visit(fd.get(), path);
  }

  const uint64_t mount_id_;
  const Policy policy_;
  const off_t longest_link_;
  std::vector<gid_t> groups_;
  std::map<NodeId, Links> links_;
  Survey survey_;
};

}  // namespace

absl::StatusOr<Survey> SurveyDirectory(int root, const std::string& path, const Policy& policy) {
  ASSIGN_OR_RETURN(const Node node, LookAtFd(root, path));
  struct statvfs info = {};
  if (::fstatvfs(root, &info) != 0) return NodeError(errno, "statvfs", path);
  Surveyor surveyor(node.mount_id, policy, static_cast<off_t>(info.f_bsize));
  RETURN_IF_ERROR(surveyor.CheckNode(node, path));
  RETURN_IF_ERROR(surveyor.Visit(root, path));
  return surveyor.Finish();
}

}  // namespace ext4crypt
