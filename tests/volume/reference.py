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
    return bytes([0xA2, 1, names_mode, flags, 0, aead, 1, 0]) + identifier(master) + nonce


def seed(file_key):
    tweak = b"\xff" * 8 + bytes(8)
    enc = Cipher(algorithms.AES(file_key), modes.XTS(tweak)).encryptor()
    return enc.update(bytes(64)) + enc.finalize()


def page_key(master, ctx):
    return hkdf(seed(contents_key(master, ctx[24:40])), b"ext4crypt v1 page key" + ctx, 32)


def header(domain, aead, index, info):
    return b"E4C1" + bytes([1, domain, aead, 0]) + struct.pack("<QI", index, info) + bytes(12)


def seal_text(aead, key, nonce, associated, text):
    """(ciphertext, tag)"""
    cipher = AESGCM(key) if aead == GCM else ChaCha20Poly1305(key)
    sealed = cipher.encrypt(nonce, text, associated)
    return sealed[:-16], sealed[-16:]


def seal_page(key, aead, page, nonce, text):
    """(ciphertext, 32-byte slot)"""
    ciphertext, tag = seal_text(aead, key, nonce, header(1, aead, page, 1), text)
    return ciphertext, tag + nonce + struct.pack("<I", 1)


def tag_block(key, aead, group, nonce, next_group, slots):
    """slots: {place in the block, 0 to 126: 32 bytes}"""
    body = b"".join(slots.get(i, bytes(32)) for i in range(SLOTS))
    _, tag = seal_text(aead, key, nonce, header(2, aead, group, next_group) + body, b"")
    return tag + nonce + struct.pack("<I", next_group) + body


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
