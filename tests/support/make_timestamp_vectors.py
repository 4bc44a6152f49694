#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/vectors/timestamp: RFC 3161 responses, right and wrong, of DER of
our own; python3-cryptography makes keys and signatures. Another run gives other
keys.

A .stamp file, in order: u8 anchors, u8 certificates, then each of them, then
the only signer that may be (empty: any) and the message, all as u16 length
(big-endian) and bytes; what is left is the response.

usage: make_timestamp_vectors.py tests/vectors
"""

import hashlib
import os
import struct
import sys
from datetime import timedelta

from make_certificate_vectors import (
    CA, CODE, DIGITAL, NOW, SECOND, SHA1, SHA256, STAMP, Key, certificate,
    extension, integer, key_usage, name, usages)
from make_key_vectors import NULL, bits, oid, seq, tlv

MESSAGE = b"the signature bytes"
GENERATED = NOW - timedelta(days=200)
SIGNED_DATA, DATA = "1.2.840.113549.1.7.2", "1.2.840.113549.1.7.1"
TST_INFO = "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE, MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
ESS_1, ESS_2 = "1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.47"
DIGESTS = {"sha1": "1.3.14.3.2.26", "sha256": "2.16.840.1.101.3.4.2.1",
           "sha384": "2.16.840.1.101.3.4.2.2", "sha512": "2.16.840.1.101.3.4.2.3"}


def algorithm(digest):
    return seq(oid(DIGESTS[digest]), NULL)


def octets(value):
    return tlv(0x04, value)


def attribute(dotted, value):
    return seq(oid(dotted), tlv(0x31, value))


def tst_info(*, message=MESSAGE, digest="sha256", time=GENERATED, text=None,
             version=1, extensions=b""):
    text = text or time.strftime("%Y%m%d%H%M%SZ").encode()
    return seq(integer(version), oid("1.3.6.1.4.1.57264.2"),
               seq(algorithm(digest),
                   octets(hashlib.new(digest, message).digest())),
               integer(77), tlv(0x18, text), extensions)


def ess_2(der, digest="sha256"):
    chosen = b"" if digest == "sha256" else algorithm(digest)
    return attribute(ESS_2, seq(seq(seq(
        chosen, octets(hashlib.new(digest, der).digest())))))


def ess_1(der):
    return attribute(ESS_1, seq(seq(seq(octets(hashlib.sha1(der).digest())))))


def signer_info(key, issuer, serial, content, ess, *, digest=SHA256,
                content_type=TST_INFO, attributes=True, spoil=False):
    hashed = hashlib.new(digest.name, content).digest()
    parts = []
    if content_type:
        parts.append(attribute(CONTENT_TYPE, oid(content_type)))
    parts.append(attribute(MESSAGE_DIGEST, octets(hashed)))
    if ess:
        parts.append(ess)
    body = b"".join(sorted(parts))
    signature = bytearray(
        key.sign(tlv(0x31, body) if attributes else content, digest))
    if spoil:
        signature[-1] ^= 1
    return seq(integer(1), seq(name(issuer), serial), algorithm(digest.name),
               tlv(0xA0, body) if attributes else b"",
               key.algorithm(digest), octets(bytes(signature)))


def response(content, signers, certificates=(), *, status=0, kind=TST_INFO,
             token=True):
    embedded = tlv(0xA0, *certificates) if certificates else b""
    signed = seq(integer(3), tlv(0x31, algorithm("sha256")),
                 seq(oid(kind), tlv(0xA0, octets(content))), embedded,
                 tlv(0x31, *signers))
    return seq(seq(integer(status)),
               seq(oid(SIGNED_DATA), tlv(0xA0, signed)) if token else b"")


def main():
    out = os.path.join(sys.argv[1], "timestamp")
    os.makedirs(out, exist_ok=True)
    root, middle, key, stranger = Key(), Key(), Key(), Key()
    serial = integer(4711)
    use = [key_usage(DIGITAL), usages(STAMP, critical=True)]

    def signer(extensions=use, k=key, **more):
        return certificate("Stamper", k, "Middle", middle, extensions,
                           serial=serial, **more)

    r = certificate("Root", root, "Root", root, CA)
    m = certificate("Middle", middle, "Root", root, CA)
    s = signer()
    content = tst_info()

    def write(case, token, others=(m,), anchors=(r,), leaf=b"", message=MESSAGE):
        data = struct.pack(">BB", len(anchors), len(others))
        for part in (*anchors, *others, leaf, message):
            data += struct.pack(">H", len(part)) + part
        with open(os.path.join(out, case + ".stamp"), "wb") as f:
            f.write(data + token)

    def stamp(content=content, der=s, k=key, embedded=None, ess=None,
              without_ess=False, **more):
        """The usual response, the signer's certificate embedded."""
        outer = {n: more.pop(n) for n in ("status", "kind", "token") if n in more}
        if not without_ess:
            ess = ess or ess_2(der)
        return response(content, [signer_info(k, "Middle", serial, content, ess, **more)],
                        (der,) if embedded is None else embedded, **outer)

    good = stamp()
    # Accepted.
    write("embedded", good)
    write("not-embedded", stamp(embedded=()), (s, m))
    write("all-embedded", stamp(embedded=(r, m, s)), ())
    write("middle-is-anchor", good, (), (m,))
    write("with-mods", stamp(status=1))
    write("only-signer", good, (m,), leaf=s)
    write("only-signer-not-embedded", stamp(embedded=()), (m,), leaf=s)
    write("sha384", stamp(tst_info(digest="sha384")))
    write("sha512", stamp(tst_info(digest="sha512")))
    write("fraction", stamp(tst_info(text=GENERATED.strftime("%Y%m%d%H%M%S.25Z").encode())))
    write("ess-1", stamp(ess=ess_1(s)))
    write("ess-sha512", stamp(ess=ess_2(s, "sha512")))
    past = signer(end=GENERATED)
    write("ended-since", stamp(der=past))
    begun = signer(begin=GENERATED)
    write("begun-then", stamp(der=begun))
    rsa = Key("rsa2048")
    by_rsa = signer(k=rsa)
    write("rsa", stamp(der=by_rsa, k=rsa))
    decoy = certificate("Stamper", stranger, "Middle", stranger, use, serial=serial)
    write("decoy-in-token", stamp(embedded=(decoy, s)), (s, m))
    plain = tlv(0xA1, extension("1.2.3.4", b""))
    write("extension", stamp(tst_info(extensions=plain)))

    # Refused.
    write("trailing", good + b"\0")
    write("cut", good[:-1])
    write("empty", b"")
    write("indefinite", b"\x30\x80" + good[4:] + b"\0\0")
    write("rejected", stamp(status=2))
    write("rejected-bare", stamp(status=2, token=False))
    write("granted-bare", stamp(token=False))
    write("other-message", good, message=MESSAGE + b"!")
    write("sha1-imprint", stamp(tst_info(digest="sha1")))
    write("version-2", stamp(tst_info(version=2)))
    critical = tlv(0xA1, extension("1.2.3.4", b"", True))
    write("critical-extension", stamp(tst_info(extensions=critical)))
    stem = GENERATED.strftime("%Y%m%d%H%M%S").encode()
    write("time-zone", stamp(tst_info(text=stem + b"+0100")))
    write("time-local", stamp(tst_info(text=stem)))
    write("time-point", stamp(tst_info(text=stem + b".Z")))
    write("time-other-end", stamp(tst_info(text=stem + b"X")))
    write("time-short", stamp(tst_info(text=b"2026Z")))
    write("time-comma", stamp(tst_info(text=stem + b",5Z")))
    write("time-minus", stamp(tst_info(text=stem + b".-5Z")))
    write("time-letters", stamp(tst_info(text=stem + b".2xZ")))
    write("spoiled", stamp(spoil=True))
    write("other-content", response(
        tst_info(time=GENERATED - SECOND),
        [signer_info(key, "Middle", serial, content, ess_2(s))], (s,)))
    write("ess-other", stamp(ess=ess_2(m)))
    write("ess-none", stamp(without_ess=True))
    write("decoy-first", stamp(embedded=(decoy, s)))
    write("no-signer", response(content, [], (s,)))
    one = signer_info(key, "Middle", serial, content, ess_2(s))
    two = signer_info(key, "Middle", serial, content, ess_2(s), digest=SHA256)
    write("two-signers", response(content, [one, two], (s,)))
    write("no-content-type", stamp(content_type=None))
    write("other-content-type", stamp(content_type=DATA))
    write("no-attributes", stamp(attributes=False))
    write("kind-data", stamp(kind=DATA))
    write("sha1-signature", stamp(digest=SHA1))
    write("no-certificate", stamp(embedded=()))
    write("only-other-signer", good, (m,), leaf=signer(k=stranger))
    write("only-signer-elsewhere", good, (m,), leaf=certificate(
        "Stamper", stranger, "Middle", middle, use))
    write("other-root", good, (m,),
          (certificate("Else", stranger, "Else", stranger, CA),))
    write("no-middle", good, ())
    write("code-signer", stamp(der=signer([key_usage(DIGITAL), usages(CODE)])))
    write("ended", stamp(der=signer(end=GENERATED - SECOND)))
    write("not-begun", stamp(der=signer(begin=GENERATED + SECOND)))
    write("middle-ended", good, (certificate(
        "Middle", middle, "Root", root, CA, end=GENERATED - SECOND),))
    write("malformed-certificate", good, (m, b"\x30\0"))
    write("many-certificates", stamp(embedded=(s,) * 32))


if __name__ == "__main__":
    main()
