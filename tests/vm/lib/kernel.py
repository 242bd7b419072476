# SPDX-License-Identifier: Apache-2.0
"""Finds the kernel that the guest boots, the distribution's or one of kernel/scripts/debug-kernel, and the modules it needs."""

import lzma
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

# Directories of modules below kernel/ that go into every guest: which cipher or template a file system asks for is its own affair.
MODULE_DIRS = ("crypto", "arch/x86/crypto", "lib/crypto")
# Single modules that a guest needs, by name.
MODULES = ("virtio_blk", "loop", "dm_mod", "dm_flakey", "dm_log_writes", "quota_v2")


class KernelNotFound(Exception):
    """No bootable kernel of the wanted release; the text says what to do."""


@dataclass(frozen=True)
class Kernel:
    release: str
    image: Path
    modules: Path  # .../lib/modules/RELEASE
    module: Path  # ext4crypt.ko for this kernel
    kind: str = "cloud"  # the distribution's; else the architecture of a debug kernel, "um" or "x86_64"

    @property
    def debug(self) -> bool:
        return self.kind != "cloud"


def wanted_release(build: Path) -> str:
    """The release that ext4crypt.ko was built for, or the newest installed cloud headers when there is no module yet."""
    recorded = build / "kernel" / "release"
    if recorded.exists():
        return recorded.read_text().strip()
    heads = [p.name.removeprefix("linux-headers-") for p in Path("/usr/src").glob("linux-headers-6.12*-cloud-amd64")]
    if not heads:
        raise KernelNotFound("no linux-headers-6.12*-cloud-amd64 is installed: run scripts/setup")
    return max(heads, key=lambda name: [int(n) for n in re.findall(r"\d+", name)])


def find(build: Path, boot: Path | None = None) -> Kernel:
    """The kernel of BOOT, a directory that kernel/scripts/debug-kernel made; without one, the distribution's: from the installed package, else
    unpacked (not installed) below build/vm."""
    return _debug(boot) if boot else _distribution(build)


def _debug(boot: Path) -> Kernel:
    try:
        release, kind = (boot / "release").read_text().strip(), (boot / "arch").read_text().strip()
    except OSError as error:
        raise KernelNotFound(f"{boot} is no kernel of kernel/scripts/debug-kernel: {error}") from error
    return Kernel(release, boot / "kernel", boot / "lib/modules" / release, boot / "ext4crypt.ko", kind)


def _distribution(build: Path) -> Kernel:
    release = wanted_release(build)
    unpacked = build / "vm" / "image" / release
    for root in (Path("/"), unpacked):
        kernel = _packaged(build, release, root)
        if kernel.image.exists() and (kernel.modules / "kernel").is_dir():
            return kernel
    _download(release, unpacked)
    return _packaged(build, release, unpacked)


def _packaged(build: Path, release: str, root: Path) -> Kernel:
    return Kernel(release, root / f"boot/vmlinuz-{release}", root / f"lib/modules/{release}", build / "kernel/ext4crypt.ko")


def _download(release: str, target: Path) -> None:
    """Unpacks the image package: installing it would change what the host boots."""
    scratch = target.with_name(target.name + ".new")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        subprocess.run(["apt-get", "download", f"linux-image-{release}"], cwd=scratch, check=True,
                       stdout=subprocess.DEVNULL)
        package = next(scratch.glob("*.deb"))
        subprocess.run(["dpkg", "-x", str(package), str(scratch)], check=True)
        package.unlink()
    except (subprocess.CalledProcessError, StopIteration) as error:
        shutil.rmtree(scratch, ignore_errors=True)
        raise KernelNotFound(f"cannot download linux-image-{release}: run apt-get update, then try again") from error
    scratch.rename(target)


def collect_modules(kernel: Kernel, staging: Path) -> None:
    """Unpacks the guest's modules below STAGING/lib/modules/RELEASE and indexes them."""
    target = staging / "lib/modules" / kernel.release
    target.mkdir(parents=True)
    for source in sorted(_module_files(kernel)):
        plain = target / source.relative_to(kernel.modules).with_suffix("")
        plain.parent.mkdir(parents=True, exist_ok=True)
        plain.write_bytes(lzma.decompress(source.read_bytes()))
    for index in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        if (kernel.modules / index).exists():
            shutil.copy(kernel.modules / index, target / index)
    subprocess.run(["depmod", "-b", str(staging), kernel.release], check=True)


def _module_files(kernel: Kernel) -> set[Path]:
    """The compressed modules of MODULE_DIRS and MODULES, with everything they depend on."""
    paths = {p for d in MODULE_DIRS for p in (kernel.modules / "kernel" / d).rglob("*.ko.xz")}
    everything = {p.name.removesuffix(".ko.xz").replace("-", "_"): p for p in (kernel.modules / "kernel").rglob("*.ko.xz")}
    todo = [everything[name] for name in MODULES if name in everything] + list(paths)
    while todo:
        path = todo.pop()
        paths.add(path)
        needs = subprocess.run(["modinfo", "-F", "depends", str(path)], check=True, capture_output=True, text=True).stdout
        for name in filter(None, needs.strip().split(",")):
            dependency = everything.get(name.replace("-", "_"))
            if dependency and dependency not in paths:
                todo.append(dependency)
    return paths
