// SPDX-License-Identifier: Apache-2.0
// The key service, its sockets, and what it says of the user's keys.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/doctor/checks.h"

namespace ext4crypt::doctor {
namespace {

constexpr char kStart[] =
    "systemctl enable --now ext4crypt-keyd.socket ext4crypt-keyd-session.socket, as root.";

bool IsSocket(const Machine& machine, const std::string& path) {
  const auto info = machine.Look(path);
  return info.has_value() && S_ISSOCK(info->st_mode);
}

}  // namespace

void CheckService(const Machine& machine, Findings& out) {
  if (machine.service.failure.empty()) {
    out.Ok("service.answers", "", "The key service answers.");
  } else {
    out.Problem("service.answers", "",
                absl::StrCat("The key service does not answer: ", machine.service.failure, "."),
                absl::StrCat(kStart, " See journalctl -u ext4crypt-keyd."));
  }
}

void CheckSockets(const Machine& machine, Findings& out) {
  const std::string& keyd = machine.socket;
  const std::string session = keyd.substr(0, keyd.rfind('/') + 1) + "session.sock";
  if (!IsSocket(machine, keyd)) {
    out.Problem("service.socket", keyd, "The socket of the key service is not there.", kStart);
  } else {
    out.Ok("service.socket", keyd, "The socket of the key service is there.");
  }
  if (!IsSocket(machine, session)) {
    out.Warn("service.session-socket", session,
             "The socket for logins is not there: logins unlock nothing, and logouts lock nothing.",
             kStart);
  } else {
    out.Ok("service.session-socket", session, "The socket for logins is there.");
  }
}

void CheckKeys(const Machine& machine, Findings& out) {
  const ServiceFacts& facts = machine.service;
  if (!facts.failure.empty()) return;
  if (!facts.enrolled) {
    out.Note("keys.enrolled", "", "You have no key.", "Create one with: ext4crypt enrol");
    return;
  }
  out.Ok("keys.enrolled", facts.identifier_hex, "You have a key.");
  const auto& kinds = facts.protector_kinds;
  if (std::find(kinds.begin(), kinds.end(), "recovery") == kinds.end()) {
    out.Warn("keys.recovery-code", facts.identifier_hex,
             "Your key has no recovery code: if you forget the passphrase, your files are lost.",
             "Make one with: ext4crypt recovery renew");
  } else {
    out.Ok("keys.recovery-code", facts.identifier_hex, "Your key has a recovery code.");
  }
  if (facts.unlocked && !facts.held) {
    out.Note("keys.held", facts.identifier_hex,
             "The key is unlocked, but the key service does not hold it: volumes that are mounted "
             "from now on stay locked.",
             "Unlock again with: ext4crypt unlock");
  }
  for (const ServiceFacts::VolumeError& error : facts.volume_errors) {
    out.Problem("keys.volume", error.mount_point,
                absl::StrCat("The kernel refused your key on the volume: ", error.cause, "."),
                "See the kernel's log (dmesg), then: ext4crypt unlock");
  }
}

}  // namespace ext4crypt::doctor
