# SPDX-License-Identifier: Apache-2.0
"""One guest, a process: started, listened to, and always ended by its own pid."""

import json
import os
import selectors
import signal
import subprocess
import time
from pathlib import Path

POLL_SECONDS = 0.25
# quiet keeps the console to warnings and worse from start-up. Watchdogs that only measure how slow an emulated processor is are off: a hang
# ends at the time limit. tsc=reliable for the same reason.
COMMAND_LINE = "console=ttyS0 quiet panic=-1 oops=panic nosoftlockup rcupdate.rcu_cpu_stall_suppress=1 loglevel=5 random.trust_cpu=on tsc=reliable"


def _recorded(disk: Path, record: Path) -> dict:
    """A block device of QEMU that writes DISK and logs to RECORD. No flush reaches the host: power failure is simulated from the log."""
    files = {name: {"driver": "file", "filename": str(path), "cache": {"no-flush": True}} for name, path in (("file", disk), ("log", record))}
    return {"driver": "blklogwrites", "node-name": "disk0", "log-sector-size": 512, **files}


class Guest:
    """A process with a console (kept in a file) and a two-way line for results, its standard input and output."""

    def __init__(self, command: list[str], scratch: Path, console_is_stderr: bool = False):
        self.console = scratch / "console.log"
        self.errors = scratch / "guest.err"
        for path in (self.console, self.errors):
            path.touch()
        with open(self.console if console_is_stderr else self.errors, "wb") as errors:
            # setpriv: should this process be killed, the guest dies too.
            self._process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                             stderr=errors, start_new_session=True)
        os.set_blocking(self._process.stdout.fileno(), False)
        self._partial = b""

    def lines(self, seconds: float):
        """Yields each line of the result channel as it comes, and None at every pause. Ends with the guest.

        Raises TimeoutError once SECONDS have passed.
        """
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while True:
                if time.monotonic() > deadline:
                    raise TimeoutError
                ready = selector.select(POLL_SECONDS)
                data = self._process.stdout.read() if ready else None
                if ready and not data:
                    return
                if data:
                    *complete, self._partial = (self._partial + data).split(b"\n")
                    yield from (line.decode(errors="replace").rstrip("\r") for line in complete)
                yield None

    def reply(self, line: str) -> None:
        """Sends one line to the guest."""
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def stop(self, patience: float = 0) -> None:
        """Ends the guest, after waiting PATIENCE seconds for it to end by itself."""
        try:
            self._process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)  # a session of its own
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            try:
                stream.close()
            except BrokenPipeError:
                pass


class Machine(Guest):
    """QEMU.

    disks, read_only: raw image files, which become /dev/vda, /dev/vdb, ... in order.
    record: every write to the first disk goes there too, with flushes, in the format of dm-log-writes.
    accel: "kvm" or "tcg". Emulation runs both processors in one thread: with a thread for each, QEMU 7.2 now and then executes a
    breakpoint that the kernel has just patched away in its own code, an oops that is nobody's fault (seen in sched_clock_cpu).
    """

    def __init__(self, *, image: Path, initramfs: Path, scratch: Path, accel: str, memory_mib: int = 1024, cpu: str = "",
                 disks: tuple[Path, ...] = (), read_only: tuple[Path, ...] = (), append: str = "", record: Path | None = None):
        command = ["qemu-system-x86_64", "-machine", "q35", "-accel", accel + (",thread=single" if accel == "tcg" else ""),
                   "-cpu", ("max" if accel == "tcg" else "host") + cpu, "-smp", "2", "-m", str(memory_mib), "-nodefaults", "-no-user-config",
                   "-display", "none", "-no-reboot", "-kernel", str(image), "-initrd", str(initramfs),
                   "-append", f"{COMMAND_LINE} {append}",
                   "-chardev", f"file,id=console,path={scratch / 'console.log'}", "-serial", "chardev:console",
                   "-chardev", "stdio,id=result,signal=off", "-device", "virtio-serial-pci",
                   "-device", "virtserialport,chardev=result,name=e4c.result",
                   "-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng"]
        for number, disk in enumerate(disks + read_only):
            mode = "cache=unsafe,discard=unmap" if number < len(disks) else "readonly=on"
            drive = ["-drive", f"file={disk},if=none,id=disk{number},format=raw,{mode}"]
            if record and number == 0:
                drive = ["-blockdev", json.dumps(_recorded(disk, record))]
            command += drive + ["-device", f"virtio-blk-pci,drive=disk{number},serial=disk{number}"]
        super().__init__(command, scratch)
