#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints section 8 of docs/on-disk-format.md, the worked example. `example.py --check FILE` compares."""

import sys

import reference as r

MASTER = bytes(range(64))
NONCE = bytes(range(0xC0, 0xD0))
TEXT = b"Authenticated page number one.\n".ljust(r.PAGE, b"\0")
PAGE = 1
PAGE_NONCE = bytes.fromhex("a0a1a2a3a4a5a6a700000001")
SEAL_NONCE = bytes.fromhex("a0a1a2a3a4a5a6a700000002")


def dump(data):
    return "\n".join(" ".join(f"{b:02x}" for b in data[i : i + 32]) for i in range(0, len(data), 32))


def steps():
    ctx = r.context(MASTER, NONCE)
    file_key = r.contents_key(MASTER, NONCE)
    key = r.page_key(MASTER, ctx)
    ciphertext, slot = r.seal_page(key, r.GCM, PAGE, PAGE_NONCE, TEXT)
    group = r.tag_block(key, r.GCM, 0, SEAL_NONCE, 0, {PAGE + 1: slot})
    yield "master key", MASTER
    yield "master key identifier", r.identifier(MASTER)
    yield "context of the file", ctx
    yield "contents key", file_key
    yield "seed", r.seed(file_key)
    yield "page key", key
    yield "header of page 1", r.header(1, r.GCM, PAGE, 1)
    yield "ciphertext of page 1, first 32 bytes", ciphertext[:32]
    yield "ciphertext of page 1, last 32 bytes", ciphertext[-32:]
    yield "slot of page 1", slot
    yield "header of the seal of group 0", r.header(2, r.GCM, 0, 0)
    yield "seal of group 0", group[:32]


def section():
    out = [
        "## 8. Worked example",
        "",
        "A file of 8192 bytes: page 0 is a hole, page 1 is `Authenticated page number one.` and a newline (31 bytes), then",
        "zeros. AES-256-GCM, names in AES-256-CTS-CBC padded to 32. The master key is the bytes 00 to 3f, the context's nonce",
        "c0 to cf, the page's nonce `a0a1a2a3a4a5a6a700000001`, the seal's `a0a1a2a3a4a5a6a700000002`. Page 1 is virtual slot 2 of group 0, so",
        "its slot is number 3 of tag block 0, at byte 96; slots 1, 2 and 4 to 127 are zero. `tests/volume/example.py` prints this section.",
    ]
    for name, value in steps():
        out += ["", f"{name[0].upper()}{name[1:]}:", "```", dump(value), "```"]
    return "\n".join(out) + "\n"


def main():
    if sys.argv[1:2] == ["--check"]:
        with open(sys.argv[2], encoding="utf-8") as file:
            text = file.read()
        at = text.find("## 8. Worked example")
        sys.exit(0 if at >= 0 and text[at:] == section() else "section 8 differs from what example.py computes")
    sys.stdout.write(section())


if __name__ == "__main__":
    main()
