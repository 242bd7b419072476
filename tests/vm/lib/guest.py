# SPDX-License-Identifier: Apache-2.0
"""Packs a guest: one initramfs with a kernel's modules, some of the host's programs, and what is under test.

The guest's root is this archive and nothing else, so whatever a test writes is gone with the guest, and no test can
reach the host's files.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import kernel as kernels
from .cpio import CpioWriter

# The host's programs at the guest's hand; busybox serves the rest.
PROGRAMS = ("mke2fs", "e2fsck", "debugfs", "dumpe2fs", "tune2fs", "filefrag", "e2image", "resize2fs", "lsattr", "chattr", "badblocks", "keyctl", "dmsetup",
            "kmod", "blockdev", "fallocate", "fsfreeze", "setpriv", "sha256sum", "xargs", "cmp", "grep", "find", "install", "bash")
# Only for a case with the line "# needs: login" and so on: a guest of 256 MB has no room for what it does not use.
EXTRA_PROGRAMS = {"login": ("sshd", "ssh", "ssh-keygen", "login", "su", "sudo", "script"), "stress-ng": ("stress-ng",), "no service": ()}
# What logging in loads or starts by itself, at the host's own paths.
PLUGINS = ("/usr/lib/x86_64-linux-gnu/security/pam_unix.so", "/usr/lib/x86_64-linux-gnu/security/pam_permit.so",
           "/usr/lib/x86_64-linux-gnu/security/pam_keyinit.so", "/usr/lib/x86_64-linux-gnu/security/pam_rootok.so",
           "/usr/sbin/unix_chkpwd", "/usr/libexec/sudo/sudoers.so", "/usr/libexec/sudo/libsudo_util.so.0")
LINKS = {"mkfs.ext4": "mke2fs", "modprobe": "kmod", "insmod": "kmod", "rmmod": "kmod", "lsmod": "kmod", "depmod": "kmod"}
# Libraries that glibc opens by itself for user names.
NSS = ("libnss_files.so.2",)
USERS = {"root": 0, "ext4crypt": 990, "alice": 1000, "bob": 1001, "carol": 1002}


def pack(build: Path, repo: Path, kernel: kernels.Kernel, case: Path, target: Path) -> None:
    """Writes the initramfs for CASE under KERNEL to TARGET."""
    (build / "vm").mkdir(parents=True, exist_ok=True)
    with open(build / "vm" / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # runs side by side share the base
        _pack(build, repo, kernel, case, target)


def _pack(build: Path, repo: Path, kernel: kernels.Kernel, case: Path, target: Path) -> None:
    extra = next((name for name in EXTRA_PROGRAMS if f"\n# needs: {name}\n" in case.read_text()), "")
    base = _base(build, kernel, extra)
    scratch = target.with_suffix(".top")
    with CpioWriter(scratch) as out:
        out.copy("init", repo / "tests/vm/guest/init")
        for shared in sorted((repo / "tests/vm/guest").glob("*.sh")):
            out.copy(f"e4c/{shared.name}", shared)
        out.copy("e4c/case.sh", case)
        for guide in sorted((repo / "docs/guide").glob("*.md")):
            out.copy(f"e4c/guide/{guide.name}", guide)
        out.copy("e4c/mount-options.md", repo / "docs/mount-options.md")
        for path in _programs(build, extra):
            out.file(f"e4c/bin/{path.name}", _stripped(path), 0o755)
        if kernel.module.exists():
            out.file("e4c/ext4crypt.ko", _stripped(kernel.module))
    with open(target, "wb") as joined:
        for part in (base, scratch):
            with open(part, "rb") as source:
                shutil.copyfileobj(source, joined, 1 << 20)
    scratch.unlink()


def _programs(build: Path, extra: str) -> list[Path]:
    """The programs of this repository that are built; if EXTRA says so, without the key service and its command line, which are large."""
    programs = [p for d in (build / "release/bin", build / "vm/bin") if d.is_dir() for p in sorted(d.iterdir())
                if p.is_file() and os.access(p, os.X_OK) and not p.name.endswith("_test")]
    return [p for p in programs if extra != "no service" or p.name.startswith(("e4c-", "e2fsck-")) or p.name == "ext4crypt-volume"]


def _stripped(path: Path) -> bytes:
    """The file without its debug information, which may be ten times its size."""
    with tempfile.NamedTemporaryFile() as copy:
        done = subprocess.run(["strip", "-g", "-o", copy.name, str(path)], stderr=subprocess.DEVNULL, check=False)
        return Path(copy.name).read_bytes() if done.returncode == 0 else path.read_bytes()


def _base(build: Path, kernel: kernels.Kernel, extra: str) -> Path:
    """The part that only changes with the host's packages or this directory, kept from run to run."""
    programs = [p for p in (shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin") for name in PROGRAMS + EXTRA_PROGRAMS.get(extra, ())) if p]
    plugins = [p for p in PLUGINS if extra == "login" and os.path.exists(p)]
    needed = _libraries(programs + plugins + [str(p) for p in _programs(build, extra)])
    stamp = hashlib.sha256(repr([kernel, [(p, os.stat(p).st_mtime_ns) for p in programs + plugins + needed],
                                 [Path(f).read_bytes() for f in (__file__, kernels.__file__)]]).encode()).hexdigest()[:16]
    kind = (f"{extra.replace(' ', '-')}-" if extra else "") + kernel.kind
    path = build / "vm" / f"base-{kind}-{stamp}.cpio"
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        staging = Path(scratch) / "root"
        kernels.collect_modules(kernel, staging)
        fresh = Path(scratch) / "cpio"
        with CpioWriter(fresh) as out:
            _skeleton(out)
            for program in programs:
                out.copy(f"usr/bin/{os.path.basename(program)}", Path(program))
            for plugin in plugins:
                # /usr/sbin is a link to /usr/bin there.
                out.copy(plugin.replace("/usr/sbin/", "/usr/bin/").lstrip("/"), Path(plugin))
            for library in needed:
                out.copy(_merged(library), Path(library))
            out.tree(staging / "lib", "usr/lib")
        for stale in path.parent.glob(f"base-{kind}-*.cpio"):
            stale.unlink()
        fresh.rename(path)
    return path


def _merged(library: str) -> str:
    """A library's path in a root whose /lib and /lib64 are links into /usr."""
    return library.lstrip("/") if library.startswith("/usr/") else "usr" + library


def _skeleton(out: CpioWriter) -> None:
    out.console()
    for name in ("proc", "sys", "run", "mnt", "etc", "root", "usr/bin", "usr/lib64", "var/lib"):
        out.directory(name)
    out.directory("tmp", 0o1777)
    for name in ("bin", "sbin"):
        out.symlink(name, "usr/bin")
    for name in ("lib", "lib64"):
        out.symlink(name, f"usr/{name}")
    out.symlink("usr/sbin", "bin")
    out.copy("usr/bin/busybox", Path("/bin/busybox"))
    for applet in subprocess.run(["/bin/busybox", "--list"], check=True, capture_output=True, text=True).stdout.split():
        if applet not in PROGRAMS and applet not in LINKS and applet != "busybox":
            out.symlink(f"usr/bin/{applet}", "busybox")
    for name, program in LINKS.items():
        out.symlink(f"usr/bin/{name}", program)
    out.symlink("etc/mtab", "/proc/self/mounts")
    out.file("etc/mke2fs.conf", Path("/etc/mke2fs.conf").read_bytes())
    out.file("etc/passwd", "".join(f"{n}:x:{u}:{u}::/run:/bin/sh\n" for n, u in USERS.items()).encode())
    out.file("etc/group", "".join(f"{n}:x:{u}:\n" for n, u in USERS.items()).encode())
    out.file("etc/nsswitch.conf", b"passwd: files\ngroup: files\n")


def _libraries(programs: list[str]) -> list[str]:
    """Every shared library that PROGRAMS load, the loader included."""
    found = {f"/usr/lib/x86_64-linux-gnu/{name}" for name in NSS if os.path.exists(f"/usr/lib/x86_64-linux-gnu/{name}")}
    for program in programs:
        listing = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
        found.update(word for line in listing.splitlines() for word in line.split() if word.startswith("/"))
    return sorted(found)
