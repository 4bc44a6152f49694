# SPDX-License-Identifier: Apache-2.0
"""What the system tests share: a server of their own on loopback, submissions
signed by keys of their own, and an independent check of what comes back
(RFC 6962 and C2SP checkpoints in plain Python; nothing of mtlog's code)."""

import atexit
import base64
import hashlib
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

# What the user of this machine has pinned is none of a test's business.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="mtlog-state-")
atexit.register(shutil.rmtree, os.environ["XDG_STATE_HOME"], ignore_errors=True)

BUILD = os.environ.get("BUILD", os.path.join(os.path.dirname(__file__), "..", "..", "build"))
MTLOGD = os.environ.get("MTLOGD", os.path.join(BUILD, "mtlogd"))
ORIGIN = "log.test.example"

passed = failed = 0


def check(condition, what):
    """Counts one check; tells only the failures."""
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print(f"FAIL {what}", flush=True)
    return condition


def finish():
    print(f"{passed} checks passed, {failed} failed", flush=True)
    sys.exit(1 if failed or not passed else 0)


def skip(why):
    print(f"SKIP {why}", flush=True)
    sys.exit(77)


class Schema:
    """A published schema, schema/json/NAME.schema.json, to hold what is printed against."""

    def __init__(self, name):
        self.validator = None
        try:
            import jsonschema
        except ImportError:
            print(f"SKIP {name}.schema.json: jsonschema is not installed", flush=True)
            return
        path = os.path.join(os.path.dirname(__file__), "..", "..", "schema", "json", name + ".schema.json")
        with open(path) as f:
            schema = json.load(f)
        jsonschema.Draft202012Validator.check_schema(schema)
        self.validator = jsonschema.Draft202012Validator(schema)

    def check(self, value, what):
        for e in self.validator.iter_errors(value) if self.validator else []:
            check(False, f"{what}: {e.json_path}: {e.message}")


def b64(data):
    return base64.b64encode(data).decode()


# --- RFC 6962, written from the RFC -----------------------------------------

def leaf_hash(data):
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def root_of(leaves):
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(root_of(leaves[:k]), root_of(leaves[k:]))


def inclusion_root(index, size, leaf, proof):
    """The root that an inclusion proof gives (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        return None
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while fn and not fn & 1:
                fn >>= 1
                sn >>= 1
        else:
            r = node_hash(r, p)
        fn >>= 1
        sn >>= 1
    return r if sn == 0 else None


def consistent(m, n, proof, root_m, root_n):
    """RFC 9162 section 2.1.4.2."""
    if m == 0:
        return True
    if m == n:
        return not proof and root_m == root_n
    if not proof or m > n:
        return False
    if m & (m - 1) == 0:
        proof = [root_m] + proof
    fn, sn = m - 1, n - 1
    while fn & 1:
        fn >>= 1
        sn >>= 1
    fr = sr = proof[0]
    for c in proof[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while fn and not fn & 1:
                fn >>= 1
                sn >>= 1
        else:
            sr = node_hash(sr, c)
        fn >>= 1
        sn >>= 1
    return sn == 0 and fr == root_m and sr == root_n


class Vkey:
    def __init__(self, text):
        self.text = text.strip()
        self.name, self.id, key = self.text.split("+", 2)
        raw = base64.b64decode(key, validate=True)
        if raw[0] != 1:
            raise ValueError("not an Ed25519 key")
        want = hashlib.sha256(self.name.encode() + b"\n" + raw).hexdigest()[:8]
        if want != self.id:
            raise ValueError("key ID does not match")
        self.key = ed25519.Ed25519PublicKey.from_public_bytes(raw[1:])

    def checkpoint(self, note):
        """(size, root) of a signed note; ValueError unless we believe it."""
        text, _, lines = note.rpartition("\n\n")
        text += "\n"
        for line in lines.splitlines():
            dash, name, sig = line.split(" ")
            raw = base64.b64decode(sig, validate=True)
            if dash != "\u2014" or name != self.name or raw[:4].hex() != self.id:
                continue
            try:
                self.key.verify(raw[4:], text.encode())
            except InvalidSignature:
                raise ValueError("checkpoint signature is wrong")
            origin, size, root = text.split("\n")[:3]
            if origin != self.name:
                raise ValueError("origin is not the key's name")
            return int(size), base64.b64decode(root, validate=True)
        raise ValueError("no signature by the log")


# --- submissions ------------------------------------------------------------

class Signer:
    """An ECDSA P-256 key that makes hashedrekord requests."""

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.spki = self.key.public_key().public_bytes(
            serialization.Encoding.DER,
            serialization.PublicFormat.SubjectPublicKeyInfo)

    def request(self, data):
        digest = hashlib.sha256(data).digest()
        sig = self.key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
        return {"hashedRekordRequestV002": {
            "digest": b64(digest),
            "signature": {
                "content": b64(sig),
                "verifier": {
                    "publicKey": {"rawBytes": b64(self.spki)},
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256"}}}}


def leaf_of(request):
    """The canonical leaf of a P-256 request, by RFC 8785 through json."""
    r = request["hashedRekordRequestV002"]
    v = r["signature"]["verifier"]
    return json.dumps({
        "apiVersion": "0.0.2", "kind": "hashedrekord",
        "spec": {"hashedRekordV002": {
            "data": {"algorithm": "SHA2_256", "digest": r["digest"]},
            "signature": {"content": r["signature"]["content"],
                          "verifier": {"keyDetails": v["keyDetails"],
                                       "publicKey": v["publicKey"]}}}}},
        separators=(",", ":"), sort_keys=True).encode()


def verify_answer(vkey, request, answer):
    """Index of an answer that proves that `request` is in the log."""
    leaf = leaf_of(request)
    if base64.b64decode(answer["canonicalizedBody"]) != leaf:
        raise ValueError("another entry than was asked for")
    p = answer["inclusionProof"]
    size, root = vkey.checkpoint(p["checkpoint"]["envelope"])
    if str(size) != p["treeSize"] or b64(root) != p["rootHash"]:
        raise ValueError("proof and checkpoint differ")
    index = int(answer["logIndex"])
    got = inclusion_root(index, size, leaf_hash(leaf),
                         [base64.b64decode(h) for h in p["hashes"]])
    if got != root:
        raise ValueError("the inclusion proof does not verify")
    return index


# --- a server ---------------------------------------------------------------

class Server:
    def __init__(self, folder=None, wrapper=(), options=()):
        self.root = tempfile.mkdtemp(prefix="mtlog-test-") if folder is None else None
        self.dir = os.path.join(self.root, "log") if folder is None else folder
        self.wrapper = list(wrapper)
        self.options = list(options)
        self.process = None
        self.port = None
        self.log = os.path.join(self.root or os.path.dirname(self.dir), "server.log")

    def init(self):
        out = subprocess.run(
            [MTLOGD, "init", "--dir", self.dir, "--origin", ORIGIN],
            check=True, capture_output=True, text=True, timeout=60).stdout
        self.vkey = Vkey(out)
        return self

    def start(self, timeout=30, expect_ready=True):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.wrapper + [MTLOGD, "serve", "--dir", self.dir,
                                "--listen", "127.0.0.1:0"] + self.options,
                stdout=subprocess.PIPE, stderr=log, text=True)
        began = time.monotonic()
        line = self.process.stdout.readline()
        self.ready_after = time.monotonic() - began
        if not line.startswith("ready http://"):
            code = self.process.wait(timeout=timeout)
            if expect_ready:
                raise RuntimeError(f"server did not start (exit {code}): {self.tail()}")
            return self
        self.port = int(line.strip().rsplit(":", 1)[1])
        return self

    def tail(self):
        with open(self.log, errors="replace") as f:
            return "".join(f.readlines()[-15:])

    def stop(self, timeout=20):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout)

    def wait(self, timeout=20):
        code = self.process.wait(timeout=timeout)
        self.process.stdout.close()
        return code

    def kill(self):
        self.process.kill()
        return self.wait()

    def fsck(self, *options):
        return subprocess.run([MTLOGD, "fsck", "--dir", self.dir, *options],
                              capture_output=True, text=True, timeout=600)

    def remove(self):
        if self.process and self.process.poll() is None:
            self.kill()
        if self.root:
            shutil.rmtree(self.root, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    def connect(self, timeout=30):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def call(self, method, path, body=None, headers=None, connection=None):
        """(status, headers in lower case, body bytes)"""
        c = connection or self.connect()
        c.request(method, path, body, headers or {})
        r = c.getresponse()
        data = r.read()
        if connection is None:
            c.close()
        return r.status, {k.lower(): v for k, v in r.getheaders()}, data

    def get(self, path, headers=None):
        return self.call("GET", path, headers=headers)

    def post(self, request, path="/api/v2/log/entries", connection=None):
        body = request if isinstance(request, (bytes, str)) else json.dumps(request)
        return self.call("POST", path, body,
                         {"Content-Type": "application/json"}, connection)

    def submit(self, request, connection=None):
        """Submits and verifies; the index."""
        status, _, body = self.post(request, connection=connection)
        if status != 201:
            raise RuntimeError(f"{status}: {body[:300]!r}")
        return verify_answer(self.vkey, request, json.loads(body))

    def checkpoint(self):
        status, _, body = self.get("/checkpoint")
        if status != 200:
            raise RuntimeError(f"{status}: {body[:200]!r}")
        return self.vkey.checkpoint(body.decode())

    def consistency(self, old, new):
        if old == 0:
            return []
        status, _, body = self.get(f"/api/v1/proof/consistency/{old}/{new}")
        if status != 200:
            raise RuntimeError(f"{status}: {body[:200]!r}")
        return [base64.b64decode(h) for h in json.loads(body)["hashes"]]
