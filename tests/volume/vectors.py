#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the known-answer vectors of vectors.txt: one "name hex" a line. `vectors.py --check FILE` compares."""

import sys

import reference as r


def deterministic(label, size):
    return r.hkdf(label.encode(), b"test vector", size)


def vectors():
    master = deterministic("master", 64)
    yield "master", master
    yield "identifier", r.identifier(master)
    for aead, word in ((r.GCM, "gcm"), (r.CHACHA, "chacha")):
        ctx = r.context(master, deterministic("nonce " + word, 16), aead)
        key = r.page_key(master, ctx)
        yield word + ".context", ctx
        yield word + ".contents_key", r.contents_key(master, ctx[24:])
        yield word + ".seed", r.seed(r.contents_key(master, ctx[24:]))
        yield word + ".page_key", key
        for page in (0, 126, 0x7EFFFFFF):
            text = deterministic(f"text {page}", 32) * 128
            nonce = deterministic(f"page nonce {page}", 12)
            ciphertext, slot = r.seal_page(key, aead, page, nonce, text)
            name = f"{word}.page.{page}"
            yield name + ".text", text[:32]
            yield name + ".slot", slot
            yield name + ".ciphertext", ciphertext
        group = r.tag_block(key, aead, 5, deterministic("seal nonce", 12), 9, {3: slot, 126: slot})
        yield word + ".group.5", group
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
