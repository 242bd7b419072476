# SPDX-License-Identifier: Apache-2.0
"""The format's cryptography once more, from docs/on-disk-format.md and the fscrypt documentation only.

Slow and plain on purpose: it is what the C++ reader is measured against, so it shares nothing with it but
the primitives of python3-cryptography (which are also checked: HCTR2 and CTS are built here from AES blocks).
"""

import base64
import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

PAGE = 4096
SLOTS = 127
GCM, CHACHA = 1, 2
CTS, HCTR2 = 4, 10
EMPTY, TAIL, TREE = 0, 1, 2
PAGE_DOMAIN, SEAL_DOMAIN, TAIL_PAGE_DOMAIN, TAIL_SEAL_DOMAIN = 1, 2, 3, 4
# i_mode >> 12
FIFO, CHARACTER, DIRECTORY, REGULAR, LINK = 1, 2, 4, 8, 10


def hkdf(key, info, size):
    """HKDF-SHA512 without a salt (RFC 5869), written out."""
    prk = hmac.new(bytes(64), key, hashlib.sha512).digest()
    out, block, n = b"", b"", 1
    while len(out) < size:
        block = hmac.new(prk, block + info + bytes([n]), hashlib.sha512).digest()
        out += block
        n += 1
    return out[:size]


def identifier(master):
    return hkdf(master, b"fscrypt\0\x01", 16)


def contents_key(master, nonce):
    return hkdf(master, b"fscrypt\0\x02" + nonce, 64)


def names_key(master, nonce):
    return hkdf(master, b"fscrypt\0\x02" + nonce, 32)


def context(master, nonce, aead=GCM, names_mode=CTS, flags=3):
    return bytes([0xA2, 1, names_mode, flags, 0, aead, 2, 0]) + identifier(master) + nonce


def seed(file_key):
    tweak = b"\xff" * 8 + bytes(8)
    enc = Cipher(algorithms.AES(file_key), modes.XTS(tweak)).encryptor()
    return enc.update(bytes(64)) + enc.finalize()


def file_keys(master, ctx):
    """(page key or, of a directory, place key; head key)"""
    keys = hkdf(seed(contents_key(master, ctx[24:40])), b"ext4crypt v2 file keys" + ctx, 64)
    return keys[:32], keys[32:]


def header(domain, aead, index, info, level=0):
    return b"E4C2" + bytes([2, domain, aead, level]) + struct.pack("<QI", index, info) + bytes(12)


def seal_text(aead, key, nonce, associated, text):
    """(ciphertext, tag)"""
    cipher = AESGCM(key) if aead == GCM else ChaCha20Poly1305(key)
    sealed = cipher.encrypt(nonce, text, associated)
    return sealed[:-16], sealed[-16:]


def seal_page(key, aead, page, nonce, text, domain=PAGE_DOMAIN):
    """(ciphertext, 32-byte slot); `text` is the text bytes alone."""
    ciphertext, tag = seal_text(aead, key, nonce, header(domain, aead, page, len(text)), text)
    return ciphertext, tag + nonce + struct.pack("<I", len(text))


def seal_slots(key, aead, nonce, level, number, body, domain=SEAL_DOMAIN):
    """The 32-byte seal of the slots `body`."""
    _, tag = seal_text(aead, key, nonce, header(domain, aead, number, 1, level) + body, b"")
    return tag + nonce + struct.pack("<I", 1)


def tag_block(key, aead, nonce, level, number, slots):
    """A tag block (level 0) or node. slots: {place in the block, 0 to 126: 32 bytes}"""
    body = b"".join(slots.get(i, bytes(32)) for i in range(SLOTS))
    return seal_slots(key, aead, nonce, level, number, body) + body


def tail_block(key, aead, nonce, ciphertext, slots):
    """The block of the last page of form TAIL: its ciphertext, zeros, the slots of all pages, the seal."""
    body = b"".join(slots)
    seal = seal_slots(key, aead, nonce, 0, len(slots), body, TAIL_SEAL_DOMAIN)
    return ciphertext.ljust(PAGE - len(body) - 32, b"\0") + body + seal


def state(form, height=0, linked=False, sequence=1):
    return form | height << 2 | linked << 5 | sequence << 8


def mac(key, data):
    return hashlib.blake2s(data, key=key, digest_size=12).digest()


def mac_inode(domain, mode_type, inode, ctx):
    return b"E4C2" + bytes([2, domain, mode_type, 0]) + struct.pack("<Q", inode) + ctx


def head_data(mode_type, inode, ctx, state_word, size=0, top=bytes(32), target=b""):
    """What the head authenticates. size: of a regular file, without the bias; target: of a symbolic link, as stored."""
    return mac_inode(5, mode_type, inode, ctx) + struct.pack("<IIQ", state_word, 0, size) + top + target


def place_data(mode_type, inode, ctx, stored_name):
    """What the place authenticates. ctx: of the inode that the entry names, 40 zero bytes of a special file."""
    return mac_inode(6, mode_type, inode, ctx) + stored_name


def attribute(ctx, place, head, state_word):
    return ctx + place + head + struct.pack("<I", state_word)


def aes(key):
    cipher = Cipher(algorithms.AES(key), modes.ECB())
    return (lambda block: cipher.encryptor().update(block)), (lambda block: cipher.decryptor().update(block))


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def cts_encrypt(key, text):
    """CBC with ciphertext stealing, variant CS3, IV zero."""
    enc, _ = aes(key)
    padded = text + bytes(-len(text) % 16)
    previous, blocks = bytes(16), []
    for i in range(0, len(padded), 16):
        previous = enc(xor(previous, padded[i : i + 16]))
        blocks.append(previous)
    if len(blocks) == 1:
        return blocks[0]
    tail = len(text) - 16 * (len(blocks) - 1)
    return b"".join(blocks[:-2]) + blocks[-1] + blocks[-2][:tail]


def polyval_multiply(a, b):
    """a * b * x^-128 in POLYVAL's field, by schoolbook multiplication and then 128 divisions by x."""
    product = 0
    for i in range(128):
        if a >> i & 1:
            product ^= b << i
    modulus = (1 << 128) | (1 << 127) | (1 << 126) | (1 << 121) | 1
    for _ in range(128):
        if product & 1:
            product ^= modulus
        product >>= 1
    for i in range(product.bit_length() - 1, 127, -1):
        if product >> i & 1:
            product ^= modulus << (i - 128)
    return product


def hctr2_hash(h, tweak, text):
    exact = len(text) % 16 == 0
    data = (16 * len(tweak) + (2 if exact else 3)).to_bytes(16, "little") + tweak
    data += text if exact else text + b"\x01" + bytes(-(len(text) + 1) % 16)
    total = 0
    for i in range(0, len(data), 16):
        total = polyval_multiply(total ^ int.from_bytes(data[i : i + 16], "little"), h)
    return total.to_bytes(16, "little")


def hctr2_encrypt(key, text, tweak=bytes(32)):
    enc, _ = aes(key)
    h = int.from_bytes(enc(bytes(16)), "little")
    last = enc((1).to_bytes(16, "little"))
    m, n = text[:16], text[16:]
    mm = xor(m, hctr2_hash(h, tweak, n))
    uu = enc(mm)
    s = xor(xor(mm, uu), last)
    stream = b"".join(enc(xor(s, (i + 1).to_bytes(16, "little"))) for i in range((len(n) + 15) // 16))
    v = xor(n, stream)
    return xor(uu, hctr2_hash(h, tweak, v)) + v


def pad_name(name, padding, limit=255):
    return name + bytes(min(max(16, -(-len(name) // padding) * padding), limit) - len(name))


def encrypt_name(key, mode, padding, name):
    return (cts_encrypt if mode == CTS else hctr2_encrypt)(key, pad_name(name, padding))


def nokey_name(major, minor, ciphertext):
    data = struct.pack("<II", major, minor) + ciphertext[:149]
    if len(ciphertext) > 149:
        data += hashlib.sha256(ciphertext[149:]).digest()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def stored_target(key, mode, padding, target):
    """What the inode or block of a symbolic link holds."""
    ciphertext = encrypt_name(key, mode, padding, target)
    return struct.pack("<H", len(ciphertext)) + ciphertext
