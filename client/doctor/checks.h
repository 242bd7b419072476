// SPDX-License-Identifier: Apache-2.0
// The checks: each looks at one thing of a machine, and says so also when nothing is wrong. A new
// one is a function here and a line in checks.cc.
#pragma once

#include "client/doctor/finding.h"
#include "client/doctor/machine.h"

namespace ext4crypt::doctor {

// kernel.cc
void CheckKernelSeries(const Machine& machine, Findings& out);
void CheckModule(const Machine& machine, Findings& out);
void CheckModuleSignature(const Machine& machine, Findings& out);
void CheckModuleOfNextBoot(const Machine& machine, Findings& out);

// service.cc
void CheckService(const Machine& machine, Findings& out);
void CheckSockets(const Machine& machine, Findings& out);
void CheckKeys(const Machine& machine, Findings& out);

// login.cc
void CheckPam(const Machine& machine, Findings& out);
// sshd.cc
void CheckSshd(const Machine& machine, Findings& out);

// volumes.cc
void CheckVolumes(const Machine& machine, Findings& out);
// fstab.cc
void CheckFstab(const Machine& machine, Findings& out);
// directories.cc
void CheckExportsOnVolumes(const Machine& machine, Findings& out);
void CheckPerUserDirectories(const Machine& machine, Findings& out);
void CheckUnfinished(const Machine& machine, Findings& out);

// memory.cc
void CheckSwap(const Machine& machine, Findings& out);
void CheckHibernation(const Machine& machine, Findings& out);
void CheckKeyQuota(const Machine& machine, Findings& out);

// All of them, in this order.
[[nodiscard]] Findings RunChecks(const Machine& machine);

}  // namespace ext4crypt::doctor
