#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trees of files of every sort, and what they are, for the tests of `ext4crypt encrypt`.

tree.py make DIR SEED [FILES]   makes one; as root with other owners, devices and capabilities
tree.py show DIR                all of it as JSON: names, contents, metadata, which names are one file
tree.py whole SHOWN DIR WORK    while the work is going on: each file of SHOWN is in DIR or in WORK/tree, as it was
"""
import hashlib
import json
import os
import random
import socket
import stat
import struct
import sys


def acl(*entries):
    """A POSIX ACL as an extended attribute: version 2, then tag, permissions, id."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries)


UNDEFINED = 0xFFFFFFFF
ACL = acl((0x01, 6, UNDEFINED), (0x02, 4, 12345), (0x04, 4, UNDEFINED), (0x10, 4, UNDEFINED), (0x20, 0, UNDEFINED))


def make(root, seed, files):
    rng = random.Random(seed)
    as_root = os.geteuid() == 0

    def write(name, data, mode=0o644):
        path = os.path.join(root, name)
        with open(path, "wb") as f:
            f.write(data)
        os.chmod(path, mode)
        return path

    for d in ["a", "a/b", "a/b/c", "empty", "read-only", "names", "default-acl"]:
        os.mkdir(os.path.join(root, d))
    dirs = ["", "a", "a/b", "a/b/c", "names"]
    for i in range(files):
        write(os.path.join(rng.choice(dirs), f"f{i}"), rng.randbytes(rng.choice([0, 1, 100, 4096, 5000, 40000])), rng.choice([0o644, 0o600, 0o400, 0o755]))
    write("names/" + "n" * 255, b"long name")
    write("names/ \n\t*\\\"", b"odd name")
    os.symlink("../a/b", root + "/names/link")
    os.symlink("x" * 300, root + "/names/long-link")
    with open(root + "/sparse", "wb") as f:
        f.truncate(50_000_000)
        f.seek(20_000_000)
        f.write(b"island")
        f.seek(30_000_000)
        f.write(b"\0" * 8192)
    first = write("a/one", rng.randbytes(30000))
    os.link(first, root + "/a/b/two")
    os.link(first, root + "/three")
    os.symlink("linked twice", root + "/a/symlink")
    os.link(root + "/a/symlink", root + "/symlink", follow_symlinks=False)
    os.mkfifo(root + "/fifo", 0o640)
    with socket.socket(socket.AF_UNIX) as s:
        here = os.getcwd()
        os.chdir(root)
        s.bind("socket")
        os.chdir(here)
    write("setuid", b"#!/bin/sh\n", 0o4755)
    with_acl = write("with-acl", b"acl")
    os.setxattr(with_acl, "system.posix_acl_access", ACL)
    os.setxattr(root + "/default-acl", "system.posix_acl_default", ACL)
    write("default-acl/inside", b"inherits", 0o664)
    os.setxattr(with_acl, "user.comment", b"\0binary\xff" * 20)
    os.setxattr(root + "/a", "user.dir", b"of a directory")
    write("read-only/file", b"read-only", 0o444)
    if as_root:
        os.chown(root + "/a/b", 777, 778)
        os.chown(root + "/with-acl", 777, 778)
        os.mknod(root + "/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.setxattr(root + "/setuid", "security.capability", struct.pack("<IIIII", 0x02000000, 1 << 10, 0, 0, 0))
        os.setxattr(root + "/empty", "trusted.secret", b"root only")
    for path, names, others in os.walk(root, topdown=False):
        for name in names + others:
            t = rng.randrange(1, 2_000_000_000_000_000_000)
            os.utime(os.path.join(path, name), ns=(t, t + 1), follow_symlinks=False)
    os.chmod(root + "/read-only", 0o555)
    os.chmod(root + "/empty", 0o2710)
    os.utime(root, ns=(1_111_111_111_111_111_111, 1_222_222_222_222_222_222))


def describe(path):
    info = os.lstat(path)
    entry = {
        "mode": oct(info.st_mode),
        "owner": [info.st_uid, info.st_gid],
        "mtime_ns": info.st_mtime_ns,
        "xattrs": {n: os.getxattr(path, n, follow_symlinks=False).hex() for n in sorted(os.listxattr(path, follow_symlinks=False))},
    }
    if stat.S_ISLNK(info.st_mode):
        entry["target"] = os.readlink(path)
    elif stat.S_ISREG(info.st_mode):
        with open(path, "rb") as f:
            entry["contents"] = hashlib.file_digest(f, "sha256").hexdigest()
        entry["size"] = info.st_size
        # Whole pages differ between a plain and a sealed file only in tag blocks; holes must stay holes.
        entry["sparse"] = info.st_blocks * 512 < info.st_size // 2
    elif not stat.S_ISDIR(info.st_mode):
        entry["device"] = info.st_rdev
    return entry, info


def show(root):
    entries, inodes = {}, {}
    for path, names, others in os.walk(root):
        for name in [""] if path == root else []:
            entries["."], _ = describe(path)
        for name in names + others:
            full = os.path.join(path, name)
            relative = os.path.relpath(full, root)
            entries[relative], info = describe(full)
            if not stat.S_ISDIR(info.st_mode):
                inodes.setdefault(info.st_ino, []).append(relative)
    for group in inodes.values():
        for relative in group:
            entries[relative]["same file as"] = sorted(group)
    return entries


def whole(shown, root, work):
    """What is missing or wrong, one line each."""
    with open(shown) as f:
        before = json.load(f)
    works = [os.path.join(work, n, "tree") for n in os.listdir(work) if n.startswith(".ext4crypt-encrypt-")]
    problems = []
    for relative, expected in before.items():
        is_dir = stat.S_ISDIR(int(expected["mode"], 8))
        found = 0
        for base in [root] + works:
            path = os.path.join(base, relative)
            if not os.path.lexists(path):
                continue
            found += 1
            if is_dir:
                continue  # its metadata is right only in the end
            entry, _ = describe(path)
            for field in entry:
                if entry[field] != expected[field]:
                    problems.append(f"{path}: {field}: {entry[field]} was {expected[field]}")
        if found == 0:
            problems.append(f"{relative}: is nowhere")
    return problems


def main(argv):
    if argv[1] == "make":
        make(argv[2], int(argv[3]), int(argv[4]) if len(argv) > 4 else 20)
    elif argv[1] == "show":
        json.dump(show(argv[2]), sys.stdout, indent=1, sort_keys=True)
    elif argv[1] == "whole":
        problems = whole(*argv[2:5])
        print("\n".join(problems))
        return 1 if problems else 0
    return 0


sys.exit(main(sys.argv))
