// SPDX-License-Identifier: Apache-2.0
// The mounted volumes: what they are, and whether they are well.
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/doctor/checks.h"
#include "client/doctor/lines.h"
#include "client/doctor/superblock.h"
#include "common/paths.h"

namespace ext4crypt::doctor {
namespace {

bool HasWord(const std::string& options, absl::string_view word) {
  for (const absl::string_view option : absl::StrSplit(options, ',')) {
    if (option == word) return true;
  }
  return false;
}

void CheckOptions(const Mount& mount, Findings& out) {
  if (HasWord(mount.options, "ro") || HasWord(mount.super_options, "ro")) {
    out.Note("volume.read-only", mount.mount_point, "The volume is mounted read-only.",
             absl::StrCat("If an error of the disk has done that (dmesg), unmount it and run "
                          "e2fsck -f ",
                          mount.source, "; else: mount -o remount,rw ", mount.mount_point));
  }
  if (HasWord(mount.super_options, "devices")) {
    out.Warn("volume.devices", mount.mount_point,
             "Device nodes work on the volume: who writes to the disk can make one that opens any "
             "device.",
             "Leave the mount option \"devices\" out.");
  }
}

void CheckSuperblock(const Machine& machine, const Mount& mount, Findings& out) {
  const auto super = ReadSuperblock(machine, mount.source);
  if (!super.has_value()) {
    out.Ok("volume.format", mount.mount_point,
           absl::StrCat("The volume is mounted as ext4crypt; only root can read ", mount.source,
                        " to say more."));
    return;
  }
  if (super->has_errors) {
    out.Problem("volume.errors", mount.mount_point,
                "The file system has errors, which the kernel met while it was in use.",
                absl::StrCat("Unmount it, then: e2fsck -f ", mount.source));
  }
  const std::string text = absl::StrCat(
      "Blocks of ", super->block_size, " bytes, inodes of ", super->inode_size, ", encrypt",
      super->has_journal ? ", has_journal" : "", super->has_checksums ? ", metadata_csum" : "");
  if (super->has_checksums) {
    out.Ok("volume.format", mount.mount_point, text + ".");
  } else {
    out.Note("volume.format", mount.mount_point,
             text + ": ext4's own structures have no checksums, so damage to them is found late.",
             absl::StrCat("Unmount it, then: e2fsck -f ", mount.source,
                          " and tune2fs -O metadata_csum ", mount.source));
  }
}

void CheckAuthentication(const Machine& machine, const Mount& mount, Findings& out) {
  const std::string device = mount.source.substr(mount.source.rfind('/') + 1);
  const auto text =
      machine.Read(absl::StrCat("/sys/fs/ext4crypt/", device, "/authentication/failures"));
  uint64_t failures = 0;
  if (!text.has_value() || !absl::SimpleAtoi(*text, &failures)) return;
  if (failures == 0) {
    out.Ok("volume.authentication", mount.mount_point,
           "Nothing that was read since the mount failed to be authentic.");
  } else {
    out.Problem("volume.authentication", mount.mount_point,
                absl::StrCat("Authentication has failed ", failures,
                             " times since the mount: the disk has something else than was "
                             "written."),
                absl::StrCat("See which files, in the kernel's log (dmesg), and "
                             "docs/guide/authentication-failed.md; then: ext4crypt volume verify ",
                             mount.source));
  }
}

}  // namespace

void CheckVolumes(const Machine& machine, Findings& out) {
  const std::vector<Mount> volumes = Volumes(machine);
  if (volumes.empty()) {
    out.Note(
        "volume.mounted", "", "No volume of type ext4crypt is mounted.",
        "Mount one, as root: mount -t ext4crypt DEVICE DIRECTORY; docs/guide/five-minutes.md has "
        "all the steps.");
  }
  for (const Mount& mount : volumes) {
    out.Ok("volume.mounted", mount.mount_point,
           absl::StrCat("A volume of type ext4crypt, on ", mount.source, "."));
    CheckOptions(mount, out);
    CheckSuperblock(machine, mount, out);
    CheckAuthentication(machine, mount, out);
  }
  for (const Mount& mount : machine.Mounts()) {
    // Where exports are kept, there are authenticated files.
    if (mount.fs_type != kPlainFsType || mount.root != "/" ||
        !machine.Has(mount.mount_point + "/.ext4crypt")) {
      continue;
    }
    out.Problem("volume.type", mount.mount_point,
                "The volume is mounted as plain ext4, where its encrypted files do not open.",
                absl::StrCat("Unmount it, then: mount -t ext4crypt ", mount.source, " ",
                             mount.mount_point));
  }
}

}  // namespace ext4crypt::doctor
