# SPDX-License-Identifier: Apache-2.0
"""What the tests of stock clients share: their installation, a log whose name
suits them all, a stand-in for Fulcio and a time-stamp authority, and a check
of the entries in their bundles that uses no code of theirs.

A client program gets a JSON file as its argument and prints one JSON object a
line: {"check": WHAT, "ok": BOOL, "detail": TEXT}, or {"bundle": BUNDLE,
"artifact": BASE64} for the check of the entry here."""

import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))

import mtlog_test as t  # noqa: E402
from fulcio_tsa import FulcioTsa  # noqa: E402

# sigstore-go and cosign expect the host of the log's baseUrl as its origin,
# and leave the port aside.
t.ORIGIN = "127.0.0.1"
LIMIT = 300
IDENTITY = "publisher@test.example"
HASHES = {"SHA2_256": hashlib.sha256, "SHA2_384": hashlib.sha384,
          "SHA2_512": hashlib.sha512}


def place(language):
    return os.path.join(os.path.abspath(t.BUILD), "clients", language)


def install(language):
    """The folder where the clients of a language are; skips without it."""
    run = subprocess.run([os.path.join(HERE, "setup.sh"), language],
                         env={**os.environ, "BUILD": os.path.abspath(t.BUILD)},
                         stdout=subprocess.PIPE, text=True, timeout=1900)
    if run.returncode == 77:
        t.skip(run.stdout.strip().removeprefix("SKIP "))
    if run.returncode:
        print(f"FAIL the clients in {language} could not be installed", flush=True)
        sys.exit(1)
    return place(language)


def pae(kind, payload):
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)


def signed(bundle, artifact):
    """(signature, signed bytes) of a bundle."""
    if "messageSignature" in bundle:
        return bundle["messageSignature"]["signature"], artifact
    envelope = bundle["dsseEnvelope"]
    return (envelope["signatures"][0]["sig"],
            pae(envelope["payloadType"], base64.b64decode(envelope["payload"])))


def certificate_of(material):
    if "certificate" in material:
        return material["certificate"]["rawBytes"]
    chain = material.get("x509CertificateChain")
    return chain["certificates"][0]["rawBytes"] if chain else None


def verify_entry(vkey, bundle, artifact):
    """Index of the entry in a bundle; ValueError unless it binds to it."""
    entry = bundle["verificationMaterial"]["tlogEntries"][0]
    leaf = base64.b64decode(entry["canonicalizedBody"], validate=True)
    if entry["kindVersion"] != {"kind": "hashedrekord", "version": "0.0.2"}:
        raise ValueError(f"another kind: {entry['kindVersion']}")
    if base64.b64decode(entry["logId"]["keyId"])[:4].hex() != vkey.id:
        raise ValueError("another log")
    body = json.loads(leaf)["spec"]["hashedRekordV002"]
    signature, text = signed(bundle, artifact)
    if body["signature"]["content"] != signature:
        raise ValueError("another signature")
    if body["data"]["digest"] != t.b64(HASHES[body["data"]["algorithm"]](text).digest()):
        raise ValueError("another digest")
    certificate = certificate_of(bundle["verificationMaterial"])
    logged = body["signature"]["verifier"].get("x509Certificate")
    if certificate and (not logged or logged["rawBytes"] != certificate):
        raise ValueError("another certificate")
    proof = entry["inclusionProof"]
    size, root = vkey.checkpoint(proof["checkpoint"]["envelope"])
    index = int(entry.get("logIndex", 0))
    got = t.inclusion_root(index, size, t.leaf_hash(leaf),
                           [base64.b64decode(h) for h in proof.get("hashes", [])])
    if got != root:
        raise ValueError("the inclusion proof does not verify")
    return index


def environment(**more):
    """No proxy stands between us and loopback, and no home is written to."""
    return {**os.environ, "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost", **more}


class Scene:
    """A running log and stand-in, and the trust configuration for both."""

    def __init__(self):
        self.server = t.Server().init().start()
        self.stand_in = FulcioTsa().start()
        self.folder = tempfile.TemporaryDirectory(prefix="mtlog-clients-")
        self.url = f"http://127.0.0.1:{self.server.port}"
        documents = {}
        for name in ("trusted_root", "signing_config"):
            status, _, body = self.server.get(f"/.well-known/mtlog/{name}.json")
            t.check(status == 200, f"{name}.json is served")
            documents[name] = json.loads(body)
        self.log_only = self.write("log_root.json", documents["trusted_root"])
        self.root = self.stand_in.trusted_root(documents["trusted_root"])
        self.signing = self.stand_in.signing_config(documents["signing_config"])
        self.trusted_root = self.write("trusted_root.json", self.root)
        self.signing_config = self.write("signing_config.json", self.signing)
        self.trust_config = self.write("trust_config.json", {
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": self.root, "signingConfig": self.signing})

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, document):
        with open(self.path(name), "w") as f:
            json.dump(document, f)
        return self.path(name)

    def settings(self, **more):
        """The file that a client program is given."""
        return self.write("settings.json", {
            "url": self.url, "origin": t.ORIGIN, "vkey": self.server.vkey.text,
            "logRoot": self.log_only, "trustedRoot": self.trusted_root,
            "signingConfig": self.signing_config, "trustConfig": self.trust_config,
            "identity": IDENTITY, "issuer": self.stand_in.issuer,
            "token": self.stand_in.token(IDENTITY),
            "fulcio": self.stand_in.url, "tsa": self.stand_in.tsa_url,
            "folder": self.folder.name, **more})

    def run(self, command, env=None, expect=0):
        """Runs a client program and counts what it tells; its bundles."""
        run = subprocess.run(command, env=env or environment(), timeout=LIMIT,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        bundles = []
        for line in run.stdout.splitlines():
            try:
                told = json.loads(line)
            except ValueError:
                t.check(False, f"{command[0]} printed {line!r}")
                continue
            if "check" in told:
                t.check(told["ok"], f"{told['check']}: {told.get('detail', '')}")
            else:
                bundles.append(told)
        t.check(run.returncode == expect,
                f"{command[0]} ended with {run.returncode}: {run.stderr[-2000:]}")
        return bundles

    def verify(self, bundles, at_least):
        """Checks the log entries in bundles without the clients' code."""
        t.check(len(bundles) >= at_least, f"{len(bundles)} bundles came back")
        indexes = set()
        for told in bundles:
            try:
                indexes.add(verify_entry(self.server.vkey, told["bundle"],
                                         base64.b64decode(told.get("artifact") or "")))
                t.check(True, "entry")
            except (ValueError, KeyError, IndexError) as e:
                t.check(False, f"the entry of {told.get('what')}: {e!r}")
        t.check(len(indexes) == len(bundles), "each bundle has an index of its own")

    def close(self):
        self.stand_in.stop()
        self.server.remove()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
