#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A released witness in Go, litewitness of filippo.io/torchwood, cosigns our log,
which requires it: `mtlog verify` accepts with it and refuses with another's key;
while it is away nothing is answered, and afterwards everything goes on."""

import os
import shutil
import signal
import socket
import socketserver
import sqlite3
import subprocess
import tempfile
import threading
import time

import clients_common as c
import witness_test as w
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

NAME = "litewitness.test.example"


def string(data):
    return len(data).to_bytes(4, "big") + data


class Agent(socketserver.ThreadingUnixStreamServer):
    """As much of an ssh-agent as litewitness wants for its one key: the list of
    identities (11, answered with 12) and a signature (13, 14)."""

    daemon_threads = True

    def __init__(self, path):
        self.key = ed25519.Ed25519PrivateKey.generate()
        self.public = self.key.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.blob = string(b"ssh-ed25519") + string(self.public)
        super().__init__(path, Questions)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def fingerprint(self):
        return "SHA256:" + c.t.b64(c.hashlib.sha256(self.blob).digest()).rstrip("=")

    def vkey(self):
        identity = w.key_id(NAME, 4, self.public)
        return f"{NAME}+{identity.hex()}+{c.t.b64(bytes([4]) + self.public)}"

    def answer(self, question):
        if question[:1] == bytes([11]):
            return bytes([12]) + (1).to_bytes(4, "big") + string(self.blob) + string(b"test")
        if question[:1] == bytes([13]) and question[1:].startswith(string(self.blob)):
            rest = question[1 + len(string(self.blob)):]
            data = rest[4:4 + int.from_bytes(rest[:4], "big")]
            return bytes([14]) + string(string(b"ssh-ed25519") + string(self.key.sign(data)))
        return bytes([5])


class Questions(socketserver.StreamRequestHandler):
    def handle(self):
        while head := self.rfile.read(4):
            answer = self.server.answer(self.rfile.read(int.from_bytes(head, "big")))
            self.wfile.write(string(answer))


class Lite:
    """The program, its database and its agent; it does not tell its port."""

    def __init__(self, program, folder, log):
        self.program, self.folder = program, folder
        self.agent = Agent(os.path.join(folder, "agent"))
        self.key = w.Cosigner(self.agent.vkey())
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None
        self.start()
        # Which makes the database. What adds a log to it is another program.
        db = sqlite3.connect(os.path.join(folder, "litewitness.db"))
        with db:
            db.execute("INSERT INTO log (origin, tree_size, tree_hash) VALUES (?, 0, ?)",
                       (log.name, c.t.b64(c.hashlib.sha256(b"").digest())))
            db.execute("INSERT INTO key (origin, key) VALUES (?, ?)", (log.name, log.text.strip()))
        db.close()

    def start(self):
        self.log = open(os.path.join(self.folder, "litewitness.log"), "ab")
        self.process = subprocess.Popen(
            [self.program, "-db", os.path.join(self.folder, "litewitness.db"), "-name", NAME, "-key",
             self.agent.fingerprint(), "-ssh-agent", os.path.join(self.folder, "agent"), "-listen",
             f"127.0.0.1:{self.port}"], stdout=self.log, stderr=self.log)
        until = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"litewitness does not start: {self.tail()}") from None
                time.sleep(0.05)

    def tail(self):
        with open(os.path.join(self.folder, "litewitness.log"), errors="replace") as f:
            return f.read()[-2000:]

    def size(self):
        db = sqlite3.connect(os.path.join(self.folder, "litewitness.db"))
        try:
            return db.execute("SELECT tree_size FROM log").fetchone()[0]
        finally:
            db.close()

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=30)
        self.log.close()
        return code

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=30)
        self.log.close()
        self.agent.shutdown()
        self.agent.server_close()


def mtlog(*words, expect=0):
    done = subprocess.run([w.MTLOG, *words], capture_output=True, text=True, timeout=c.LIMIT)
    wanted = expect if isinstance(expect, tuple) else (expect,)
    c.t.check(done.returncode in wanted,
              f"mtlog {words[0]}: exit {done.returncode}, not {expect}: {done.stdout}{done.stderr}")
    return done.stdout


class Publisher:
    """A key, and a policy for what it signs, by whoever has cosigned."""

    def __init__(self, folder, server):
        self.folder, self.server, self.models = folder, server, 0
        self.key = os.path.join(folder, "key")
        mtlog("key", "new", "--out", self.key)
        shown = mtlog("key", "show", self.key + ".pub")
        line = next(l for l in shown.splitlines() if "signer NAME key " in l)
        self.signer = line[line.index("signer"):].replace("NAME", "ci")

    def policy(self, name, witnesses):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"log {self.server.vkey.text.strip()}\n{witnesses}mtlog-policy 1\n{self.signer}\n"
                    "model acme/*\n  signed-by ci\n")
        os.chmod(path, 0o600)
        return path

    def model(self):
        self.models += 1
        path = os.path.join(self.folder, f"m{self.models}")
        os.mkdir(path)
        with open(os.path.join(path, "weights.bin"), "wb") as f:
            f.write(os.urandom(1000))
        return path

    def publish(self, model, expect=0):
        mtlog("publish", "--key", self.key, "--log", f"http://127.0.0.1:{self.server.port}", "--vkey",
              self.server.vkey.text.strip(), "--wait", "10", "--timeout", "5000", "--name", "acme/" + os.path.basename(model), "--yes",
              model, expect=expect)

    @staticmethod
    def verify(model, policy, expect=0):
        mtlog("verify", "--policy", policy, "--name", "acme/" + os.path.basename(model), model, expect=expect)


def quorum(*witnesses):
    names = [f"w{n}" for n in range(len(witnesses))]
    return "".join(f"witness {n} {text}\n" for n, text in zip(names, witnesses)) + (
        f"group all all {' '.join(names)}\nquorum all\n")


def main():
    program = os.path.join(c.install("litewitness"), "litewitness")
    folder = tempfile.mkdtemp(prefix="mtlog-litewitness-")
    with c.t.Server(os.path.join(folder, "log")) as server, w.Witness(os.path.join(folder, "w")) as ours:
        server.init()
        lite = Lite(program, folder, server.vkey)
        try:
            run(folder, server, lite, ours)
        finally:
            lite.close()
    shutil.rmtree(folder, ignore_errors=True)
    c.t.finish()


def cosigned(server, lite, ours):
    """(size, time of litewitness) of what the log shows, which both have cosigned."""
    note = server.get("/checkpoint")[2].decode()
    text, _, lines = note.rpartition("\n\n")
    c.t.check(ours.key.time(text + "\n", lines) > 0, "ours has cosigned")
    return server.vkey.checkpoint(note)[0], lite.key.time(text + "\n", lines)


def run(folder, server, lite, ours):
    c.t.check(ours.add(server.vkey.text).returncode == 0, "add-log")
    ours.start()
    with open(os.path.join(server.dir, "witnesses"), "w", encoding="utf-8") as f:
        f.write(quorum(f"{lite.key.text} {lite.url}", f"{ours.key.text} http://127.0.0.1:{ours.port}"))
    with open(os.path.join(server.dir, "mtlogd.conf"), "a", encoding="utf-8") as f:
        f.write("witness-mode = required\nwitness-policy = witnesses\nwitness-interval = 50\nwitness-timeout = 2\n"
                "submit-timeout = 8\n")
    server.start()
    publisher = Publisher(folder, server)
    policy = publisher.policy("policy", quorum(lite.key.text, ours.key.text))
    alone = publisher.policy("alone", quorum(lite.key.text))
    stranger = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    other = f"{NAME}+{w.key_id(NAME, 4, stranger).hex()}+{c.t.b64(bytes([4]) + stranger)}"
    exchanged = publisher.policy("exchanged", quorum(other))

    signer, size, last = c.t.Signer(), 0, int(time.time()) - 5
    for n in range(5):
        status, _, body = server.post(signer.request(b"%d" % n))
        c.t.check(status == 201, f"submission {n}: {status} {body[:300]}")
        shown, when = cosigned(server, lite, ours)
        c.t.check(shown > size and when >= last, f"size {size} to {shown}, time {last} to {when}")
        size, last = shown, when
        c.t.check(lite.size() >= size, f"it knows {lite.size()}, and {size} is shown")
    model = publisher.model()
    publisher.publish(model)
    publisher.verify(model, policy)
    publisher.verify(model, alone)
    publisher.verify(model, exchanged, expect=16)

    # It goes, and nothing is answered; it comes back, and nothing was lost.
    c.t.check(lite.stop() == 0, f"litewitness ends: {lite.tail()}")
    size = cosigned(server, lite, ours)[0]
    request = signer.request(b"meanwhile")
    status, _, body = server.post(request)
    c.t.check(status == 503, f"without it: {status} {body[:300]}")
    c.t.check(cosigned(server, lite, ours)[0] == size, "and nothing more is shown")
    publisher.verify(model, policy)
    late = publisher.model()
    publisher.publish(late, expect=(30, 31, 32, 33))
    lite.start()
    status, until = 0, time.monotonic() + 60
    while status != 201 and time.monotonic() < until:
        status, _, body = server.post(request)
        c.t.check(status in (201, 503), f"again: {status} {body[:300]}")
        time.sleep(0.1)
    c.t.check(status == 201, "goes on")
    c.t.check(cosigned(server, lite, ours)[0] > size, "and grows")
    publisher.publish(late)
    publisher.verify(late, policy)
    c.t.check(server.stop() == 0 and lite.stop() == 0 and ours.stop() == 0, "the end")


main()
