// SPDX-License-Identifier: Apache-2.0
// What lies on the volumes beside files: exports, per-user directories, unfinished work.
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/doctor/checks.h"
#include "client/doctor/lines.h"

namespace ext4crypt::doctor {
namespace {

constexpr char kPlaceName[] = ".ext4crypt";
constexpr char kWorkPrefix[] = ".ext4crypt-encrypt-";
constexpr mode_t kSharedMode = 01777;
constexpr int64_t kDay = 24 * 60 * 60;

std::string Join(const std::string& dir, const std::string& name) {
  return absl::StrCat(dir, dir == "/" ? "" : "/", name);
}

// `unlock` writes the export anew only when the keys have changed: an old one need not be out of
// date.
std::string Age(int64_t seconds) {
  const int64_t days = seconds / kDay;
  if (days <= 0) return "today";
  return days == 1 ? "yesterday" : absl::StrCat(days, " days ago");
}

void CheckPlace(const Machine& machine, const Mount& mount, Findings& out) {
  const std::string place = Join(mount.mount_point, kPlaceName);
  const auto info = machine.Look(place);
  if (!info.has_value()) {
    out.Warn("export.place", mount.mount_point,
             "The volume has no place for exports of keys: if the system disk dies, its files "
             "cannot be opened.",
             absl::StrCat("As root: mkdir -m 1777 ", place));
    return;
  }
  const bool others_write = (info->st_mode & (S_IWGRP | S_IWOTH)) != 0;
  if (!S_ISDIR(info->st_mode) || (others_write && (info->st_mode & S_ISVTX) == 0) ||
      (info->st_uid != 0 && info->st_uid != machine.uid())) {
    out.Warn("export.place", place,
             "The place for exports is none that keys may be kept in: it belongs to somebody else, "
             "or others could move what is in it.",
             absl::StrCat("As root: chown root ", place, " and chmod 1777 ", place));
    return;
  }
  out.Ok("export.place", place, "The volume has a place for exports of keys.");
  const ServiceFacts& facts = machine.service;
  if (!facts.failure.empty() || !facts.enrolled) return;
  const std::string path = Join(place, facts.identifier_hex);
  const auto file = machine.Look(path);
  if (!file.has_value()) {
    out.Warn("export.yours", place, "The volume has no export of your keys.",
             "ext4crypt unlock writes it, if your key has a recovery code or a key file.");
  } else {
    out.Ok("export.yours", path,
           absl::StrCat("The export of your keys on the volume was written ",
                        Age(machine.now_unix_s() - file->st_mtime), "."));
  }
}

void CheckPerUser(const Machine& machine, const std::string& path, Findings& out) {
  const auto info = machine.Look(path);
  if (!info.has_value() || !S_ISDIR(info->st_mode) || !machine.is_per_user(path)) return;
  if ((info->st_mode & kSharedMode) == kSharedMode || (info->st_mode & S_IWOTH) == 0) {
    out.Ok("directory.per-user", path, "Each user's files here get that user's key.");
  } else {
    out.Warn("directory.per-user", path,
             "Others may delete a user's files in this per-user directory: it lacks the sticky "
             "bit.",
             absl::StrCat("chmod +t ", path));
  }
}

}  // namespace

void CheckExportsOnVolumes(const Machine& machine, Findings& out) {
  for (const Mount& mount : Volumes(machine)) {
    if (mount.root == "/") CheckPlace(machine, mount, out);
  }
}

void CheckPerUserDirectories(const Machine& machine, Findings& out) {
  for (const Mount& mount : Volumes(machine)) {
    for (const std::string& name : machine.Names(mount.mount_point)) {
      CheckPerUser(machine, Join(mount.mount_point, name), out);
    }
  }
}

void CheckUnfinished(const Machine& machine, Findings& out) {
  const auto look = [&](const std::string& dir) {
    for (const std::string& name : machine.Names(dir)) {
      if (!absl::StartsWith(name, kWorkPrefix)) continue;
      out.Warn("directory.unfinished", Join(dir, name),
               "An ext4crypt encrypt was interrupted: files that it moved are in here, and not in "
               "their directory.",
               absl::StrCat("Run the same command again: ext4crypt encrypt, with the directory in ",
                            dir, " whose inode number stands in the name (ls -i)."));
    }
  };
  // Of a home directory, beside it; of a directory in a home, in the home.
  for (const Mount& mount : Volumes(machine)) {
    look(mount.mount_point);
    for (const std::string& name : machine.Names(mount.mount_point)) {
      const auto info = machine.Look(Join(mount.mount_point, name));
      if (info.has_value() && S_ISDIR(info->st_mode)) look(Join(mount.mount_point, name));
    }
  }
}

}  // namespace ext4crypt::doctor
