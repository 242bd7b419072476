// SPDX-License-Identifier: Apache-2.0
#include "client/doctor/checks.h"

#include <array>

namespace ext4crypt::doctor {
namespace {

// In the order in which one thing needs the other: a reader mends from the top.
constexpr std::array kChecks = {
    CheckKernelSeries,
    CheckModule,
    CheckModuleSignature,
    CheckModuleOfNextBoot,
    CheckService,
    CheckSockets,
    CheckKeys,
    CheckPam,
    CheckSshd,
    CheckVolumes,
    CheckFstab,
    CheckExportsOnVolumes,
    CheckPerUserDirectories,
    CheckUnfinished,
    CheckSwap,
    CheckHibernation,
    CheckKeyQuota,
};

}  // namespace

Findings RunChecks(const Machine& machine) {
  Findings findings;
  for (const auto check : kChecks) check(machine, findings);
  return findings;
}

}  // namespace ext4crypt::doctor
