#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/vectors/{bundle,statement,manifest}: signed models and the
statements about them, well formed and not; the tests make those that are large.
Keys and signatures are made with make_key_vectors.py.

usage: make_model_vectors.py tests/vectors
"""

import base64
import copy
import hashlib
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import make_key_vectors as keys  # noqa: E402

IN_TOTO = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
MODEL = "https://model_signing/signature/v1.0"
MODEL_V02 = "https://model_signing/Digests/v0.1"
V03 = "application/vnd.dev.sigstore.bundle.v0.3+json"
OLD = "application/vnd.dev.sigstore.bundle+json;version=0.%d"


def b64(data):
    return base64.b64encode(data).decode()


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


class Key:
    def __init__(self, curve):
        self.curve = curve
        self.d = keys.RANDOM.randrange(1, curve.n)
        self.spki = curve.spki(curve.point(curve.mul(self.d, curve.g)))

    def sign(self, digest):
        r, s = self.curve.sign(self.d, digest)
        return keys.seq(keys.integer(r), keys.integer(s))


def pae(payload, kind=IN_TOTO):
    kind = kind.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def pem(spki):
    text = b64(spki)
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return "\n".join(
        ["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""]
    )


def bundle(key, payload, signature=None):
    if signature is None:
        signature = key.sign(key.curve.hash(pae(payload)))
    hint = hashlib.sha256(pem(key.spki).encode()).hexdigest()
    return {
        "mediaType": V03,
        "verificationMaterial": {
            "publicKey": {"hint": hint},
            "tlogEntries": [],
        },
        "dsseEnvelope": {
            "payload": b64(payload),
            "payloadType": IN_TOTO,
            "signatures": [{"sig": b64(signature), "keyid": ""}],
        },
    }


# --- manifests ---------------------------------------------------------------


def resource(name, algorithm="sha256", **more):
    size = 64 if algorithm.startswith("blake2b") else 32
    digest = hashlib.shake_256(name.encode()).hexdigest(size)
    return {"name": name, "algorithm": algorithm, "digest": digest, **more}


def predicate(*resources, **serialization):
    return {
        "resources": [
            resource(r) if isinstance(r, str) else r for r in resources
        ],
        "serialization": {
            "method": "files",
            "hash_type": "sha256",
            "allow_symlinks": False,
            **serialization,
        },
    }


def shards(*names, size=1000, algorithm="sha256", **serialization):
    return predicate(
        *(resource(n, algorithm) for n in names),
        method="shards",
        shard_size=size,
        **serialization,
    )


def root(p):
    try:
        raw = b"".join(bytes.fromhex(r["digest"]) for r in p["resources"])
    except (KeyError, TypeError, ValueError):
        raw = b""
    return hashlib.sha256(raw).hexdigest()


def changed(value, **new):
    value = copy.deepcopy(value)
    for key, v in new.items():
        if v is None:
            del value[key]
        else:
            value[key] = v
    return value


def member(p, path, v=None, drop=False):
    """A copy of `p` with one member, named by its path, changed or gone."""
    p = copy.deepcopy(p)
    at = p
    for step in path[:-1]:
        at = at[step]
    if drop:
        del at[path[-1]]
    else:
        at[path[-1]] = v
    return p


TWO = predicate("a.bin", "b.bin")
LONG = "d/" * 2047 + "f"


def manifests_valid():
    yield "one", predicate("config.json")
    yield "two", TWO
    yield "ignored", predicate(
        "a", ignore_paths=[".git", "cache/old", "a..b", ".mtlog", "..."]
    )
    yield "ignored-none", predicate("a", ignore_paths=[])
    yield "links", predicate("a", allow_symlinks=True)
    yield "dot", predicate(".")
    yield "blake2b", predicate(
        resource("a", "blake2b"), resource("b", "blake2b"), hash_type="blake2b"
    )
    yield "blake3", predicate(resource("a", "blake3"), hash_type="blake3")
    yield "component-order", predicate("unet/x", "unet-2/x", "unet.json")
    yield "reverse", predicate("c", "b", "a")
    yield "names", predicate(
        " ",
        "%2e%2e",
        "...",
        "..a",
        ".git/config",
        "C:",
        "a\nb",
        "a b",
        "a:0:5",
        "a\\b",
        "gro\u0308\u00dfe",
        "gr\u00f6\u00dfe",
        "x/..y",
        "\U0001f333",
    )
    yield "siblings", predicate("a", "a!", "a-/b", "a.b/c", "a0", "ab/c")
    yield "long-name", predicate(LONG)
    yield "extra-members", predicate(
        resource("a", mediaType="text/plain", annotations={"a": [1, None]})
    )
    yield "shards", shards("a:0:1000", "a:1000:1001", "b:0:7")
    yield "shards-wild", shards(
        "a:0:1000", "a:1000:2000", size=1000.0, algorithm="sha256-sharded-1000"
    )
    yield "shards-blake2b", shards(
        "a:0:5", algorithm="blake2b-sharded-1000", hash_type="blake2b"
    )
    yield "shards-exponent", "1e3", shards("a:0:1000", size="SIZE")
    yield "shards-colons", shards("a:0:5:0:1000", "a:0:5:1000:1500", "b::0:1")
    yield "shards-dot", shards(".:0:1000", ".:1000:1500")
    yield "shards-text-order", shards(
        "a:0:1000", "a:10000:10001", *(f"a:{n}000:{n + 1}000" for n in range(1, 10))
    )
    yield "shards-any-order", shards("b:0:5", "a:1000:2000", "a:0:1000")
    yield "shards-large", shards(
        "a:0:9007199254740992",
        "a:9007199254740992:9007199254740993",
        size=9007199254740992,
    )


def manifests_invalid():
    yield "empty-resources", predicate()
    yield "no-resources", changed(TWO, resources=None)
    yield "no-serialization", changed(TWO, serialization=None)
    yield "extra-member", changed(TWO, other=1)
    yield "array", [TWO]
    yield "resources-object", changed(TWO, resources={})
    yield "resources-null", member(TWO, ["resources"], None)
    yield "serialization-array", changed(TWO, serialization=[])
    yield "resource-string", changed(TWO, resources=["a"])
    for name in ("name", "algorithm", "digest"):
        yield "no-" + name, member(TWO, ["resources", 1, name], drop=True)
        yield name + "-null", member(TWO, ["resources", 1, name], None)
        yield name + "-number", member(TWO, ["resources", 1, name], 7)
        yield name + "-empty", member(TWO, ["resources", 1, name], "")
    for name, path in (
        ("absolute", "/etc/passwd"),
        ("dotdot", "../outside.bin"),
        ("dotdot-alone", ".."),
        ("dotdot-inside", "a/../b"),
        ("dotdot-end", "a/.."),
        ("dot-inside", "a/./b"),
        ("dot-first", "./a"),
        ("dot-end", "a/."),
        ("slash-end", "a/"),
        ("slash-alone", "/"),
        ("two-slashes", "a//b"),
        ("too-long", "d/" * 2047 + "ff" + "f"),
    ):
        yield "name-" + name, predicate(path)
    yield "twice", predicate("a.bin", "a.bin")
    yield "twice-apart", predicate("a", "b", "a")
    yield "twice-other-digest", predicate("a", {**resource("b"), "name": "a"})
    yield "twice-escaped", "a\\u002e", predicate("a.", "NAME")
    yield "file-in-file", predicate("a", "a/b")
    yield "file-in-file-apart", predicate("a/b", "a-", "a.c", "a")
    yield "dot-and-file", predicate(".", "a")
    yield "digest-upper", member(
        TWO, ["resources", 1, "digest"], resource("b.bin")["digest"].upper()
    )
    yield "digest-short", member(TWO, ["resources", 1, "digest"], "ab" * 31)
    yield "digest-long", member(TWO, ["resources", 1, "digest"], "ab" * 33)
    yield "digest-64", member(TWO, ["resources", 1, "digest"], "ab" * 64)
    yield "digest-odd", member(TWO, ["resources", 1, "digest"], "a" * 63)
    yield "digest-no-hex", member(TWO, ["resources", 1, "digest"], "g" * 64)
    yield "digest-object", member(
        TWO, ["resources", 1, "digest"], {"sha256": "ab" * 32}
    )
    yield "algorithm-other", predicate("a", resource("b", "blake3"))
    yield "algorithm-all-other", predicate(resource("a", "blake3"))
    yield "algorithm-sharded-files", predicate(
        resource("a", "sha256-sharded-1000")
    )
    yield "hash-unknown", predicate(resource("a", "md5"), hash_type="md5")
    yield "hash-upper", predicate(resource("a", "SHA256"), hash_type="SHA256")
    yield "no-hash", member(TWO, ["serialization", "hash_type"], drop=True)
    yield "no-method", member(TWO, ["serialization", "method"], drop=True)
    yield "method-unknown", predicate("a", method="tensors")
    yield "method-number", predicate("a", method=1)
    yield "no-links", member(
        TWO, ["serialization", "allow_symlinks"], drop=True
    )
    yield "links-string", predicate("a", allow_symlinks="false")
    yield "links-null", predicate("a", allow_symlinks=None)
    yield "serialization-extra", predicate("a", include_modes=True)
    yield "ignored-dot", predicate("a", ignore_paths=["."])
    yield "ignored-empty", predicate("a", ignore_paths=[""])
    yield "ignored-absolute", predicate("a", ignore_paths=["/tmp"])
    yield "ignored-dotdot", predicate("a", ignore_paths=["a/../.."])
    yield "ignored-slash", predicate("a", ignore_paths=["cache/"])
    yield "ignored-string", predicate("a", ignore_paths="cache")
    yield "ignored-number", predicate("a", ignore_paths=[1])
    yield "ignored-null", predicate("a", ignore_paths=None)
    yield "files-shard-size", predicate("a", shard_size=1000)
    yield "shards-no-size", predicate("a:0:5", method="shards")
    yield "shards-size-zero", shards("a:0:5", size=0)
    yield "shards-size-negative", shards("a:0:5", size=-1000)
    yield "shards-size-fraction", shards("a:0:5", size=1000.5)
    yield "shards-size-string", shards("a:0:5", size="1000")
    yield "shards-size-huge", "1e999", shards("a:0:5", size="SIZE")
    yield "shards-size-2-54", shards("a:0:5", size=2**54)
    yield "shards-algorithm", shards("a:0:5", algorithm="sha256-sharded-999")
    yield "shards-no-numbers", shards("a.bin")
    yield "shards-one-number", shards("a:0")
    yield "shards-no-name", shards(":0:5")
    yield "shards-empty", shards("a:0:0")
    yield "shards-backwards", shards("a:5:0")
    yield "shards-zeros", shards("a:00:5")
    yield "shards-sign", shards("a:+0:5")
    yield "shards-negative", shards("a:-5:0")
    yield "shards-space", shards("a:0: 5")
    yield "shards-hex", shards("a:0:0x5")
    yield "shards-2-64", shards("a:0:18446744073709551621")
    yield "shards-not-first", shards("a:1000:1500")
    yield "shards-gap", shards("a:0:1000", "a:2000:2500")
    yield "shards-short-first", shards("a:0:999", "a:1000:1500")
    yield "shards-crooked", shards("a:0:1000", "a:1001:1500")
    yield "shards-too-long", shards("a:0:1001")
    yield "shards-overlap", shards("a:0:1000", "a:0:500")
    yield "shards-twice", shards("a:0:1000", "a:0:1000")
    yield "shards-dotdot", shards("../a:0:5")
    yield "shards-dot-and-file", shards(".:0:5", "a:0:5")


def json_text(case):
    """A case is a value, or a value with a text that stands for SIZE or NAME
    in quotes (or NAME within them)."""
    if len(case) == 1:
        return compact(case[0])
    text = compact(case[1])
    if "-" in case[0] or case[0][0].isdigit():
        return text.replace('"SIZE"', case[0])
    return text.replace("NAME", case[0])


def manifest_texts_invalid():
    text = compact(TWO)
    yield "duplicate-member", text[:-1] + ',"resources":[]}'
    yield "duplicate-inside", text.replace(
        '"algorithm":', '"algorithm":"sha256","algorithm":', 1
    )
    yield "duplicate-unknown", text.replace(
        '"name":', '"x":{"y":1,"y":1},"name":', 1
    )
    yield "trailing", text + " {}"
    yield "trailing-comma", text.replace("}]", "},]")
    yield "truncated", text[:-1]
    yield "nul-name", text.replace("b.bin", "b\\u0000.bin")
    yield "surrogate-name", text.replace("b.bin", "b\\ud800.bin")
    yield "deep", text.replace('"name":', '"x":' + "[" * 17 + "]" * 17 + ',"name":', 1)


# --- statements --------------------------------------------------------------


def statement(kind, predicate, *subjects, **more):
    return {
        "_type": STATEMENT,
        "subject": list(subjects),
        "predicateType": kind,
        "predicate": predicate,
        **more,
    }


def subject(name, digest=None, **more):
    return {"name": name, "digest": {"sha256": digest or sha(name)}, **more}


def model(p=TWO, name="acme/resnet50", **more):
    return statement(MODEL, p, subject(name, root(p), **more))


def v02(*names, **more):
    return statement(
        MODEL_V02,
        {"unused": "Unused, just passed due to API requirements"},
        *(
            subject(
                n, annotations={"actual_hash_algorithm": "file-sha256"}
            )
            for n in names
        ),
        **more,
    )


KINDS = {
    "approval": statement(
        "https://mtlog/approval/v1",
        {"role": "security-review", "comment": "no pickle inside"},
        subject("acme/resnet50"),
    ),
    "withdrawal": statement(
        "https://mtlog/withdrawal/v1",
        {"reason": "mistake", "comment": "wrong weights"},
        subject("acme/resnet50"),
        subject("acme/resnet18"),
    ),
    "revocation": statement(
        "https://mtlog/key-revocation/v1",
        {"reason": "compromised", "earlier": "keep"},
        subject("key"),
    ),
    "status": statement(
        "https://mtlog/status/v1",
        {
            "log": "models.example.org",
            "treeSize": "48300",
            "rootHash": b64(hashlib.sha256(b"root").digest()),
            "checked": "2026-11-23T07:00:00Z",
            "complete": True,
            "withdrawn": [sha("w")],
            "revoked": [sha("r1"), sha("r2")],
        },
        subject("acme/resnet50"),
        subject("acme/resnet18"),
    ),
}


def statements_valid():
    """What is compact is written exactly so by statement_format."""
    yield "model", model()
    yield "model-version", model(annotations={"version": "2.1+cu118_b-3"})
    for name, s in KINDS.items():
        yield name, s
    a, w, r, s = KINDS.values()
    yield "approval-empty-texts", member(
        member(a, ["predicate", "role"], ""), ["predicate", "comment"], ""
    )
    yield "approval-text", member(
        a, ["predicate", "comment"], 'a "quoted" \\ line\nand gr\u00f6\u00dfe \U0001f333'
    )
    yield "approval-longest-text", member(
        a, ["predicate", "comment"], "\u00e9" * 500
    )
    yield "approval-stock-name", member(a, ["subject", 0, "name"], "my model (1)")
    for reason in ("compromised", "unsafe", "superseded", "other"):
        yield "withdrawal-" + reason, member(w, ["predicate", "reason"], reason)
    for reason in ("lost", "retired"):
        yield "revocation-" + reason, member(r, ["predicate", "reason"], reason)
    yield "revocation-withdraw", member(r, ["predicate", "earlier"], "withdraw")
    yield "status-empty", changed(
        member(
            member(
                member(s, ["predicate", "withdrawn"], []),
                ["predicate", "revoked"],
                [],
            ),
            ["predicate", "complete"],
            False,
        ),
        subject=[],
    )


def statements_tolerated():
    """Valid, and not what statement_format writes."""
    yield "model-python", json.dumps(model(), indent=2)
    yield "model-other-version", compact(model(annotations={"version": "2.1 beta"}))
    yield "model-version-number", compact(model(annotations={"version": 2}))
    yield "model-version-long", compact(model(annotations={"version": "1" * 65}))
    yield "model-version-empty", compact(model(annotations={"version": ""}))
    yield "model-annotations-null", compact(model(annotations=None))
    yield "model-more", compact(
        changed(
            member(
                member(model(), ["subject", 0, "uri"], "x:y"),
                ["subject", 0, "digest", "sha512"],
                "ab" * 64,
            ),
            other=[1],
        )
    )
    yield "model-escaped", compact(model()).replace("predicateT", "predicate\\u0054")
    yield "model-name-escaped", compact(model(name="gr\u00f6\u00dfe")).replace(
        "\u00f6", "\\u00f6"
    )
    yield "v02", compact(v02("config.json", "weights/a.bin"))
    yield "approval-spaced", json.dumps(KINDS["approval"], indent="\t")
    yield "status-order", json.dumps(KINDS["status"], sort_keys=True)


def statements_invalid():
    m = model()
    for name in ("_type", "subject", "predicateType", "predicate"):
        yield "model-no-" + name, changed(m, **{name: None})
        yield "model-null-" + name, member(m, [name], None)
    yield "model-array", [m]
    yield "model-type-number", changed(m, _type=1)
    yield "model-no-subjects", changed(m, subject=[])
    yield "model-subject-object", changed(m, subject=m["subject"][0])
    yield "model-subject-string", changed(m, subject=["acme/resnet50"])
    yield "model-two-subjects", changed(m, subject=[*m["subject"], subject("b")])
    yield "model-same-subjects", changed(m, subject=m["subject"] * 2)
    yield "model-no-name", member(m, ["subject", 0, "name"], drop=True)
    yield "model-empty-name", member(m, ["subject", 0, "name"], "")
    yield "model-name-null", member(m, ["subject", 0, "name"], None)
    yield "model-name-number", member(m, ["subject", 0, "name"], 7)
    yield "model-name-long", member(m, ["subject", 0, "name"], "n" * 1001)
    yield "model-no-digest", member(m, ["subject", 0, "digest"], drop=True)
    yield "model-digest-string", member(m, ["subject", 0, "digest"], "ab" * 32)
    yield "model-digest-other", member(
        m, ["subject", 0, "digest"], {"sha512": "ab" * 64}
    )
    yield "model-digest-upper", member(
        m, ["subject", 0, "digest", "sha256"], root(TWO).upper()
    )
    yield "model-digest-short", member(
        m, ["subject", 0, "digest", "sha256"], root(TWO)[:62]
    )
    old = v02("a", "b")
    yield "v02-no-subjects", changed(old, subject=[])
    yield "v02-no-annotation", member(old, ["subject", 1, "annotations"], drop=True)
    yield "v02-other-algorithm", member(
        old,
        ["subject", 1, "annotations", "actual_hash_algorithm"],
        "file-sha256-sharded-1000",
    )
    for kind, s in KINDS.items():
        yield kind + "-more", changed(s, other=1)
        yield kind + "-subject-more", member(s, ["subject", 0, "uri"], "x:y")
        yield kind + "-annotations", member(
            s, ["subject", 0, "annotations"], {"version": "1"}
        )
        yield kind + "-digest-more", member(
            s, ["subject", 0, "digest", "sha512"], "ab" * 64
        )
        yield kind + "-predicate-more", member(s, ["predicate", "other"], "x")
        yield kind + "-name-long", member(s, ["subject", 0, "name"], "n" * 256)
        for name in s["predicate"]:
            yield f"{kind}-no-{name}", member(s, ["predicate", name], drop=True)
            yield f"{kind}-null-{name}", member(s, ["predicate", name], None)
            yield f"{kind}-number-{name}", member(s, ["predicate", name], 7)
    yield from side_statements_invalid(*KINDS.values())


def side_statements_invalid(a, w, r, s):
    yield "approval-two-subjects", changed(a, subject=a["subject"] * 2)
    yield "approval-no-subject", changed(a, subject=[])
    yield "approval-role-long", member(a, ["predicate", "role"], "r" * 1001)
    yield "approval-comment-long", member(
        a, ["predicate", "comment"], "\u00e9" * 501
    )
    yield "approval-predicate-string", changed(a, predicate="yes")
    yield "approval-predicate-of-withdrawal", changed(a, predicate=w["predicate"])
    yield "withdrawal-no-subject", changed(w, subject=[])
    yield "withdrawal-reason", member(w, ["predicate", "reason"], "retired")
    yield "withdrawal-reason-case", member(w, ["predicate", "reason"], "Mistake")
    yield "revocation-two", changed(r, subject=r["subject"] * 2)
    yield "revocation-name", member(r, ["subject", 0, "name"], "acme/resnet50")
    yield "revocation-reason", member(r, ["predicate", "reason"], "mistake")
    yield "revocation-earlier", member(r, ["predicate", "earlier"], "yes")
    yield "revocation-earlier-bool", member(r, ["predicate", "earlier"], True)
    yield "status-name-twice", member(s, ["subject", 1, "name"], "acme/resnet50")
    for name, value in (
        ("log-empty", ["log", ""]),
        ("log-space", ["log", "models example"]),
        ("log-plus", ["log", "models+example"]),
        ("size-number", ["treeSize", 48300]),
        ("size-sign", ["treeSize", "+48300"]),
        ("size-zeros", ["treeSize", "048300"]),
        ("size-2-63", ["treeSize", str(2**63)]),
        ("size-real", ["treeSize", "48300.0"]),
        ("root-hex", ["rootHash", sha("root")]),
        ("root-short", ["rootHash", b64(b"short")]),
        ("root-url", ["rootHash", "-_" + s["predicate"]["rootHash"][2:]]),
        ("root-unpadded", ["rootHash", s["predicate"]["rootHash"][:-1]]),
        ("checked-day", ["checked", "2026-11-23"]),
        ("checked-offset", ["checked", "2026-11-23T07:00:00+01:00"]),
        ("checked-no-day", ["checked", "2026-02-29T07:00:00Z"]),
        ("complete-string", ["complete", "true"]),
        ("withdrawn-string", ["withdrawn", sha("w")]),
        ("withdrawn-short", ["withdrawn", [sha("w")[:62]]]),
        ("withdrawn-upper", ["withdrawn", [sha("w").upper()]]),
        ("revoked-number", ["revoked", [1]]),
    ):
        yield "status-" + name, member(s, ["predicate", value[0]], value[1])


def statement_texts_invalid():
    text = compact(model())
    yield "empty", ""
    yield "not-json", "a statement"
    yield "duplicate-predicate", text[:-1] + ',"predicate":{}}'
    yield "duplicate-escaped", text[:-1] + ',"predic\\u0061te":{}}'
    yield "duplicate-unknown", text[:-1] + ',"x":[{"y":1,"y":2}]}'
    yield "duplicate-in-manifest", text.replace(
        '"method":', '"method":"files","method":'
    )
    yield "duplicate-in-digest", text.replace(
        '"sha256":"', '"sha256":"' + "00" * 32 + '","sha256":"', 1
    )
    yield "trailing", text + "{}"
    yield "trailing-nul", text + "\0"
    yield "bom", "\ufeff" + text
    yield "truncated", text[:-2]
    yield "nul-name", text.replace("resnet50", "resnet\\u000050")
    yield "surrogate-name", text.replace("resnet50", "resnet\\udc0050")
    yield "single-quotes", text.replace('"', "'")
    yield "deep", text[:-1] + ',"x":' + "[" * 20 + "]" * 20 + "}"
    yield "members", text[:-1] + "".join(f',"m{n}":0' for n in range(70)) + "}"


def statements_denied():
    m, a = model(), KINDS["approval"]
    yield "type-v01", changed(m, _type="https://in-toto.io/Statement/v0.1")
    yield "type-slash", changed(m, _type=STATEMENT + "/")
    yield "type-empty-like", changed(m, _type=" ")
    yield "predicate-later", changed(m, predicateType=MODEL[:-1] + "1")
    yield "predicate-v2", changed(m, predicateType="https://model_signing/signature/v2.0")
    yield "predicate-case", changed(m, predicateType=MODEL.replace("model", "Model"))
    yield "predicate-slsa", changed(
        m, predicateType="https://slsa.dev/provenance/v1"
    )
    yield "predicate-scan", changed(a, predicateType="https://mtlog/scan/v1")
    yield "predicate-approval-v2", changed(
        a, predicateType="https://mtlog/approval/v2"
    )
    yield "predicate-longer", changed(a, predicateType="https://mtlog/approval/v1x")


# --- bundles -----------------------------------------------------------------

SIG = ["dsseEnvelope", "signatures"]
MATERIAL = "verificationMaterial"


def entry(n):
    return {
        "logIndex": str(n),
        "inclusionProof": {"checkpoint": {"envelope": 'a "log"\n  line \\ \n'}},
    }


def with_material(b, kind, value, media=V03):
    m = {k: v for k, v in b[MATERIAL].items() if k != "publicKey"}
    return changed(b, mediaType=media, **{MATERIAL: {kind: value, **m}})


def chain(*certificates):
    return {"certificates": [{"rawBytes": b64(c)} for c in certificates]}


def bundles_valid(b, certificate):
    yield "key", compact(b)
    yield "key-no-hint", compact(member(b, [MATERIAL, "publicKey"], {}))
    yield "key-null-hint", compact(
        member(b, [MATERIAL, "publicKey"], {"hint": None})
    )
    yield "key-raw", compact(
        member(
            member(b, [MATERIAL, "tlogEntries"], drop=True),
            [MATERIAL, "publicKey"],
            {"rawBytes": "eA==", "keyDetails": "PKIX_ECDSA_P256_SHA_256"},
        )
    )
    for v in (1, 2, 3):
        yield f"media-{v}", compact(changed(b, mediaType=OLD % v))
    yield "certificate", compact(
        with_material(b, "certificate", {"rawBytes": b64(certificate)})
    )
    yield "certificate-old-name", compact(
        with_material(
            b, "certificate", {"rawBytes": b64(certificate)}, OLD % 3
        )
    )
    for n, media in enumerate((OLD % 1, OLD % 2, OLD % 3, V03)):
        yield f"chain-{n}", compact(
            with_material(
                b, "x509CertificateChain", chain(certificate, b"ca"), media
            )
        )
    yield "chain-10", compact(
        with_material(
            b, "x509CertificateChain", chain(*(b"%d" % n for n in range(10)))
        )
    )
    yield "entries", json.dumps(
        member(b, [MATERIAL, "tlogEntries"], [entry(1), entry(2)]), indent=1
    )
    yield "entries-32", compact(
        member(b, [MATERIAL, "tlogEntries"], [entry(n) for n in range(32)])
    )
    yield "entries-null", compact(member(b, [MATERIAL, "tlogEntries"], None))
    yield "timestamps", compact(
        member(
            b,
            [MATERIAL, "timestampVerificationData"],
            {
                "rfc3161Timestamps": [
                    {"signedTimestamp": "AAAA"},
                    {"signedTimestamp": "AQID"},
                ]
            },
        )
    )
    yield "timestamps-null", compact(
        member(
            b,
            [MATERIAL, "timestampVerificationData"],
            {"rfc3161Timestamps": None},
        )
    )
    yield "nulls", compact(
        member(
            member(
                member(
                    changed(b, messageSignature=0),
                    ["messageSignature"],
                    None,
                ),
                [MATERIAL, "certificate"],
                None,
            ),
            [MATERIAL, "x509CertificateChain"],
            None,
        )
    )
    for n, keyid in enumerate((None, "", "some key", 7)):
        yield f"keyid-{n}", compact(member(b, [*SIG, 0, "keyid"], keyid))
    yield "no-keyid", compact(member(b, [*SIG, 0, "keyid"], drop=True))
    yield "unknown", compact(
        member(
            member(
                member(changed(b, more={"a": [1]}), [MATERIAL, "more"], 1),
                ["dsseEnvelope", "more"],
                [],
            ),
            [*SIG, 0, "more"],
            {},
        )
    )
    yield "slashes", compact(b).replace("/", "\\/")
    text = compact(b)
    payload = b["dsseEnvelope"]["payload"]
    yield "url-safe", text.replace(
        payload, payload.replace("+", "-").replace("/", "_").rstrip("=")
    )
    yield "other-type", compact(member(b, ["dsseEnvelope", "payloadType"], "text/plain"))
    yield "empty-payload", compact(member(b, ["dsseEnvelope", "payload"], ""))
    yield "spaced", json.dumps(b, indent="\t") + "\n"


def bundles_invalid(b, certificate):
    one = {"rawBytes": b64(certificate)}
    for name in ("mediaType", MATERIAL, "dsseEnvelope"):
        yield "no-" + name, changed(b, **{name: None})
        yield "null-" + name, member(b, [name], None)
        yield "number-" + name, member(b, [name], 3)
    yield "array", [b]
    for n, media in enumerate(
        (
            "",
            "application/json",
            "application/vnd.dev.sigstore.bundle",
            "application/vnd.dev.sigstore.bundle.v0.4+json",
            "application/vnd.dev.sigstore.bundle.v0.1+json",
            "application/vnd.dev.sigstore.bundle+json;version=0.4",
            "application/vnd.dev.sigstore.bundle+json;version=99.9",
            "application/vnd.dev.sigstore.bundle+json",
            V03 + " ",
            V03.upper(),
        )
    ):
        yield f"media-{n}", changed(b, mediaType=media)
    yield "message-signature", changed(
        changed(b, dsseEnvelope=None),
        messageSignature={"signature": "AAAA"},
    )
    yield "both-contents", changed(b, messageSignature={"signature": "AAAA"})
    yield "no-material", member(b, [MATERIAL, "publicKey"], drop=True)
    yield "null-material", member(b, [MATERIAL, "publicKey"], None)
    yield "key-string", member(b, [MATERIAL, "publicKey"], "key")
    yield "hint-number", member(b, [MATERIAL, "publicKey", "hint"], 7)
    yield "hint-long", member(b, [MATERIAL, "publicKey", "hint"], "h" * 1001)
    yield "key-and-certificate", member(b, [MATERIAL, "certificate"], one)
    yield "key-and-chain", member(
        b, [MATERIAL, "x509CertificateChain"], chain(certificate)
    )
    yield "certificate-and-chain", member(
        with_material(b, "certificate", one),
        [MATERIAL, "x509CertificateChain"],
        chain(certificate),
    )
    for v in (1, 2):
        yield f"certificate-v{v}", with_material(b, "certificate", one, OLD % v)
    yield "certificate-empty", with_material(b, "certificate", {"rawBytes": ""})
    yield "certificate-none", with_material(b, "certificate", {})
    yield "certificate-base64", with_material(
        b, "certificate", {"rawBytes": "A$=="}
    )
    yield "chain-empty", with_material(b, "x509CertificateChain", chain())
    yield "chain-none", with_material(b, "x509CertificateChain", {})
    yield "chain-null", with_material(
        b, "x509CertificateChain", {"certificates": None}
    )
    yield "chain-11", with_material(
        b, "x509CertificateChain", chain(*(b"%d" % n for n in range(11)))
    )
    yield "entries-object", member(b, [MATERIAL, "tlogEntries"], {})
    yield "entry-null", member(b, [MATERIAL, "tlogEntries"], [None])
    yield "entry-string", member(b, [MATERIAL, "tlogEntries"], ["x"])
    yield "entry-twice", member(
        b, [MATERIAL, "tlogEntries"], [entry(1), entry(2), entry(1)]
    )
    yield "entries-33", member(
        b, [MATERIAL, "tlogEntries"], [entry(n) for n in range(33)]
    )
    for name, value in (
        ("string", "AAAA"),
        ("list-object", {"rfc3161Timestamps": {}}),
        ("null", {"rfc3161Timestamps": [None]}),
        ("empty", {"rfc3161Timestamps": [{"signedTimestamp": ""}]}),
        ("none", {"rfc3161Timestamps": [{}]}),
        ("base64", {"rfc3161Timestamps": [{"signedTimestamp": "A"}]}),
        ("twice", {"rfc3161Timestamps": [{"signedTimestamp": "AAAA"}] * 2}),
        (
            "33",
            {
                "rfc3161Timestamps": [
                    {"signedTimestamp": b64(b"%d" % n)} for n in range(33)
                ]
            },
        ),
    ):
        yield "timestamp-" + name, member(
            b, [MATERIAL, "timestampVerificationData"], value
        )
    good = b["dsseEnvelope"]["signatures"][0]
    yield "no-signatures", member(b, SIG, [])
    yield "two-signatures", member(b, SIG, [good, {**good, "keyid": "x"}])
    yield "same-signatures", member(b, SIG, [good, good])
    yield "signatures-object", member(b, SIG, good)
    yield "signature-null", member(b, SIG, [None])
    yield "signature-empty", member(b, [*SIG, 0, "sig"], "")
    yield "signature-none", member(b, [*SIG, 0, "sig"], drop=True)
    yield "signature-base64", member(b, [*SIG, 0, "sig"], good["sig"] + "=")
    yield "signature-mixed", member(b, [*SIG, 0, "sig"], "+-AA")
    yield "signature-bits", member(b, [*SIG, 0, "sig"], "AB==")
    yield "signature-space", member(b, [*SIG, 0, "sig"], "AA AA")
    yield "signature-long", member(b, [*SIG, 0, "sig"], b64(bytes(1025)))
    for name in ("payload", "payloadType", "signatures"):
        path = ["dsseEnvelope", name]
        yield "envelope-no-" + name, member(b, path, drop=True)
        yield "envelope-null-" + name, member(b, path, None)
        yield "envelope-number-" + name, member(b, path, 7)
    yield "type-empty", member(b, ["dsseEnvelope", "payloadType"], "")
    yield "type-long", member(b, ["dsseEnvelope", "payloadType"], "t" * 256)
    yield "payload-base64", member(b, ["dsseEnvelope", "payload"], "e30=\n")


def bundle_texts_invalid(b):
    text = compact(b)
    yield "empty", ""
    yield "space", "  \n"
    yield "not-json", "signature"
    yield "truncated", text[: len(text) // 2]
    yield "trailing", text + "\n{}"
    yield "trailing-nul", text + "\0"
    yield "duplicate-top", text[:-1] + ',"mediaType":"' + V03 + '"}'
    yield "duplicate-envelope", text[:-1] + ',"dsse\\u0045nvelope":{}}'
    yield "duplicate-sig", text.replace('"sig":', '"sig":"AAAA","sig":')
    yield "duplicate-unknown", text[:-1] + ',"x":{"y":1,"z":[{"y":1,"y":1}]}}'
    yield "duplicate-in-entry", text.replace(
        '"tlogEntries":[]', '"tlogEntries":[{"logIndex":"1","logIndex":"1"}]'
    )
    yield "utf8", text.replace("hint", "h\udcffnt")
    yield "deep", text[:-1] + ',"x":' + "[" * 17 + "]" * 17 + "}"
    yield "members", text[:-1] + "".join(f',"m{n}":0' for n in range(70)) + "}"


def python_repr(payload):
    """What model_signing 0.2 signed, with Python's own repr."""
    text = f"DSSEV1 {len(IN_TOTO)} {IN_TOTO} {len(payload)} {payload}"
    return text.encode()


def v02_bundles(key):
    for name, text in (
        ("plain", compact(v02("config.json", "weights/a.bin"))),
        ("quoted", json.dumps(v02("it's a\tmodel", "gr\u00f6\u00dfe\\"), indent=2)),
        ("utf8", compact(v02("gr\u00f6\u00dfe", "a'b\x7f")) + "\r\n\t"),
    ):
        payload = text.encode()
        digest = hashlib.sha256(python_repr(payload)).digest()
        yield name, compact(bundle(key, payload, key.sign(digest)))


# --- all of it ---------------------------------------------------------------


def write(folder, cases):
    os.makedirs(folder, exist_ok=True)
    for name, text in cases:
        path = os.path.join(folder, name + ".json")
        assert not os.path.exists(path), path
        with open(path, "wb") as f:
            f.write(text.encode("utf-8", "surrogateescape"))


def main():
    out = sys.argv[1]
    keys.RANDOM.seed("mtlog model vectors")
    key, old = Key(keys.P256), Key(keys.P384)

    manifests = [(n, json_text(c)) for n, *c in manifests_invalid()]
    write(
        os.path.join(out, "manifest/valid"),
        ((n, json_text(c)) for n, *c in manifests_valid()),
    )
    write(
        os.path.join(out, "manifest/invalid"),
        [*manifests, *manifest_texts_invalid()],
    )

    statements = [(n, compact(s)) for n, s in statements_invalid()]
    write(
        os.path.join(out, "statement/valid"),
        ((n, compact(s)) for n, s in statements_valid()),
    )
    write(os.path.join(out, "statement/tolerated"), statements_tolerated())
    write(
        os.path.join(out, "statement/invalid"),
        [*statements, *statement_texts_invalid()],
    )
    write(
        os.path.join(out, "statement/denied"),
        ((n, compact(s)) for n, s in statements_denied()),
    )

    folder = os.path.join(out, "bundle")
    b = bundle(key, compact(model()).encode())
    # A certificate for its place alone: what is in it, others read.
    certificate = b"a certificate"
    write(os.path.join(folder, "valid"), bundles_valid(b, certificate))
    bundles = [(n, compact(x)) for n, x in bundles_invalid(b, certificate)]
    write(
        os.path.join(folder, "invalid"), [*bundles, *bundle_texts_invalid(b)]
    )
    write(os.path.join(folder, "v02"), v02_bundles(old))
    for name, k in (("key", key), ("key-v02", old)):
        with open(os.path.join(folder, name + ".pem"), "w") as f:
            f.write(pem(k.spki))


if __name__ == "__main__":
    main()
