# SPDX-License-Identifier: Apache-2.0
"""Decides between KVM and emulation by letting KVM boot a guest: /dev/kvm may be there and still run nothing."""

import os
import shutil
import tempfile
from pathlib import Path

from .cpio import CpioWriter
from .machine import Machine

PROBE_SECONDS = 5
TOKEN = "kvm-boots"
INIT = f"""#!/bin/busybox sh
/bin/busybox mkdir -p /dev /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t sysfs sys /sys
for port in /sys/class/virtio-ports/*; do
	/bin/busybox echo {TOKEN} > /dev/${{port##*/}}
done
/bin/busybox poweroff -f
"""


def choose(build: Path, image: Path) -> str:
    """"kvm" if a guest boots with it within PROBE_SECONDS, else "tcg". Asked once for each boot of the host."""
    answer = build / "vm" / "accel"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    try:
        known_boot, known = answer.read_text().split()
        if known_boot == boot and known in ("kvm", "tcg"):
            return known
    except (OSError, ValueError):
        pass
    found = "kvm" if os.access("/dev/kvm", os.R_OK | os.W_OK) and _boots(image) else "tcg"
    answer.parent.mkdir(parents=True, exist_ok=True)
    fresh = answer.with_name(f"accel.{os.getpid()}")
    fresh.write_text(f"{boot} {found}\n")
    fresh.rename(answer)
    return found


def _boots(image: Path) -> bool:
    scratch = Path(tempfile.mkdtemp(prefix="e4c-probe-"))
    try:
        with CpioWriter(scratch / "initramfs") as out:
            out.console()
            out.copy("bin/busybox", Path("/bin/busybox"))
            out.file("init", INIT.encode(), 0o755)
        machine = Machine(image=image, initramfs=scratch / "initramfs", scratch=scratch, accel="kvm", memory_mib=256)
        try:
            return any(line == TOKEN for line in machine.lines(PROBE_SECONDS))
        except TimeoutError:
            return False
        finally:
            machine.stop()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
