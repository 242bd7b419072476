// SPDX-License-Identifier: Apache-2.0
// Whether the running kernel, and the one of the next boot, can have the module.
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/doctor/checks.h"
#include "client/doctor/lines.h"
#include "common/paths.h"

namespace ext4crypt::doctor {
namespace {

constexpr char kSeries[] = "6.12.";
// What sign-file of the kernel appends to a module, and nothing after it.
constexpr absl::string_view kSignatureMark = "~Module signature appended~\n";

// The path of the module below /lib/modules/RELEASE, as depmod knows it; empty when it does not.
std::string ModulePath(const Machine& machine, const std::string& release) {
  const std::string list =
      machine.Read(absl::StrCat("/lib/modules/", release, "/modules.dep")).value_or("");
  for (const absl::string_view line : absl::StrSplit(list, '\n')) {
    const std::string path(line.substr(0, line.find(':')));
    const std::string name = path.substr(path.rfind('/') + 1);
    if (absl::StartsWith(name, "ext4crypt.ko")) return path;
  }
  return "";
}

bool IsLoaded(const Machine& machine) {
  for (const std::string& line : Lines(machine, "/proc/filesystems")) {
    if (Words(line) == std::vector<std::string>{kAuthenticatedFsType}) return true;
  }
  return false;
}

// Why the kernel loads signed modules only; empty when it loads any.
std::string WhySignaturesCount(const Machine& machine) {
  // Four bytes of attributes stand before the value.
  const auto secure_boot = machine.ReadAt(
      "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", 0, 5);
  if (secure_boot.has_value() && (*secure_boot)[4] == 1) return "Secure Boot is on";
  const std::string lockdown = machine.Read("/sys/kernel/security/lockdown").value_or("");
  if (absl::StrContains(lockdown, "[integrity]") ||
      absl::StrContains(lockdown, "[confidentiality]")) {
    return "the kernel is locked down";
  }
  const std::string enforced =
      machine.Read("/sys/module/module/parameters/sig_enforce").value_or("");
  return absl::StartsWith(enforced, "Y") ? "the kernel enforces signatures" : "";
}

bool HasVolumeInFstab(const Machine& machine) {
  for (const FstabLine& line : ReadFstab(machine)) {
    if (line.type == kAuthenticatedFsType) return true;
  }
  return false;
}

std::string BuildRemedy(const std::string& release) {
  return absl::StrCat(
      "Install its headers and the source of the same version: apt-get install "
      "linux-headers-",
      release, " linux-source-6.12 ext4crypt-dkms; then see dkms status.");
}

}  // namespace

void CheckKernelSeries(const Machine& machine, Findings& out) {
  const std::string release = machine.KernelRelease();
  if (absl::StartsWith(release, kSeries)) {
    out.Ok("kernel.series", release, "The running kernel is of the series 6.12.");
  } else {
    out.Problem("kernel.series", release,
                "The running kernel is not of the series 6.12, the only one there is a module for.",
                "Install a 6.12 kernel (linux-image-6.12-amd64, on Debian 13 linux-image-amd64) "
                "and restart.");
  }
}

void CheckModule(const Machine& machine, Findings& out) {
  const std::string release = machine.KernelRelease();
  const bool loaded = IsLoaded(machine);
  if (!ModulePath(machine, release).empty()) {
    out.Ok("module.built", release, "The module is installed for the running kernel.");
  } else if (loaded) {
    out.Warn("module.built", release,
             "The module is loaded, but not installed: the next boot will not find it.",
             BuildRemedy(release));
  } else {
    out.Problem("module.built", release, "The module is not installed for the running kernel.",
                BuildRemedy(release));
  }
  if (loaded) {
    out.Ok("module.loaded", "", "The module is loaded.");
  } else {
    out.Note("module.loaded", "", "The module is not loaded.",
             "The first mount loads it; to try it: modprobe ext4crypt, as root.");
  }
}

void CheckModuleSignature(const Machine& machine, Findings& out) {
  const std::string why = WhySignaturesCount(machine);
  if (why.empty()) {
    out.Ok("module.signature", "", "The kernel loads modules whether they are signed or not.");
    return;
  }
  if (IsLoaded(machine)) {
    out.Ok("module.signature", "", absl::StrCat("The kernel accepted the module; ", why, "."));
    return;
  }
  const std::string path = ModulePath(machine, machine.KernelRelease());
  if (path.empty()) return;  // said by module.built
  const std::string whole = absl::StrCat("/lib/modules/", machine.KernelRelease(), "/", path);
  constexpr char kEnrolKey[] =
      "Have the firmware learn DKMS's key: mokutil --import /var/lib/dkms/mok.pub, restart, and "
      "confirm on the screen before Debian's.";
  if (!absl::EndsWith(path, ".ko")) {
    out.Note("module.signature", whole,
             absl::StrCat("The module is not loaded yet, and ", why,
                          "; a compressed module does not show whether it is signed."),
             "Try it: modprobe ext4crypt, as root. If the key was rejected: mokutil --import "
             "/var/lib/dkms/mok.pub");
  } else if (machine.ReadEnd(whole, kSignatureMark.size()).value_or("") == kSignatureMark) {
    out.Note("module.signature", whole,
             absl::StrCat("The module is signed and not loaded yet, and ", why,
                          ": the firmware has to know the key."),
             kEnrolKey);
  } else {
    out.Problem(
        "module.signature", whole,
        absl::StrCat("The module is not signed, and ", why, ": the kernel will not load it."),
        absl::StrCat("Let DKMS build and sign it: dkms build --force and dkms install "
                     "--force. ",
                     kEnrolKey));
  }
}

void CheckModuleOfNextBoot(const Machine& machine, Findings& out) {
  if (!HasVolumeInFstab(machine)) return;
  for (const std::string& release : machine.Names("/lib/modules")) {
    // Of a kernel that was removed, other packages may have left some modules.
    if (release == machine.KernelRelease() || !machine.Has("/lib/modules/" + release + "/kernel") ||
        !ModulePath(machine, release).empty()) {
      continue;
    }
    out.Warn("module.other-kernel", release,
             "An installed kernel has no module: if it is booted, the volumes of /etc/fstab are "
             "not mounted.",
             absl::StartsWith(release, kSeries)
                 ? BuildRemedy(release)
                 : "Remove that kernel, or keep booting one of the series 6.12.");
  }
}

}  // namespace ext4crypt::doctor
