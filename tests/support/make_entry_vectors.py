#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/vectors/entry: submissions with the leaf or the refusal that
they must lead to, and texts that are no leaf. Keys and signatures are those of
make_key_vectors.py; leaves come from Python's own JSON writer.

usage: make_entry_vectors.py tests/vectors
"""

import base64
import copy
import hashlib
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import make_key_vectors as keys  # noqa: E402

MESSAGE = b"what is logged"
PAYLOAD_TYPE = "application/vnd.in-toto+json"


def b64(data):
    return base64.b64encode(data).decode()


def pae(kind, payload):
    kind = kind.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


class Signer:
    def __init__(self, details, number, algorithm, digest, spki, sign):
        self.details, self.number, self.algorithm = details, number, algorithm
        self.digest, self.spki, self.sign = digest, spki, sign

    def hash(self, message):
        return hashlib.new(self.digest, message).digest()


def ecdsa_signer(details, number, algorithm, curve):
    d = keys.RANDOM.randrange(1, curve.n)

    def sign(message):
        r, s = curve.sign(d, curve.hash(message))
        return keys.seq(keys.integer(r), keys.integer(s))

    spki = curve.spki(curve.point(curve.mul(d, curve.g)))
    return Signer(details, number, algorithm, curve.digest, spki, sign)


def rsa_signer(size, number):
    rsa = keys.Rsa(size)

    def sign(message):
        digest = hashlib.sha256(message).digest()
        return rsa.sign(keys.pkcs1(rsa.size, keys.SHA256_INFO + digest))

    details = f"PKIX_RSA_PKCS1V15_{size}_SHA256"
    return Signer(details, number, "SHA2_256", "sha256", rsa.spki(), sign)


def ed_signer():
    seed = b"\x17" * 32

    def sign(message):
        digest = hashlib.sha512(message).digest()
        return keys.ed_sign(seed, digest, keys.DOM2)

    spki = keys.ed_spki(keys.ed_key(seed))
    return Signer("PKIX_ED25519_PH", 8, "SHA2_512", "sha512", spki, sign)


def certificate(spki):
    name = keys.seq(
        keys.tlv(
            0x31,
            keys.seq(keys.oid("2.5.4.3"), keys.tlv(0x0C, b"anyone")),
        )
    )
    times = keys.seq(
        keys.tlv(0x17, b"250101000000Z"), keys.tlv(0x17, b"350101000000Z")
    )
    algorithm = keys.seq(keys.oid("1.2.840.10045.4.3.2"))
    tbs = keys.seq(
        keys.integer(5), algorithm, name, times, name, spki
    )
    return keys.seq(tbs, algorithm, keys.bits(b"not looked at"))


def request(signer, arm="publicKey"):
    der = signer.spki if arm == "publicKey" else certificate(signer.spki)
    return {
        "hashedRekordRequestV002": {
            "digest": b64(signer.hash(MESSAGE)),
            "signature": {
                "content": b64(signer.sign(MESSAGE)),
                "verifier": {
                    arm: {"rawBytes": b64(der)},
                    "keyDetails": signer.details,
                },
            },
        }
    }


def dsse_request(signer, payload, arm="publicKey", kind=PAYLOAD_TYPE):
    der = signer.spki if arm == "publicKey" else certificate(signer.spki)
    signature = {"sig": b64(signer.sign(pae(kind, payload))), "keyid": ""}
    return {
        "dsseRequestV002": {
            "envelope": {
                "payload": b64(payload),
                "payloadType": kind,
                "signatures": [signature],
            },
            "verifiers": [
                {arm: {"rawBytes": b64(der)}, "keyDetails": signer.details}
            ],
        }
    }


def leaf(signer, digest, content, verifier):
    entry = {
        "apiVersion": "0.0.2",
        "kind": "hashedrekord",
        "spec": {
            "hashedRekordV002": {
                "data": {
                    "algorithm": signer.algorithm,
                    "digest": b64(digest),
                },
                "signature": {"content": content, "verifier": verifier},
            }
        },
    }
    return json.dumps(entry, sort_keys=True, separators=(",", ":"))


def leaf_of(signer, req):
    if "dsseRequestV002" in req:
        inner = req["dsseRequestV002"]
        envelope = inner["envelope"]
        payload = base64.b64decode(envelope["payload"])
        digest = signer.hash(pae(envelope["payloadType"], payload))
        content = envelope["signatures"][0]["sig"]
        return leaf(signer, digest, content, inner["verifiers"][0])
    inner = req["hashedRekordRequestV002"]
    digest = base64.b64decode(inner["digest"])
    signature = inner["signature"]
    return leaf(signer, digest, signature["content"], signature["verifier"])


def snake(value):
    names = {
        "hashedRekordRequestV002": "hashed_rekord_request_v002",
        "dsseRequestV002": "dsse_request_v002",
        "publicKey": "public_key",
        "x509Certificate": "x509_certificate",
        "rawBytes": "raw_bytes",
        "keyDetails": "key_details",
    }
    if isinstance(value, dict):
        return {names.get(k, k): snake(v) for k, v in value.items()}
    if isinstance(value, list):
        return [snake(v) for v in value]
    return value


def bytes_fields(value, change):
    if isinstance(value, dict):
        return {
            k: change(v)
            if k in ("digest", "content", "rawBytes", "sig", "payload")
            else bytes_fields(v, change)
            for k, v in value.items()
        }
    if isinstance(value, list):
        return [bytes_fields(v, change) for v in value]
    return value


def url_safe(text):
    return text.replace("+", "-").replace("/", "_")


REMOVE = object()


def changed(value, path, new):
    """A copy of `value` in which the member at a.b.0.c is `new`."""
    out = at = copy.deepcopy(value)
    *way, last = (int(p) if p.isdigit() else p for p in path.split("."))
    for step in way:
        at = at[step]
    if new is REMOVE:
        del at[last]
    else:
        at[last] = new
    return out


def accepted(signers):
    for s in signers:
        for arm in ("publicKey", "x509Certificate"):
            req = request(s, arm)
            yield f"{s.details} {arm}", req, leaf_of(s, req), True
            req = dsse_request(s, b'{"a":1}', arm)
            yield f"DSSE {s.details} {arm}", req, leaf_of(s, req), True
    for s in signers[:4]:
        req = request(s)
        want = leaf_of(s, req)
        path = "hashedRekordRequestV002.signature.verifier"
        for number in (s.number, float(s.number)):
            one = changed(req, f"{path}.keyDetails", number)
            yield f"keyDetails {number}", one, want, True
        yield "snake_case", snake(req), want, True
        yield "URL-safe", bytes_fields(req, url_safe), want, True
        yield "no padding", bytes_fields(
            req, lambda t: t.rstrip("=")
        ), want, True
        yield "URL-safe, no padding", bytes_fields(
            req, lambda t: url_safe(t).rstrip("=")
        ), want, True
        one = changed(req, f"{path}.x509Certificate", None)
        yield "certificate null", one, want, True
        one = changed(req, "dsseRequestV002", None)
        yield "other request null", one, want, True
        yield "spread over lines", json.dumps(req, indent=8), want, True
        yield "white space around", f" \n\t{json.dumps(req)}\r\n", want, True
        text = json.dumps(req).replace('"digest"', '"\\u0064igest"')
        yield "escaped name", text, want, True
        text = json.dumps(req).replace("/", "\\/")
        yield "escaped slashes", text, want, True
        # A signature that does not verify is not the parser's business.
        one = changed(
            req, "hashedRekordRequestV002.digest", b64(s.hash(b"other"))
        )
        yield "other digest", one, leaf_of(s, one), False
    s = signers[0]
    req = dsse_request(s, b"\0\xff" * 500, kind="a type \u00e9 of text")
    yield "DSSE binary payload", req, leaf_of(s, req), True
    want = leaf_of(s, req)
    yield "DSSE snake_case", snake(req), want, True
    path = "dsseRequestV002.envelope.signatures.0.keyid"
    yield "DSSE no keyid", changed(req, path, REMOVE), want, True
    yield "DSSE keyid null", changed(req, path, None), want, True
    yield "DSSE keyid text", changed(req, path, "any"), want, True
    one = changed(req, "hashedRekordRequestV002", None)
    yield "DSSE other request null", one, want, True


def refused(signers):
    p256, p384, p521, ed, rsa = signers[:5]
    req = request(p256)
    top = "hashedRekordRequestV002"
    sig, ver = f"{top}.signature", f"{top}.signature.verifier"

    def change(name, reason, at, path, new):
        return name, changed(req, path, new), reason, at

    # JSON
    text = json.dumps(req)
    for name, body in (
        ("empty", ""),
        ("white space", " \n"),
        ("text", "hello"),
        ("cut", text[:-1]),
        ("cut in a string", text[:100]),
        ("trailing object", text + "{}"),
        ("trailing text", text + "x"),
        ("two requests", text + "\n" + text),
        ("comment", "/* */" + text),
        ("single quotes", text.replace('"', "'")),
        ("trailing comma", text[:-1] + ",}"),
        ("byte order mark", "\ufeff" + text),
        ("NUL in a string", text.replace("PKIX", "PK\\u0000IX")),
        ("lone surrogate", text.replace("PKIX", "\\ud800")),
        ("digest twice", text.replace('"digest"', '"digest":"","digest"')),
        ("nested", "[" * 1000),
        ("nested objects", '{"a":' * 1000),
        ("nested inside", text.replace('"digest":', '"x":' + "[" * 20)),
    ):
        yield name, body, "bad-json", ""
    for name, body in (
        ("null", "null"),
        ("array", "[]"),
        ("number", "7"),
        ("string", '"x"'),
    ):
        yield f"a {name}", body, "field-type", "submission"
    yield "empty object", "{}", "missing-field", top
    yield "request null", {top: None}, "missing-field", top
    for new in ("x", 5, [], True):
        yield f"request {new!r}", {top: new}, "field-type", top
    yield "request empty", {top: {}}, "missing-field", f"{top}.digest"
    yield "request twice", {**req, **snake(req)}, "duplicate-field", (
        "hashed_rekord_request_v002"
    )
    both = {**req, **dsse_request(p256, b"x")}
    yield "both requests", both, "conflicting-fields", "dsseRequestV002"

    # Fields
    for path, reason_at in (
        ("extra", '"extra"'),
        (f"{top}.extra", f'{top}: "extra"'),
        (f"{sig}.extra", f'{sig}: "extra"'),
        (f"{ver}.extra", f'{ver}: "extra"'),
        (f"{ver}.publicKey.extra", f'{ver}.publicKey: "extra"'),
        (f"{ver}.publicKey.rawbytes", '"rawbytes"'),
        (f"{ver}.PublicKey", '"PublicKey"'),
        (f"{top}.Digest", '"Digest"'),
        ("rekordRequest", '"rekordRequest"'),
        (f"{top}.", '""'),
        (f"{top}.{'x' * 70}", "x" * 64 + '"'),
        (f"{top}.{'x' * 63 + chr(0x20AC)}", "x" * 63 + '"'),
    ):
        yield change(f"field {path}", "unknown-field", reason_at, path, 1)
        yield change(f"null {path}", "unknown-field", reason_at, path, None)
    for path, at in (
        (f"{ver}.public_key", "public_key"),
        (f"{ver}.key_details", "key_details"),
        (f"{ver}.publicKey.raw_bytes", "raw_bytes"),
    ):
        yield change(f"both {path}", "duplicate-field", at, path, "x")
        yield change(f"both null {path}", "duplicate-field", at, path, None)
    for path in (
        f"{top}.digest",
        sig,
        f"{sig}.content",
        ver,
        f"{ver}.publicKey",
        f"{ver}.publicKey.rawBytes",
        f"{ver}.keyDetails",
    ):
        at = ver if path == f"{ver}.publicKey" else path
        yield change(f"no {path}", "missing-field", at, path, REMOVE)
        yield change(f"null {path}", "missing-field", at, path, None)
        for new in ([], True):
            yield change(f"{path} {new!r}", "field-type", path, path, new)
        if path in (sig, ver, f"{ver}.publicKey"):
            yield change(f"{path} text", "field-type", path, path, "x")
            continue
        yield change(f"empty {path}", "missing-field", path, path, "")
        yield change(f"{path} object", "field-type", path, path, {})
        if path != f"{ver}.keyDetails":
            yield change(f"{path} 5", "field-type", path, path, 5)
            for bad in ("%%%", "A", "AAA=A", "AA==A", "A=", "=", "AB==", "Zm9 v"):
                yield change(f"{path} {bad}", "bad-base64", path, path, bad)
            yield change(f"{path} mixed", "bad-base64", path, path, "+-AA")
    # In the submitter's spelling.
    one = snake(req)
    path = "hashed_rekord_request_v002.signature.verifier"
    for name in ("public_key.raw_bytes", "key_details"):
        two = changed(one, f"{path}.{name}", REMOVE)
        yield f"no {name}", two, "missing-field", f"{path}.{name}"
    one = changed(one, f"{path}.public_key.raw_bytes", "%")
    yield "snake base64", one, "bad-base64", f"{path}.public_key.raw_bytes"
    one = changed(req, f"{ver}.x509Certificate", {"rawBytes": "AA=="})
    yield "both arms", one, "conflicting-fields", ver

    # Digest
    for s in (p256, p384, p521, ed, rsa):
        right = len(s.hash(b""))
        for n in (1, 20, 31, 32, 33, 48, 63, 64, 65):
            if n != right:
                one = changed(
                    request(s), f"{top}.digest", b64(bytes(n))
                )
                yield f"{s.details} digest {n}", one, "digest-length", (
                    f"{top}.digest"
                )

    # keyDetails
    for new in (
        "PKIX_NOT_A_KEY",
        "pkix_ecdsa_p256_sha_256",
        "PKIX_ECDSA_P256_SHA_256 ",
        "PKIX_ED25519",
        "PKIX_RSA_PSS_2048_SHA256",
        "PUBLIC_KEY_DETAILS_UNSPECIFIED",
        "5",
        0,
        -5,
        1,
        6,
        7,
        14,
        99,
        5.5,
        2**31,
        2**62,
        1e300,
    ):
        at = f"{ver}.keyDetails"
        yield change(f"keyDetails {new}", "key-details-unknown", at, at, new)
    for s in signers:
        for other in signers:
            if s is not other:
                one = changed(request(s), f"{ver}.keyDetails", other.details)
                yield f"{other.details} for {s.details}", one, (
                    "key-details-mismatch"
                ), f"{ver}.keyDetails"

    # Keys and certificates
    at = f"{ver}.publicKey.rawBytes"
    pem = b"-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n"
    ec = keys.seq(keys.oid("1.2.840.10045.2.1"), keys.oid("1.3.132.0.10"))
    for name, der in (
        ("garbage", b"garbage"),
        ("PEM", pem),
        ("with a byte behind", p256.spki + b"\0"),
        ("cut", p256.spki[:-1]),
        ("certificate", certificate(p256.spki)),
        ("of secp256k1", keys.seq(ec, keys.bits(p256.spki[26:]))),
        ("of X25519", ed.spki.replace(b"\x2b\x65\x70", b"\x2b\x65\x6e")),
        ("too long", keys.seq(keys.tlv(4, bytes(2000)))),
    ):
        yield change(f"key {name}", "key-form", at, at, b64(der))
    cert = certificate(p256.spki)
    req = request(p256, "x509Certificate")
    at = f"{ver}.x509Certificate.rawBytes"
    for name, der in (
        ("garbage", b"garbage"),
        ("PEM", pem),
        ("with a byte behind", cert + b"\0"),
        ("cut", cert[:-1]),
        ("a bare key", p256.spki),
        ("of a strange key", certificate(keys.seq(ec, keys.bits(b"")))),
        ("too long", keys.seq(keys.tlv(4, bytes(20000)))),
    ):
        yield change(
            f"certificate {name}", "certificate-form", at, at, b64(der)
        )

    # Signatures
    for s in signers:
        req = request(s)
        at = f"{sig}.content"
        good = base64.b64decode(req[top]["signature"]["content"])
        for name, value in (
            ("byte", b"\0"),
            ("cut", good[:-1]),
            ("byte behind", good + b"\0"),
            ("over the limit", bytes(1025)),
        ):
            yield change(
                f"{s.details} signature {name}",
                "signature-form",
                at,
                at,
                b64(value),
            )
    req = request(p256)
    for name, value in (
        ("raw r and s", bytes(range(64))),
        ("zero", keys.seq(keys.integer(0), keys.integer(0))),
        ("order", keys.seq(keys.integer(1), keys.integer(keys.P256.n))),
        ("negative", keys.seq(keys.integer(1), b"\x02\x01\x80")),
        ("padded", keys.seq(keys.integer(1), b"\x02\x02\x00\x01")),
        ("long form", b"\x30\x81\x06\x02\x01\x01\x02\x01\x01"),
    ):
        yield change(f"signature {name}", "signature-form", at, at, b64(value))

    # DSSE
    req = dsse_request(p256, b"payload")
    top = "dsseRequestV002"
    env = f"{top}.envelope"
    for path in (
        env,
        f"{env}.payload",
        f"{env}.payloadType",
        f"{env}.signatures",
        f"{env}.signatures.0.sig",
        f"{top}.verifiers",
    ):
        at = path.replace(".0", "[0]")
        yield change(f"no {path}", "missing-field", at, path, REMOVE)
        yield change(f"null {path}", "missing-field", at, path, None)
        yield change(f"{path} 5", "field-type", at, path, 5)
    for path in (f"{env}.payload", f"{env}.payloadType"):
        yield change(f"empty {path}", "missing-field", path, path, "")
    for path in (f"{env}.signatures", f"{top}.verifiers"):
        yield change(f"empty {path}", "missing-field", path, path, [])
        yield change(f"null in {path}", "field-type", path, path, [None])
        yield change(f"text in {path}", "field-type", path, path, ["x"])
        yield change(f"object {path}", "field-type", path, path, {})
    for path, at in (
        (f"{top}.verifier", '"verifier"'),
        (f"{env}.payload_type", '"payload_type"'),
        (f"{env}.signatures.0.keyId", '"keyId"'),
        (f"{top}.verifiers.0.x", f'{top}.verifiers[0]: "x"'),
    ):
        yield change(f"field {path}", "unknown-field", at, path, "x")
    one = req[top]["envelope"]["signatures"][0]
    path = f"{env}.signatures"
    for n in (2, 11):
        yield change(
            f"{n} signatures", "too-many-signatures", path, path, [one] * n
        )
    path = f"{top}.verifiers"
    one = req[top]["verifiers"][0]
    yield change(
        "two verifiers", "too-many-verifiers", path, path, [one, one]
    )
    path = f"{env}.signatures.0.keyid"
    at = f"{env}.signatures[0].keyid"
    yield change("keyid 5", "field-type", at, path, 5)
    path = f"{env}.signatures.0.sig"
    yield change("sig %", "bad-base64", f"{env}.signatures[0].sig", path, "%")
    yield change("raw sig", "signature-form", env, path, b64(bytes(64)))
    path = f"{env}.payloadType"
    yield change("long type", "payload-type", path, path, "t" * 256)
    at = f"{top}.verifiers[0].keyDetails"
    path = f"{top}.verifiers.0.keyDetails"
    for new, reason in (
        ("PKIX_ECDSA_P384_SHA_384", "key-details-mismatch"),
        ("PKIX_ED25519", "key-details-unknown"),
        (8, "key-details-mismatch"),
    ):
        yield change(f"DSSE {new}", reason, at, path, new)


def not_leaves(signers):
    p256, ed = signers[0], signers[3]
    good = leaf_of(p256, request(p256))
    other = leaf_of(ed, request(ed))
    cert = leaf_of(p256, request(p256, "x509Certificate"))
    yield "empty", ""
    yield "object", "{}"
    yield "request", json.dumps(request(p256))
    for n in range(1, len(good), 37):
        yield f"cut to {n}", good[:n]
    yield "newline behind", good + "\n"
    yield "twice", good + good
    for name, old, new in (
        ("space", ":", ": "),
        ("version", "0.0.2", "0.0.1"),
        ("kind", "hashedrekord", "dsse"),
        ("old spelling", "hashedRekordV002", "hashedRekordV0_0_2"),
        ("algorithm", "SHA2_256", "SHA2_512"),
        ("no algorithm", "SHA2_256", ""),
        ("other algorithm", "SHA2_256", "SHA3_256"),
        ("keyDetails", "P256_SHA_256", "P384_SHA_384"),
        ("no keyDetails", "PKIX_ECDSA_P256_SHA_256", ""),
        ("keyDetails number", '"PKIX_ECDSA_P256_SHA_256"', "5"),
        ("escaped slash", "/", "\\/"),
        ("URL-safe", "/", "_"),
        ("certificate", "publicKey", "x509Certificate"),
        ("no padding", '="', '"'),
    ):
        changed_leaf = good.replace(old, new)
        assert changed_leaf != good, name
        yield name, changed_leaf
    yield "key", cert.replace("x509Certificate", "publicKey")
    spec = json.loads(good)
    inner = spec["spec"]["hashedRekordV002"]
    for path, new in (
        ("data.digest", b64(bytes(31))),
        ("data.digest", b64(bytes(64))),
        ("data.digest", ""),
        ("signature.content", ""),
        ("signature.content", b64(bytes(1025))),
        ("signature.verifier.publicKey.rawBytes", ""),
        ("signature.verifier.publicKey.rawBytes", b64(p256.spki + b"\0")),
        ("signature.verifier.publicKey.rawBytes", b64(ed.spki)),
        ("data.extra", ""),
        ("extra", ""),
    ):
        spec["spec"]["hashedRekordV002"] = changed(inner, path, new)
        text = json.dumps(spec, sort_keys=True, separators=(",", ":"))
        yield f"{path} {new[:8]}", text
    yield "other order", good.replace(
        '"apiVersion":"0.0.2","kind":"hashedrekord"',
        '"kind":"hashedrekord","apiVersion":"0.0.2"',
    )
    yield "Ed25519 as pure", other.replace("ED25519_PH", "ED25519")
    yield "too long", good + " " * 30000


def raw(value):
    return value if isinstance(value, str) else json.dumps(value)


def write(folder, name, rows):
    with open(os.path.join(folder, name), "w", encoding="ascii") as f:
        f.write("[\n")
        f.write(",\n".join(json.dumps(row) for row in rows))
        f.write("\n]\n")


def main():
    folder = os.path.join(sys.argv[1], "entry")
    os.makedirs(folder, exist_ok=True)
    keys.RANDOM.seed("mtlog entry vectors")
    signers = [
        ecdsa_signer("PKIX_ECDSA_P256_SHA_256", 5, "SHA2_256", keys.P256),
        ecdsa_signer("PKIX_ECDSA_P384_SHA_384", 12, "SHA2_384", keys.P384),
        ecdsa_signer("PKIX_ECDSA_P521_SHA_512", 13, "SHA2_512", keys.P521),
        ed_signer(),
        rsa_signer(2048, 9),
        rsa_signer(3072, 10),
        rsa_signer(4096, 11),
    ]
    write(
        folder,
        "accepted.json",
        (
            {"name": n, "request": raw(r), "leaf": w, "verifies": v}
            for n, r, w, v in accepted(signers)
        ),
    )
    write(
        folder,
        "refused.json",
        (
            {"name": n, "request": raw(r), "reason": why, "says": says}
            for n, r, why, says in refused(signers)
        ),
    )
    write(
        folder,
        "not-leaves.json",
        ({"name": n, "leaf": text} for n, text in not_leaves(signers)),
    )


if __name__ == "__main__":
    main()
