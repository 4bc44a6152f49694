# SPDX-License-Identifier: Apache-2.0
"""What the tests of the witness share: logs whose key the test has, written
from the specifications (RFC 6962, C2SP signed-note, tlog-checkpoint,
tlog-cosignature, tlog-witness), and a witness of their own on loopback."""

import functools
import hashlib
import http.client
import os
import shutil
import signal
import subprocess
import tempfile

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

import mtlog_test as t

MTLOG = os.environ.get("MTLOG", os.path.join(t.BUILD, "mtlog"))
WITNESS = os.environ.get("MTLOG_WITNESS", os.path.join(t.BUILD, "mtlog-witness"))


def key_id(name, kind, public):
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def note_line(name, identity, signature):
    return f"\u2014 {name} {t.b64(identity + signature)}\n"


class Tree:
    """Entries "0", "1", … and from `fork` on entries of its own."""

    def __init__(self, name="", fork=1 << 60, capacity=600):
        self.leaves = [t.leaf_hash((str(n) if n < fork else f"{name} {n}").encode())
                       for n in range(capacity)]
        self.root = functools.cache(self._root)

    def _root(self, start, end):
        if start == end:
            return hashlib.sha256(b"").digest()
        if end - start == 1:
            return self.leaves[start]
        k = 1 << (end - start - 1).bit_length() - 1
        return t.node_hash(self.root(start, start + k), self.root(start + k, end))

    def proof(self, m, n):
        """PROOF(m, D[n]) of RFC 6962 section 2.1.2; from nothing it is empty."""
        def sub(m, start, end, whole):
            if m == end - start:
                return [] if whole else [self.root(start, end)]
            k = 1 << (end - start - 1).bit_length() - 1
            if m <= k:
                return sub(m, start, start + k, whole) + [self.root(start + k, end)]
            return sub(m - k, start + k, end, False) + [self.root(start, start + k)]
        return sub(m, 0, n, True) if 0 < m < n else []


class Log:
    """A log's key, and what it signs: whatever the test wants."""

    def __init__(self, name, tree=None):
        self.name, self.tree = name, tree or Tree()
        self.key = ed25519.Ed25519PrivateKey.generate()
        self.public = self.key.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.identity = key_id(name, 1, self.public)
        self.vkey = f"{name}+{self.identity.hex()}+{t.b64(bytes([1]) + self.public)}"
        self.id = hashlib.sha256(name.encode()).hexdigest()

    def note(self, size, tree=None, root=None, origin=None, extension="", spoil=False):
        root = root or (tree or self.tree).root(0, size)
        text = f"{origin or self.name}\n{size}\n{t.b64(root)}\n{extension}"
        signature = bytearray(self.key.sign(text.encode()))
        signature[10] ^= spoil
        return text + "\n" + note_line(self.name, self.identity, bytes(signature))

    def body(self, old, size, tree=None, proof=None, **more):
        if proof is None:
            proof = (tree or self.tree).proof(old, size)
        return (f"old {old}\n" + "".join(t.b64(h) + "\n" for h in proof) + "\n"
                + self.note(size, tree, **more)).encode()


class Cosigner:
    """A witness's vkey (type 04), and what its cosignatures say."""

    def __init__(self, text):
        self.text = text.strip()
        self.name, identity, key = self.text.split("+", 2)
        raw = t.base64.b64decode(key, validate=True)
        if raw[0] != 4 or key_id(self.name, 4, raw[1:]).hex() != identity:
            raise ValueError("not the vkey of an Ed25519 cosigner")
        self.identity = bytes.fromhex(identity)
        self.key = ed25519.Ed25519PublicKey.from_public_bytes(raw[1:])

    def time(self, text, lines):
        """The time of the one cosignature among the lines; ValueError."""
        times = []
        for line in lines.splitlines():
            dash, name, payload = line.split(" ")
            raw = t.base64.b64decode(payload, validate=True)
            if dash != "\u2014" or name != self.name or raw[:4] != self.identity:
                continue
            if len(raw) != 76:
                raise ValueError("a cosignature has 76 bytes")
            time = int.from_bytes(raw[4:12], "big")
            try:
                self.key.verify(raw[12:], f"cosignature/v1\ntime {time}\n{text}".encode())
            except InvalidSignature:
                raise ValueError("the cosignature is wrong")
            times.append(time)
        if len(times) != 1:
            raise ValueError(f"{len(times)} cosignatures")
        return times[0]


class Witness:
    def __init__(self, folder=None, name="w.test.example"):
        self.root = None if folder else tempfile.mkdtemp(prefix="mtlog-witness-")
        self.dir = folder or os.path.join(self.root, "w")
        self.log = os.path.join(self.root or tempfile.gettempdir(), f"witness-{os.getpid()}.log")
        self.process = self.port = None
        made = self.run("init", "--dir", self.dir, "--name", name)
        if made.returncode != 0:
            raise RuntimeError(made.stderr)
        self.key = Cosigner(made.stdout)

    @staticmethod
    def run(*words):
        return subprocess.run([MTLOG, "witness", *words], capture_output=True, text=True, timeout=60)

    def add(self, log, *options):
        vkey = log if isinstance(log, str) else log.vkey
        return self.run("add-log", "--dir", self.dir, vkey, *options)

    def start(self, *options, expect_ready=True):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [WITNESS, "serve", "--dir", self.dir, "--listen", f"127.0.0.1:{self.port or 0}", *options],
                stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        if line.startswith("ready http://"):
            self.port = int(line.strip().rsplit(":", 1)[1])
        elif expect_ready:
            raise RuntimeError(f"no witness (exit {self.process.wait(timeout=30)}): {self.tail()}")
        return self

    def tail(self):
        with open(self.log, errors="replace") as f:
            return "".join(f.readlines()[-10:])

    def keeper(self):
        """The process that has the key."""
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return int(f.read().split()[0])

    def wait(self, timeout=20):
        code = self.process.wait(timeout=timeout)
        self.process.stdout.close()
        return code

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        self.process.kill()
        return self.wait()

    def call(self, method, path, body=None, timeout=30):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            c.request(method, path, body)
            r = c.getresponse()
            return r.status, {k.lower(): v for k, v in r.getheaders()}, r.read()
        finally:
            c.close()

    def submit(self, body):
        return self.call("POST", "/add-checkpoint", body)

    def cosign(self, log, old, size, **more):
        """Submits, and verifies what comes: (status, time or None)."""
        body = log.body(old, size, **more)
        status, _, answer = self.submit(body)
        if status != 200:
            return status, None
        text = log.note(size, more.get("tree")).partition("\n\n")[0] + "\n"
        return status, self.key.time(text, answer.decode())

    def shown(self, log):
        """(size, root, time) of what everybody can read; None: nothing."""
        status, _, answer = self.call("GET", f"/{log.id}/checkpoint")
        if status == 404:
            return None
        if status != 200:
            raise ValueError(f"{status}: {answer!r}")
        note = answer.decode()
        text, _, lines = note.rpartition("\n\n")
        size, root = t.Vkey(log.vkey).checkpoint(note)
        if len(lines.splitlines()) != 2:
            raise ValueError("other lines than the log's and the witness's")
        return size, root, self.key.time(text + "\n", lines)

    def status(self):
        r = self.run("status", "--dir", self.dir, "--json")
        return t.json.loads(r.stdout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.kill()
        if self.root:
            shutil.rmtree(self.root, ignore_errors=True)
