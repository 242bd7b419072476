#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints section 9 of docs/on-disk-format.md, the worked example. `example.py --check FILE` compares."""

import struct
import sys

import reference as r

TITLE = "## 9. Worked example"
MASTER = bytes(range(64))
TEXT = b"Authenticated page number one.\n"
DIRECTORY, SMALL, SPARSE, LINK, TAIL = range(11, 16)  # inode numbers
SPARSE_SIZE = 127 * r.PAGE + len(TEXT)


def nonce(inode, number):
    """The number-th nonce that was used for the inode."""
    return bytes([0xA0 + inode] * 8) + struct.pack(">I", number)


def context(inode):
    return r.context(MASTER, bytes(range(16 * (inode - 8 + 1), 16 * (inode - 8 + 2))))


def dump(data):
    return "\n".join(" ".join(f"{b:02x}" for b in data[i : i + 32]) for i in range(0, len(data), 32))


def small_file():
    yield """The **small file** is inode 12 and has 31 bytes: `Authenticated page number one.` and a newline. Its form is TREE with height 0, so tag block 0, in
logical block 0x50000000, is the top. Slot 0, at byte 32, is that of page 0; slots 1 to 126 are zero. `i_size` is 0xA0C0000001F."""
    ctx = context(SMALL)
    file_key = r.contents_key(MASTER, ctx[24:])
    key, head_key = r.file_keys(MASTER, ctx)
    yield "context of the small file", ctx
    yield "contents key of the small file", file_key
    yield "seed of the small file", r.seed(file_key)
    yield "page key of the small file", key
    yield "head key of the small file", head_key
    ciphertext, slot = r.seal_page(key, r.GCM, 0, nonce(SMALL, 1), TEXT)
    yield "header of page 0 of the small file", r.header(r.PAGE_DOMAIN, r.GCM, 0, len(TEXT))
    yield "ciphertext of page 0 of the small file", ciphertext
    yield "slot of page 0 of the small file", slot
    top = r.tag_block(key, r.GCM, nonce(SMALL, 2), 0, 0, {0: slot})[:32]
    yield "header of the seal of the small file", r.header(r.SEAL_DOMAIN, r.GCM, 0, 1)
    yield "seal of tag block 0 of the small file", top
    state = r.state(r.TREE)
    data = r.head_data(r.REGULAR, SMALL, ctx, state, len(TEXT), top)
    yield "input of the head of the small file", data
    head = r.mac(head_key, data)
    yield "head of the small file", head

    yield """The **entry** that leads to it stands in the directory with inode 11 and has the name `file`. The place is keyed with the directory's place key, and its
attribute `c` is then complete. The directory's own head has no size and no seal."""
    directory = context(DIRECTORY)
    place_key, directory_head_key = r.file_keys(MASTER, directory)
    name = r.encrypt_name(r.names_key(MASTER, directory[24:]), r.CTS, 32, b"file")
    yield "context of the directory", directory
    yield "place key of the directory", place_key
    yield "head key of the directory", directory_head_key
    yield "name of the entry", name
    data = r.place_data(r.REGULAR, SMALL, ctx, name)
    yield "input of the place", data
    place = r.mac(place_key, data)
    yield "place of the small file", place
    yield "attribute of the small file", r.attribute(ctx, place, head, state)
    yield "head of the directory", r.mac(
        directory_head_key, r.head_data(r.DIRECTORY, DIRECTORY, directory, r.state(r.EMPTY))
    )


def sparse_file():
    yield f"""The **sparse file** is inode 13 and has {SPARSE_SIZE} bytes: pages 0 to 126 are a hole, page 127 is the same text. Its form is TREE with height 1, so
node 0 of level 1, in logical block 0x50A80000, is the top. Tag block 0 does not exist: slot 0 of the node is zero. Tag block 1, in logical block
0x50000001, has the slot of page 127 in its slot 0, and its seal is slot 1 of the node, at byte 64. All other slots are zero."""
    ctx = context(SPARSE)
    key, head_key = r.file_keys(MASTER, ctx)
    yield "context of the sparse file", ctx
    yield "page key of the sparse file", key
    yield "head key of the sparse file", head_key
    ciphertext, slot = r.seal_page(key, r.GCM, 127, nonce(SPARSE, 1), TEXT)
    yield "ciphertext of page 127 of the sparse file", ciphertext
    yield "slot of page 127 of the sparse file", slot
    seal = r.tag_block(key, r.GCM, nonce(SPARSE, 2), 0, 1, {0: slot})[:32]
    yield "header of the seal of tag block 1 of the sparse file", r.header(r.SEAL_DOMAIN, r.GCM, 1, 1)
    yield "seal of tag block 1 of the sparse file", seal
    top = r.tag_block(key, r.GCM, nonce(SPARSE, 3), 1, 0, {1: seal})[:32]
    yield "header of the seal of the node of the sparse file", r.header(r.SEAL_DOMAIN, r.GCM, 0, 1, level=1)
    yield "seal of the node of the sparse file", top
    data = r.head_data(r.REGULAR, SPARSE, ctx, r.state(r.TREE, height=1), SPARSE_SIZE, top)
    yield "input of the head of the sparse file", data
    yield "head of the sparse file", r.mac(head_key, data)


def link():
    yield """The **link** is inode 14 and leads to `file`; `i_size` is 34."""
    ctx = context(LINK)
    _, head_key = r.file_keys(MASTER, ctx)
    target = r.stored_target(r.names_key(MASTER, ctx[24:]), r.CTS, 32, b"file")
    yield "context of the link", ctx
    yield "head key of the link", head_key
    yield "stored target of the link", target
    data = r.head_data(r.LINK, LINK, ctx, r.state(r.EMPTY), target=target)
    yield "input of the head of the link", data
    yield "head of the link", r.mac(head_key, data)


def tail_file():
    yield f"""The **tail file** is inode 15, of form TAIL, with {r.PAGE + len(TEXT)} bytes in two pages. Page 0 is `Hello` and zeros, with five text bytes; page 1 is the same
text as above, with 31. The block of page 1 holds the ciphertext, 3969 bytes without meaning (here zeros), two slots at byte 4000, and the seal at byte 4064."""
    ctx = context(TAIL)
    key, head_key = r.file_keys(MASTER, ctx)
    yield "context of the tail file", ctx
    yield "page key of the tail file", key
    yield "head key of the tail file", head_key
    first, slot = r.seal_page(key, r.GCM, 0, nonce(TAIL, 1), b"Hello")
    ciphertext, last = r.seal_page(key, r.GCM, 1, nonce(TAIL, 2), TEXT, r.TAIL_PAGE_DOMAIN)
    block = r.tail_block(key, r.GCM, nonce(TAIL, 3), ciphertext, [slot, last])
    yield "ciphertext of page 0 of the tail file", first
    yield "header of page 1 of the tail file", r.header(r.TAIL_PAGE_DOMAIN, r.GCM, 1, len(TEXT))
    yield "header of the seal of the tail file", r.header(r.TAIL_SEAL_DOMAIN, r.GCM, 2, 1)
    yield "block of page 1 of the tail file, first 31 bytes", block[:31]
    yield "block of page 1 of the tail file, last 96 bytes", block[-96:]
    data = r.head_data(r.REGULAR, TAIL, ctx, r.state(r.TAIL), r.PAGE + len(TEXT), block[-32:])
    yield "input of the head of the tail file", data
    yield "head of the tail file", r.mac(head_key, data)


def section():
    out = [
        TITLE,
        "",
        "The master key is the bytes 00 to 3f. AES-256-GCM, names in AES-256-CTS-CBC padded to 32, no file has several names, sequence numbers are 1.",
        "`tests/volume/example.py` prints this section.",
    ]
    first = [("master key", MASTER), ("master key identifier", r.identifier(MASTER))]
    for step in [*first, *small_file(), *sparse_file(), *link(), *tail_file()]:
        if isinstance(step, str):
            out += ["", step]
        else:
            name, value = step
            out += ["", f"{name[0].upper()}{name[1:]}:", "```", dump(value), "```"]
    return "\n".join(out) + "\n"


def main():
    if sys.argv[1:2] == ["--check"]:
        with open(sys.argv[2], encoding="utf-8") as file:
            text = file.read()
        at = text.find(TITLE)
        sys.exit(0 if at >= 0 and text[at:] == section() else "section 9 differs from what example.py computes")
    sys.stdout.write(section())


if __name__ == "__main__":
    main()
