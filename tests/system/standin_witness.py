# SPDX-License-Identifier: Apache-2.0
"""A witness for the tests, written from c2sp.org/tlog-witness and nothing of
mtlog's code: it cosigns what is consistent, and misbehaves when it is told to."""

import base64
import hashlib
import http.server
import struct
import threading
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

import mtlog_test as t


class Witness:
    """`mood` says how it answers: "well", or a name of one of the wrongs in
    Handler.do_POST."""

    def __init__(self, name, log):
        self.name = name
        self.log = log  # t.Vkey
        self.key = ed25519.Ed25519PrivateKey.generate()
        self.raw = self.key.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.id = hashlib.sha256(name.encode() + b"\n\x04" + self.raw).digest()[:4]
        self.mood = "well"
        self.size, self.root, self.note = 0, t.root_of([]), None
        self.requests = []  # (old, size, status)
        self.sizes = []     # what it cosigned, in order
        self.faults = []    # of the log, as seen from here
        self.lock = threading.Lock()
        self.port = 0
        self.open()

    def open(self):
        witness = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def send(self, status, body=b"", **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.server is not witness.server:
                    self.close_connection = True  # a connection from before close()
                    return
                try:
                    witness.answer(self, body)
                except (BrokenPipeError, ConnectionResetError):
                    pass

            def do_GET(self):
                want = "/" + hashlib.sha256(witness.log.name.encode()).hexdigest() + "/checkpoint"
                if self.path != want or witness.note is None:
                    self.send(404)
                else:
                    self.send(200, witness.note.encode())

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a log that was killed in the middle of a request
            allow_reuse_address = True

        self.server = Quiet(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def close(self):
        """Nobody answers at its port any more; open() comes back."""
        server, self.server = self.server, None
        if server:
            server.shutdown()
            server.server_close()
            self.thread.join()

    @property
    def vkey(self):
        return f"{self.name}+{self.id.hex()}+{t.b64(bytes([4]) + self.raw)}"

    @property
    def line(self):
        return f"witness {self.name} {self.vkey} http://127.0.0.1:{self.port}\n"

    def cosign(self, text, when=None):
        when = int(time.time()) if when is None else when
        sig = self.key.sign(f"cosignature/v1\ntime {when}\n{text}".encode())
        return f"\u2014 {self.name} {t.b64(self.id + struct.pack('>Q', when) + sig)}\n"

    def verify(self, note):
        """The times of this witness's cosignatures on a note."""
        text, _, lines = note.rpartition("\n\n")
        text += "\n"
        times = []
        for line in lines.splitlines():
            _, name, sig = line.split(" ")
            raw = base64.b64decode(sig, validate=True)
            if name != self.name or raw[:4] != self.id:
                continue
            when = struct.unpack(">Q", raw[4:12])[0]
            self.key.public_key().verify(raw[12:], f"cosignature/v1\ntime {when}\n{text}".encode())
            times.append(when)
        return times

    def read(self, body):
        head, note = body.decode().split("\n\n", 1)
        first, *hashes = head.split("\n")
        word, old = first.split(" ")
        assert word == "old"
        return int(old), [base64.b64decode(h, validate=True) for h in hashes], note

    def answer(self, handler, body):
        mood = self.mood
        if mood == "slow":
            time.sleep(30)
        if mood == "busy":
            return handler.send(429, Retry_After="1")
        if mood == "broken":
            return handler.send(500, b"oops")
        if mood == "nonsense":
            return handler.send(409, b"a lot\n", Content_Type="text/x.tlog.size")
        if mood == "boasting":
            return handler.send(409, b"1000000\n", Content_Type="text/x.tlog.size")
        if mood == "endless":
            handler.send_response(200)
            handler.end_headers()
            while True:
                handler.wfile.write(b"\xe2\x80\x94 x eA==\n" * 1000)
        with self.lock:
            old, proof, note = self.read(body)
            status, answer = self.judge(old, proof, note)
            self.requests.append((old, int(note.split("\n")[1]), status))
        kind = "text/x.tlog.size" if status == 409 else "text/plain"
        handler.send(status, answer.encode(), Content_Type=kind)

    def judge(self, old, proof, note):
        """The table of conditions and answers of the specification."""
        try:
            size, root = self.log.checkpoint(note)
        except ValueError as e:
            self.faults.append(str(e))
            return 403, ""
        text = note.rpartition("\n\n")[0] + "\n"
        if text.count("\n") != 3:
            self.faults.append("extension lines")
        if old > size:
            self.faults.append(f"old {old} > {size}")
            return 400, ""
        if old != self.size:
            return 409, f"{self.size}\n"
        if size == 0 and root != t.root_of([]):
            return 422, ""
        if old == 0 and proof:
            return 422, ""
        if not t.consistent(old, size, proof, self.root, root):
            self.faults.append(f"not consistent: {old} to {size}")
            return 422, ""
        self.size, self.root = size, root
        self.sizes.append(size)
        line = self.cosign(text)
        self.note = note.rstrip("\n") + "\n" + line
        if self.mood == "forging":
            other = ed25519.Ed25519PrivateKey.generate()
            sig = other.sign(f"cosignature/v1\ntime 1\n{text}".encode())
            return 200, f"\u2014 {self.name} {t.b64(self.id + struct.pack('>Q', 1) + sig)}\n"
        if self.mood == "replaying" and hasattr(self, "old_line"):
            return 200, self.old_line
        self.old_line = line
        return 200, line
