#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/vectors/certificate and tests/vectors/x509_chain: certificates,
right and wrong, and sets of them to find a path in. The DER is our own, so that
it can be wrong; python3-cryptography makes keys and signatures. Another run
gives other keys.

A .chain file, in order, integers big-endian: u8 purpose (1 code signing, 2 time
stamping), u64 time, u8 intermediates, u8 anchors, then the leaf, the
intermediates and the anchors, each u16 length and DER.

usage: make_certificate_vectors.py tests/vectors
"""

import os
import struct
import sys
from datetime import datetime, timedelta, timezone

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from make_key_vectors import NULL, bits, oid, seq, tlv

NOW = datetime(2026, 11, 23, 7, 0, 0, tzinfo=timezone.utc)
FROM = datetime(2026, 1, 1, tzinfo=timezone.utc)
UNTIL = datetime(2046, 1, 1, tzinfo=timezone.utc)
SECOND = timedelta(seconds=1)

SHA256, SHA1 = hashes.SHA256(), hashes.SHA1()
EC_WITH = {"sha1": "1.2.840.10045.4.1", "sha256": "1.2.840.10045.4.3.2",
           "sha384": "1.2.840.10045.4.3.3", "sha512": "1.2.840.10045.4.3.4"}
RSA_WITH = {"sha256": "1.2.840.113549.1.1.11"}
FULCIO = "1.3.6.1.4.1.57264.1."
SERVER_AUTH, CODE, STAMP = ("1.3.6.1.5.5.7.3." + n for n in "138")
ANY = "2.5.29.37.0"

# --- keys --------------------------------------------------------------------


class Key:
    def __init__(self, kind="p256"):
        self.kind = kind
        if kind == "ed25519":
            self.key = ed25519.Ed25519PrivateKey.generate()
        elif kind.startswith("rsa"):
            self.key = rsa.generate_private_key(65537, int(kind[3:]))
        else:
            curve = {"p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1}
            self.key = ec.generate_private_key(curve[kind]())
        self.spki = self.key.public_key().public_bytes(
            serialization.Encoding.DER,
            serialization.PublicFormat.SubjectPublicKeyInfo)

    def algorithm(self, digest):
        if self.kind == "ed25519":
            return seq(oid("1.3.101.112"))
        if self.kind.startswith("rsa"):
            return seq(oid(RSA_WITH[digest.name]), NULL)
        return seq(oid(EC_WITH[digest.name]))

    def sign(self, data, digest):
        if self.kind == "ed25519":
            return self.key.sign(data)
        if self.kind.startswith("rsa"):
            return self.key.sign(data, padding.PKCS1v15(), digest)
        return self.key.sign(data, ec.ECDSA(digest))

    def identifier(self):
        digest = hashes.Hash(hashes.SHA256())
        digest.update(self.spki)
        return digest.finalize()[:20]


# --- parts of a certificate --------------------------------------------------


def integer(n):
    return tlv(0x02, n.to_bytes(n.bit_length() // 8 + 1, "big", signed=True))


def name(cn):
    if cn == "":
        return seq()
    return seq(tlv(0x31, seq(oid("2.5.4.3"), tlv(0x0C, cn.encode()))))


def utc(t):
    return tlv(0x17, t.strftime("%y%m%d%H%M%SZ").encode())


def general(t):
    return tlv(0x18, t.strftime("%Y%m%d%H%M%SZ").encode())


def when(t):
    return utc(t) if t.year < 2050 else general(t)


def extension(dotted, value, critical=False):
    flag = tlv(0x01, b"\xff") if critical else b""
    return seq(oid(dotted), flag, tlv(0x04, value))


def named_bits(*numbers):
    n = max(numbers)
    value = bytearray(n // 8 + 1)
    for i in numbers:
        value[i // 8] |= 0x80 >> i % 8
    return bits(bytes(value), 7 - n % 8)


def key_usage(*numbers):
    return extension("2.5.29.15", named_bits(*numbers), True)


def usages(*oids, critical=False):
    return extension("2.5.29.37", seq(*(oid(o) for o in oids)), critical)


def constraints(ca=True, length=None):
    body = tlv(0x01, b"\xff") if ca else b""
    if length is not None:
        body += integer(length)
    return extension("2.5.29.19", seq(body), True)


def names(*general_names, critical=False):
    return extension("2.5.29.17", seq(*general_names), critical)


def email(text):
    return tlv(0x81, text)


def dns(text):
    return tlv(0x82, text)


def uri(text):
    return tlv(0x86, text)


def other(dotted, value):
    return tlv(0xA0, oid(dotted), tlv(0xA0, value))


def utf8(text):
    return tlv(0x0C, text)


def authority_key(key):
    return extension("2.5.29.35", seq(tlv(0x80, key.identifier())))


def subject_key(key):
    return extension("2.5.29.14", tlv(0x04, key.identifier()))


def name_constraints(permitted=(), excluded=()):
    def trees(tag, bases):
        return tlv(tag, *(seq(b) for b in bases)) if bases else b""
    return extension("2.5.29.30",
                     seq(trees(0xA0, permitted), trees(0xA1, excluded)), True)


DIGITAL, CERTIFICATES = 0, 5
LEAF = [key_usage(DIGITAL), usages(CODE), names(email(b"release@models.example"))]
CA = [constraints(), key_usage(CERTIFICATES, 6)]
serials = iter(range(1000, 100000))


def certificate(subject, key, issuer, signer, extensions=(), *, begin=FROM,
                end=UNTIL, digest=SHA256, version=tlv(0xA0, integer(2)),
                serial=None, times=None, inner=None, unique=b"", raw=None,
                spoil=False, more=b""):
    """DER; `times`, `inner` (algorithm), `unique`, `raw` (extensions) replace
    what would be right."""
    algorithm = signer.algorithm(digest)
    if raw is None:
        raw = tlv(0xA3, seq(*extensions)) if extensions else b""
    tbs = seq(
        version,
        integer(next(serials)) if serial is None else serial,
        inner or algorithm,
        name(issuer),
        seq(*(times or (when(begin), when(end)))),
        name(subject),
        key.spki,
        unique,
        raw,
    )
    signature = bytearray(signer.sign(tbs, digest))
    if spoil:
        signature[-1] ^= 1
    return seq(tbs, algorithm, bits(bytes(signature)), more)


# --- single certificates -----------------------------------------------------


def singles(out):
    key = Key()

    def make(*extensions, **more):
        return certificate("Signer", key, "Root", key, extensions, **more)

    valid = {
        "leaf": make(*LEAF),
        "v1": make(version=b""),
        "v2-unique": make(version=tlv(0xA0, integer(1)),
                          unique=tlv(0x81, b"\0\x01") + tlv(0x82, b"\0\x02")),
        "ca": make(*CA),
        "ca-length": make(constraints(length=3), key_usage(CERTIFICATES)),
        "ca-length-0": make(constraints(length=0), key_usage(CERTIFICATES)),
        "boolean-false": make(extension(
            "2.5.29.19", seq(tlv(0x01, b"\0")), True)),
        "serial-zero": make(serial=integer(0)),
        "serial-20": make(serial=tlv(0x02, b"\x7f" + b"\xff" * 19)),
        "for-ever": make(*LEAF, end=datetime(9999, 12, 31, 23, 59, 59)),
        "general-before-2050": make(times=(general(FROM), general(UNTIL))),
        "epoch": make(times=(tlv(0x17, b"700101000000Z"),
                             tlv(0x17, b"491231235959Z"))),
        "backwards": make(begin=UNTIL, end=FROM),
        "names": make(names(
            email(b"a@b.example"), dns(b"b.example"), uri(b"https://b.example/x"),
            other(FULCIO + "7", utf8("jörg!b.example".encode())),
            other("1.2.3.4", integer(7)), tlv(0x87, b"\x7f\0\0\x01"),
            tlv(0xA4, name("x")), critical=True)),
        "names-64": make(names(*(dns(b"d%d" % i) for i in range(64)),
                               tlv(0x87, b"\x7f\0\0\x01"))),
        "usage-both": make(key_usage(0, 5, 8), usages(SERVER_AUTH, CODE, STAMP)),
        "usage-any": make(usages(ANY, critical=True)),
        "issuer-old": make(extension(FULCIO + "1", b"https://issuer.example")),
        "issuer-new": make(extension(FULCIO + "8", utf8(b"https://new.example"))),
        "issuer-both": make(extension(FULCIO + "1", b"https://issuer.example"),
                            extension(FULCIO + "8", utf8(b"https://issuer.example"))),
        "issuer-long": make(extension(FULCIO + "8", utf8(b"https://" + b"i" * 300))),
        "critical-unknown": make(extension("1.2.3.4", b"\x05\0", True)),
        "extensions-64": make(*(extension(f"1.2.3.{i}", b"") for i in range(64))),
        "p384": certificate("Signer", Key("p384"), "Root", Key("p521"), LEAF,
                            digest=hashes.SHA512()),
        "rsa": certificate("Signer", Key("rsa2048"), "Root", Key("rsa3072"), LEAF),
        "ed25519": certificate("Signer", Key("ed25519"), "Root", Key("ed25519"), LEAF),
        "self-issued": certificate("Root", key, "Root", key, CA),
        "scts": make(extension("1.3.6.1.4.1.11129.2.4.2", tlv(0x04, b"\0\0"))),
    }
    twice = extension(FULCIO + "2", b"x")
    invalid = {
        "empty": b"",
        "sequence": seq(),
        "trailing": make() + b"\0",
        "cut": make()[:-1],
        "fields-trailing": make(more=NULL),
        "indefinite": b"\x30\x80" + make()[4:] + b"\0\0",
        "version-0": make(version=tlv(0xA0, integer(0))),
        "version-4": make(version=tlv(0xA0, integer(3))),
        "version-negative": make(version=tlv(0xA0, integer(-1))),
        "version-258": make(version=tlv(0xA0, integer(258))),
        "version-trailing": make(version=tlv(0xA0, integer(2), NULL)),
        "v1-extensions": make(*LEAF, version=b""),
        "serial-negative": make(serial=integer(-5)),
        "serial-21": make(serial=tlv(0x02, b"\x7f" + b"\xff" * 20)),
        "serial-padded": make(serial=tlv(0x02, b"\0\x01")),
        "two-algorithms": make(inner=key.algorithm(hashes.SHA384())),
        "extension-twice": make(twice, twice),
        "extensions-empty": make(raw=tlv(0xA3, seq())),
        "extensions-trailing": make(raw=tlv(0xA3, seq(*LEAF), NULL)),
        "extensions-twice": make(raw=tlv(0xA3, seq(*LEAF)) * 2),
        "extension-boolean": make(seq(oid("1.2.3"), tlv(0x01, b"\x01"), tlv(0x04, b""))),
        "extension-trailing": make(seq(oid("1.2.3"), tlv(0x04, b""), NULL)),
        "time-no-zone": make(times=(tlv(0x17, b"260101000000"), when(UNTIL))),
        "time-offset": make(times=(tlv(0x17, b"260101000000+0100"), when(UNTIL))),
        "time-no-seconds": make(times=(tlv(0x17, b"2601010000Z"), when(UNTIL))),
        "time-fraction": make(times=(tlv(0x18, b"20260101000000.5Z"), when(UNTIL))),
        "time-february-30": make(times=(tlv(0x17, b"260230000000Z"), when(UNTIL))),
        "time-second-60": make(times=(tlv(0x17, b"260101000060Z"), when(UNTIL))),
        "time-1969": make(times=(tlv(0x18, b"19691231235959Z"), when(UNTIL))),
        "time-letters": make(times=(tlv(0x17, b"2601x1000000Z"), when(UNTIL))),
        "time-printable": make(times=(tlv(0x13, b"260101000000Z"), when(UNTIL))),
        "time-two-zones": make(times=(tlv(0x17, b"260101000000ZZ"), when(UNTIL))),
        **{f"time-digit-{n}": make(times=(tlv(0x17, text + b"0101000000Z"), when(UNTIL)))
           for n, text in enumerate((b"/6", b":6", b"2/", b"2:"))},
        "time-three": make(times=(when(FROM), when(UNTIL), when(UNTIL))),
        "usage-empty-bits": make(extension("2.5.29.15", tlv(0x03, b""))),
        "usage-unused-8": make(extension("2.5.29.15", bits(b"\x80", 8))),
        "usage-unused-9": make(extension("2.5.29.15", bits(b"\0\0", 9))),
        "usage-unused-none": make(extension("2.5.29.15", bits(b"", 1))),
        "usage-unused-set": make(extension("2.5.29.15", bits(b"\x81", 7))),
        "usage-trailing": make(extension("2.5.29.15", named_bits(0) + NULL)),
        "eku-empty": make(usages()),
        "eku-integer": make(extension("2.5.29.37", seq(integer(1)))),
        "eku-trailing": make(extension("2.5.29.37", seq(oid(CODE)) + NULL)),
        "constraints-trailing": make(extension("2.5.29.19", seq(
            tlv(0x01, b"\xff"), integer(1), integer(2)))),
        "constraints-after": make(extension("2.5.29.19", seq() + NULL)),
        "constraints-boolean-2": make(extension(
            "2.5.29.19", seq(tlv(0x01, b"\xff\xff")))),
        "constraints-negative": make(constraints(length=-1)),
        "constraints-boolean": make(extension("2.5.29.19", seq(tlv(0x01, b"\x01")))),
        "names-none": make(names()),
        "names-empty-email": make(names(email(b""))),
        "names-nul": make(names(dns(b"a.example\0.b.example"))),
        "names-not-ascii": make(names(email("jörg@b.example".encode()))),
        "names-trailing": make(extension("2.5.29.17", seq(dns(b"a")) + NULL)),
        "other-not-utf8": make(names(other(FULCIO + "7", utf8(b"\xff")))),
        "other-nul": make(names(other(FULCIO + "7", utf8(b"a\0b")))),
        "other-ia5": make(names(other(FULCIO + "7", tlv(0x16, b"a")))),
        "other-two": make(names(other(FULCIO + "7", utf8(b"a") + utf8(b"b")))),
        "other-trailing": make(names(tlv(
            0xA0, oid(FULCIO + "7"), tlv(0xA0, utf8(b"a")), NULL))),
        "other-no-value": make(names(tlv(0xA0, oid(FULCIO + "7")))),
        "issuers-differ": make(extension(FULCIO + "1", b"https://a.example"),
                               extension(FULCIO + "8", utf8(b"https://b.example"))),
        "issuer-empty": make(extension(FULCIO + "8", utf8(b""))),
        "issuer-old-empty": make(extension(FULCIO + "1", b"")),
        "issuer-nul": make(extension(FULCIO + "8", utf8(b"a\0b"))),
        "issuer-old-nul": make(extension(FULCIO + "1", b"a\0b")),
        "issuer-trailing": make(extension(FULCIO + "8", utf8(b"a") + b"\0")),
        "issuer-raw": make(extension(FULCIO + "8", b"https://a.example")),
        "issuer-ia5": make(extension(FULCIO + "8", tlv(0x16, b"https://a.example"))),
        "scts-raw": make(extension("1.3.6.1.4.1.11129.2.4.2", b"\0\0")),
        "scts-empty": make(extension("1.3.6.1.4.1.11129.2.4.2", tlv(0x04, b""))),
        "key-rsa1024": certificate("S", Key("rsa1024"), "Root", key, LEAF),
    }
    limit = {
        "names-65": make(names(*(dns(b"d%d" % i) for i in range(65)))),
        "extensions-65": make(*(extension(f"1.2.3.{i}", b"") for i in range(65))),
        "large": make(extension("1.2.3", b"x" * 16384)),
    }
    for verdict, cases in (("valid", valid), ("invalid", invalid), ("limit", limit)):
        for case, der in cases.items():
            with open(os.path.join(out, f"{verdict}-{case}.der"), "wb") as f:
                f.write(der)


# --- sets to find a path in --------------------------------------------------


def chains(out):
    root, middle, signer, stranger = Key(), Key(), Key(), Key()

    def write(case, leaf, others=(), anchors=(), purpose=1, time=NOW):
        data = struct.pack(">BQBB", purpose, int(time.timestamp()),
                           len(others), len(anchors))
        for der in (leaf, *others, *anchors):
            data += struct.pack(">H", len(der)) + der
        with open(os.path.join(out, case + ".chain"), "wb") as f:
            f.write(data)

    def top(extensions=CA, key=root, **more):
        return certificate("Root", key, "Root", key, extensions, **more)

    def inter(extensions=CA, key=middle, by=root, **more):
        return certificate("Middle", key, "Root", by, extensions, **more)

    def leaf(extensions=LEAF, by=middle, issuer="Middle", key=signer, **more):
        return certificate("Signer", key, issuer, by, extensions, **more)

    r, m, s = top(), inter(), leaf()

    # Paths that are good.
    write("direct", leaf(by=root, issuer="Root"), [], [r])
    write("two", s, [m], [r])
    write("root-in-bundle", s, [m, r], [r])
    write("leaf-in-bundle", s, [s, m], [r])
    write("middle-is-anchor", s, [], [m])
    write("both-are-anchors", s, [m], [r, m])
    write("no-extended-usage", leaf([key_usage(DIGITAL)]), [m], [r])
    write("no-key-usage", leaf([usages(CODE)]), [m], [r])
    write("several-usages", leaf([usages(SERVER_AUTH, CODE)]), [m], [r])
    write("says-ca", leaf([constraints(), key_usage(DIGITAL), usages(CODE)]), [m], [r])
    for case, extra in (("self-issued", [authority_key(middle), subject_key(signer)]),
                        ("self-issued-unidentified", [])):
        write(case, certificate("Middle", signer, "Middle", middle, [*LEAF, *extra]),
              [inter([*CA, subject_key(middle)])], [r])
    write("no-subject", certificate("", signer, "Middle", middle, LEAF), [m], [r])
    write("stranger-in-bundle", s,
          [certificate("Stranger", stranger, "Nobody", stranger, CA), m], [r])
    write("identifiers", leaf([*LEAF, authority_key(middle)]),
          [inter([*CA, subject_key(middle), authority_key(root)])],
          [top([*CA, subject_key(root)])])
    write("ends-now", leaf(end=NOW), [m], [r])
    write("begins-now", leaf(begin=NOW), [m], [r])
    write("middle-ends-now", s, [inter(end=NOW)], [r])
    write("root-ends-now", s, [m], [top(end=NOW)])
    write("root-begins-now", s, [m], [top(begin=NOW)])
    write("for-ever", leaf(end=datetime(9999, 12, 31, 23, 59, 59)), [m], [r])
    write("length-0", s, [inter([constraints(length=0), key_usage(CERTIFICATES)])], [r])
    write("middle-any-usage", s, [inter([*CA, usages(ANY)])], [r])
    write("middle-code-usage", s, [inter([*CA, usages(CODE)])], [r])
    write("ca-without-key-usage", s, [inter([constraints()])], [top([constraints()])])
    write("names-permitted", s,
          [inter([*CA, name_constraints([email(b"models.example")])])], [r])
    for kind, digest in (("p384", hashes.SHA384()), ("p521", hashes.SHA512()),
                         ("rsa2048", SHA256), ("ed25519", SHA256)):
        k = Key(kind)
        write(kind, certificate("Signer", k, "Root", k, LEAF, digest=digest), [],
              [certificate("Root", k, "Root", k, CA, digest=digest)])

    # Several ways, of which one is good.
    old = Key()
    write("renewed-root", s, [m], [top(key=old), r])
    write("renewed-root-last", s, [m], [r, top(key=old)])
    write("renewed-middle", s, [inter(key=old), m], [r])
    write("cross-signed", s,
          [certificate("Middle", middle, "Other", stranger, CA), m], [r])
    write("cross-signed-last", s,
          [m, certificate("Middle", middle, "Other", stranger, CA)], [r])
    write("cross-signed-root", s,
          [certificate("Middle", middle, "Other", stranger, CA),
           certificate("Other", stranger, "Other", stranger, CA), m], [r])
    write("cross-expired", s, [inter(end=NOW - SECOND), m], [r])
    write("cross-not-ca", s, [inter([key_usage(CERTIFICATES)]), m], [r])
    write("cross-critical", s,
          [inter([*CA, extension("1.2.3.4", b"", True)]), m], [r])
    write("cross-web", s, [inter([*CA, usages(SERVER_AUTH)]), m], [r])

    def ladder(n):
        """A path of n certificates: leaf, n - 2 between, root."""
        keys = [root] + [Key() for _ in range(n - 2)]
        titles = ["Root"] + [f"Step {i}" for i in range(1, n - 1)]
        steps = [certificate(titles[i], keys[i], titles[i - 1], keys[i - 1], CA)
                 for i in range(1, n - 1)]
        return leaf(by=keys[-1], issuer=titles[-1]), steps

    end, steps = ladder(8)
    write("depth-8", end, steps, [r])
    end, steps = ladder(9)
    write("depth-9", end, steps, [r])

    loop = [Key() for _ in range(30)]
    write("loop", leaf(by=loop[0], issuer="Loop 0"), [
        certificate(f"Loop {n % 2}", k, f"Loop {(n + 1) % 2}", loop[(n + 1) % 30], CA)
        for n, k in reversed(list(enumerate(loop)))], [r])
    crowd = [certificate("Middle", Key(), "Root", root, CA) for _ in range(31)]
    write("crowd", s, [*crowd, m], [r])

    # Refused: no path.
    write("no-anchor", s, [m], [])
    write("other-root", s, [m, r],
          [certificate("Else", stranger, "Else", stranger, CA)])
    write("same-name-root", s, [m], [top(key=stranger)])
    write("same-name-root-identifiers",
          leaf(), [inter([*CA, authority_key(root)])],
          [top([*CA, subject_key(stranger)], key=stranger)])
    write("no-middle", s, [], [r])
    write("self-signed", certificate("Signer", signer, "Signer", signer, LEAF), [], [r])
    alone = certificate("Signer", signer, "Signer", signer, LEAF)
    write("self-signed-anchor", alone, [], [alone])
    write("leaf-is-anchor", s, [m], [r, s])
    write("leaf-is-only-anchor", s, [m], [s])
    write("spoiled-leaf", leaf(spoil=True), [m], [r])
    write("spoiled-middle", s, [inter(spoil=True)], [r])
    write("issuer-is-leaf",
          certificate("Signer 2", stranger, "Signer", signer, LEAF), [m, s], [r])
    write("issuer-v1", s, [inter([], version=b"")], [r])
    write("anchor-v1", leaf(by=root, issuer="Root"), [], [top([], version=b"")])
    write("anchor-not-ca", leaf(by=root, issuer="Root"), [],
          [top([constraints(False), key_usage(CERTIFICATES)])])
    write("issuer-no-signing", s, [inter([constraints(), key_usage(DIGITAL)])], [r])
    write("anchor-no-signing", s, [m], [top([constraints(), key_usage(DIGITAL)])])
    write("length-exceeded", s, [m],
          [top([constraints(length=0), key_usage(CERTIFICATES)])])
    write("names-not-permitted", s,
          [inter([*CA, name_constraints([email(b"other.example")])])], [r])
    write("names-excluded", s,
          [inter([*CA, name_constraints([], [email(b"models.example")])])], [r])
    write("uri-not-permitted",
          leaf([key_usage(DIGITAL), names(uri(b"https://models.example/x"))]),
          [inter([*CA, name_constraints([uri(b"other.example")])])], [r])
    explicit = extension("2.5.29.36", seq(tlv(0x80, b"\0")), True)
    write("policy-required", s, [inter([*CA, explicit])], [r])
    write("policy-inhibited", s,
          [inter([*CA, extension("2.5.29.54", integer(0), True)])], [r])
    write("policy-by-anchor", s, [m], [top([*CA, explicit])])
    write("policies", leaf([*LEAF, extension(
        "2.5.29.32", seq(seq(oid("1.2.3.4"))), True)]), [m], [r])
    write("critical-leaf", leaf([*LEAF, extension("1.2.3.4", b"", True)]), [m], [r])
    write("critical-middle", s, [inter([*CA, extension("1.2.3.4", b"", True)])], [r])
    write("sha1-leaf", leaf(digest=SHA1), [m], [r])
    write("sha1-middle", s, [inter(digest=SHA1)], [r])
    write("sha1-root", s, [m], [top(digest=SHA1)])

    # Refused: the time.
    write("leaf-ended", leaf(end=NOW - SECOND), [m], [r])
    write("nameless-ended", certificate("", signer, "Middle", middle, [
        *LEAF[:2], names(email(b"a" * 200 + b"@b.example"))], end=NOW - SECOND), [m], [r])
    write("nobody-ended", certificate(
        "", signer, "Middle", middle, LEAF[:2], end=NOW - SECOND), [m], [r])
    write("leaf-begins", leaf(begin=NOW + SECOND), [m], [r])
    write("leaf-backwards", leaf(begin=UNTIL, end=FROM), [m], [r])
    write("middle-ended", s, [inter(end=NOW - SECOND)], [r])
    write("middle-begins", s, [inter(begin=NOW + SECOND)], [r])
    write("root-ended", s, [m], [top(end=NOW - SECOND)])
    write("root-begins", s, [m], [top(begin=NOW + SECOND)])
    write("ended-and-other-root", s, [inter(end=NOW - SECOND)], [top(key=stranger)])

    # Refused: the use.
    write("web-server", leaf([key_usage(DIGITAL), usages(SERVER_AUTH)]), [m], [r])
    write("any-usage", leaf([key_usage(DIGITAL), usages(ANY)]), [m], [r])
    write("no-usage", leaf([names(dns(b"a.example"))]), [m], [r])
    write("no-extensions", leaf([], version=b""), [m], [r])
    write("encipherment", leaf([key_usage(2)]), [m], [r])
    write("encipherment-code", leaf([key_usage(2), usages(CODE)]), [m], [r])
    write("leaf-is-ca", leaf([*CA, usages(CODE)]), [m], [r])
    write("leaf-is-bare-ca", leaf([constraints(), usages(CODE)]), [m], [r])
    write("leaf-is-signing-ca", leaf([constraints(), key_usage(0, 5), usages(CODE)]), [m], [r])
    write("middle-web-only", s, [inter([*CA, usages(SERVER_AUTH)])], [r])
    write("root-web-only", s, [m], [top([*CA, usages(SERVER_AUTH)])])

    # Refused: the form.
    write("malformed-middle", s, [m, m[:-1]], [r])
    write("malformed-anchor", s, [m], [r, b"\x30\0"])
    write("malformed-leaf", s[:-1], [m], [r])
    write("negative-serial", leaf(serial=integer(-1)), [m], [r])
    write("rsa-1024", leaf(key=Key("rsa1024")), [m], [r])
    write("many-others", s, [m] * 33, [r])

    # Time stamping.
    stamp = [key_usage(DIGITAL), usages(STAMP, critical=True)]
    write("stamp", leaf(stamp), [m], [r], 2)
    write("stamp-middle-usage", leaf(stamp), [inter([*CA, usages(STAMP)])], [r], 2)
    write("stamp-code", s, [m], [r], 2)
    write("stamp-not-critical", leaf([usages(STAMP)]), [m], [r], 2)
    write("stamp-two", leaf([usages(STAMP, CODE, critical=True)]), [m], [r], 2)
    write("stamp-no-usage", leaf([key_usage(DIGITAL)]), [m], [r], 2)
    write("stamp-any", leaf([usages(ANY, critical=True)]), [m], [r], 2)
    write("stamp-middle-code", leaf(stamp), [inter([*CA, usages(CODE)])], [r], 2)
    write("code-stamp", leaf(stamp), [m], [r], 1)


def main():
    for folder, make in (("certificate", singles), ("x509_chain", chains)):
        out = os.path.join(sys.argv[1], folder)
        os.makedirs(out, exist_ok=True)
        make(out)


if __name__ == "__main__":
    main()
