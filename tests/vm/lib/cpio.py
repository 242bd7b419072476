# SPDX-License-Identifier: Apache-2.0
"""Writes an initramfs in the kernel's "newc" cpio format, without needing root for owners or device nodes."""

import os
import stat
from pathlib import Path


class CpioWriter:
    """Entries belong to root:root. Directories are added as they are needed."""

    def __init__(self, path: Path):
        self._out = open(path, "wb")
        self._inode = 0
        self._directories: set[str] = set()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._entry("TRAILER!!!", 0, b"")
        self._out.close()

    def directory(self, name: str, mode: int = 0o755) -> None:
        name = name.strip("/")
        if not name or name in self._directories:
            return
        self.directory(os.path.dirname(name))
        self._directories.add(name)
        self._entry(name, stat.S_IFDIR | mode, b"")

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        self.directory(os.path.dirname(name))
        self._entry(name.strip("/"), stat.S_IFREG | mode, data)

    def copy(self, name: str, source: Path) -> None:
        self.file(name, source.read_bytes(), 0o755 if os.access(source, os.X_OK) else 0o644)

    def symlink(self, name: str, target: str) -> None:
        self.directory(os.path.dirname(name))
        self._entry(name.strip("/"), stat.S_IFLNK | 0o777, target.encode())

    def console(self) -> None:
        """/dev/console, which the kernel opens for init before anything is mounted."""
        self.directory("dev")
        self._entry("dev/console", stat.S_IFCHR | 0o600, b"", device=(5, 1))

    def tree(self, source: Path, at: str) -> None:
        """Everything below SOURCE, regular files and symbolic links alike."""
        for path in sorted(source.rglob("*")):
            name = f"{at}/{path.relative_to(source)}"
            if path.is_symlink():
                self.symlink(name, os.readlink(path))
            elif path.is_dir():
                self.directory(name)
            else:
                self.copy(name, path)

    def _entry(self, name: str, mode: int, data: bytes, device: tuple[int, int] = (0, 0)) -> None:
        self._inode += 1
        encoded = name.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = (self._inode, mode, 0, 0, links, 0, len(data), 0, 0, device[0], device[1], len(encoded), 0)
        self._padded(b"070701" + b"".join(b"%08x" % f for f in fields) + encoded)
        self._padded(data)

    def _padded(self, data: bytes) -> None:
        self._out.write(data)
        self._out.write(b"\0" * (-len(data) % 4))
