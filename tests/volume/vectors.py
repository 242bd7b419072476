#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the known-answer vectors of vectors.txt: one "name hex" a line. `vectors.py --check FILE` compares."""

import sys

import reference as r


def deterministic(label, size):
    return r.hkdf(label.encode(), b"test vector", size)


def aead_vectors(master, aead, word):
    ctx = r.context(master, deterministic("nonce " + word, 16), aead)
    key, head_key = r.file_keys(master, ctx)
    yield "context", ctx
    yield "contents_key", r.contents_key(master, ctx[24:])
    yield "seed", r.seed(r.contents_key(master, ctx[24:]))
    yield "page_key", key
    yield "head_key", head_key
    slots = []
    for page, size in ((0, 4096), (126, 1), (0x4FFFFFFF, 100)):
        text = (deterministic(f"text {page}", 32) * 128)[:size]
        ciphertext, slot = r.seal_page(key, aead, page, deterministic(f"page nonce {page}", 12), text)
        yield f"page.{page}.text", text
        yield f"page.{page}.slot", slot
        yield f"page.{page}.ciphertext", ciphertext
        slots.append(slot)
    nonce = deterministic("seal nonce", 12)
    for level, number in ((0, 5), (1, 83214), (4, 0)):
        yield f"block.{level}.{number}", r.tag_block(key, aead, nonce, level, number, {3: slots[0], 126: slots[1]})
    text = deterministic("tail", 1000)
    for pages in (1, 32):
        ciphertext, last = r.seal_page(key, aead, pages - 1, nonce, text, r.TAIL_PAGE_DOMAIN)
        block = r.tail_block(key, aead, deterministic("tail nonce", 12), ciphertext, [slots[0]] * (pages - 1) + [last])
        yield f"tail.{pages}.text", text
        yield f"tail.{pages}.block", block
    # Inode 1234, sequence number 9.
    top = deterministic("top", 32)
    tree = r.state(r.TREE, height=3, linked=True, sequence=9)
    empty = r.state(r.EMPTY, sequence=9)
    yield "head.top", top
    yield "head.file", r.mac(head_key, r.head_data(r.REGULAR, 1234, ctx, tree, 0x4FFFFFFFFFF, top))
    yield "head.directory", r.mac(head_key, r.head_data(r.DIRECTORY, 1234, ctx, empty))
    target = r.stored_target(r.names_key(master, ctx[24:]), r.CTS, 32, b"the/target")
    yield "head.target", target
    yield "head.link", r.mac(head_key, r.head_data(r.LINK, 1234, ctx, empty, target=target))
    name = deterministic("stored name", 32)
    yield "place.name", name
    other = r.context(master, deterministic("nonce of another", 16), aead)
    yield "place.context", other
    yield "place.file", r.mac(key, r.place_data(r.REGULAR, 1235, other, name))
    yield "place.fifo", r.mac(key, r.place_data(r.FIFO, 1235, bytes(40), name))


def vectors():
    master = deterministic("master", 64)
    yield "master", master
    yield "identifier", r.identifier(master)
    for aead, word in ((r.GCM, "gcm"), (r.CHACHA, "chacha")):
        for name, value in aead_vectors(master, aead, word):
            yield f"{word}.{name}", value
    names = [b"a", b"sixteen bytes ok", b"seventeen bytes !", b"x" * 31, b"y" * 32, b"z" * 33, b"n" * 200, b"m" * 255]
    for mode, word in ((r.CTS, "cts"), (r.HCTR2, "hctr2")):
        for flags in (0, 3):
            nonce = deterministic(f"dir {word} {flags}", 16)
            yield f"{word}.{flags}.context", r.context(master, nonce, r.GCM, mode, flags)
            key = r.names_key(master, nonce)
            for i, name in enumerate(names):
                yield f"{word}.{flags}.name.{i}.plain", name
                yield f"{word}.{flags}.name.{i}.cipher", r.encrypt_name(key, mode, 4 << flags, name)
            yield f"{word}.{flags}.zero_inside.cipher", r.encrypt_name(key, mode, 4 << flags, b"a\0b")
    for size in (16, 149, 150, 255):
        ciphertext = deterministic(f"nokey {size}", size)
        yield f"nokey.{size}.cipher", ciphertext
        yield f"nokey.{size}.name", r.nokey_name(0x12345678, 0x9ABCDEF0, ciphertext).encode()


def main():
    text = "# SPDX-License-Identifier: Apache-2.0\n# Made by vectors.py.\n"
    text += "".join(f"{name} {value.hex()}\n" for name, value in vectors())
    if sys.argv[1:2] == ["--check"]:
        with open(sys.argv[2], encoding="ascii") as file:
            sys.exit(0 if file.read() == text else "vectors.txt differs from what vectors.py computes")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
