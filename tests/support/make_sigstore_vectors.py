#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/vectors/trust_root, rekor_v1, sct and sigstore: a whole small
Sigstore instance (certificates, their log, Rekor v1 and v2, time stamps), what
was signed with it, and the same with each thing wrong in turn. DER, trees and
JSON are our own; python3-cryptography makes keys and signatures. Another run
gives other keys.

A .sct file: u16 length (big-endian) and DER of the certificate, the same of its
issuer's; the rest is a trusted root.

usage: make_sigstore_vectors.py tests/vectors
"""

import base64
import copy
import hashlib
import json
import os
import struct
import sys
from datetime import timedelta

from make_certificate_vectors import (
    CA, CODE, DIGITAL, FULCIO, SECOND, SHA256, STAMP, Key, certificate,
    constraints, email, extension, integer, key_usage, names, uri, usages, utf8)
from make_key_vectors import tlv
from make_timestamp_vectors import GENERATED, ess_2, response, signer_info, tst_info

MINUTE = timedelta(minutes=1)
SIGNED = GENERATED
EMAIL, ISSUER = b"signer@models.example", b"https://issuer.example"
# A model "m" of one file "w", whose bytes are "weights".
WEIGHTS = hashlib.sha256(b"weights").digest()
PAYLOAD = (b'{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"m",'
           b'"digest":{"sha256":"%s"}}],"predicateType":'
           b'"https://model_signing/signature/v1.0","predicate":{"resources":['
           b'{"name":"w","digest":"%s","algorithm":"sha256"}],"serialization":'
           b'{"method":"files","hash_type":"sha256","allow_symlinks":false,'
           b'"ignore_paths":[]}}}'
           % (hashlib.sha256(WEIGHTS).hexdigest().encode(), WEIGHTS.hex().encode()))
TYPE = "application/vnd.in-toto+json"
MEDIA = "application/vnd.dev.sigstore.bundle.v0.3+json"
V1, V2 = "rekor.example", "log2.rekor.example"


def b64(data):
    return base64.b64encode(data).decode()


def seconds(t):
    return int(t.timestamp())


def rfc3339(t):
    return t.strftime("%Y-%m-%dT%H:%M:%SZ")


def compact(value):
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def sha(data):
    return hashlib.sha256(data).digest()


def pem(der):
    text = b64(der)
    lines = [text[i:i + 64] for i in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines,
                      "-----END CERTIFICATE-----", ""])


def pae(payload=PAYLOAD, kind=TYPE):
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)


# --- trees and notes ---------------------------------------------------------


def split(n):
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def tree(leaves):
    if len(leaves) == 1:
        return sha(b"\0" + leaves[0])
    k = split(len(leaves))
    return sha(b"\1" + tree(leaves[:k]) + tree(leaves[k:]))


def path(leaves, i):
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if i < k:
        return path(leaves[:k], i) + [tree(leaves[k:])]
    return path(leaves[k:], i - k) + [tree(leaves[:k])]


def note_line(name, key, text):
    """A signature line; Ed25519 keys and the ID of an ECDSA key as in C2SP."""
    if key.kind == "ed25519":
        raw = key.spki[-32:]
        identifier = sha(name.encode() + b"\n\x01" + raw)[:4]
        signature = key.sign(text, None)
    else:
        identifier = sha(key.spki)[:4]
        signature = key.sign(text, SHA256)
    return f"\u2014 {name} {b64(identifier + signature)}\n"


# --- the instance ------------------------------------------------------------


class Instance:
    def __init__(self):
        self.root, self.middle, self.ct, self.ct2 = Key(), Key(), Key(), Key()
        self.rekor, self.rekor2 = Key(), Key("ed25519")
        self.tsa_root, self.tsa = Key(), Key()
        self.stranger = Key()
        self.ca = [
            certificate("Fulcio", self.middle, "Fulcio root", self.root,
                        [constraints(length=0), key_usage(5, 6), usages(CODE)]),
            certificate("Fulcio root", self.root, "Fulcio root", self.root, CA)]
        self.tsa_serial = integer(99)
        self.tsa_chain = [
            certificate("TSA", self.tsa, "TSA root", self.tsa_root,
                        [key_usage(DIGITAL), usages(STAMP, critical=True)],
                        serial=self.tsa_serial),
            certificate("TSA root", self.tsa_root, "TSA root", self.tsa_root, CA)]

    def log_root(self, url, key, start="2026-01-01T00:00:00Z", end=None, name=None):
        details = "PKIX_ED25519" if key.kind == "ed25519" else "PKIX_ECDSA_P256_SHA_256"
        log_id = sha(key.spki)
        if key.kind == "ed25519":
            log_id = sha(url.encode() + b"\n\x01" + key.spki[-32:])
        valid = {"start": start}
        if end:
            valid["end"] = end
        return {"baseUrl": "https://" + (name or url), "hashAlgorithm": "SHA2_256",
                "publicKey": {"rawBytes": b64(key.spki), "keyDetails": details,
                              "validFor": valid},
                "logId": {"keyId": b64(log_id)}}

    @staticmethod
    def authority(uri, chain, start="2026-01-01T00:00:00Z", end=None):
        valid = {"start": start}
        if end:
            valid["end"] = end
        return {"subject": {"organization": "example", "commonName": uri}, "uri": uri,
                "certChain": {"certificates": [{"rawBytes": b64(c)} for c in chain]},
                "validFor": valid}

    def trusted_root(self):
        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [self.log_root(V1, self.rekor), self.log_root(V2, self.rekor2)],
            "certificateAuthorities": [self.authority("https://fulcio.example", self.ca)],
            "ctlogs": [self.log_root("ct.example", self.ct),
                       self.log_root("ct2.example", self.ct2,
                                     end="2026-02-01T00:00:00.999Z")],
            "timestampAuthorities": [self.authority("https://tsa.example", self.tsa_chain)],
        }

    # Certificates.

    def sct(self, tbs, key=None, time=None, ext=b"", spoil=False):
        key = key or self.ct
        stamp = seconds(time or SIGNED) * 1000 + 7
        text = (struct.pack(">BBQH", 0, 0, stamp, 1) + sha(self.middle.spki)
                + len(tbs).to_bytes(3, "big") + tbs + struct.pack(">H", len(ext)) + ext)
        signature = bytearray(key.sign(text, SHA256))
        if spoil:
            signature[-1] ^= 1
        one = (b"\0" + sha(key.spki) + struct.pack(">QH", stamp, len(ext)) + ext
               + struct.pack(">BBH", 4, 3, len(signature)) + bytes(signature))
        return struct.pack(">H", len(one)) + one

    @staticmethod
    def sct_list(scts):
        body = b"".join(scts)
        return extension("1.3.6.1.4.1.11129.2.4.2",
                         tlv(0x04, struct.pack(">H", len(body)) + body))

    def leaf(self, key, san=None, scts=None, use=None, usage=None, issuer=ISSUER, by=None, **more):
        """`scts` makes the timestamps of a precertificate; None: one good."""
        before = [*([key_usage(DIGITAL)] if usage is None else usage), *(use if use is not None else [usages(CODE)]),
                  san or names(email(EMAIL), critical=True)]
        after = [extension(FULCIO + "1", issuer), extension(FULCIO + "8", utf8(issuer))]
        serial = integer(int.from_bytes(os.urandom(8), "big") >> 1)
        more = {"begin": SIGNED - MINUTE, "end": SIGNED + 9 * MINUTE, **more}

        def make(*middle):
            return certificate("", key, "Fulcio", by or self.middle,
                               [*before, *middle, *after], serial=serial, **more)
        plain = make()
        tbs = tbs_of(plain)
        made = [self.sct(tbs)] if scts is None else scts(tbs)
        return make(self.sct_list(made)) if made else plain

    # Entries.

    def tokens(self, signature, time=None, key=None, chain=None):
        content = tst_info(message=signature, time=time or SIGNED)
        key = key or self.tsa
        der = (chain or self.tsa_chain)[0]
        return response(content, [signer_info(
            key, "TSA root", self.tsa_serial, content, ess_2(der))], (der,))

    def v1(self, body, kind="dsse", time=None, key=None, promise=True, proof=True,
           origin=None, name=V1, spoil=None, log_id=None, shown_time=None):
        key = key or self.rekor
        time = seconds(time or SIGNED)
        log_id = log_id or sha(key.spki)
        promised = compact({"body": b64(body), "integratedTime": time,
                            "logID": log_id.hex(), "logIndex": 1003})
        signature = bytearray(key.sign(promised, SHA256))
        if spoil == "promise":
            signature[-1] ^= 1
        entry = {"logIndex": "1003", "logId": {"keyId": b64(log_id)},
                 "kindVersion": {"kind": kind, "version": "0.0.1"},
                 "integratedTime": str(shown_time or time),
                 "canonicalizedBody": b64(body)}
        if promise:
            entry["inclusionPromise"] = {"signedEntryTimestamp": b64(bytes(signature))}
        if proof:
            leaves = [b"a", b"b", b"c", body, b"d"]
            if spoil == "leaf":
                leaves[3] = b"another"
            origin = f"{V1} - 12345678901234567" if origin is None else origin
            entry["inclusionProof"] = self.proof(leaves, 3, key, name, origin, spoil)
        return entry

    def proof(self, leaves, index, key, name, origin, spoil=None):
        root, hashes = tree(leaves), path(leaves, index)
        size = len(leaves)
        signed = root
        if spoil == "forged":  # a good proof, to a root that nobody signed
            signed = tree([b"x"] * size)
        text = f"{origin}\n{size}\n{b64(signed)}\n".encode()
        line = note_line(name, key, text)
        if spoil == "hash":
            hashes[0] = sha(b"x")
        if spoil == "size":
            size += 1
        if spoil == "root":
            root = sha(b"y")
        if spoil == "checkpoint":
            line = note_line(name, self.stranger if key.kind != "ed25519"
                             else Key("ed25519"), text)
        if spoil == "checkpoint-bits":
            line = note_line(name, key, text + b"x\n")
        return {"logIndex": str(index), "treeSize": str(size), "rootHash": b64(root),
                "hashes": [b64(h) for h in hashes],
                "checkpoint": {"envelope": text.decode() + "\n" + line}}

    def v2(self, body, spoil=None, key=None):
        key = key or self.rekor2
        leaves = [b"a", body, b"c"]
        log_id = sha(V2.encode() + b"\n\x01" + key.spki[-32:])
        entry = {"logIndex": "1", "logId": {"keyId": b64(log_id)},
                 "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"},
                 "canonicalizedBody": b64(body),
                 "inclusionProof": self.proof(leaves, 1, key, V2, V2, spoil)}
        return entry


def tbs_of(der):
    at = 4 if der[1] == 0x82 else 3
    n = int.from_bytes(der[at + 2:at + 4], "big") if der[at + 1] == 0x82 else der[at + 2]
    head = 4 if der[at + 1] == 0x82 else 3
    return der[at:at + head + n]


def dsse_body(leaf, signature, payload=PAYLOAD, more=()):
    return compact({"apiVersion": "0.0.1", "kind": "dsse", "spec": {
        "envelopeHash": {"algorithm": "sha256", "value": "00" * 32},
        "payloadHash": {"algorithm": "sha256", "value": sha(payload).hex()},
        "signatures": [{"signature": b64(signature),
                        "verifier": b64(pem(leaf).encode())}, *more]}})


def hashed_body(leaf, signature, data=None):
    return compact({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
        "data": {"hash": {"algorithm": "sha256", "value": sha(data or pae()).hex()}},
        "signature": {"content": b64(signature),
                      "publicKey": {"content": b64(pem(leaf).encode())}}}})


def v2_body(leaf, signature, data=None):
    return compact({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {
        "hashedRekordV002": {
            "data": {"algorithm": "SHA2_256", "digest": b64(sha(data or pae()))},
            "signature": {"content": b64(signature), "verifier": {
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                "x509Certificate": {"rawBytes": b64(leaf)}}}}}})


def bundle(leaf, signature, entries, tokens=(), payload=PAYLOAD, kind=TYPE,
           media=MEDIA, chain=None, material=None):
    if material is None:
        material = {"certificate": {"rawBytes": b64(leaf)}}
        if chain:
            material = {"x509CertificateChain": {"certificates": [
                {"rawBytes": b64(c)} for c in (leaf, *chain)]}}
    verification = {**material, "tlogEntries": list(entries)}
    if tokens:
        verification["timestampVerificationData"] = {
            "rfc3161Timestamps": [{"signedTimestamp": b64(t)} for t in tokens]}
    return {"mediaType": media, "verificationMaterial": verification,
            "dsseEnvelope": {"payload": b64(payload), "payloadType": kind,
                             "signatures": [{"sig": b64(signature), "keyid": ""}]}}


# --- files -------------------------------------------------------------------


def writer(folder):
    os.makedirs(folder, exist_ok=True)

    def write(name, data):
        if not isinstance(data, bytes):
            data = compact(data)
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)
    return write


def bundles(out, i):
    write = writer(out)
    key = Key()
    leaf = i.leaf(key)
    signature = key.sign(pae(), SHA256)
    body, hashed, second = (f(leaf, signature) for f in (dsse_body, hashed_body, v2_body))
    token = i.tokens(signature)
    write("trusted_root.json", i.trusted_root())

    def case(name, entries=None, tokens=(), l=leaf, s=signature, **more):
        if entries is None:
            entries = [i.v1(dsse_body(l, s))]
        write(name + ".json", bundle(l, s, entries, tokens, **more))

    # Accepted.
    case("good")
    case("good-token", tokens=[token])
    case("good-hashedrekord", [i.v1(hashed, "hashedrekord")])
    case("good-v2", [i.v2(second)], [token])
    case("good-both-logs", [i.v1(body), i.v2(second)], [token])
    case("good-token-before", tokens=[i.tokens(signature, SIGNED - 30 * SECOND)])
    case("good-token-after", tokens=[i.tokens(signature, SIGNED + 30 * SECOND)])
    case("good-no-promise", [i.v1(body, promise=False)], [token])
    case("good-origin-alone", [i.v1(body, origin=V1)])
    case("good-chain", chain=[i.ca[0]],
         media="application/vnd.dev.sigstore.bundle+json;version=0.2")
    case("good-v0.1-promise", [i.v1(body, proof=False)], chain=[i.ca[0]],
         media="application/vnd.dev.sigstore.bundle+json;version=0.1")
    first = SIGNED - MINUTE
    case("good-first-second", [i.v1(body, time=first)])
    case("good-last-second", [i.v1(body, time=SIGNED + 9 * MINUTE)])

    def with_leaf(name, *, tokens=None, **more):
        l = i.leaf(key, **more)
        case(name, l=l, tokens=tokens or ())
    with_leaf("good-uri", san=names(uri(b"https://ci.example/x"), critical=True))
    with_leaf("good-sct-extensions", scts=lambda t: [i.sct(t, ext=b"12345678")])
    with_leaf("good-sct-unknown-too", scts=lambda t: [i.sct(t, i.stranger), i.sct(t)])

    # The entry.
    case("no-entry", [], [token])
    case("no-time", [i.v1(body, promise=False)])
    case("v2-no-token", [i.v2(second)])
    case("promise-spoiled", [i.v1(body, spoil="promise")])
    case("promise-other-time", [i.v1(body, shown_time=seconds(SIGNED) + 1)])
    case("promise-alone", [i.v1(body, proof=False)])
    case("time-late", [i.v1(body, time=SIGNED + 9 * MINUTE + SECOND)])
    case("time-early", [i.v1(body, time=first - SECOND)])
    case("proof-hash", [i.v1(body, spoil="hash")])
    case("proof-leaf", [i.v1(body, spoil="leaf")])
    case("proof-size", [i.v1(body, spoil="size")])
    case("proof-root", [i.v1(body, spoil="root")])
    case("proof-forged", [i.v1(body, spoil="forged")])
    case("v2-proof-forged", [i.v2(second, spoil="forged")], [token])
    case("checkpoint-stranger", [i.v1(body, spoil="checkpoint")])
    case("checkpoint-bits", [i.v1(body, spoil="checkpoint-bits")])
    case("checkpoint-origin", [i.v1(body, origin="other.example - 12345")])
    case("checkpoint-origin-longer", [i.v1(body, origin=V1 + ".evil.example")])
    case("checkpoint-name", [i.v1(body, name="other.example")])
    case("unknown-log", [i.v1(body, key=i.stranger)])
    case("v2-unknown-log", [i.v2(second, key=Key("ed25519"))], [token])
    case("v2-proof-hash", [i.v2(second, spoil="hash")], [token])
    case("v2-checkpoint", [i.v2(second, spoil="checkpoint")], [token])
    case("other-payload", [i.v1(dsse_body(leaf, signature, PAYLOAD + b" "))])
    again = key.sign(pae(), SHA256)
    case("other-signature", [i.v1(dsse_body(leaf, again))])
    case("other-certificate", [i.v1(dsse_body(i.leaf(key), signature))])
    case("two-signatures", [i.v1(dsse_body(leaf, signature, more=[
        {"signature": b64(again), "verifier": b64(pem(leaf).encode())}]))])
    case("hashed-other-bytes",
         [i.v1(hashed_body(leaf, signature, PAYLOAD), "hashedrekord")])
    case("hashed-other-signature", [i.v1(hashed_body(leaf, again), "hashedrekord")])
    case("hashed-other-certificate",
         [i.v1(hashed_body(i.leaf(key), signature), "hashedrekord")])
    case("v2-other-bytes", [i.v2(v2_body(leaf, signature, PAYLOAD))], [token])
    case("v2-other-signature", [i.v2(v2_body(leaf, again))], [token])
    case("v2-other-certificate", [i.v2(v2_body(i.leaf(key), signature))], [token])
    case("other-kind", [i.v1(hashed, "dsse")])
    case("intoto-kind", [i.v1(body, "intoto")])
    case("one-good-one-bad", [i.v1(body), i.v2(second, spoil="hash")], [token])
    entry = i.v1(body)
    case("entry-same", [entry, entry])
    case("entry-twice", [entry, {**entry, "other": 1}])
    other = i.v2(second)
    case("v2-entry-twice", [other, {**other, "other": 1}], [token])
    case("body-garbage", [i.v1(b"{")])
    other.pop("inclusionProof")
    case("v2-malformed", [entry, other])
    case("entries-33", [{**entry, "other": n} for n in range(33)])

    # Time stamps.
    case("token-other", tokens=[i.tokens(again)])
    case("token-twice", tokens=[token, token])
    other_root, other = Key(), Key()
    chain = [certificate("TSA", other, "TSA root", other_root,
                         [key_usage(DIGITAL), usages(STAMP, critical=True)],
                         serial=i.tsa_serial),
             certificate("TSA root", other_root, "TSA root", other_root, CA)]
    case("token-stranger", tokens=[i.tokens(signature, key=other, chain=chain)])
    case("token-late", [i.v2(second)], [i.tokens(signature, SIGNED + 20 * MINUTE)])
    case("token-late-promise-good",
         tokens=[i.tokens(signature, SIGNED + 20 * MINUTE)])
    case("token-before-tsa", [i.v2(second)],
         [i.tokens(signature, SIGNED - timedelta(days=300))])
    case("token-garbage", tokens=[b"\x30\x03\x02\x01\x00"])

    # The certificate.
    with_leaf("sct-none", scts=lambda t: [])
    with_leaf("sct-unknown", scts=lambda t: [i.sct(t, i.stranger)])
    with_leaf("sct-spoiled", scts=lambda t: [i.sct(t, spoil=True)])
    with_leaf("sct-good-and-spoiled", scts=lambda t: [i.sct(t), i.sct(t, spoil=True)])
    with_leaf("sct-log-ended", scts=lambda t: [i.sct(t, i.ct2)])
    with_leaf("sct-of-other", scts=lambda t: [i.sct(tbs_of(leaf))])
    with_leaf("other-ca", by=i.stranger)
    with_leaf("no-code-signing", use=[])
    with_leaf("web-server", use=[usages("1.3.6.1.5.5.7.3.1")])
    with_leaf("names-two", san=names(email(EMAIL), email(b"x@y.example"), critical=True))
    with_leaf("names-unknown", san=names(tlv(0x87, b"\x7f\0\0\1"), critical=True))
    with_leaf("names-unknown-too", san=names(
        email(EMAIL), tlv(0x87, b"\x7f\0\0\1"), critical=True))
    with_leaf("no-key-usage", usage=[])
    with_leaf("names-not-critical", san=names(email(EMAIL)))
    case("root-in-chain", chain=list(i.ca),
         media="application/vnd.dev.sigstore.bundle+json;version=0.2")
    case("chain-v0.3", chain=[i.ca[0]])
    case("managed-key", material={"publicKey": {"hint": "abc"}})

    # The statement is fine, the certificate too: it is no model's.
    def with_payload(name, payload):
        own = key.sign(pae(payload), SHA256)
        write(name + ".json", bundle(leaf, own, [i.v1(dsse_body(leaf, own, payload))],
                                     payload=payload))
    with_payload("statement-other", PAYLOAD.replace(b"signature/v1.0", b"signature/v9.0"))

    # The envelope.
    bad = bytearray(signature)
    bad[-1] ^= 1
    case("signature-spoiled", s=bytes(bad))
    stranger = i.stranger.sign(pae(), SHA256)
    case("signature-of-other-key", s=stranger)
    write("payload-swapped.json", bundle(leaf, signature, [i.v1(body)],
                                         payload=PAYLOAD.replace(b'"m"', b'"n"')))
    kind = "text/plain"
    s = key.sign(pae(kind=kind), SHA256)
    case("payload-type", s=s, kind=kind)

    # Trusted roots under which good.json is refused.
    def root(name, change):
        value = i.trusted_root()
        change(value)
        write(f"root-{name}.json", value)
    before, after = rfc3339(SIGNED - SECOND), rfc3339(SIGNED + SECOND)
    root("exact", lambda r: (
        r["tlogs"][0]["publicKey"]["validFor"].update(
            start=rfc3339(SIGNED), end=rfc3339(SIGNED)),
        r["certificateAuthorities"][0]["validFor"].update(
            start=rfc3339(SIGNED), end=rfc3339(SIGNED)),
        r["ctlogs"][0]["publicKey"]["validFor"].update(
            start=rfc3339(SIGNED), end=rfc3339(SIGNED)),
        r["timestampAuthorities"][0]["validFor"].update(
            start=rfc3339(SIGNED), end=rfc3339(SIGNED))))
    for what, place in (("log", lambda r: r["tlogs"][0]["publicKey"]["validFor"]),
                        ("ca", lambda r: r["certificateAuthorities"][0]["validFor"]),
                        ("ct", lambda r: r["ctlogs"][0]["publicKey"]["validFor"])):
        root(f"{what}-ended", lambda r, p=place: p(r).update(end=before))
        root(f"{what}-begins", lambda r, p=place: p(r).update(start=after))
    root("tsa-ended", lambda r: r["timestampAuthorities"][0]["validFor"].update(end=before))
    root("tsa-begins", lambda r: r["timestampAuthorities"][0]["validFor"].update(start=after))
    root("log-two-periods", lambda r: r["tlogs"].insert(0, i.log_root(
        V1, i.rekor, end=before)))
    root("log-two-periods-ended", lambda r: (
        r["tlogs"][0]["publicKey"]["validFor"].update(end=before),
        r["tlogs"].append(i.log_root(V1, i.rekor, start=after))))
    # A log whose key signs no checkpoints.
    root("rsa-log", lambda r: r["tlogs"][1]["publicKey"].update(
        rawBytes=b64(Key("rsa2048").spki), keyDetails="PKIX_RSA_PKCS1V15_2048_SHA256"))
    # The same authority under two certificates, one after the other.
    middles = [certificate("Fulcio", i.middle, "Fulcio root", i.root,
                           [constraints(length=0), key_usage(5, 6), usages(CODE)], **period)
               for period in ({"end": SIGNED + 10 * SECOND}, {"begin": SIGNED + 20 * SECOND})]
    root("two-middles", lambda r: r["certificateAuthorities"].__setitem__(
        0, i.authority("https://fulcio.example", [*middles, i.ca[1]])))
    root("no-tsa", lambda r: r.pop("timestampAuthorities"))
    root("no-ca", lambda r: r.pop("certificateAuthorities"))
    root("no-logs", lambda r: r.pop("tlogs"))
    root("no-ct", lambda r: r.pop("ctlogs"))
    root("two-cas", lambda r: r["certificateAuthorities"].insert(0, i.authority(
        "https://old.example", [certificate("Old", i.stranger, "Old", i.stranger, CA)])))
    return leaf, signature, body


def roots(out, i):
    write = writer(out)
    good = i.trusted_root()

    def case(name, change=lambda r: None):
        value = copy.deepcopy(good)
        change(value)
        write(name + ".json", value)
    key = lambda r: r["tlogs"][0]["publicKey"]
    case("valid-all")
    for name, media in (("v0.1", "application/vnd.dev.sigstore.trustedroot.v0.1+json"),
                        ("v0.2", "application/vnd.dev.sigstore.trustedroot.v0.2+json")):
        case("valid-" + name, lambda r, m=media: r.update(mediaType=m))
    case("valid-unknown-members", lambda r: r.update(extra=[{"a": 1}]))
    case("valid-nulls", lambda r: (r["tlogs"][0].update(operator=None),
                                   key(r)["validFor"].update(end=None)))
    case("valid-empty", lambda r: [r.pop(n) for n in (
        "tlogs", "ctlogs", "certificateAuthorities", "timestampAuthorities")])
    case("valid-fraction", lambda r: key(r)["validFor"].update(
        start="2026-01-01T00:00:00.123456Z", end="2026-12-31T23:59:59.999Z"))
    case("valid-pkcs1-key", lambda r: key(r).update(
        rawBytes=b64(b"\x30\x06\x02\x01\x05\x02\x01\x03"), keyDetails="PKCS1_RSA_PKCS1V5"))
    case("valid-other-details", lambda r: key(r).update(keyDetails="PKIX_ECDSA_P384_SHA_384"))
    case("valid-other-hash", lambda r: r["tlogs"][0].update(hashAlgorithm="SHA2_512"))
    case("valid-slash", lambda r: r["tlogs"][0].update(baseUrl=f"https://{V1}/"))

    case("invalid-media-type", lambda r: r.update(
        mediaType="application/vnd.dev.sigstore.trustedroot.v0.3+json"))
    case("invalid-no-media-type", lambda r: r.pop("mediaType"))
    case("invalid-no-start", lambda r: key(r)["validFor"].pop("start"))
    case("invalid-no-valid-for", lambda r: key(r).pop("validFor"))
    case("invalid-ca-no-start",
         lambda r: r["certificateAuthorities"][0]["validFor"].pop("start"))
    case("invalid-end-number", lambda r: key(r)["validFor"].update(end=1))
    for name, text in (("zone", "2026-01-01T00:00:00+00:00"), ("date", "2026-01-01"),
                       ("point", "2026-01-01T00:00:00.Z"), ("letters", "2026-01-01T00:00:00.1xZ"),
                       ("day", "2026-02-30T00:00:00Z"), ("empty", ""), ("short", "2026Z"),
                       ("no-z", "2026-01-01T00:00:00X"), ("comma", "2026-01-01T00:00:00,5Z"),
                       ("minus", "2026-01-01T00:00:00.-5Z"), ("space", "2026-01-01 00:00:00Z")):
        case(f"invalid-time-{name}", lambda r, t=text: key(r)["validFor"].update(start=t))
    case("invalid-no-key", lambda r: key(r).pop("rawBytes"))
    case("invalid-key-base64", lambda r: key(r).update(rawBytes="!!!!"))
    case("invalid-key-empty", lambda r: key(r).update(rawBytes=""))
    case("invalid-no-log-id", lambda r: r["tlogs"][0].pop("logId"))
    case("invalid-log-id-short", lambda r: r["tlogs"][0]["logId"].update(keyId=b64(b"1234")))
    case("invalid-url-number", lambda r: r["tlogs"][0].update(baseUrl=7))
    case("invalid-uri-number", lambda r: r["certificateAuthorities"][0].update(uri=7))
    case("invalid-no-chain", lambda r: r["certificateAuthorities"][0].pop("certChain"))
    case("invalid-chain-empty",
         lambda r: r["certificateAuthorities"][0]["certChain"].update(certificates=[]))
    case("invalid-chain-base64", lambda r: r["timestampAuthorities"][0]["certChain"].update(
        certificates=[{"rawBytes": "?"}]))
    case("invalid-logs-object", lambda r: r.update(tlogs={}))
    case("invalid-logs-null-member", lambda r: r.update(tlogs=[None]))
    case("limit-logs-33", lambda r: r.update(tlogs=r["tlogs"][:1] * 33))
    case("limit-cas-33", lambda r: r.update(
        certificateAuthorities=r["certificateAuthorities"] * 33))
    case("limit-chain-9", lambda r: r["certificateAuthorities"][0]["certChain"].update(
        certificates=[{"rawBytes": b64(i.ca[1])}] * 9))
    write("invalid-duplicate.json", compact(good)[:-1] + b',"tlogs":[]}')
    write("invalid-trailing.json", compact(good) + b"x")
    write("invalid-array.json", b"[]")
    write("invalid-not-json.json", b"{")


def entries(out, i, leaf, signature, body):
    write = writer(out)
    good = i.v1(body)

    def case(name, change=lambda e: None, base=good):
        value = copy.deepcopy(base)
        change(value)
        write(name + ".json", value)
    proof = lambda e: e["inclusionProof"]
    case("valid-dsse")
    case("valid-hashedrekord", base=i.v1(hashed_body(leaf, signature), "hashedrekord"))
    case("valid-no-proof", lambda e: e.pop("inclusionProof"))
    case("valid-null-promise", lambda e: e.update(inclusionPromise=None))
    case("valid-integers", lambda e: (e.update(logIndex=1003), proof(e).update(treeSize=5)))
    case("valid-unknown-members", lambda e: e.update(other=1))

    for member in ("logIndex", "logId", "kindVersion", "integratedTime", "canonicalizedBody"):
        case(f"invalid-no-{member}", lambda e, m=member: e.pop(m))
        case(f"invalid-null-{member}", lambda e, m=member: e.update({m: None}))
        case(f"invalid-list-{member}", lambda e, m=member: e.update({m: []}))
    for member in ("logIndex", "treeSize", "rootHash", "checkpoint"):
        case(f"invalid-proof-no-{member}", lambda e, m=member: proof(e).pop(m))
        case(f"invalid-proof-null-{member}", lambda e, m=member: proof(e).update({m: None}))
    case("invalid-proof-list", lambda e: e.update(inclusionProof=[]))
    case("invalid-promise-list", lambda e: e.update(inclusionPromise=[]))
    case("invalid-promise-empty", lambda e: e["inclusionPromise"].update(
        signedEntryTimestamp=""))
    case("invalid-negative", lambda e: e.update(logIndex="-1"))
    case("invalid-negative-integer", lambda e: e.update(logIndex=-1))
    case("invalid-real", lambda e: e.update(logIndex=1.5))
    case("invalid-zeros", lambda e: e.update(logIndex="01"))
    case("invalid-time-text", lambda e: e.update(integratedTime="now"))
    case("invalid-hash-short", lambda e: proof(e)["hashes"].append(b64(b"x")))
    case("invalid-hashes-object", lambda e: proof(e).update(hashes={}))
    case("invalid-body-base64", lambda e: e.update(canonicalizedBody="!"))
    case("limit-64-hashes", lambda e: proof(e).update(hashes=[b64(bytes(32))] * 64))
    case("denied-intoto", lambda e: e["kindVersion"].update(kind="intoto", version="0.0.2"))
    case("denied-version", lambda e: e["kindVersion"].update(version="0.0.2"))
    write("invalid-duplicate.json", compact(good)[:-1] + b',"logIndex":"4"}')
    write("invalid-array.json", b"[]")
    write("invalid-empty.json", b"")

    # Bodies that parse as an entry and are not of its subject: rekor_v1_match.
    def match(name, change, make=dsse_body, kind="dsse"):
        value = json.loads(make(leaf, signature))
        change(value)
        write(f"match-{name}.json", i.v1(compact(value), kind))
    spec = lambda v: v["spec"]
    match("kind", lambda v: v.update(kind="hashedrekord"))
    match("version", lambda v: v.update(apiVersion="0.0.2"))
    match("no-spec", lambda v: v.pop("spec"))
    match("spec-list", lambda v: v.update(spec=[]))
    match("algorithm", lambda v: spec(v)["payloadHash"].update(algorithm="sha512"))
    match("value-upper", lambda v: spec(v)["payloadHash"].update(
        value=spec(v)["payloadHash"]["value"].upper()))
    match("value-null", lambda v: spec(v)["payloadHash"].update(value=None))
    match("no-signatures", lambda v: spec(v).update(signatures=[]))
    match("signature-null", lambda v: spec(v)["signatures"][0].update(signature=None))
    match("signature-base64", lambda v: spec(v)["signatures"][0].update(signature="!"))
    match("verifier-der", lambda v: spec(v)["signatures"][0].update(verifier=b64(leaf)))
    match("verifier-null", lambda v: spec(v)["signatures"][0].update(verifier=None))
    match("verifier-two", lambda v: spec(v)["signatures"][0].update(
        verifier=b64((pem(leaf) * 2).encode())))
    match("verifier-broken", lambda v: spec(v)["signatures"][0].update(
        verifier=b64((pem(leaf) + pem(leaf)[:60]).encode())))
    match("verifier-label", lambda v: spec(v)["signatures"][0].update(
        verifier=b64(pem(leaf).replace("CERTIFICATE", "PUBLIC KEY").encode())))
    match("hashed-no-data", lambda v: spec(v).pop("data"), hashed_body, "hashedrekord")
    match("hashed-no-key", lambda v: spec(v)["signature"].pop("publicKey"),
          hashed_body, "hashedrekord")
    write("match-not-json.json", i.v1(b"body"))


def timestamps(out, i):
    write = writer(out)
    key = Key()

    def case(name, leaf, root=None, issuer=None):
        data = b"".join(struct.pack(">H", len(c)) + c for c in (leaf, issuer or i.ca[0]))
        write(name + ".sct", data + compact(root or i.trusted_root()))

    def with_scts(name, scts, **more):
        case(name, i.leaf(key, scts=scts), **more)
    # Extensions that are so few that their lengths take another form.
    for name, more in (("short", []), ("medium", [names(email(b"a" * 100 + b"@b.example"))])):
        def make(*last):
            return certificate("", key, "Fulcio", i.middle, [*more, key_usage(DIGITAL), *last],
                               serial=integer(7), begin=SIGNED - MINUTE)
        case(name, make(i.sct_list([i.sct(tbs_of(make()))])))
    one = certificate("", key, "Fulcio", i.middle, [key_usage(DIGITAL)],
                      serial=integer(8), begin=SIGNED - MINUTE)
    listed = i.sct(tbs_of(one))
    case("list-trailing", certificate(
        "", key, "Fulcio", i.middle, [key_usage(DIGITAL), extension(
            "1.3.6.1.4.1.11129.2.4.2",
            tlv(0x04, struct.pack(">H", len(listed)) + listed + b"\0"))],
        serial=integer(8), begin=SIGNED - MINUTE))
    with_scts("one", lambda t: [i.sct(t)])
    with_scts("two", lambda t: [i.sct(t), i.sct(t)])
    with_scts("sixteen", lambda t: [i.sct(t)] * 16)
    with_scts("extensions", lambda t: [i.sct(t, ext=b"12345678")])
    with_scts("unknown-too", lambda t: [i.sct(t, i.stranger), i.sct(t)])
    with_scts("none", lambda t: [])
    with_scts("unknown", lambda t: [i.sct(t, i.stranger)])
    with_scts("spoiled", lambda t: [i.sct(t, spoil=True)])
    with_scts("good-and-spoiled", lambda t: [i.sct(t), i.sct(t, spoil=True)])
    with_scts("log-ended", lambda t: [i.sct(t, i.ct2)])
    with_scts("log-not-ended", lambda t: [
        i.sct(t, i.ct2, SIGNED.replace(month=2, day=1, hour=0))])
    with_scts("other-issuer", lambda t: [i.sct(t)], issuer=i.ca[1])
    with_scts("empty-list", lambda t: [b""])
    with_scts("seventeen", lambda t: [i.sct(t)] * 17)
    with_scts("trailing", lambda t: [i.sct(t), b"\0"])
    with_scts("long", lambda t: [struct.pack(">H", 500) + i.sct(t)[2:]])
    with_scts("version-1", lambda t: [(lambda s: s[:2] + b"\1" + s[3:])(i.sct(t))])
    with_scts("hash-sha512", lambda t: [i.sct(t).replace(b"\4\3\0", b"\6\3\0", 1)])
    with_scts("sign-rsa", lambda t: [i.sct(t).replace(b"\4\3\0", b"\4\1\0", 1)])
    with_scts("inner-trailing", lambda t: [
        (lambda s: struct.pack(">H", len(s) - 1) + s[2:] + b"\0")(i.sct(t))])


def main():
    i = Instance()
    out = lambda name: os.path.join(sys.argv[1], name)
    roots(out("trust_root"), i)
    timestamps(out("sct"), i)
    entries(out("rekor_v1"), i, *bundles(out("sigstore"), i))


if __name__ == "__main__":
    main()
