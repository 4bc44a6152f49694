#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bundles, envelopes and the search by what they say, on a real server: the
bundles are made here, by other code."""

import base64
import concurrent.futures
import datetime
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

sys.path.insert(0, os.path.dirname(__file__))
import mtlog_test as t

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, padding
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature, encode_dss_signature)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

IN_TOTO = "application/vnd.in-toto+json"
OMS = "https://model_signing/signature/v1.0"
STATEMENT = "https://in-toto.io/Statement/v1"
CURVES = {"p256": (ec.SECP256R1(), hashes.SHA256()),
          "p384": (ec.SECP384R1(), hashes.SHA384()),
          "p521": (ec.SECP521R1(), hashes.SHA512())}
ORDER_P256 = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551


def sha256(data):
    return hashlib.sha256(data).digest()


def pae(payload, kind=IN_TOTO):
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)


def dump(value):
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def model(name, files, version=None, pad=0):
    """An OMS statement over {name: digest in hex}."""
    root = sha256(b"".join(bytes.fromhex(d) for _, d in sorted(files.items()))).hex()
    subject = {"name": name, "digest": {"sha256": root}}
    if version:
        subject["annotations"] = {"version": version}
    ignored = [".git"] + ["x" * 1000 + str(i) for i in range(pad)]
    return dump({
        "_type": STATEMENT, "subject": [subject], "predicateType": OMS,
        "predicate": {
            "resources": [{"name": n, "digest": d, "algorithm": "sha256"} for n, d in sorted(files.items())],
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False,
                              "ignore_paths": ignored}}}), root


def side(kind, subjects, predicate):
    return dump({"_type": STATEMENT, "predicateType": f"https://mtlog/{kind}/v1", "predicate": predicate,
                 "subject": [{"name": n, "digest": {"sha256": d}} for n, d in subjects]})


class Party:
    """A key, perhaps with a certificate, that signs statements."""

    def __init__(self, kind="p256", names=None, issuer=None):
        self.kind = kind
        if kind == "rsa":
            self.key = rsa.generate_private_key(65537, 2048)
        else:
            self.key = ec.generate_private_key(CURVES[kind][0])
        self.spki = self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.id = hashlib.sha256(self.spki).hexdigest()
        self.pem = self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.chain = []
        if names:
            self.chain = [certify(self.key.public_key(), issuer or self, names)]

    def sign(self, data):
        if self.kind == "rsa":
            return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self.key.sign(data, ec.ECDSA(CURVES[self.kind][1]))

    def bundle(self, payload, signature=None):
        material = {"tlogEntries": []}
        if self.chain:
            material["x509CertificateChain"] = {"certificates": [
                {"rawBytes": t.b64(c.public_bytes(serialization.Encoding.DER))} for c in self.chain]}
        else:
            material["publicKey"] = {"hint": hashlib.sha256(self.pem).hexdigest()}
        return {"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
                "verificationMaterial": material,
                "dsseEnvelope": {"payload": t.b64(payload), "payloadType": IN_TOTO,
                                 "signatures": [{"sig": t.b64(signature or self.sign(pae(payload))), "keyid": ""}]}}

    def headers(self, token=None):
        h = {"Content-Type": "application/json"}
        if not self.chain:
            h["Mtlog-Public-Key"] = t.b64(self.spki)
        if token:
            h["Authorization"] = "Bearer " + token
        return h


def certify(key, issuer, names, ca=False, lifetime=3600, usage=ExtendedKeyUsageOID.CODE_SIGNING):
    now = datetime.datetime.utcnow()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca" if ca else "signer")])
    by = subject if not issuer.chain else issuer.chain[0].subject
    b = (x509.CertificateBuilder().subject_name(subject).issuer_name(by).public_key(key)
         .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(seconds=7200))
         .not_valid_after(now + datetime.timedelta(seconds=lifetime))
         .add_extension(x509.BasicConstraints(ca, None), True)
         .add_extension(x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False), True))
    if names:
        b = b.add_extension(x509.SubjectAlternativeName(names), False)
    if not ca:
        b = b.add_extension(x509.ExtendedKeyUsage([usage]), False)
    return b.sign(issuer.key, hashes.SHA256())


def authority():
    ca = Party()
    ca.chain = [certify(ca.key.public_key(), ca, None, ca=True)]
    return ca


def reason(body):
    return json.loads(body)["details"][0]["reason"]


def post(server, party, bundle, token=None):
    body = bundle if isinstance(bundle, (bytes, str)) else json.dumps(bundle)
    return server.call("POST", "/api/v1/bundles", body, party.headers(token))


def completed(server, party, bundle, answer):
    """Index of a completed bundle, after everything in it was verified."""
    got = json.loads(answer)
    t.check(got["dsseEnvelope"] == bundle["dsseEnvelope"] or
            got["dsseEnvelope"]["payload"] == bundle["dsseEnvelope"]["payload"], "the same envelope")
    entry = got["verificationMaterial"]["tlogEntries"][-1]
    body = base64.b64decode(entry["canonicalizedBody"])
    leaf = json.loads(body)["spec"]["hashedRekordV002"]
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"])
    alg = {"p384": "sha384", "p521": "sha512"}.get(party.kind, "sha256")
    t.check(base64.b64decode(leaf["data"]["digest"]) == hashlib.new(alg, pae(payload)).digest(),
            "the leaf has the digest of the PAE")
    t.check(leaf["signature"]["content"] == bundle["dsseEnvelope"]["signatures"][0]["sig"], "and the signature")
    proof = entry["inclusionProof"]
    size, root = server.vkey.checkpoint(proof["checkpoint"]["envelope"])
    got_root = t.inclusion_root(int(entry["logIndex"]), size, t.leaf_hash(body),
                                [base64.b64decode(h) for h in proof["hashes"]])
    t.check(got_root == root, "the proof verifies")
    return int(entry["logIndex"])


def submit(server, party, payload, signature=None, token=None):
    bundle = party.bundle(payload, signature)
    status, _, body = post(server, party, bundle, token)
    if not t.check(status == 201, f"201: {status} {body[:300]}"):
        return -1
    return completed(server, party, bundle, body)


def search(server, **terms):
    """All hits of a search, over all its pages."""
    found, pages = [], 0
    while True:
        status, headers, body = server.get("/api/v1/search?" + urllib.parse.urlencode(terms, quote_via=urllib.parse.quote))
        if not t.check(status == 200, f"search {terms}: {status} {body[:200]}"):
            return found, pages
        t.check(headers["cache-control"] == "no-store", "no-store")
        page = json.loads(body)
        found += page["entries"]
        pages += 1
        if page["next"] is None:
            return found, pages
        terms["after"] = page["next"]


def indexes(server, **terms):
    return [int(e["logIndex"]) for e in search(server, **terms)[0]]


def envelope(server, digest):
    return server.get("/api/v1/envelopes/" + digest)


def digests(*names):
    return {n: sha256(n.encode()).hex() for n in names}


def other_signature(signature):
    """(r, n - s): anyone can make it, and it verifies as well."""
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, ORDER_P256 - s)


def submissions(server, alice, bob):
    payload, root = model("acme/resnet50", digests("config.json", "model.safetensors"), "2.1")
    s = sha256(pae(payload)).hex()
    t.check(envelope(server, s)[0] == 404, "no envelope yet")
    signature = alice.sign(pae(payload))
    first = submit(server, alice, payload, signature)
    size = server.checkpoint()[0]
    t.check(submit(server, alice, payload, signature) == first, "a duplicate has the first index")
    t.check(server.checkpoint()[0] == size, "and adds nothing")
    status, headers, body = envelope(server, s)
    t.check(status == 200 and body == payload, f"the envelope by S: {status}")
    t.check(headers["content-type"] == "application/octet-stream" and headers["x-content-type-options"] == "nosniff" and
            headers["content-disposition"] == "attachment" and
            headers["content-security-policy"] == "default-src 'none'; sandbox" and
            headers["mtlog-payload-type"] == IN_TOTO, f"what a browser may do with it: {headers}")
    t.check(server.call("HEAD", "/api/v1/envelopes/" + s)[0] == 200, "HEAD")
    t.check(server.get("/api/v1/envelopes/" + s, {"If-None-Match": headers["etag"]})[0] == 304, "304")
    hit = search(server, model="acme/resnet50")[0]
    t.check(len(hit) == 1 and hit[0]["logIndex"] == str(first) and hit[0]["statement"] == s and
            hit[0]["model"] == "acme/resnet50" and hit[0]["version"] == "2.1" and hit[0]["root"] == root and
            hit[0]["type"] == OMS and hit[0]["signers"] == [{"logIndex": str(first), "signer": alice.id}],
            f"found by its name: {hit}")
    # anyone may log the same signature as another leaf
    again = submit(server, alice, payload, other_signature(signature))
    t.check(again > first, "another leaf")
    for terms in ({"model": "acme/resnet50"}, {"statement": s}, {"root": root}, {"type": OMS, "signer": alice.id},
                  {"model": "acme/resnet50", "signer": alice.id}, {"version": "2.1"},
                  {"model": "acme/resnet50", "version": "2.1"}, {"file": sha256(b"config.json").hex()}):
        for order in ("oldest", "newest"):
            t.check(indexes(server, order=order, **terms) == [first], f"the first index alone: {terms} {order}")
    t.check(indexes(server, signer=alice.id) == [first], "by signer alone: its first entry of each digest")
    t.check(indexes(server, digest=s) == [first, again] == indexes(server, digest=s, signer=alice.id),
            "by digest: every leaf")
    # a second signer of the same statement
    second = submit(server, bob, payload)
    t.check(indexes(server, model="acme/resnet50") == [first], "one statement, shown once")
    hit = search(server, model="acme/resnet50")[0][0]
    t.check([x["signer"] for x in hit["signers"]] == [alice.id, bob.id] and not hit["moreSigners"], "with both signers")
    t.check(indexes(server, model="acme/resnet50", signer=bob.id) == [second], "the other signer is not hidden")
    t.check(indexes(server, model="acme/resnet50", signer=alice.id) == [first], "nor the first one")
    t.check(indexes(server, statement=s) == [first, second], "a statement's signers")
    for terms in ({"model": "acme/resnet"}, {"model": "acme"}, {"version": "2"}, {"root": s}, {"file": root},
                  {"statement": root}, {"subject": s}, {"type": "https://mtlog/approval/v1"},
                  {"model": "acme/resnet50", "version": "2.0"}, {"model": "acme/resnet50", "signer": s},
                  {"identity": "email:a@example.org"}):
        t.check(indexes(server, **terms) == [], f"nothing by {terms}")
    return payload, s, first


def other_keys(server):
    for kind, alg in (("p384", "sha384"), ("p521", "sha512"), ("rsa", "sha256")):
        party = Party(kind)
        payload, _ = model("keys/" + kind, digests(kind))
        index = submit(server, party, payload)
        for digest in (sha256(pae(payload)).hex(), hashlib.new(alg, pae(payload)).hexdigest(),
                       hashlib.sha384(pae(payload)).hexdigest(), hashlib.sha512(pae(payload)).hexdigest()):
            status, _, body = envelope(server, digest)
            t.check(status == 200 and body == payload, f"{kind}: the envelope by {len(digest)} digits")
        t.check(indexes(server, statement=sha256(pae(payload)).hex()) == [index], f"{kind}: by S")
        t.check(indexes(server, digest=hashlib.new(alg, pae(payload)).hexdigest()) == [index], f"{kind}: by digest")
    signer = Party(names=[x509.RFC822Name("a@example.org"), x509.UniformResourceIdentifier("https://ci.example/x?a=b&c")])
    payload, _ = model("keys/certificate", digests("certificate"))
    index = submit(server, signer, payload)
    for identity in ("email:a@example.org", "uri:https://ci.example/x?a=b&c"):
        t.check(indexes(server, identity=identity) == [index], f"by {identity}")
    t.check(indexes(server, identity="dns:a@example.org") == [], "another kind of name")


def statements(server, alice, bob, s):
    key = Party()
    approval = side("approval", [("acme/resnet50", s)], {"role": "review", "comment": "ok"})
    withdrawal = side("withdrawal", [("acme/resnet50", s), ("b", sha256(b"b").hex())],
                      {"reason": "unsafe", "comment": ""})
    revocation = side("key-revocation", [("key", key.id)], {"reason": "lost", "earlier": "keep"})
    a, w, r = submit(server, bob, approval), submit(server, alice, withdrawal), submit(server, key, revocation)
    t.check(indexes(server, subject=s) == [a, w], "what speaks about S")
    t.check(indexes(server, subject=s, type="https://mtlog/withdrawal/v1") == [w], "what withdraws S")
    t.check(indexes(server, subject=s, signer=bob.id) == [a], "what one signer says about S")
    t.check(indexes(server, subject=sha256(b"b").hex()) == [w], "the second subject")
    t.check(indexes(server, subject=key.id, type="https://mtlog/key-revocation/v1") == [r], "what revokes a key")
    t.check(indexes(server, model="acme/resnet50", type="https://mtlog/approval/v1") == [], "approvals are no models")


def late(server, carol):
    """First the bare digest, as any Rekor client logs it; then its envelope."""
    payload, _ = model("late/one", digests("late"))
    signature = carol.sign(pae(payload))
    s = sha256(pae(payload)).hex()

    def bare(sig):
        return {"hashedRekordRequestV002": {
            "digest": t.b64(sha256(pae(payload))), "signature": {
                "content": t.b64(sig), "verifier": {"publicKey": {"rawBytes": t.b64(carol.spki)},
                                                    "keyDetails": "PKIX_ECDSA_P256_SHA_256"}}}}
    first = server.submit(bare(signature))
    t.check(envelope(server, s)[0] == 404 and indexes(server, model="late/one") == [], "known by its digest alone")
    for i in range(3):
        submit(server, carol, model("late/between", digests(f"between{i}"))[0])
    size = server.checkpoint()[0]
    t.check(submit(server, carol, payload, signature) == first, "the same leaf with its envelope")
    t.check(server.checkpoint()[0] == size, "no new entry")
    t.check(envelope(server, s)[2] == payload, "the envelope is added")
    t.check(indexes(server, model="late/one") == [first], "and found at the old index")
    t.check(indexes(server, type=OMS, signer=carol.id)[0] == first, "in its place among the others")
    # bare first, then the envelope under another leaf: still the first index
    payload, _ = model("late/two", digests("late2"))
    signature = carol.sign(pae(payload))
    first = server.submit(bare(signature))
    t.check(submit(server, carol, payload, other_signature(signature)) > first, "another leaf brings it")
    t.check(indexes(server, model="late/two") == [first], "shown at the signer's first entry")
    # the same leaf with and without envelope, at the same time
    for n in range(20):
        payload, _ = model(f"late/race{n}", digests(f"race{n}"))
        signature = carol.sign(pae(payload))
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            plain = [pool.submit(server.submit, bare(signature)) for _ in range(3)]
            full = [pool.submit(submit, server, carol, payload, signature) for _ in range(3)]
            got = {f.result() for f in plain + full}
        t.check(len(got) == 1, f"one entry: {got}")
        t.check(envelope(server, sha256(pae(payload)).hex())[0] == 200, "and its envelope, before the answer")
        t.check(indexes(server, model=f"late/race{n}") == list(got), "found")


DETAILS = {"p256": "PKIX_ECDSA_P256_SHA_256", "p384": "PKIX_ECDSA_P384_SHA_384"}


def as_rekor(party, payload, signature=None, kind=IN_TOTO):
    """The same envelope as older stock clients submit it: dsseRequestV002."""
    if party.chain:
        der = party.chain[0].public_bytes(serialization.Encoding.DER)
        verifier = {"x509Certificate": {"rawBytes": t.b64(der)}}
    else:
        verifier = {"publicKey": {"rawBytes": t.b64(party.spki)}}
    signature = signature or party.sign(pae(payload, kind))
    return {"dsseRequestV002": {
        "envelope": {"payload": t.b64(payload), "payloadType": kind, "signatures": [{"sig": t.b64(signature), "keyid": ""}]},
        "verifiers": [{**verifier, "keyDetails": DETAILS[party.kind]}]}}


def stock(server, party, payload, **more):
    """Index of an envelope that came that way; the answer is an entry alone."""
    status, _, body = server.post(as_rekor(party, payload, **more))
    if not t.check(status == 201, f"dsseRequestV002: {status} {body[:300]}"):
        return -1
    t.check("canonicalizedBody" in json.loads(body), "an entry, as the client expects it")
    return int(json.loads(body)["logIndex"])


def stock_envelopes(server, alice):
    """What a stock client submits whole is kept like a bundle's envelope."""
    signer = Party(names=[x509.RFC822Name("stock@example.org")])
    for name, party in (("stock/key", alice), ("stock/p384", Party("p384")), ("stock/certificate", signer)):
        payload, root = model(name, digests(name), "1.2")
        index = stock(server, party, payload)
        s = sha256(pae(payload)).hex()
        status, headers, body = envelope(server, s)
        t.check(status == 200 and body == payload and headers["mtlog-payload-type"] == IN_TOTO, f"{name}: by S: {status}")
        for terms in ({"model": name}, {"root": root}, {"statement": s}, {"model": name, "signer": party.id}):
            t.check(indexes(server, **terms) == [index], f"{name}: found by {terms}")
        size = server.checkpoint()[0]
        if party.kind == "p256":
            again = party.sign(pae(payload))
            first = stock(server, party, payload, signature=again)
            t.check(stock(server, party, payload, signature=again) == first, f"{name}: a duplicate has its first index")
            t.check(server.checkpoint()[0] == size + 1, f"{name}: and adds nothing")
            t.check(submit(server, party, payload, again) == first, f"{name}: and as a bundle it is the same entry")
        t.check(indexes(server, model=name) == [index], f"{name}: shown at its first entry")
    t.check(indexes(server, identity="email:stock@example.org")[0] == index, "by the certificate's name")
    s = sha256(pae(model("stock/key", digests("stock/key"), "1.2")[0])).hex()
    approval = side("approval", [("stock/key", s)], {"role": "review", "comment": "stock"})
    index = stock(server, alice, approval)
    t.check(indexes(server, subject=s) == [index], "a statement, found by its subject")

    # First the digest alone, then the whole.
    payload, _ = model("stock/late", digests("stock/late"))
    sig = alice.sign(pae(payload))
    first = server.submit({"hashedRekordRequestV002": {
        "digest": t.b64(sha256(pae(payload))), "signature": {"content": t.b64(sig), "verifier": {
            "publicKey": {"rawBytes": t.b64(alice.spki)}, "keyDetails": DETAILS["p256"]}}}})
    t.check(envelope(server, sha256(pae(payload)).hex())[0] == 404, "not yet")
    t.check(stock(server, alice, payload, signature=sig) == first, "the same leaf")
    t.check(envelope(server, sha256(pae(payload)).hex())[2] == payload, "its envelope is added")
    # Of a batch nothing is kept.
    payload, _ = model("stock/batch", digests("stock/batch"))
    sig = alice.sign(pae(payload))
    status, _, body = server.call("POST", "/api/v1/batch", json.dumps(as_rekor(alice, payload, sig)) + "\n")
    index = int(json.loads(body)["logIndex"])
    t.check(status == 200 and envelope(server, sha256(pae(payload)).hex())[0] == 404, "a batch logs the digest")
    t.check(stock(server, alice, payload, signature=sig) == index and indexes(server, model="stock/batch") == [index],
            "until it comes alone")

    # What is kept of nobody is logged as the digest that was asked for.
    wrong_root = dump({**json.loads(payload), "subject": [{"name": "stock/none", "digest": {"sha256": "0" * 64}}]})
    foreign = dump({**json.loads(payload), "predicateType": "https://slsa.dev/provenance/v1"})
    for what, other, kind in (("another predicate", foreign, IN_TOTO), ("a wrong root", wrong_root, IN_TOTO),
                              ("no statement", b"{}", IN_TOTO), ("no JSON", b"\xff", IN_TOTO),
                              ("another type", payload, "application/json")):
        index = stock(server, alice, other, kind=kind)
        t.check(index >= 0 and envelope(server, sha256(pae(other, kind)).hex())[0] == 404, f"{what} is logged, not kept")
        t.check(indexes(server, digest=sha256(pae(other, kind)).hex()) == [index], f"{what} is found by its digest")
    payload, _ = model("stock/forged", digests("stock/forged"))
    size = server.checkpoint()[0]
    status, _, body = server.post(as_rekor(alice, payload, alice.sign(b"other")))
    t.check(status == 400 and reason(body) == "signature-invalid", f"forged: {status}")
    t.check(server.checkpoint()[0] == size and envelope(server, sha256(pae(payload)).hex())[0] == 404, "nothing of it")


def junk(server):
    """A few thousand entries of one name do not bury the real one."""
    real, noise = Party(), Party()
    payload, _ = model("acme/target", digests("target"), "1.0")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        def one(i):
            bundle = noise.bundle(model("acme/target", digests(f"junk{i}"))[0])
            return post(server, noise, bundle)[0]
        before = list(pool.map(one, range(600)))
        index = submit(server, real, payload)
        after = list(pool.map(one, range(600, 2500)))
    t.check(before + after == [201] * 2500, "junk is logged")
    for terms in ({"model": "acme/target"}, {"type": OMS}):
        found, pages = search(server, signer=real.id, order="newest", limit=1, **terms)
        t.check([int(e["logIndex"]) for e in found] == [index] and pages <= 2, f"found in one page: {pages}")
    found, pages = search(server, model="acme/target", limit=100)
    t.check(len(found) == 2501 and pages >= 26, f"all of them, paged: {len(found)} in {pages}")
    both = indexes(server, model="acme/target", order="newest", limit=77)
    t.check(both == [int(e["logIndex"]) for e in found][::-1], "the other way round")
    t.check(indexes(server, model="acme/target", version="1.0") == [index], "name and version")


def refusals(server, alice):
    payload, _ = model("refused", digests("refused"))
    good = alice.bundle(payload)
    before = server.checkpoint()

    def change(**fields):
        b = json.loads(json.dumps(good))
        b["dsseEnvelope"].update(fields)
        return b
    wrong_root = dump({**json.loads(payload), "subject": [{"name": "refused", "digest": {"sha256": "0" * 64}}]})
    foreign = dump({**json.loads(payload), "predicateType": "https://slsa.dev/provenance/v1"})
    huge, _ = model("huge", {f"file{i}": sha256(b"%d" % i).hex() for i in range(2000)}, pad=1000)
    sig = {"keyid": ""}
    cases = [
        ("{", 400, "malformed-bundle"), ("[]", 400, "malformed-bundle"), (json.dumps(good) + "x", 400, "malformed-bundle"),
        (json.dumps(good)[:-1] + ',"mediaType":"x"}', 400, "malformed-bundle"),
        (change(signatures=[]), 400, None), (change(signatures=good["dsseEnvelope"]["signatures"] * 2), 400, None),
        (change(signatures=[{**sig, "sig": t.b64(alice.sign(b"other"))}]), 400, "signature-invalid"),
        (change(signatures=[{**sig, "sig": "AAAA"}]), 400, "signature-form"),
        (change(payload=t.b64(b"{}")), 400, "signature-invalid"),
        (alice.bundle(b"{}"), None, None), (alice.bundle(b"\xff\x00"), None, None),
        (alice.bundle(wrong_root), 400, "root-mismatch"),
        (alice.bundle(foreign), 403, "wrong-statement-type"),
        (alice.bundle(model("empty", {})[0]), None, None),
        (alice.bundle(huge), 413, "envelope-too-large"),
        (b"x" * (3 << 20), 413, "body-too-large"),
    ]
    for bundle, want, why in cases:
        status, _, body = post(server, alice, bundle)
        t.check(400 <= status < 500 and (want is None or status == want), f"{str(bundle)[:60]}: {status} {body[:200]}")
        t.check(why is None or reason(body) == why, f"{reason(body)} is not {why}")
    status, _, body = server.call("POST", "/api/v1/bundles", json.dumps(good), {})
    t.check(status == 400 and reason(body) == "missing-key", f"a key bundle without its key: {status}")
    for key in ("!!", t.b64(alice.spki[:-1]), t.b64(Party().spki)):
        status, _, body = server.call("POST", "/api/v1/bundles", json.dumps(good), {"Mtlog-Public-Key": key})
        t.check(status == 400, f"another key: {status} {body[:100]}")
    t.check(server.checkpoint() == before, "nothing of it was logged")
    t.check(server.get("/api/v1/bundles")[0] == 405, "405")
    for digest in ("", "00", "0" * 63, "g" * 64, "A" * 64, "0" * 65, "../" + "0" * 61):
        t.check(envelope(server, digest)[0] in (400, 404), f"envelope {digest!r}")
    t.check(envelope(server, "0" * 64)[0] == 404 and reason(envelope(server, "0" * 96)[2]) == "no-such-envelope", "404")
    for query in ("model=", "model", "model=%", "model=%zz", "model=%00", "root=00", "file=" + "0" * 63, "subject=zz",
                  "statement=" + "0" * 96, "identity=a", "identity=email:", "type=", "model=a&model=a", "after=1",
                  "what=1", "model=%ff"):
        status, _, body = server.get("/api/v1/search?" + query)
        t.check(status == 400, f"search?{query[:30]}: {status}")
    status, _, body = server.get("/api/v1/search?model=" + "a" * 5000)
    t.check(status == 414 and reason(body) == "target-too-long", f"a long target: {status}")


def foreign_entries(server, alice):
    """A bundle that has entries: those of other logs stay, ours is put anew."""
    payload, _ = model("foreign", digests("foreign"))
    bundle = alice.bundle(payload)
    _, _, body = post(server, alice, bundle)
    full = json.loads(body)
    theirs = json.loads(json.dumps(full["verificationMaterial"]["tlogEntries"][0]))
    theirs["logId"]["keyId"] = t.b64(sha256(b"another log"))
    full["verificationMaterial"]["tlogEntries"].insert(0, theirs)
    status, _, body = post(server, alice, full)
    got = json.loads(body)["verificationMaterial"]["tlogEntries"]
    t.check(status == 201 and len(got) == 2 and got[0] == theirs and got[1]["logId"] != theirs["logId"], "two entries")


def large(server, alice):
    files = {f"file{i:05d}": sha256(b"%d" % i).hex() for i in range(4000)}
    payload, _ = model("large", files)
    index = submit(server, alice, payload)
    t.check(envelope(server, sha256(pae(payload)).hex())[2] == payload, f"a large envelope: {len(payload)} bytes")
    t.check(indexes(server, file=files["file00999"]) == [index], "its thousandth file")
    t.check(indexes(server, file=files["file01000"]) == [], "the bound of what is indexed")
    payload, _ = model("larger", digests("a"), pad=1000)
    t.check(indexes(server, model="larger") == [], "not yet")


def everything(server):
    return {str(terms): [(e["logIndex"], e["statement"]) for e in search(server, **terms)[0]]
            for terms in ({"type": OMS}, {"model": "acme/resnet50"}, {"model": "late/one"}, {"version": "1.0"},
                          {"type": "https://mtlog/withdrawal/v1"}, {"type": OMS, "order": "newest"})}


def restarts(server, s, payload):
    before = everything(server)
    server.kill()
    server.start()
    t.check(everything(server) == before, "all is found after a kill")
    t.check(envelope(server, s)[2] == payload, "and the envelope is there")
    server.stop()
    result = server.fsck("--json")
    last = json.loads(result.stdout.splitlines()[-1])
    t.check(result.returncode == 0 and int(last["envelopes"]) > 2500, f"fsck: {result.stdout}{result.stderr}")
    for name in ("index.db", "index.db-wal", "index.db-shm"):
        path = os.path.join(server.dir, "db", name)
        if os.path.exists(path):
            os.remove(path)
    server.start()
    t.check(everything(server) == before, "and after the index was rebuilt")
    # beside the server: a backup has the envelopes
    backup = os.path.join(server.root, "backup")
    subprocess.run([t.MTLOGD, "backup", "--dir", server.dir, "--to", backup], check=True, capture_output=True)
    server.stop()
    restored = os.path.join(server.root, "restored")
    subprocess.run([t.MTLOGD, "restore", "--dir", restored, "--from-backup", backup, "--key",
                    os.path.join(server.dir, "key.pem"), "--guard", os.path.join(server.dir, "guard", "guard")],
                   check=True, capture_output=True)
    copy = t.Server(restored)
    copy.log = server.log
    copy.vkey = server.vkey
    copy.start()
    t.check(everything(copy) == before and envelope(copy, s)[2] == payload, "a restored log has all of it")
    copy.stop()
    t.check(copy.fsck().returncode == 0, "and is sound")
    server.start()


def tombstone(server, alice, s, payload, first):
    run = [t.MTLOGD, "envelope", "drop", s, "--dir", server.dir]
    t.check(subprocess.run(run + ["--yes"], capture_output=True).returncode == 1, "not beside a server")
    server.stop()
    for arguments in (run, run[:2] + ["--dir", server.dir], run[:3] + ["zz"] + run[4:] + ["--yes"]):
        t.check(subprocess.run(arguments, capture_output=True).returncode == 2, "usage")
    done = subprocess.run(run + ["--yes"], capture_output=True, text=True)
    t.check(done.returncode == 0, f"drop: {done.stderr}")
    t.check(subprocess.run(run + ["--yes"], capture_output=True).returncode == 1, "not twice")
    for name in ("log.db", "log.db-wal"):
        path = os.path.join(server.dir, "db", name)
        data = open(path, "rb").read() if os.path.exists(path) else b""
        t.check(payload[:200] not in data, f"nothing of it is left in {name}")
    result = server.fsck("--json")
    t.check(result.returncode == 0 and json.loads(result.stdout.splitlines()[-1])["dropped"] == "1",
            f"fsck knows of it: {result.stdout}")
    server.start()
    for digest in (s, hashlib.sha384(pae(payload)).hexdigest(), hashlib.sha512(pae(payload)).hexdigest()):
        status, headers, body = envelope(server, digest)
        t.check(status == 410 and reason(body) == "envelope-dropped", f"410: {status}")
    t.check(indexes(server, model="acme/resnet50") == [] and indexes(server, statement=s) == [], "not found any more")
    t.check(first in indexes(server, digest=s), "its entries are")
    status, _, body = post(server, Party(), {})
    dave = Party()
    status, _, body = post(server, dave, dave.bundle(payload))
    t.check(status == 410 and reason(body) == "envelope-dropped", f"it does not come back: {status}")
    status, _, body = server.post(as_rekor(dave, payload))
    t.check(status == 410 and reason(body) == "envelope-dropped", f"nor by a stock client: {status}")
    t.check(envelope(server, s)[0] == 410, "still gone")


def faults(server, payload):
    """A changed byte of a stored envelope: nothing wrong is sent, fsck tells."""
    import sqlite3
    server.stop()
    s = sha256(pae(payload))
    path = os.path.join(server.dir, "db", "log.db")
    db = sqlite3.connect(path)
    changed = bytes([payload[0] ^ 1]) + payload[1:]
    db.execute("UPDATE envelopes SET payload = ? WHERE s = ?", (changed, s))
    db.commit()
    db.close()
    result = server.fsck()
    t.check(result.returncode == 1 and s.hex() in result.stdout and "other digests" in result.stdout,
            f"fsck: {result.stdout}{result.stderr}")
    server.start()
    status, _, body = envelope(server, s.hex())
    t.check(status == 500 and reason(body) == "store-corrupt" and changed[:40] not in body, f"500: {status}")
    server.stop()
    db = sqlite3.connect(path)
    db.execute("UPDATE envelopes SET payload = ? WHERE s = ?", (payload, s))
    db.execute("UPDATE links SET idx = idx + 1 WHERE envelope = (SELECT id FROM envelopes WHERE s = ?)", (s,))
    db.commit()
    db.close()
    result = server.fsck()
    t.check(result.returncode == 1 and "does not log it" in result.stdout, f"fsck: {result.stdout}{result.stderr}")
    db = sqlite3.connect(path)
    db.execute("UPDATE links SET idx = idx - 1 WHERE envelope = (SELECT id FROM envelopes WHERE s = ?)", (s,))
    db.commit()
    db.close()
    db = sqlite3.connect(os.path.join(server.dir, "db", "index.db"))
    db.execute("DELETE FROM lookup WHERE kind = 5")
    db.commit()
    db.close()
    t.check(server.fsck().returncode == 1, "rows that are missing in the index")
    t.check(server.fsck("--repair").returncode == 0, "are mended")
    server.start()
    t.check(len(indexes(server, model="acme/target")) == 2501, "and found again")
    server.stop()
    t.check(server.fsck().returncode == 0, "all is well")
    server.start()


def make_rules(folder, **files):
    for name, data in files.items():
        with open(os.path.join(folder, name.replace("_", ".")), "wb") as f:
            f.write(data)


def rules():
    alice, ca, other_ca = Party(), authority(), authority()
    bob = Party()
    with t.Server() as server:
        server.init()
        bundle = alice.bundle(model("known", digests("known"))[0])
        plain = t.Signer().request(b"known")
        server.start()
        t.check(post(server, alice, bundle)[0] == 201 and server.post(plain)[0] == 201, "anyone, at first")
        server.stop()
        make_rules(server.dir, bob_pem=bob.pem, ca_pem=ca.chain[0].public_bytes(serialization.Encoding.PEM),
                   token_a=b"token-for-acme-0001\n", token_b=b"token-for-all-000002\n")
        with open(os.path.join(server.dir, "mtlogd.conf")) as f:
            conf = f.read().replace("admit = anyone", "admit = rules")
        good = conf + f"""
admit-key = {Party().id}
admit-key = bob.pem
admit-identity = email:ci@acme.example ca.pem
admit-token = acme/* 3 token.a
admit-token = * 2 token.b
"""
        for text, code in ((conf, 2), (good.replace("admit = rules", "admit = anyone"), 2),
                           (good + "admit-key = missing.pem\n", 1), (good + "admit-token = * 1 bob.pem\n", 1),
                           (good + "admit-token = a b c\n", 2), (good + "admit-identity = ca.pem\n", 2),
                           (good + "admit-identity = email:x token.a\n", 2), (good + "admit-token = * 5 token.b\n", 2),
                           (good, 0)):
            with open(os.path.join(server.dir, "mtlogd.conf"), "w") as f:
                f.write(text)
            done = subprocess.run([t.MTLOGD, "check", "--dir", server.dir], capture_output=True, text=True)
            t.check((done.returncode == 0) == (code == 0), f"check: {done.returncode} {done.stderr} {text[-60:]}")
        server.start()
        t.check(post(server, alice, bundle)[0] == 201 and server.post(plain)[0] == 201, "what is known is answered")

        def try_it(party, name, token=None):
            payload, _ = model(name, digests(name + party.id))
            status, headers, body = post(server, party, party.bundle(payload), token)
            return status, None if status == 201 else reason(body), headers
        t.check(try_it(bob, "any")[0] == 201, "a key that is listed")
        status, why, headers = try_it(alice, "any")
        t.check((status, why) == (401, "token-missing") and headers["www-authenticate"] == "Bearer", f"{status} {why}")
        t.check(try_it(alice, "any", "wrong-token-wrong")[:2] == (401, "token-unknown"), "unknown token")
        t.check(try_it(alice, "other/m", "token-for-acme-0001")[:2] == (403, "token-name"), "another name")
        t.check(try_it(alice, "acme", "token-for-acme-0001")[:2] == (403, "token-name"), "the prefix itself")
        for i in range(3):
            t.check(try_it(alice, f"acme/m{i}", "token-for-acme-0001")[0] == 201, "within the quota")
        t.check(try_it(alice, "acme/m0", "token-for-acme-0001")[0] in (201, 429), "the same name again")
        t.check(try_it(alice, "acme/m9", "token-for-acme-0001")[:2] == (429, "token-quota"), "used up")
        signer = Party(names=[x509.RFC822Name("ci@acme.example")], issuer=ca)
        t.check(try_it(signer, "any")[0] == 201, "a certificate of the root, with the name")
        wrong = Party(names=[x509.RFC822Name("ci@acme.example.org")], issuer=ca)
        t.check(try_it(wrong, "any")[:2] == (401, "token-missing"), "another name")
        forged = Party(names=[x509.RFC822Name("ci@acme.example")], issuer=other_ca)
        t.check(try_it(forged, "any")[:2] == (403, "not-admitted"), "another root")
        own = Party(names=[x509.RFC822Name("ci@acme.example")])
        t.check(try_it(own, "any")[:2] == (403, "not-admitted"), "signed by itself")
        expired = Party()
        expired.chain = [certify(expired.key.public_key(), ca, [x509.RFC822Name("ci@acme.example")], lifetime=-60)]
        t.check(try_it(expired, "any")[:2] == (403, "not-admitted"), "expired")
        tls = Party()
        tls.chain = [certify(tls.key.public_key(), ca, [x509.RFC822Name("ci@acme.example")],
                             usage=ExtendedKeyUsageOID.SERVER_AUTH)]
        t.check(try_it(tls, "any")[:2] == (403, "not-admitted"), "a web server's certificate")
        # as a stock client sends it
        payload, _ = model("other/m", digests("other/m"))
        acme = {"Authorization": "Bearer token-for-acme-0001"}
        status, _, body = server.call("POST", "/api/v2/log/entries", json.dumps(as_rekor(alice, payload)), acme)
        t.check((status, reason(body)) == (403, "token-name"), f"an envelope has a name on that route, too: {status}")
        t.check(envelope(server, sha256(pae(payload)).hex())[0] == 404, "and nothing of it is kept")
        # the other routes
        stranger = t.Signer()
        status, _, body = server.post(stranger.request(b"x"))
        t.check(status == 401 and reason(body) == "token-missing", f"/log/entries: {status}")
        line = json.dumps(stranger.request(b"y")) + "\n" + json.dumps(plain) + "\n"
        status, _, body = server.call("POST", "/api/v1/batch", line)
        answers = [json.loads(x) for x in body.splitlines()]
        t.check("details" in answers[0] and "logIndex" in answers[1], "a batch: refused, and known")
        bearer = {"Authorization": "Bearer token-for-all-000002"}
        t.check(server.call("POST", "/api/v2/log/entries", json.dumps(stranger.request(b"x")), bearer)[0] == 201,
                "a token for everything")
        wrong = {"Authorization": "Bearer token-for-acme-0001"}
        status, _, body = server.call("POST", "/api/v2/log/entries", json.dumps(stranger.request(b"z")), wrong)
        t.check(status == 403 and reason(body) == "token-name", "no name, no prefix")
        status, _, body = server.call("POST", "/api/v1/batch", json.dumps(stranger.request(b"y1")) + "\n" +
                                      json.dumps(stranger.request(b"y2")), bearer)
        answers = [json.loads(x) for x in body.splitlines()]
        t.check("logIndex" in answers[0] and answers[1]["details"][0]["reason"] == "token-quota", "quota in a batch")
        t.check(server.stop() == 0, "a clean stop")
        # an open address is all right with rules, and not without
        done = subprocess.run([t.MTLOGD, "check", "--dir", server.dir, "--listen", "0.0.0.0:0"], capture_output=True)
        t.check(done.returncode == 0, "rules on an open address")


def quotas():
    alice, bob = Party(), Party()
    with t.Server(options=["--envelope-quota", "3000"]) as server:
        server.init().start()
        one = alice.bundle(model("a", digests("1"), pad=1)[0])
        two = alice.bundle(model("b", digests("2"), pad=1)[0])
        three = alice.bundle(model("c", digests("3"), pad=1)[0])
        t.check(post(server, alice, one)[0] == 201, "within the quota")
        t.check(post(server, alice, two)[0] == 201, "within the quota")
        status, headers, body = post(server, alice, three)
        t.check(status == 429 and reason(body) == "envelope-quota" and "retry-after" in headers, f"beyond: {status}")
        status, _, body = post(server, bob, bob.bundle(model("d", digests("4"), pad=1)[0]))
        t.check(status == 429, "the address counts, too")
        status, _, body = server.post(as_rekor(alice, model("e", digests("5"), pad=1)[0]))
        t.check(status == 429 and reason(body) == "envelope-quota", f"for stock clients as well: {status}")
        t.check(server.post(as_rekor(alice, b"{}"))[0] == 201, "but for what is not kept")
        t.check(post(server, alice, one)[0] == 201, "what is there costs nothing")
        t.check(server.post(t.Signer().request(b"x"))[0] == 201, "nor do entries without envelope")
        payload = base64.b64decode(three["dsseEnvelope"]["payload"])
        sig = three["dsseEnvelope"]["signatures"][0]["sig"]
        server.submit({"hashedRekordRequestV002": {"digest": t.b64(sha256(pae(payload))), "signature": {
            "content": sig, "verifier": {"publicKey": {"rawBytes": t.b64(alice.spki)},
                                         "keyDetails": "PKIX_ECDSA_P256_SHA_256"}}}})
        t.check(post(server, alice, three)[0] == 201, "a known leaf is answered, over the quota, too")
        t.check(envelope(server, sha256(pae(payload)).hex())[0] == 404, "but its envelope is not kept")
        t.check(server.stop() == 0, "a clean stop")


def kills():
    """Killed again and again while bundles arrive: what was answered stays."""
    parties = [Party() for _ in range(4)]
    with t.Server() as server:
        server.init()
        kept = {}
        for life in range(6):
            server.start()

            def one(i):
                payload, _ = model(f"kill/{life}-{i}", digests(f"{life}-{i}"), pad=i % 5)
                party = parties[i % 4]
                try:
                    status, _, _ = post(server, party, party.bundle(payload))
                except OSError:
                    return
                if status == 201:
                    kept[f"kill/{life}-{i}"] = payload
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                work = [pool.submit(one, i) for i in range(60)]
                for i, w in enumerate(work):
                    w_done = w.exception() if i == 30 else None
                    if i == 30:
                        server.process.kill()
                for w in work:
                    try:
                        w.result()
                    except Exception:
                        pass
            server.wait()
        server.start()
        for name, payload in kept.items():
            t.check(envelope(server, sha256(pae(payload)).hex())[2] == payload, f"{name} is there")
            t.check(len(indexes(server, model=name)) == 1, f"{name} is found")
        t.check(len(kept) > 50, f"answered: {len(kept)}")
        server.stop()
        result = server.fsck()
        t.check(result.returncode == 0, f"fsck: {result.stdout}")


def main():
    alice, bob, carol = Party(), Party(), Party()
    with t.Server() as server:
        server.init().start()
        payload, s, first = submissions(server, alice, bob)
        other_keys(server)
        statements(server, alice, bob, s)
        late(server, carol)
        refusals(server, alice)
        foreign_entries(server, alice)
        large(server, alice)
        stock_envelopes(server, alice)
        junk(server)
        restarts(server, s, payload)
        tombstone(server, alice, s, payload, first)
        faults(server, model("late/one", digests("late"))[0])
        t.check(server.stop() == 0, "a clean stop")
    rules()
    quotas()
    kills()
    t.finish()


if __name__ == "__main__":
    main()
