// SPDX-License-Identifier: Apache-2.0
// What leaves memory for a disk, and how many keys the kernel takes from a user.
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/doctor/checks.h"
#include "client/doctor/lines.h"

namespace ext4crypt::doctor {
namespace {

constexpr int kDeepestStack = 8;

// Whether all that is written to a block device goes through dm-crypt, in it or below it.
bool IsEncryptedDevice(const Machine& machine, const std::string& name, int depth = 0) {
  const std::string dir = absl::StrCat("/sys/class/block/", name);
  if (absl::StartsWith(machine.Read(dir + "/dm/uuid").value_or(""), "CRYPT-")) return true;
  const std::vector<std::string> below = machine.Names(dir + "/slaves");
  if (below.empty() || depth >= kDeepestStack) return false;
  for (const std::string& slave : below) {
    if (!IsEncryptedDevice(machine, slave, depth + 1)) return false;
  }
  return true;
}

bool StaysInMemory(const std::string& swap) { return absl::StartsWith(swap, "/dev/zram"); }

}  // namespace

void CheckSwap(const Machine& machine, Findings& out) {
  constexpr char kRemedy[] =
      "Swap to zram, or encrypt the swap device with a random key (crypttab(5), option swap).";
  bool plain = false;
  for (const std::string& line : Lines(machine, "/proc/swaps")) {
    const std::vector<std::string> words = Words(line);
    if (words.size() < 2 || words[0] == "Filename") continue;
    if (words[1] != "partition") {
      plain = true;
      out.Warn(
          "memory.swap", words[0],
          "A swap file takes the memory of programs to its disk, texts of your files among it.",
          kRemedy);
    } else if (!StaysInMemory(words[0]) &&
               !IsEncryptedDevice(machine, words[0].substr(words[0].rfind('/') + 1))) {
      plain = true;
      out.Warn("memory.swap", words[0],
               "The swap device is not encrypted: the memory of programs gets there, texts of your "
               "files among it.",
               kRemedy);
    }
  }
  if (!plain) out.Ok("memory.swap", "", "No memory is swapped to a disk in plain text.");
}

void CheckHibernation(const Machine& machine, Findings& out) {
  const std::string states = machine.Read("/sys/power/state").value_or("");
  const std::string resume = machine.Read("/sys/power/resume").value_or("");
  const bool can =
      absl::StrContains(states, "disk") && !resume.empty() && !absl::StartsWith(resume, "0:0");
  if (can) {
    out.Warn("memory.hibernation", "",
             "The machine can hibernate: that writes all memory to the swap device, the keys that "
             "are unlocked among it.",
             "Lock before (ext4crypt lock), or: systemctl mask hibernate.target "
             "hybrid-sleep.target suspend-then-hibernate.target");
  } else {
    out.Ok("memory.hibernation", "", "The machine does not hibernate.");
  }
}

void CheckKeyQuota(const Machine& machine, Findings& out) {
  if (machine.uid() == 0) return;  // has limits of its own, a million
  for (const std::string& line : Lines(machine, "/proc/key-users")) {
    // "1000: 7 7/7 5/200 138/20000": usage, keys/instantiated, keys/limit, bytes/limit.
    const std::vector<std::string> words = Words(line);
    if (words.size() < 5 || words[0] != absl::StrCat(machine.uid(), ":")) continue;
    for (const size_t at : {3, 4}) {
      const std::vector<std::string> pair = absl::StrSplit(words[at], '/');
      uint64_t used = 0;
      uint64_t limit = 0;
      if (pair.size() != 2 || !absl::SimpleAtoi(pair[0], &used) ||
          !absl::SimpleAtoi(pair[1], &limit) || limit == 0 || used < limit - limit / 5) {
        continue;
      }
      out.Warn("memory.key-quota", absl::StrCat("uid ", machine.uid()),
               absl::StrCat("You have ", used, " of ", limit, at == 3 ? " keys" : " bytes of keys",
                            " that the kernel allows you: unlocking may fail soon."),
               at == 3 ? "Remove keys that you do not need (keyctl show), or raise "
                         "/proc/sys/kernel/keys/maxkeys."
                       : "Remove keys that you do not need (keyctl show), or raise "
                         "/proc/sys/kernel/keys/maxbytes.");
      return;
    }
  }
  out.Ok("memory.key-quota", absl::StrCat("uid ", machine.uid()),
         "Your quota of kernel keys has room.");
}

}  // namespace ext4crypt::doctor
