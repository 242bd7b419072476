# SPDX-License-Identifier: Apache-2.0
"""One User Mode Linux guest: the kernel is a process of the host, its disks are files, and nothing is emulated."""

import os
from pathlib import Path

from .machine import Guest

# What machine.py says of its command line holds here. panic: the process ends.
COMMAND_LINE = "quiet oops=panic loglevel=5 rcupdate.rcu_cpu_stall_suppress=1 random.trust_cpu=on e4c.result=ttyS0"


class UserModeLinux(Guest):
    """A guest with one processor. Takes what Machine takes, as far as it makes sense here; /dev/ubda, ... are renamed by the guest's init."""

    def __init__(self, *, image: Path, initramfs: Path, scratch: Path, memory_mib: int = 1024, disks: tuple[Path, ...] = (),
                 read_only: tuple[Path, ...] = (), append: str = ""):
        command = [str(image), f"mem={memory_mib}M", f"initrd={initramfs}", f"uml_dir={scratch}", "umid=uml",
                   "con=null", "con0=null,fd:2", "ssl=null", "ssl0=fd:0,fd:1"]
        for number, disk in enumerate(disks + read_only):
            # d: never look for a copy-on-write header, the contents are a test's own.
            command.append(f"ubd{number}{'d' if number < len(disks) else 'dr'}={disk}")
        # A dead kernel's memory would be written out as a core file.
        super().__init__(["prlimit", "--core=0", *command, *COMMAND_LINE.split(), *append.split()], scratch, console_is_stderr=True)


def scratch_parent(fallback: Path) -> Path:
    """Where a guest's disks are: in memory if there is enough, since each flush of a disk is an fsync of the host."""
    try:
        status = os.statvfs("/dev/shm")
    except OSError:
        return fallback
    return Path("/dev/shm") if status.f_bavail * status.f_frsize > 4 << 30 else fallback
