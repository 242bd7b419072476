// SPDX-License-Identifier: Apache-2.0
// Whether the next boot brings the volumes back, and comes up without them.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/doctor/checks.h"
#include "client/doctor/lines.h"
#include "common/paths.h"

namespace ext4crypt::doctor {
namespace {

constexpr char kBeforeLogins[] = "x-systemd.before=local-fs.target";

void CheckLine(const FstabLine& line, Findings& out) {
  if (!line.HasOption("nofail")) {
    out.Warn("fstab.nofail", line.mount_point,
             "The line of /etc/fstab lacks nofail: if the module is missing, as after an upgrade "
             "of the kernel, the boot ends in emergency mode.",
             absl::StrCat("Write there: ", line.device, "  ", line.mount_point,
                          "  ext4crypt  defaults,nofail,", kBeforeLogins, "  0  2"));
  } else if (!line.HasOption(kBeforeLogins) && !line.HasOption("noauto")) {
    out.Warn("fstab.before", line.mount_point,
             "With nofail alone, nobody waits for the mount: a login may come before it.",
             absl::StrCat("Add the option ", kBeforeLogins));
  } else {
    out.Ok("fstab.nofail", line.mount_point,
           "The line of /etc/fstab survives a boot without the module.");
  }
}

bool IsMounted(const Machine& machine, const std::string& mount_point) {
  bool mounted = false;
  // The last one at a place is the one that is seen.
  for (const Mount& mount : machine.Mounts()) {
    if (mount.mount_point == mount_point) mounted = mount.fs_type == kAuthenticatedFsType;
  }
  return mounted;
}

}  // namespace

void CheckFstab(const Machine& machine, Findings& out) {
  const std::vector<FstabLine> lines = ReadFstab(machine);
  for (const FstabLine& line : lines) {
    if (line.type != kAuthenticatedFsType) continue;
    CheckLine(line, out);
    if (!line.HasOption("noauto") && !IsMounted(machine, line.mount_point)) {
      out.Problem("fstab.mounted", line.mount_point,
                  "A volume of /etc/fstab is not mounted as ext4crypt.",
                  absl::StrCat("As root: mount ", line.mount_point,
                               "; if that fails, the kernel's log says why (dmesg)."));
    }
  }
  for (const Mount& mount : Volumes(machine)) {
    bool listed = false;
    for (const FstabLine& line : lines) {
      listed =
          listed || (line.type == kAuthenticatedFsType && line.mount_point == mount.mount_point);
    }
    if (listed) continue;
    out.Note("fstab.listed", mount.mount_point,
             "The volume has no line in /etc/fstab: a mount unit or a person has to mount it after "
             "the next boot.",
             absl::StrCat("A line for it: ", mount.source, "  ", mount.mount_point,
                          "  ext4crypt  defaults,nofail,", kBeforeLogins, "  0  2"));
  }
}

}  // namespace ext4crypt::doctor
