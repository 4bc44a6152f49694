#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/vectors/key: public keys, certificates and signatures, right
and wrong, from textbook arithmetic that shares nothing with core/crypto. The
text files come out the same on every run; the encrypted private keys in
private/ are made by the openssl command and do not.

usage: make_key_vectors.py tests/vectors
"""

import base64
import hashlib
import os
import random
import subprocess
import sys

RANDOM = random.Random("mtlog key vectors")
MESSAGE = b"a message to be signed"

# --- DER ---------------------------------------------------------------------


def length(n):
    if n < 0x80:
        return bytes([n])
    b = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(b)]) + b


def tlv(tag, *parts):
    value = b"".join(parts)
    return bytes([tag]) + length(len(value)) + value


def seq(*parts):
    return tlv(0x30, *parts)


def integer(n):
    return tlv(0x02, n.to_bytes(n.bit_length() // 8 + 1, "big"))


def oid(dotted):
    a, b, *rest = (int(x) for x in dotted.split("."))
    out = bytes([40 * a + b])
    for n in rest:
        groups = [n & 0x7F]
        while n := n >> 7:
            groups.insert(0, n & 0x7F | 0x80)
        out += bytes(groups)
    return tlv(0x06, out)


def bits(value, unused=0):
    return tlv(0x03, bytes([unused]), value)


NULL = b"\x05\x00"

# --- ECDSA -------------------------------------------------------------------


class Curve:
    def __init__(self, name, dotted, p, a, b, gx, gy, n, digest):
        self.name, self.oid, self.p, self.a, self.b = name, dotted, p, a, b
        self.g, self.n, self.digest = (gx, gy), n, digest
        self.size = (p.bit_length() + 7) // 8

    def add(self, u, v):
        if u is None or v is None:
            return u or v
        p = self.p
        if u[0] == v[0]:
            if (u[1] + v[1]) % p == 0:
                return None
            m = (3 * u[0] * u[0] + self.a) * pow(2 * u[1], -1, p)
        else:
            m = (v[1] - u[1]) * pow(v[0] - u[0], -1, p)
        x = (m * m - u[0] - v[0]) % p
        return x, (m * (u[0] - x) - u[1]) % p

    def mul(self, k, point):
        out = None
        while k:
            if k & 1:
                out = self.add(out, point)
            point = self.add(point, point)
            k >>= 1
        return out

    def hash(self, message):
        return hashlib.new(self.digest, message).digest()

    def sign(self, d, digest):
        z = int.from_bytes(digest, "big")
        z >>= max(0, 8 * len(digest) - self.n.bit_length())
        k = RANDOM.randrange(1, self.n)
        r = self.mul(k, self.g)[0] % self.n
        return r, pow(k, -1, self.n) * (z + r * d) % self.n

    def point(self, q):
        return (
            b"\x04"
            + q[0].to_bytes(self.size, "big")
            + q[1].to_bytes(self.size, "big")
        )

    def spki(self, point):
        return seq(seq(oid("1.2.840.10045.2.1"), oid(self.oid)), bits(point))


P256 = Curve(
    "p256",
    "1.2.840.10045.3.1.7",
    0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
    -3,
    0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "sha256",
)
P384 = Curve(
    "p384",
    "1.3.132.0.34",
    int(
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
        "FFFEFFFFFFFF0000000000000000FFFFFFFF",
        16,
    ),
    -3,
    int(
        "B3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013"
        "875AC656398D8A2ED19D2A85C8EDD3EC2AEF",
        16,
    ),
    int(
        "AA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E08254"
        "2A385502F25DBF55296C3A545E3872760AB7",
        16,
    ),
    int(
        "3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0"
        "B8C00A60B1CE1D7E819D7A431D7C90EA0E5F",
        16,
    ),
    int(
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F437"
        "2DDF581A0DB248B0A77AECEC196ACCC52973",
        16,
    ),
    "sha384",
)
P521 = Curve(
    "p521",
    "1.3.132.0.35",
    int(
        "1FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
        "FFFFFFFFFFF",
        16,
    ),
    -3,
    int(
        "51953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918E"
        "F109E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451F"
        "D46B503F00",
        16,
    ),
    int(
        "C6858E06B70404E9CD9E3ECB662395B4429C648139053FB521F828AF606B"
        "4D3DBAA14B5E77EFE75928FE1DC127A2FFA8DE3348B3C1856A429BF97E7E"
        "31C2E5BD66",
        16,
    ),
    int(
        "11839296A789A3BC0045C8A5FB42C7D1BD998F54449579B446817AFBD172"
        "73E662C97EE72995EF42640C550B9013FAD0761353C7086A272C24088BE9"
        "4769FD16650",
        16,
    ),
    int(
        "1FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
        "FFFFFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB"
        "71E91386409",
        16,
    ),
    "sha512",
)
CURVES = (P256, P384, P521)

# --- Ed25519 -----------------------------------------------------------------

EP = 2**255 - 19
EL = 2**252 + 27742317777372353535851937790883648493
ED = -121665 * pow(121666, -1, EP) % EP


def ed_add(u, v):
    x1, y1 = u
    x2, y2 = v
    t = ED * x1 * x2 * y1 * y2
    return (
        (x1 * y2 + x2 * y1) * pow(1 + t, -1, EP) % EP,
        (y1 * y2 + x1 * x2) * pow(1 - t, -1, EP) % EP,
    )


def ed_mul(k, point):
    out = (0, 1)
    while k:
        if k & 1:
            out = ed_add(out, point)
        point = ed_add(point, point)
        k >>= 1
    return out


def ed_x(y, sign):
    xx = (y * y - 1) * pow(ED * y * y + 1, -1, EP) % EP
    x = pow(xx, (EP + 3) // 8, EP)
    if x * x % EP != xx:
        x = x * pow(2, (EP - 1) // 4, EP) % EP
    if x * x % EP != xx:
        return None
    return x if x & 1 == sign else -x % EP


def ed_encode(point):
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


EB = (ed_x(4 * pow(5, -1, EP) % EP, 0), 4 * pow(5, -1, EP) % EP)


def ed_small():
    """The eight points of the torsion group, from one of order eight."""
    while True:
        y = RANDOM.randrange(EP)
        x = ed_x(y, 0)
        if x is None:
            continue
        t = ed_mul(EL, (x, y))
        if ed_mul(4, t) != (0, 1):
            return [ed_mul(i, t) for i in range(8)]


def ed_secret(seed):
    h = hashlib.sha512(seed).digest()
    a = int.from_bytes(h[:32], "little") & (2**254 - 8) | 2**254
    return a, h[32:]


def ed_challenge(dom, r, key, message):
    h = hashlib.sha512(dom + r + key + message).digest()
    return int.from_bytes(h, "little") % EL


DOM2 = b"SigEd25519 no Ed25519 collisions\x01\x00"


def ed_sign(seed, message, dom=b""):
    a, prefix = ed_secret(seed)
    key = ed_encode(ed_mul(a, EB))
    r = hashlib.sha512(dom + prefix + message).digest()
    r = int.from_bytes(r, "little") % EL
    big_r = ed_encode(ed_mul(r, EB))
    s = (r + ed_challenge(dom, big_r, key, message) * a) % EL
    return big_r + s.to_bytes(32, "little")


def ed_key(seed):
    return ed_encode(ed_mul(ed_secret(seed)[0], EB))


def ed_spki(key):
    return seq(seq(oid("1.3.101.112")), bits(key))


# --- RSA ---------------------------------------------------------------------


def is_prime(n):
    if any(n % q == 0 for q in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)):
        return False
    d, s = n - 1, 0
    while d % 2 == 0:
        d, s = d // 2, s + 1
    for _ in range(4):
        x = pow(RANDOM.randrange(2, n - 1), d, n)
        if x in (1, n - 1):
            continue
        for _ in range(s - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def prime(size, exponents):
    while True:
        n = RANDOM.getrandbits(size) | 3 << size - 2 | 1
        if all(n % e != 1 for e in exponents) and is_prime(n):
            return n


EXPONENTS = (3, 65537, 2**32 - 5)


class Rsa:
    def __init__(self, size):
        self.size = size // 8
        p, q = prime(size // 2, EXPONENTS), prime(size // 2, EXPONENTS)
        self.p, self.q = p, q
        self.n, self.phi = p * q, (p - 1) * (q - 1)

    def private(self, e=65537, d=None, p=None):
        """RSAPrivateKey (RFC 8017, appendix A.1.2)."""
        d, p = d or pow(e, -1, self.phi), p or self.p
        parts = self.n, e, d, p, self.q, d % (p - 1), d % (self.q - 1)
        return seq(*map(integer, (0, *parts, pow(self.q, -1, p))))

    def sign(self, block, e=65537):
        d = pow(e, -1, self.phi)
        n = pow(int.from_bytes(block, "big"), d, self.n)
        return n.to_bytes(self.size, "big")

    def spki(self, e=65537):
        return rsa_spki(integer(self.n), integer(e))


RSA_OID = "1.2.840.113549.1.1.1"


def rsa_spki(n, e, algorithm=None, tail=b""):
    return seq(
        algorithm or seq(oid(RSA_OID), NULL), bits(seq(n, e) + tail)
    )


SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
SHA256_NO_NULL = bytes.fromhex("302f300b0609608648016503040201" "0420")
SHA512_INFO = bytes.fromhex("3051300d060960864801650304020305000440")


def pkcs1(size, info, kind=1, pad=0xFF, after=b""):
    fill = size - 3 - len(info) - len(after)
    return bytes([0, kind]) + bytes([pad]) * fill + b"\0" + info + after


# --- the files ---------------------------------------------------------------


def write(folder, name, comment, rows):
    with open(os.path.join(folder, name), "w", encoding="ascii") as f:
        f.write("".join(f"# {line}\n" for line in comment.split("\n")))
        for row in rows:
            words = (w.hex() if isinstance(w, bytes) else w for w in row)
            f.write(" ".join(w or "-" for w in words) + "\n")


def ec_key_rows(keys):
    for c in CURVES:
        q = c.point(keys[c.name][1])
        compressed = bytes([2 + q[-1] % 2]) + q[1 : 1 + c.size]
        yield f"{c.name}", c.name, c.spki(q)
        yield f"{c.name}-compressed", "syntax", c.spki(compressed)
        yield f"{c.name}-hybrid", "syntax", c.spki(
            bytes([6 + q[-1] % 2]) + q[1:]
        )
        yield f"{c.name}-infinity", "syntax", c.spki(b"\0")
        yield f"{c.name}-empty-point", "syntax", c.spki(b"")
        yield f"{c.name}-short-point", "syntax", c.spki(q[:-1])
        yield f"{c.name}-long-point", "syntax", c.spki(q + b"\0")
    q = P256.point(keys["p256"][1])
    ec = oid("1.2.840.10045.2.1")
    yield "p384-name-p256-point", "syntax", P384.spki(q)
    for name, params in (
        ("secp256k1", oid("1.3.132.0.10")),
        ("p224", oid("1.3.132.0.33")),
        ("no-curve", b""),
        ("null-curve", NULL),
        ("explicit-curve", seq(integer(1), seq(integer(P256.p)))),
        ("curve-and-more", oid(P256.oid) + NULL),
    ):
        yield f"ec-{name}", "syntax", seq(seq(ec, params), bits(q))
    yield "ec-dh-only", "syntax", seq(
        seq(oid("1.3.132.1.12"), oid(P256.oid)), bits(q)
    )
    yield "unused-bits", "syntax", seq(
        seq(ec, oid(P256.oid)), bits(q[:-1] + bytes([q[-1] & 0xFE]), 1)
    )
    yield "octet-string", "syntax", seq(
        seq(ec, oid(P256.oid)), tlv(0x04, b"\0", q)
    )


def frame_rows(good):
    """Faults of framing, on a good SubjectPublicKeyInfo (under 128 bytes)."""
    body = good[2:]
    yield "empty", "syntax", b""
    yield "one-byte", "syntax", b"\x30"
    for cut in (1, 2, 30, len(good) - 1):
        yield f"cut-{cut}", "syntax", good[:-cut]
    yield "byte-behind", "syntax", good + b"\0"
    yield "twice", "syntax", good + good
    yield "byte-inside", "syntax", seq(body, b"\0")
    yield "null-inside", "syntax", seq(body, NULL)
    yield "long-length", "syntax", b"\x30\x81" + good[1:]
    yield "longer-length", "syntax", b"\x30\x82\x00" + good[1:]
    yield "indefinite", "syntax", b"\x30\x80" + body + b"\0\0"
    yield "huge-length", "syntax", b"\x30\x84\xff\xff\xff\xff" + body
    yield "reserved-length", "syntax", b"\x30\xff" + body
    yield "set", "syntax", b"\x31" + good[1:]
    yield "primitive-sequence", "syntax", b"\x10" + good[1:]
    yield "high-tag", "syntax", b"\x3f\x30" + good[1:]
    yield "pem", "syntax", b"-----BEGIN PUBLIC KEY-----"
    yield "too-long", "limit", seq(tlv(0x04, bytes(1100)))


def rsa_key_rows(rsa):
    for size, key in rsa.items():
        yield f"rsa{size}", f"rsa{size}", key.spki()
    n = rsa[2048].n
    for e, verdict in (
        (1, "syntax"),
        (2, "syntax"),
        (3, "rsa2048"),
        (4, "syntax"),
        (5, "rsa2048"),
        (65536, "syntax"),
        (65537, "rsa2048"),
        (2**31 + 1, "rsa2048"),
        (2**32 - 1, "rsa2048"),
        (2**32, "syntax"),
        (2**32 + 1, "syntax"),
        (2**64 + 1, "syntax"),
        (2**2047 + 1, "syntax"),
    ):
        label = hex(e) if e < 2**65 else "2^2047+1"
        yield f"rsa-e-{label}", verdict, rsa_spki(integer(n), integer(e))
    raw = n.to_bytes(256, "big")
    three = integer(3)
    yield "rsa-e-zero", "syntax", rsa_spki(integer(n), b"\x02\x01\x00")
    yield "rsa-e-empty", "syntax", rsa_spki(integer(n), b"\x02\x00")
    yield "rsa-e-negative", "syntax", rsa_spki(integer(n), b"\x02\x01\xfd")
    yield "rsa-e-padded", "syntax", rsa_spki(integer(n), b"\x02\x02\x00\x03")
    yield "rsa-n-negative", "syntax", rsa_spki(tlv(2, raw), three)
    yield "rsa-n-padded", "syntax", rsa_spki(tlv(2, b"\0\0", raw), three)
    yield "rsa-n-even", "syntax", rsa_spki(integer(n - 1), three)
    yield "rsa-n-2047", "syntax", rsa_spki(integer(n >> 1 | 1), three)
    yield "rsa-n-2049", "syntax", rsa_spki(integer(n << 1 | 1), three)
    yield "rsa-n-2056", "syntax", rsa_spki(integer(n << 8 | 1), three)
    yield "rsa-n-1024", "syntax", rsa_spki(integer(n >> 1024 | 1), three)
    yield "rsa-n-zero", "syntax", rsa_spki(b"\x02\x01\x00", three)
    yield "rsa-n-8192", "limit", rsa_spki(
        integer((n << 6144) | 1), three
    )
    yield "rsa-tail", "syntax", rsa_spki(integer(n), three, tail=NULL)
    yield "rsa-third", "syntax", seq(
        seq(oid(RSA_OID), NULL), bits(seq(integer(n), three, three))
    )
    yield "rsa-no-null", "syntax", rsa_spki(
        integer(n), three, seq(oid(RSA_OID))
    )
    yield "rsa-pss", "syntax", rsa_spki(
        integer(n), three, seq(oid("1.2.840.113549.1.1.10"))
    )


def ed_key_rows(key):
    yield "ed25519", "ed25519", ed_spki(key)
    yield "ed25519-short", "syntax", ed_spki(key[:-1])
    yield "ed25519-long", "syntax", ed_spki(key + b"\0")
    yield "ed25519-null", "syntax", seq(
        seq(oid("1.3.101.112"), NULL), bits(key)
    )
    yield "x25519", "syntax", seq(seq(oid("1.3.101.110")), bits(key))
    yield "ed448", "syntax", seq(seq(oid("1.3.101.113")), bits(bytes(57)))


def certificate_rows(spki):
    algorithm = seq(oid("1.2.840.10045.4.3.2"))
    name = seq(tlv(0x31, seq(oid("2.5.4.3"), tlv(0x0C, b"test"))))
    times = seq(tlv(0x17, b"250101000000Z"), tlv(0x17, b"350101000000Z"))
    version, serial = tlv(0xA0, integer(2)), integer(77)
    extension = tlv(0xA3, seq(seq(oid("2.5.29.19"), tlv(0x04, seq()))))
    signature = bits(b"not looked at")

    def tbs(**new):
        parts = {
            "version": version,
            "serial": serial,
            "algorithm": algorithm,
            "issuer": name,
            "times": times,
            "subject": name,
            "spki": spki,
            "ids": b"",
            "extensions": extension,
            "tail": b"",
        }
        parts.update(new)
        return seq(*parts.values())

    def cert(body, *tail):
        return seq(body, *(tail or (algorithm, signature)))

    good = cert(tbs())
    yield "v3", "p256", good
    yield "v1", "p256", cert(tbs(version=b"", extensions=b""))
    yield "unique-ids", "p256", cert(
        tbs(ids=tlv(0x81, b"\0\1") + tlv(0x82, b"\0\2"))
    )
    yield "negative-serial", "p256", cert(tbs(serial=b"\x02\x01\xff"))
    for part in (
        "serial",
        "algorithm",
        "issuer",
        "times",
        "subject",
        "spki",
    ):
        yield f"no-{part}", "syntax", cert(tbs(**{part: b""}))
    yield "padded-serial", "syntax", cert(tbs(serial=b"\x02\x02\x00\x01"))
    yield "tbs-tail", "syntax", cert(tbs(tail=NULL))
    yield "two-versions", "syntax", cert(tbs(version=version + version))
    yield "extensions-first", "syntax", cert(
        tbs(ids=extension, extensions=tlv(0x81, b"\0\1"))
    )
    yield "no-signature", "syntax", cert(tbs(), algorithm)
    yield "no-algorithm", "syntax", cert(tbs(), signature)
    yield "tail-inside", "syntax", cert(tbs(), algorithm, signature, NULL)
    yield "signature-bits", "syntax", cert(
        tbs(), algorithm, bits(b"\xf0", 4)
    )
    yield "byte-behind", "syntax", good + b"\0"
    yield "cut", "syntax", good[:-1]
    yield "bad-length-in-name", "syntax", cert(
        tbs(issuer=b"\x30\x05\x31\x04\x30\x03\x06")
    )
    yield "indefinite-extensions", "syntax", cert(
        tbs(extensions=b"\xa3\x80\0\0")
    )
    yield "bad-extension", "syntax", cert(
        tbs(extensions=tlv(0xA3, b"\x30\x02\x02"))
    )
    deep = b""
    for _ in range(40):
        deep = seq(deep)
    yield "deep-name", "syntax", cert(tbs(subject=deep))
    yield "bad-key", "syntax", cert(tbs(spki=seq(seq(), bits(b""))))
    yield "tbs-only", "syntax", tbs()
    yield "key-only", "syntax", spki
    yield "empty", "syntax", b""
    yield "too-long", "limit", cert(
        tbs(extensions=tlv(0xA3, seq(tlv(0x04, bytes(16384)))))
    )


def ecdsa_rows(keys):
    for c in CURVES:
        d, q = keys[c.name]
        spki, digest = c.spki(c.point(q)), c.hash(MESSAGE)
        r, s = c.sign(d, digest)
        n = c.n

        def row(name, verdict, sig, key=spki, data=digest):
            return f"{c.name}-{name}", "digest", verdict, key, data, sig

        good = seq(integer(r), integer(s))
        ri, si = integer(r), integer(s)
        yield row("good", "ok", good)
        yield f"{c.name}-message", "message", "ok", spki, MESSAGE, good
        yield f"{c.name}-other-message", "message", "bad-signature", spki, (
            MESSAGE + b"."
        ), good
        # The mirror image verifies too: ECDSA is malleable by design, and
        # the log takes both, like every other verifier.
        yield row("low-or-high-s", "ok", seq(ri, integer(n - s)))
        yield row("flipped-digest", "bad-signature", good, data=flip(digest))
        yield row("swapped", "bad-signature", seq(si, ri))
        other = c.point(c.mul(d + 1, c.g))
        yield row("other-key", "bad-signature", good, key=c.spki(other))
        off = c.point((q[0], q[1] ^ 1))
        yield row("off-curve", "syntax", good, key=c.spki(off))
        zero = b"\x04" + bytes(2 * c.size)
        yield row("zero-point", "syntax", good, key=c.spki(zero))
        over = b"\x04" + c.p.to_bytes(c.size, "big") + bytes(c.size)
        yield row("x-is-p", "syntax", good, key=c.spki(over))
        for name, sig in (
            ("empty", b""),
            ("raw", r.to_bytes(c.size, "big") + s.to_bytes(c.size, "big")),
            ("r-zero", seq(integer(0), si)),
            ("s-zero", seq(ri, integer(0))),
            ("both-zero", seq(integer(0), integer(0))),
            ("one-one", seq(integer(1), integer(1))),
            ("r-order", seq(integer(n), si)),
            ("s-order", seq(ri, integer(n))),
            ("r-plus-order", seq(integer(r + n), si)),
            ("s-plus-order", seq(ri, integer(s + n))),
            ("r-huge", seq(integer(r + (n << 900)), si)),
            ("r-negative", seq(tlv(2, b"\x80" + ri[3:]), si)),
            ("r-padded", seq(tlv(2, b"\0\0", ri[2:]), si)),
            ("s-padded", seq(ri, tlv(2, b"\0\0", si[2:]))),
            ("r-empty", seq(b"\x02\x00", si)),
            ("only-r", seq(ri)),
            ("three", seq(ri, si, si)),
            ("byte-behind", good + b"\0"),
            ("byte-inside", seq(ri, si, b"\0")),
            ("cut", good[:-1]),
            ("set", b"\x31" + good[1:]),
            ("long-form", b"\x30\x82\0" + bytes([len(ri + si)]) + ri + si),
            ("indefinite", b"\x30\x80" + ri + si + b"\0\0"),
            ("bit-string", seq(b"\x03" + ri[1:], si)),
            ("flipped", flip(good)),
        ):
            yield row(name, "bad-signature", sig)


def rsa_rows(rsa):
    for size, key in rsa.items():
        digest = hashlib.sha256(MESSAGE).digest()
        spki, info = key.spki(), SHA256_INFO + digest
        good = key.sign(pkcs1(key.size, info))

        def row(name, verdict, sig, data=digest, e=65537):
            return (
                f"rsa{size}-{name}",
                "digest",
                verdict,
                key.spki(e),
                data,
                sig,
            )

        yield row("good", "ok", good)
        yield f"rsa{size}-message", "message", "ok", spki, MESSAGE, good
        for e in EXPONENTS:
            block = pkcs1(key.size, info)
            yield row(f"e-{e}", "ok", key.sign(block, e), e=e)
        yield row("flipped-digest", "bad-signature", good, data=flip(digest))
        value = int.from_bytes(good, "big")
        sha512 = SHA512_INFO + hashlib.sha512(MESSAGE).digest()
        for name, sig in (
            ("empty", b""),
            ("flipped", flip(good)),
            ("short", good[1:]),
            ("long", b"\0" + good),
            ("zero", bytes(key.size)),
            ("one", bytes(key.size - 1) + b"\1"),
            ("modulus", key.n.to_bytes(key.size, "big")),
            ("minus-one", (key.n - 1).to_bytes(key.size, "big")),
            ("negated", (key.n - value).to_bytes(key.size, "big")),
            ("no-null", key.sign(pkcs1(key.size, SHA256_NO_NULL + digest))),
            ("sha512", key.sign(pkcs1(key.size, sha512))),
            ("bare-digest", key.sign(pkcs1(key.size, digest))),
            ("kind-2", key.sign(pkcs1(key.size, info, kind=2))),
            ("kind-0", key.sign(pkcs1(key.size, info, kind=0))),
            ("pad-fe", key.sign(pkcs1(key.size, info, pad=0xFE))),
            (
                "garbage-behind",
                key.sign(pkcs1(key.size, info, after=bytes(100))),
            ),
        ):
            yield row(name, "bad-signature", sig)
        if size != 2048:
            continue
        # e = 3: a cube root with garbage behind a short padding, forged
        # without the private key.
        head = b"\0\1" + b"\xff" * 8 + b"\0" + info
        want = int.from_bytes(head.ljust(key.size, b"\0"), "big")
        root = cube_root(want) + 1
        yield row("forged-cube", "bad-signature", root.to_bytes(256, "big"), e=3)


def cube_root(n):
    low, high = 0, 1 << n.bit_length() // 3 + 1
    while low < high:
        mid = (low + high + 1) // 2
        if mid**3 <= n:
            low = mid
        else:
            high = mid - 1
    return low


def flip(data):
    return data[:-1] + bytes([data[-1] ^ 1])


def ed_rows(seed, dom, message):
    """(name, verdict, key, signature) over `message`, pure or prehashed."""
    key = ed_key(seed)
    good = ed_sign(seed, message, dom)
    big_r, s = good[:32], int.from_bytes(good[32:], "little")

    def scalar(n):
        return n.to_bytes(32, "little")

    yield "good", "ok", key, good
    other = ed_sign(seed, message, b"" if dom else DOM2)
    yield "other-kind", "bad-signature", key, other
    yield "other-key", "bad-signature", ed_key(b"other"), good
    yield "empty", "bad-signature", key, b""
    yield "short", "bad-signature", key, good[:-1]
    yield "long", "bad-signature", key, good + b"\0"
    yield "flipped-r", "bad-signature", key, flip(big_r) + good[32:]
    yield "flipped-s", "bad-signature", key, big_r + scalar(s ^ 1)
    yield "s-zero", "bad-signature", key, big_r + scalar(0)
    for i in range(1, 15):
        yield f"s-plus-{i}L", "bad-signature", key, big_r + scalar(s + i * EL)
    yield "s-is-L", "bad-signature", key, big_r + scalar(EL)
    yield "all-ones", "bad-signature", key, big_r + b"\xff" * 32

    # Keys of small order, in all their encodings, with signatures that the
    # bare equation S B - h A = R accepts.
    for i, a in enumerate(ed_small()):
        encodings = [ed_encode(a)]
        if a[1] < 19:
            sign = (a[0] & 1) << 255
            encodings.append((a[1] + EP | sign).to_bytes(32, "little"))
        if a[0] == 0:
            encodings += [
                (int.from_bytes(e, "little") | 1 << 255).to_bytes(
                    32, "little"
                )
                for e in encodings
            ]
        for j, weak in enumerate(encodings):
            for _ in range(200):
                k = RANDOM.randrange(1, EL)
                r = ed_encode(ed_mul(k, EB))
                if ed_challenge(dom, r, weak, message) % 8 == 0:
                    break
            yield f"small-key-{i}-{j}", "bad-signature", weak, r + scalar(k)
            # R of small order too: S = 0 and R = -h A.
            for t in ed_small():
                r = ed_encode(t)
                h = ed_challenge(dom, r, weak, message)
                if ed_mul(8 - h % 8, a) == t:
                    yield f"small-both-{i}-{j}", "bad-signature", weak, (
                        r + scalar(0)
                    )
                    break

    # A good key: R of small order, and R shifted by a point of small order.
    a = ed_secret(seed)[0]
    for i, t in enumerate(ed_small()):
        r = ed_encode(t)
        h = ed_challenge(dom, r, key, message)
        yield f"small-r-{i}", "bad-signature", key, r + scalar(h * a % EL)
        if i > 0:
            k = RANDOM.randrange(1, EL)
            r = ed_encode(ed_add(ed_mul(k, EB), t))
            h = ed_challenge(dom, r, key, message)
            s = (k + h * a) % EL
            yield f"mixed-r-{i}", "bad-signature", key, r + scalar(s)
    # No point at all.
    y = next(y for y in range(2, 100) if ed_x(y, 0) is None)
    yield "no-point", "bad-signature", scalar(y), good
    yield "r-no-point", "bad-signature", key, scalar(y) + good[32:]


def ed_mixed_rows(seed, dom, message):
    """A key with a part of small order: only the stricter check refuses it."""
    a = ed_secret(seed)[0]
    for i, t in enumerate(ed_small()):
        if i == 0:
            continue
        mixed = ed_encode(ed_add(ed_mul(a, EB), t))
        while True:
            k = RANDOM.randrange(1, EL)
            r = ed_encode(ed_mul(k, EB))
            h = ed_challenge(dom, r, mixed, message)
            if h % 8 == 0:
                break
        s = (k + h * a) % EL
        yield f"mixed-key-{i}", "bad-signature", mixed, r + s.to_bytes(32, "little")


def ed_all_rows():
    seed = b"\x42" * 32
    digest = hashlib.sha512(MESSAGE).digest()
    for name, verdict, key, sig in (
        *ed_rows(seed, DOM2, digest),
        *ed_mixed_rows(seed, DOM2, digest),
    ):
        yield f"ed25519ph-{name}", "digest", verdict, ed_spki(key), digest, sig
    for name, verdict, key, sig in ed_rows(seed, b"", MESSAGE):
        yield f"ed25519-{name}", "message", verdict, ed_spki(key), MESSAGE, sig
    # RFC 8032 section 7.3, "abc".
    yield (
        "rfc8032-7.3",
        "digest",
        "ok",
        ed_spki(
            bytes.fromhex(
                "ec172b93ad5e563bf4932c70e1245034"
                "c35467ef2efd4d64ebf819683467e2bf"
            )
        ),
        hashlib.sha512(b"abc").digest(),
        bytes.fromhex(
            "98a70222f0b8121aa9d30f813d683f80"
            "9e462b469c7ff87639499bb94e6dae41"
            "31f85042463c2a355a2003d062adf5aa"
            "a10b8c61e636062aaad11c2a26083406"
        ),
    )


def pem(label, der):
    text = base64.encodebytes(der).replace(b"\n", b"")
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return b"\n".join(
        (
            f"-----BEGIN {label}-----".encode(),
            *lines,
            f"-----END {label}-----\n".encode(),
        )
    )


def sec1(c, d, point=None, params=True):
    return seq(
        integer(1),
        tlv(0x04, d.to_bytes(c.size, "big")),
        tlv(0xA0, oid(c.oid)) if params else b"",
        tlv(0xA1, bits(point)) if point else b"",
    )


def pkcs8(algorithm, key):
    return seq(integer(0), algorithm, tlv(0x04, key))


def openssl(*args, data):
    return subprocess.run(
        ("openssl",) + args,
        input=data,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    ).stdout


def other_private_files(keys, rsa):
    """What signs models beside P-256 and Ed25519, and what nobody takes."""
    for c in CURVES[1:]:
        d, q = keys[c.name]
        yield f"{c.name}-sec1", pem("EC PRIVATE KEY", sec1(c, d, c.point(q)))
        wrong = c.point(c.mul(d + 1, c.g))
        yield f"{c.name}-wrong-public", pem(
            "EC PRIVATE KEY", sec1(c, d, wrong)
        )
    algorithm = seq(oid(RSA_OID), NULL)
    for size, key in rsa.items():
        pkcs1 = key.private()
        yield f"rsa{size}-pkcs1", pem("RSA PRIVATE KEY", pkcs1)
        yield f"rsa{size}-pkcs8", pem("PRIVATE KEY", pkcs8(algorithm, pkcs1))
    key = rsa[2048]
    d = pow(65537, -1, key.phi)
    for name, der in (
        ("e-3", key.private(3)),
        ("e-long", key.private(2**32 + 15)),
        ("wrong-d", key.private(d=d + 2)),
        ("wrong-p", key.private(p=key.p + 2)),
        ("1024", Rsa(1024).private()),
        ("2056", Rsa(2056).private()),
    ):
        yield f"rsa-{name}", pem("RSA PRIVATE KEY", der)
    for name, args in (
        ("k256", "-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1"),
        (
            "p256-explicit",
            "-algorithm EC -pkeyopt ec_paramgen_curve:P-256 "
            "-pkeyopt ec_param_enc:explicit",
        ),
        ("ed448", "-algorithm ED448"),
        ("x25519", "-algorithm X25519"),
        ("rsa-pss", "-algorithm RSA-PSS"),
    ):
        yield name, openssl("genpkey", *args.split(), data=b"")


def private_files(folder, keys, rsa):
    ec = "1.2.840.10045.2.1"
    ed = seq(oid("1.3.101.112"))
    seed = b"\x42" * 32
    d, q = keys["p256"]
    point = P256.point(q)
    wrong = P256.point(P256.mul(d + 1, P256.g))
    p256_alg = seq(oid(ec), oid(P256.oid))
    files = {
        "ed25519": pem("PRIVATE KEY", pkcs8(ed, tlv(0x04, seed))),
        "ed25519-short": pem("PRIVATE KEY", pkcs8(ed, tlv(0x04, seed[1:]))),
        "p256-pkcs8": pem(
            "PRIVATE KEY", pkcs8(p256_alg, sec1(P256, d, point, False))
        ),
        "p256-pkcs8-no-public": pem(
            "PRIVATE KEY", pkcs8(p256_alg, sec1(P256, d, None, False))
        ),
        "p256-sec1": pem("EC PRIVATE KEY", sec1(P256, d, point)),
        "p256-wrong-public": pem("EC PRIVATE KEY", sec1(P256, d, wrong)),
        "p256-zero": pem("EC PRIVATE KEY", sec1(P256, 0, point)),
        "p256-order": pem("EC PRIVATE KEY", sec1(P256, P256.n, point)),
        "p384": pem("EC PRIVATE KEY", sec1(P384, keys["p384"][0])),
        "public": pem("PUBLIC KEY", P256.spki(point)),
        "damaged": pem("PRIVATE KEY", b"\x30\x03\x02\x01"),
    }
    files["p256-with-parameters"] = (
        pem("EC PARAMETERS", oid(P256.oid)) + files["p256-sec1"]
    )
    for name in ("ed25519", "p256-pkcs8"):
        files[f"{name}-pbkdf2"] = openssl(
            *"pkcs8 -topk8 -v2 aes-256-cbc -passout pass:secret".split(),
            data=files[name],
        )
    files["p256-sec1-encrypted"] = openssl(
        *"ec -aes256 -passout pass:secret".split(), data=files["p256-sec1"]
    )
    files.update(other_private_files(keys, rsa))
    for name, data in files.items():
        with open(os.path.join(folder, name + ".pem"), "wb") as f:
            f.write(data)


def main():
    folder = os.path.join(sys.argv[1], "key")
    os.makedirs(os.path.join(folder, "private"), exist_ok=True)
    keys = {}
    for c in CURVES:
        d = RANDOM.randrange(1, c.n)
        keys[c.name] = d, c.mul(d, c.g)
    rsa = {size: Rsa(size) for size in (2048, 3072, 4096)}
    p256 = P256.spki(P256.point(keys["p256"][1]))
    write(
        folder,
        "spki.txt",
        "name, key algorithm or error class, SubjectPublicKeyInfo",
        (
            *ec_key_rows(keys),
            *frame_rows(p256),
            *rsa_key_rows(rsa),
            *ed_key_rows(ed_key(b"\x42" * 32)),
        ),
    )
    write(
        folder,
        "certificate.txt",
        "name, key algorithm or error class, certificate",
        certificate_rows(p256),
    )
    write(
        folder,
        "verify.txt",
        "name, what is signed, verdict, SubjectPublicKeyInfo, digest or\n"
        "message, signature",
        (*ecdsa_rows(keys), *rsa_rows(rsa), *ed_all_rows()),
    )
    private_files(os.path.join(folder, "private"), keys, rsa)


if __name__ == "__main__":
    main()
