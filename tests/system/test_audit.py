#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mtlog audit: of a real log, of that log behind a proxy that lies, and of logs
that are written here, by the key of the real one, to contradict it."""

import atexit
import base64
import copy
import gzip
import hashlib
import http.server
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

from cryptography.hazmat.primitives import serialization

sys.path.insert(0, os.path.dirname(__file__))
import mtlog_test as t
import test_models as m

MTLOG = os.environ.get("MTLOG", os.path.join(t.BUILD, "mtlog"))
SCHEMA = t.Schema("audit")
ROUNDS = int(os.environ.get("MTLOG_ROUNDS", "30"))
SEED = int(os.environ.get("MTLOG_SEED", str(random.randrange(1 << 32))))
work = tempfile.mkdtemp(prefix="mtlog-audit-")
atexit.register(shutil.rmtree, work, True)


# --- a log, written from C2SP tlog-tiles ---------------------------------------

def tile_path(n, width):
    groups = [f"{n % 1000:03d}"]
    while n >= 1000:
        n //= 1000
        groups.insert(0, f"x{n % 1000:03d}")
    return "/".join(groups) + (f".p/{width}" if width < 256 else "")


class Log:
    """What a log of these entries serves, as a dictionary of paths."""

    def __init__(self, key, vkey, entries):
        self.vkey = vkey
        self.entries = entries
        leaves = [t.leaf_hash(e) for e in entries]
        self.root = t.root_of(leaves)
        self.note = sign(key, vkey, len(entries), self.root)
        self.files = {"/checkpoint": self.note.encode()}
        level, hashes = 0, leaves
        while hashes:
            for n in range(0, len(hashes), 256):
                part = hashes[n:n + 256]
                self.files[f"/tile/{level}/{tile_path(n // 256, len(part))}"] = b"".join(part)
            hashes = [t.root_of(hashes[n:n + 256]) for n in range(0, len(hashes) // 256 * 256, 256)]
            level += 1
        for n in range(0, len(entries), 256):
            part = entries[n:n + 256]
            self.files[f"/tile/entries/{tile_path(n // 256, len(part))}"] = b"".join(
                len(e).to_bytes(2, "big") + e for e in part)

    def get(self, path):
        data = self.files.get(path)
        return (404, {}, b"no") if data is None else (200, {}, data)


def sign(key, vkey, size, root):
    text = f"{vkey.name}\n{size}\n{t.b64(root)}\n"
    return f"{text}\n\u2014 {vkey.name} {t.b64(bytes.fromhex(vkey.id) + key.sign(text.encode()))}\n"


# --- a proxy that lies -----------------------------------------------------------

class Proxy:
    """Answers as `get` does, but for what `lie` (path, answer) makes of it: an
    answer, or one of the words below."""

    def __init__(self, get, lie=None):
        outer = self
        self.get, self.lie, self.paths, self.closing = get, lie, [], threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20
            wbufsize = -1  # one segment an answer

            def do_GET(self):
                try:
                    outer.answer(self)
                except OSError:
                    self.close_connection = True

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, h):
        self.paths.append(h.path)
        answer = self.get(h.path)
        if self.lie:
            answer = self.lie(h.path, answer) or answer
        if answer == "break":
            h.close_connection = True
            return
        if answer == "stall":
            self.closing.wait(20)
            h.close_connection = True
            return
        status, headers, body = answer if isinstance(answer, tuple) else (200, {}, b"")
        h.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection", "date", "transfer-encoding"):
                h.send_header(name, value)
        if answer in ("endless", "drip"):
            h.close_connection = True
            h.end_headers()
            while not self.closing.is_set():
                h.wfile.write(b"x" * 65536 if answer == "endless" else b"x")
                h.wfile.flush()
                if answer == "drip":
                    time.sleep(0.05)
            return
        h.send_header("Content-Length", str(len(body)))
        h.end_headers()
        h.wfile.write(body)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


def audit(vkey, url, *options, expect=0, reason=None, what=""):
    """The report; checks the exit code, and the step's reason if one is named."""
    p = subprocess.run([MTLOG, "audit", "--log", vkey.text, "--url", url, "--json", *options],
                       capture_output=True, text=True, timeout=120, cwd=work)
    told = f"{what}: audit {' '.join(options)}: exit {p.returncode}, not {expect}: {p.stdout}{p.stderr}"
    t.check(p.returncode == expect, told)
    if not p.stdout:
        return None
    r = json.loads(p.stdout)
    SCHEMA.check(r, what)
    t.check(r["code"] == p.returncode and r["clean"] == (p.returncode == 0), told)
    if reason:
        t.check(r["reason"] == reason, f"reason {reason}: {told}")
    return r


def result(report, step):
    return next(c["result"] for c in report["checks"] if c["name"] == step)


def path_of(name, data):
    path = os.path.join(work, name)
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())
    return path


# --- the cases ---------------------------------------------------------------------

def clean(server, size):
    url = f"http://127.0.0.1:{server.port}"
    r = audit(server.vkey, url, "--entries", "--search", "50", what="a log as it is")
    t.check(r["size"] == str(size) and r["signatures"]["checked"] == str(size) and
            r["search"]["digests"] > 20 and int(r["search"]["entries"]) >= r["search"]["digests"] and
            result(r, "entries") == result(r, "search") == "pass", f"all of it: {r}")
    r = audit(server.vkey, url, "--search", "0")
    t.check(result(r, "search") == result(r, "entries") == "not-asked", f"no search: {r}")
    text = subprocess.run([MTLOG, "audit", "--log", server.vkey.text, "--url", url],
                          capture_output=True, text=True, timeout=60)
    t.check(text.returncode == 0 and text.stdout.endswith("\nclean\n") and text.stderr == "",
            f"as text: {text.stdout}{text.stderr}")
    for args in (["--search", "1001"], ["--threads", "17"], ["--timeout", "0"], ["x"]):
        audit(server.vkey, url, *args, expect=2, what="usage")


def damages(server):
    """Each kind of resource, changed in each way."""
    ways = {
        "a bit": lambda b: b[:40] + bytes([b[40] ^ 1]) + b[41:],
        "the last bit": lambda b: b[:-1] + bytes([b[-1] ^ 1]),
        "cut": lambda b: b[:-1],
        "cut by a hash": lambda b: b[:-32],
        "longer": lambda b: b + b"\0" * 32,
        "empty": lambda b: b"",
    }
    for place in (r"/tile/0/000", r"/tile/0/002\.p/", r"/tile/1/000\.p/", r"/tile/entries/001",
                  r"/tile/entries/002\.p/"):
        for name, change in ways.items():
            def lie(path, answer):
                if re.match(place + "($|[0-9])", path):
                    return answer[0], answer[1], change(answer[2])
            with Proxy(server.get, lie) as p:
                r = audit(server.vkey, p.url, "--search", "0", expect=21, what=f"{place} {name}")
                t.check(r["reason"] in ("tile", "leaf"), f"{place} {name}: {r}")


def once(place, word):
    """A lie that is told once."""
    told = []

    def lie(path, answer):
        if path.startswith(place) and not told:
            told.append(path)
            return word
    return lie


def always(place, word):
    return lambda path, answer: word if path.startswith(place) else None


def network(server):
    """What is no lie about the tree, or may be none."""
    place = "/tile/entries/001"
    bomb = gzip.compress(b"\0" * (1 << 26))
    for name, lie, code, options in (
            ("an endless body", always(place, "endless"), 32, []),
            ("an endless tile", always("/tile/0/001", "endless"), 32, []),
            ("an endless checkpoint", always("/checkpoint", "endless"), 32, []),
            ("a bomb", always(place, (200, {"Content-Encoding": "gzip"}, bomb)), 32, []),
            ("broken gzip", always(place, (200, {"Content-Encoding": "gzip"}, b"no")), 30, []),
            ("a stall", always(place, "stall"), 30, ["--timeout", "500"]),
            ("a drip", always(place, "drip"), 30, ["--timeout", "500"]),
            ("a stalled checkpoint", always("/checkpoint", "stall"), 30, ["--timeout", "500"]),
            ("nothing there", always(place, (404, {}, b"")), 32, []),
            ("no tile there", always("/tile/0/001", (404, {}, b"")), 32, []),
            ("no checkpoint", always("/checkpoint", (404, {}, b"")), 32, []),
            ("a page for a checkpoint", always("/checkpoint", (200, {}, b"<html>")), 32, []),
            ("a server that fails", always(place, (500, {}, b"")), 32, []),
            ("a redirect", always(place, (302, {"Location": place}, b"")), 32, []),
            ("busy for ever", always(place, (429, {}, b"")), 31, ["--timeout", "700"]),
            ("busy for longer than we wait",
             always(place, (503, {"Retry-After": "60"}, b"")), 31, ["--timeout", "700"]),
            ("busy once", once(place, (429, {"Retry-After": "1"}, b"")), 0, []),
            ("not ready once", once("/checkpoint", (503, {}, b"")), 0, []),
            ("a connection that breaks", once(place, "break"), 0, []),
            ("connections that break", always(place, "break"), 30, [])):
        with Proxy(server.get, lie) as p:
            audit(server.vkey, p.url, "--search", "0", *options, expect=code, what=name)

    def packed(path, answer):
        if path.startswith("/tile/"):
            return answer[0], {"Content-Encoding": "gzip"}, gzip.compress(answer[2])
    with Proxy(server.get, packed) as p:
        audit(server.vkey, p.url, "--search", "0", what="gzip that nobody asked for")


def checkpoints(server, key):
    note = server.get("/checkpoint")[2].decode()
    other = t.Vkey(subprocess.run([t.MTLOGD, "init", "--dir", os.path.join(work, "other"), "--origin",
                                   "other.example"], check=True, capture_output=True, text=True).stdout)
    root = bytes(32)
    for name, text, code in (
            ("another size", note.replace("\n", "\n1", 1), 16),
            ("another origin", note.replace(server.vkey.name, "x.example", 1), 16),
            ("not signed by the log", note.replace(f" {server.vkey.name} ", " x.example "), 16),
            ("no tiles for it", sign(key, server.vkey, 5, root), 21)):
        with Proxy(server.get, always("/checkpoint", (200, {}, text.encode()))) as p:
            audit(server.vkey, p.url, expect=code, what=f"a checkpoint with {name}")
    audit(other, f"http://127.0.0.1:{server.port}", expect=16, reason="unknown-log", what="another log's key")


def growth(server, key, entries):
    """The log grows while it is read: what was partial may be gone by then."""
    old = Log(key, server.vkey, entries[:300])
    new = Log(key, server.vkey, entries)

    def get(path):
        return old.get(path) if path == "/checkpoint" else new.get(path)
    with Proxy(get) as p:
        # 300 = 256 + 44; level 1 has one hash then, and two now.
        def lie(path, answer):
            if path == "/tile/1/000.p/1":
                return old.get(path)
        p.lie = lie
        r = audit(server.vkey, p.url, "--search", "0", what="partial tiles that are full by now")
        t.check(r["size"] == "300" and "/tile/0/001.p/44" in p.paths and "/tile/0/001" in p.paths,
                f"the full one instead: {p.paths}")


def states(server, key, entries):
    state = os.path.join(work, "state")
    os.mkdir(state)
    whole = Log(key, server.vkey, entries)
    with Proxy(Log(key, server.vkey, entries[:300]).get) as p:
        r = audit(server.vkey, p.url, "--state", state)
        t.check(r["walked"] == {"from": "0", "to": "300"} and result(r, "history") == "not-asked", f"begin: {r}")
        p.get = whole.get
        r = audit(server.vkey, p.url, "--state", state)
        t.check(r["walked"] == {"from": "300", "to": str(len(entries))} and result(r, "history") == "pass",
                f"go on: {r}")
        r = audit(server.vkey, p.url, "--state", state, "--entries")
        t.check(r["walked"]["from"] == "0", f"signatures were not looked at before: {r}")
        r = audit(server.vkey, p.url, "--state", state)
        t.check(r["walked"]["from"] == str(len(entries)), f"nothing new: {r}")
        r = audit(server.vkey, p.url, "--state", state, "--entries")
        t.check(r["walked"]["from"] == str(len(entries)), f"nor of signatures: {r}")
        names = sorted(os.listdir(state))
        t.check(len(names) == 2 and names[1] == names[0] + ".lock", f"the log's state, and its lock: {names}")
        file = os.path.join(state, names[0])
        with open(file) as f:
            good = f.read()
        kept = json.loads(good)
        smaller = Log(key, server.vkey, entries[:299])
        p.get = smaller.get
        r = audit(server.vkey, p.url, "--state", state, expect=20, reason="inconsistent", what="a smaller tree alone")
        t.check("has no tiles any more: it went back, or forked" in r["message"] and r["evidence"] is None,
                f"no proof, and no acquittal: {r}")
        # A mirror that is late has the tiles of both.
        p.get = lambda path: smaller.get(path) if smaller.get(path)[0] == 200 else whole.get(path)
        r = audit(server.vkey, p.url, "--state", state, expect=17, reason="rollback", what="an old checkpoint")
        t.check("an old checkpoint of the same history" in r["message"], f"it is told apart: {r}")
        p.lie = lambda path, answer: "break" if path not in smaller.files else None
        audit(server.vkey, p.url, "--state", state, expect=30, reason="network", what="a smaller tree, and a bad line")
        p.lie = lambda path, answer: (500, {}, b"") if path not in smaller.files else None
        audit(server.vkey, p.url, "--state", state, expect=32, what="a smaller tree, and a bad server")
        p.lie = None
        with open(file) as f:
            t.check(f.read() == good, "a rollback is not remembered")
        p.get = whole.get
        for name, change in (("frontier", ["00" * 32] * len(kept["frontier"])), ("size", "299"),
                             ("root", "00" * 32), ("schema", "x"), ("origin", "x.example"),
                             ("checkpoint", "x"), ("entries", "yes")):
            broken = copy.deepcopy(kept)
            broken[name] = change
            path_of("broken", json.dumps(broken))
            audit(server.vkey, p.url, "--state", os.path.join(work, "broken"), expect=40, what=f"a broken {name}")


def forks(server, key, entries):
    """Two trees by one key, met in every way there is."""
    state = path_of("fork.state", "")
    os.remove(state)
    other = entries[:100] + [entries[101], entries[100]] + entries[102:]
    honest, fork = Log(key, server.vkey, entries), Log(key, server.vkey, other)
    longer = Log(key, server.vkey, other + entries[:30])
    for n, (first, then) in enumerate(((honest, longer), (honest, fork), (longer, honest))):
        path = f"{state}{n}"
        evidence = os.path.join(work, f"evidence{n}")
        with Proxy(first.get) as p:
            audit(server.vkey, p.url, "--state", path, "--search", "0")
            p.get = then.get
            if then is honest:
                # It shows the smaller one, but has tiles of both.
                p.get = lambda path: honest.get(path) if honest.get(path)[0] == 200 else longer.get(path)
            before = open(path).read()
            r = audit(server.vkey, p.url, "--state", path, "--search", "0", "--evidence", evidence,
                      expect=21 if then is honest else 20, what=f"fork {n}")
            t.check(open(path).read() == before, "a fork is not remembered")
            if then is honest:
                # Those that both have are of one: no proof, and nobody is accused.
                t.check(r["reason"] == "tile" and r["evidence"] is None and not os.path.exists(evidence),
                        f"no proof: {r}")
                continue
            t.check(r["reason"] == "inconsistent" and r["evidence"] == evidence and
                    result(r, "tree") == "not-reached", f"fork: {r}")
        inspected(evidence, first.note, then.note)
    # It goes back to a smaller tree, which is of another history than the larger
    # one; they differ in what partial tiles have, so the log can serve both.
    small = Log(key, server.vkey, entries[:600])
    large = Log(key, server.vkey, entries[:590] + entries[:20])
    with Proxy(lambda path: small.get(path) if small.get(path)[0] == 200 else large.get(path)) as p:
        evidence = os.path.join(work, "evidence-back")
        r = audit(server.vkey, p.url, "--search", "0", "--seen", path_of("seen", large.note), "--evidence", evidence,
                  expect=20, reason="inconsistent", what="a larger head of another history")
        t.check(result(r, "tree") == "pass" and r["size"] == "600", f"the smaller one is whole: {r}")
        inspected(evidence, small.note, large.note)
    with Proxy(large.get) as p:
        path, evidence = os.path.join(work, "back.state"), os.path.join(work, "evidence-state")
        audit(server.vkey, p.url, "--search", "0", "--state", path)
        p.get = lambda path: small.get(path) if small.get(path)[0] == 200 else large.get(path)
        audit(server.vkey, p.url, "--search", "0", "--state", path, "--evidence", evidence,
              expect=20, reason="inconsistent", what="back to a smaller tree of another history")
        inspected(evidence, small.note, large.note)
    # Somebody was given another head.
    with Proxy(honest.get) as p:
        for name, note, code in (("the same", honest.note, 0), ("an older one", Log(key, server.vkey, entries[:77]).note, 0),
                                 ("of the same size", fork.note, 20),
                                 ("smaller", Log(key, server.vkey, other[:101]).note, 20),
                                 ("smaller, of what is common", Log(key, server.vkey, other[:100]).note, 0),
                                 ("larger", longer.note, 17)):
            seen = path_of("seen", note)
            r = audit(server.vkey, p.url, "--search", "0", "--seen", seen, "--evidence", os.path.join(work, "e"),
                      expect=code, what=f"a head that is {name}")
            t.check(result(r, "seen") == ("fail" if code else "pass") and result(r, "tree") == "pass", f"{name}: {r}")
            if code == 20:
                inspected(os.path.join(work, "e"), honest.note, note)
        # without a name for the evidence
        before = set(os.listdir(work))
        r = audit(server.vkey, p.url, "--search", "0", "--seen", path_of("seen", fork.note), expect=20)
        t.check({r["evidence"]} | {"seen"} >= set(os.listdir(work)) - before and
                os.path.exists(os.path.join(work, r["evidence"])), f"a file of its own: {r}")


def pinned(server, key, entries):
    """What mtlog log remembers of the log must be of its history, too."""
    other = entries[:100] + [entries[101], entries[100]] + entries[102:]
    honest, fork = Log(key, server.vkey, entries), Log(key, server.vkey, other)
    longer, shorter = Log(key, server.vkey, other + entries[:30]), Log(key, server.vkey, entries[:300])

    def trust(log, name):
        pins = os.path.join(work, name)
        with Proxy(log.get) as p:
            r = subprocess.run([MTLOG, "log", "trust", server.vkey.text, p.url, "--pins", pins],
                               capture_output=True, text=True, timeout=60)
            t.check(r.returncode == 0, f"trust: {r}")
        return pins

    with Proxy(honest.get) as p:
        for log, code in ((honest, 0), (shorter, 0), (fork, 20), (longer, 20)):
            name = {0: "one history", 20: "another"}[code]
            evidence = os.path.join(work, f"pin{len(log.note)}{id(log)}")
            r = audit(server.vkey, p.url, "--search", "0", "--pins", trust(log, f"pins{id(log)}"), "--evidence", evidence,
                      expect=code, what=f"a pin of {name}")
            t.check(result(r, "seen") == ("fail" if code else "pass") and r["seen"] == 1, f"{name}: {r}")
            t.check(code == 0 or "the pin" in r["message"], f"{r}")
            if log is fork:
                inspected(evidence, honest.note, fork.note)
        r = audit(server.vkey, p.url, "--search", "0", "--pins", os.path.join(work, "no-pins"))
        t.check(result(r, "seen") == "not-asked", f"no pin: {r}")
        # The same name with another key.
        with t.Server() as stranger:
            stranger.init().start()
            pins = os.path.join(work, "strangers")
            subprocess.run([MTLOG, "log", "trust", stranger.vkey.text, f"http://127.0.0.1:{stranger.port}", "--pins", pins],
                           check=True, capture_output=True, timeout=60)
            stranger.stop()
        audit(server.vkey, p.url, "--pins", pins, expect=16, what="pinned with another key")
        with open(pins, "w") as f:
            f.write("{")
        audit(server.vkey, p.url, "--pins", pins, expect=40, what="broken pins")


def places(server, key, entries):
    """Evidence is not lost where it cannot be written."""
    other = Log(key, server.vkey, entries[1:] + entries[:1])
    seen = path_of("other.note", other.note)
    url = f"http://127.0.0.1:{server.port}"
    folder, temporary = os.path.join(work, "kept"), os.path.join(work, "temporary")
    os.mkdir(folder)
    os.mkdir(temporary)

    def run(*options, tmp=temporary):
        p = subprocess.run([MTLOG, "audit", "--log", server.vkey.text, "--url", url, "--search", "0", "--seen", seen,
                            "--json", *options], capture_output=True, text=True, timeout=60, cwd="/proc",
                           env={**os.environ, "TMPDIR": tmp})
        t.check(p.returncode == 20, f"a fork stays one: {p.returncode} {p.stdout}{p.stderr}")
        r = json.loads(p.stdout)
        SCHEMA.check(r, "an unwritable place")
        return r["evidence"], p.stderr
    note = server.get("/checkpoint")[2].decode()
    kept, said = run("--state", os.path.join(folder, "state"))
    t.check(os.path.dirname(kept) == folder and kept in said, f"beside the state: {kept} {said}")
    inspected(kept, note, other.note)
    kept, said = run()
    t.check(os.path.dirname(kept) == temporary and kept in said, f"with what is temporary: {kept} {said}")
    inspected(kept, note, other.note)
    kept, said = run(tmp="/proc")
    t.check(kept is None and "mtlog-evidence/1\n" in said, f"printed: {kept} {said}")
    inspected(path_of("printed", said[said.index("mtlog-evidence/1\n"):]), note, other.note)
    text = subprocess.run([MTLOG, "audit", "--log", server.vkey.text, "--url", url, "--search", "0", "--seen", seen],
                          capture_output=True, text=True, timeout=60, cwd="/proc", env={**os.environ, "TMPDIR": "/proc"})
    t.check(text.returncode == 20 and "mtlog-evidence/1" in text.stderr and "NOT CLEAN" in text.stdout,
            f"as text: {text}")
    # What was asked for and cannot be is told before.
    with Proxy(server.get) as p:
        for place in (os.path.join(work, "nowhere", "e"), folder):
            r = audit(server.vkey, p.url, "--search", "0", "--seen", seen, "--evidence", place, expect=40,
                      what="no place for evidence")
            t.check(r is None and not p.paths, f"nothing was asked: {r} {p.paths}")


def policy_of(vkey, *witnesses, quorum=None):
    lines = [f"log {vkey.text}"]
    for n, w in enumerate(witnesses):
        lines.append(f"witness w{n} {w.vkey}")
    if len(witnesses) > 1:
        lines.append("group all all " + " ".join(f"w{n}" for n in range(len(witnesses))))
    lines += ["quorum " + (quorum or ("none" if not witnesses else "w0" if len(witnesses) == 1 else "all")),
              "mtlog-policy 1"]
    path = path_of(f"policy{len(os.listdir(work))}", "\n".join(lines) + "\n")
    os.chmod(path, 0o600)
    return path


def cosign(w, note, when=None):
    text = note.partition("\n\n")[0] + "\n"
    when = int(time.time()) if when is None else when
    signature = w.key.sign(f"cosignature/v1\ntime {when}\n{text}".encode())
    return note + f"\u2014 {w.name} {t.b64(w.id + struct.pack('>Q', when) + signature)}\n"


def cosigned(server, key, entries):
    """The current checkpoint is the one that witnesses have seen."""
    one, two = m.Witness("w1.example"), m.Witness("w2.example")
    honest = Log(key, server.vkey, entries)
    private = Log(key, server.vkey, entries[1:] + entries[:1])
    seen = path_of("private.note", private.note)
    by_one, by_both = policy_of(server.vkey, one), policy_of(server.vkey, one, two)
    state = os.path.join(work, "cosigned.state")

    def showing(log, *witnesses):
        note = log.note
        for w in witnesses:
            note = cosign(w, note)
        return lambda path: (200, {}, note.encode()) if path == "/checkpoint" else log.get(path)
    with Proxy(showing(honest, one)) as p:
        r = audit(server.vkey, p.url, "--search", "0", "--policy", by_one, "--state", state, what="cosigned")
        t.check(result(r, "cosigned") == "pass" and r["cosigned"]["quorum"] is True and
                r["cosigned"]["witnesses"] == ["w0"] and r["cosigned"]["freshSince"], f"by whom: {r}")
        kept = open(state).read()
        r = audit(server.vkey, p.url, "--search", "0", "--policy", by_one, "--seen", seen, expect=20,
                  reason="inconsistent", what="a private head, held against the cosigned one")
        t.check(result(r, "tree") == "pass", f"the cosigned one is whole: {r}")
        inspected(os.path.join(work, r["evidence"]), honest.note, private.note)
        r = audit(server.vkey, p.url, "--search", "0", "--policy", by_both, "--state", state, expect=16,
                  reason="quorum", what="one of two")
        t.check(r["cosigned"] == {"quorum": False, "witnesses": ["w0"], "freshSince": None} and
                result(r, "history") == "pass" and result(r, "tree") == "not-reached", f"below the quorum: {r}")
        r = audit(server.vkey, p.url, "--search", "0", what="without a policy")
        t.check(r["cosigned"] is None and result(r, "cosigned") == "not-asked", f"nobody was asked: {r}")
        r = audit(server.vkey, p.url, "--search", "0", "--policy", policy_of(server.vkey), what="no quorum wanted")
        t.check(r["cosigned"] == {"quorum": True, "witnesses": [], "freshSince": None}, f"none wanted: {r}")
        for options, words in (([], ["cosigned    not-asked   without --policy the log alone says what is current"]),
                               (["--policy", by_one], ["cosigned    pass        by w0; fresh since 20"]),
                               (["--policy", by_both], ["cosigned    fail  ", "NOT CLEAN"])):
            text = subprocess.run([MTLOG, "audit", "--log", server.vkey.text, "--url", p.url, "--search", "0", *options],
                                  capture_output=True, text=True, timeout=60).stdout
            t.check(all(w in text for w in words), f"as text, {words}: {text}")
        # A head that is for this auditor alone, and for one publisher.
        p.get = showing(private)
        r = audit(server.vkey, p.url, "--search", "0", "--seen", seen, what="who names no witness cannot tell")
        t.check(result(r, "cosigned") == "not-asked", f"and says so: {r}")
        r = audit(server.vkey, p.url, "--search", "0", "--policy", by_one, "--seen", seen, expect=16, reason="quorum",
                  what="a private head")
        t.check(r["cosigned"]["witnesses"] == [] and result(r, "seen") == "pass", f"nobody cosigned: {r}")
        r = audit(server.vkey, p.url, "--search", "0", "--policy", by_one, "--state", state, expect=20,
                  reason="inconsistent", what="a private head, after a cosigned one")
        t.check(open(state).read() == kept, "it is not remembered")
        note = cosign(one, private.note)
        forged = note.replace(note.splitlines()[-1], cosign(one, honest.note).splitlines()[-1])
        p.lie = always("/checkpoint", (200, {}, forged.encode()))
        audit(server.vkey, p.url, "--search", "0", "--policy", by_one, expect=16, reason="cosignature",
              what="another head's cosignature")
    other = t.Vkey(subprocess.run([t.MTLOGD, "init", "--dir", os.path.join(work, "third"), "--origin", "other.example"],
                                  check=True, capture_output=True, text=True).stdout)
    url = f"http://127.0.0.1:{server.port}"
    audit(server.vkey, url, "--policy", policy_of(other, one), expect=16, reason="unknown-log", what="another log's policy")
    audit(server.vkey, url, "--policy", path_of("bad.policy", "x\n"), expect=2, what="no policy")
    audit(server.vkey, url, "--policy", os.path.join(work, "nowhere"), expect=40, what="no such policy")


class Slow(Log):
    """A larger log, whose entries take their time."""

    def __init__(self, *args):
        super().__init__(*args)
        self.wait, self.gate = 0, None

    def get(self, path):
        if path.startswith("/tile/entries/"):
            time.sleep(self.wait)
            if self.gate:
                self.gate.wait(60)
        return super().get(path)


def begin(vkey, url, *options):
    return subprocess.Popen([MTLOG, "audit", "--log", vkey.text, "--url", url, "--search", "0", "--json", *options],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=work)


def wait_for(what, f):
    end = time.monotonic() + 30
    while not f():
        if time.monotonic() > end:
            t.check(False, what)
            return
        time.sleep(0.02)


def locked(server, key, entries):
    """Two audits with one state; the slower one is of an older tree."""
    old, new = Slow(key, server.vkey, entries[:300]), Log(key, server.vkey, entries)
    state = os.path.join(work, "both.state")
    old.gate = threading.Event()
    with Proxy(old.get) as slow, Proxy(new.get) as fast:
        p = begin(server.vkey, slow.url, "--state", state)
        wait_for("it reads", lambda: [x for x in slow.paths if x.startswith("/tile/entries")])
        audit(server.vkey, fast.url, "--state", state, expect=45, what="another audit at once")
        audit(server.vkey, fast.url, what="without a state")
        # Somebody copies a newer state over it.
        audit(server.vkey, fast.url, "--state", state + ".new", what="elsewhere")
        shutil.copy(state + ".new", state)
        old.gate.set()
        out, err = p.communicate(timeout=60)
        t.check(p.returncode == 45 and "larger tree" in out, f"it does not go back: {p.returncode} {out}{err}")
        t.check(json.load(open(state))["size"] == str(len(entries)), "the newer one is there")
        audit(server.vkey, fast.url, "--state", state, what="the lock is let go")


def interrupted(server, key):
    """Told to stop: the state is that of what was done."""
    log = Slow(key, server.vkey, [b"%d" % i for i in range(12800)])
    log.wait = 0.1
    with Proxy(log.get) as p:
        for n, number in enumerate((signal.SIGTERM, signal.SIGINT)):
            state = os.path.join(work, f"stopped{n}.state")
            a = begin(server.vkey, p.url, "--state", state, "--threads", "2")
            # Each second, and not only at its end.
            wait_for("the state is kept", lambda: os.path.exists(state))
            early = json.load(open(state))
            p.paths.clear()
            wait_for("it goes on", lambda: len([x for x in p.paths if x.startswith("/tile/entries")]) > 3)
            a.send_signal(number)
            out, err = a.communicate(timeout=30)
            r = json.loads(out)
            SCHEMA.check(r, "an interrupted audit")
            kept = int(json.load(open(state))["size"])
            t.check(a.returncode == 1 and r["reason"] == "cancelled" and not r["clean"] and
                    "the next audit goes on from there" in r["message"] and f"{kept} of 12800" in r["message"],
                    f"stopped: {a.returncode} {out}{err}")
            t.check(12800 > kept > int(early["size"]) > 0 and kept % 256 == 0, f"kept: {early['size']} {kept}")
        p.paths.clear()
        a = begin(server.vkey, p.url)
        wait_for("it reads", lambda: [x for x in p.paths if x.startswith("/tile/entries")])
        a.terminate()
        out, err = a.communicate(timeout=30)
        t.check(a.returncode == 1 and "goes on" not in json.loads(out)["message"], f"without a state: {out}{err}")
        log.wait = 0
        r = audit(server.vkey, p.url, "--search", "0", "--state", state)
        t.check(r["walked"] == {"from": str(kept), "to": "12800"}, f"from there: {r}")


def told(report):
    """What two reports have in common, if one of them went on."""
    checks = [(c["name"], c["result"]) for c in report["checks"] if c["name"] != "history"]
    return {**{k: report[k] for k in ("clean", "code", "reason", "size", "root", "signatures", "evidence")},
            "to": report["walked"]["to"], "checks": checks}


def killed(server, key):
    """Killed at random moments, of a log that grows; what comes out is what an
    audit that nobody disturbed says, and no verdict before that is false."""
    print(f"seed {SEED}, {ROUNDS} kills", flush=True)
    random.seed(SEED)
    entries = [b"entry %d" % i for i in range(51200)]
    logs = [Slow(key, server.vkey, entries[:n]) for n in (20000, 35000, 51200)]
    for log in logs:
        log.wait = 0.02
    state = os.path.join(work, "killed.state")
    kills = resumed = finished = size = grown = 0
    with Proxy(logs[0].get) as p:
        while kills < ROUNDS:
            a = begin(server.vkey, p.url, "--state", state, "--threads", "2")
            try:
                out, err = a.communicate(timeout=random.uniform(0, 2.4))
            except subprocess.TimeoutExpired:
                a.kill()
                a.communicate()
                kills += a.returncode == -signal.SIGKILL
            else:
                r = json.loads(out)
                t.check(a.returncode == 0 and r["clean"], f"an honest log: {a.returncode} {out}{err}")
                resumed += r["walked"]["from"] != "0"
                if grown < 2:
                    grown += 1
                    p.get = logs[grown].get
                else:
                    finished += 1
                    same_end(server, p, logs[2], state, r)
                    os.remove(state)
                    grown = size = 0
                    p.get = logs[0].get
                continue
            if os.path.exists(state):
                now = int(json.load(open(state))["size"])
                t.check(now >= size, f"it goes back: {size} {now}")
                size = now
        for log in logs:
            log.wait = 0
        p.get = logs[2].get
        r = audit(server.vkey, p.url, "--search", "0", "--state", state, what="the last one")
        same_end(server, p, logs[2], state, r)
    print(f"killed {kills} times, {resumed} went on, {finished + 1} came to the end", flush=True)
    t.check(resumed > 0, "none went on: that means nothing")


def same_end(server, p, log, state, report):
    wait, log.wait = log.wait, 0
    fresh = state + ".fresh"
    r = audit(server.vkey, p.url, "--search", "0", "--state", fresh, what="undisturbed")
    log.wait = wait
    t.check(told(report) == told(r), f"the reports agree: {report} {r}")
    t.check(open(state).read() == open(fresh).read(), "the states agree")
    os.remove(fresh)


def inspected(evidence, *notes):
    with open(evidence) as f:
        text = f.read()
    for note in notes:
        t.check(note in text, f"evidence has both notes: {text}")
    p = subprocess.run([MTLOG, "inspect", evidence], capture_output=True, text=True, timeout=60)
    t.check(p.returncode == 0 and "fork" in p.stdout, f"inspect {evidence}: {p.returncode} {p.stdout}{p.stderr}")


def seen(server, request, key):
    """Answers, bundles and proofs of the real log."""
    answer = server.post(request)[2]
    note = server.get("/checkpoint")[2].decode()
    a = json.loads(answer)
    proof = ("c2sp.org/tlog-proof@v1\nindex " + a["logIndex"] + "\n" +
             "".join(h + "\n" for h in a["inclusionProof"]["hashes"]) + "\n" +
             a["inclusionProof"]["checkpoint"]["envelope"])
    bundle = {"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
              "verificationMaterial": {"publicKey": {"hint": "x"}, "tlogEntries": [a]},
              "dsseEnvelope": {"payload": "e30=", "payloadType": "x", "signatures": [{"sig": "AA==", "keyid": ""}]}}
    none = copy.deepcopy(bundle)
    del none["verificationMaterial"]["tlogEntries"]
    files = [path_of("answer.json", answer), path_of("a.tlog-proof", proof),
             path_of("model.sig", json.dumps(bundle)), path_of("cp", note)]
    url = f"http://127.0.0.1:{server.port}"
    r = audit(server.vkey, url, "--search", "0", "--seen", *files)
    t.check(r["seen"] == 4, f"four of them: {r}")
    r = audit(server.vkey, url, "--search", "0", "--seen", files[0], "--seen", files[1])
    t.check(r["seen"] == 2, f"two of them: {r}")
    stranger = note.replace(server.vkey.name, "x.example")
    for name, data, code in (("a stranger's", stranger, 16),
                             ("forged", note.replace("\n", "\n1", 1), 16),
                             ("no entry", json.dumps(none), 16),
                             ("rubbish", "x", 12), ("a cut bundle", json.dumps(bundle)[:-1], 12)):
        audit(server.vkey, url, "--seen", path_of("bad", data), expect=code, what=name)
    audit(server.vkey, url, "--seen", os.path.join(work, "nowhere"), expect=40)


def entries_of(server, size):
    out = []
    for n in range(0, size, 256):
        data = server.get(f"/tile/entries/{tile_path(n // 256, min(256, size - n))}")[2]
        while data:
            length = int.from_bytes(data[:2], "big")
            out.append(data[2:2 + length])
            data = data[2 + length:]
    return out


def searches(server):
    """On a log of few entries, so that each is chosen. Two have one digest."""
    one, two = t.Signer(), t.Signer()
    for request in (one.request(b"6"), one.request(b"7"), one.request(b"8"), two.request(b"7")):
        server.submit(request)
    twice = hashlib.sha256(b"7").hexdigest()

    def change(f):
        def lie(path, answer):
            if path.startswith("/api/v1/search"):
                page = json.loads(answer[2])
                f(page, path)
                return answer[0], {}, json.dumps(page).encode()
        return lie

    def drop(page, path):
        page["entries"] = page["entries"][1:]

    def drop_second(page, path):
        if twice in path:
            t.check(len(page["entries"]) == 2, f"both are found: {page}")
            page["entries"] = page["entries"][:1]

    def alter(page, path):
        page["entries"][0]["logIndex"] = str(int(page["entries"][0]["logIndex"]) ^ 1)

    def other(page, path):
        body = base64.b64decode(page["entries"][0]["canonicalizedBody"])
        at = body.index(b'"digest":"') + 10
        body = body[:at] + (b"B" if body[at:at + 1] != b"B" else b"C") + body[at + 1:]
        page["entries"][0]["canonicalizedBody"] = t.b64(body)

    def again(page, path):
        page["entries"] *= 2

    def turn(page, path):
        if page["entries"]:
            page["next"] = page["entries"][-1]["logIndex"]

    def small(page, path):
        page["treeSize"] = "2"

    def empty(page, path):
        page["entries"], page["next"] = [], None

    r = audit(server.vkey, f"http://127.0.0.1:{server.port}", "--search", "50")
    t.check(r["search"] == {"digests": 3, "entries": "4"}, f"each once: {r}")
    for lie, code in ((drop, 21), (drop_second, 21), (alter, 21), (other, 21), (empty, 21), (again, 32),
                      (small, 32)):
        with Proxy(server.get, change(lie)) as p:
            audit(server.vkey, p.url, "--search", "50", expect=code, what=f"search: {lie.__name__}")
    with Proxy(server.get, change(turn)) as p:
        # The next page is asked for, and has nothing.
        audit(server.vkey, p.url, what="a next page that is empty")
    with Proxy(server.get, always("/api/", (404, {}, b""))) as p:
        r = audit(server.vkey, p.url, what="no search")
        t.check(result(r, "search") == "not-asked", f"no search: {r}")
        audit(server.vkey, p.url, "--search", "3", expect=32, what="a search that must be")
    with Proxy(server.get, always("/api/", (200, {}, b"{}"))) as p:
        audit(server.vkey, p.url, expect=32, what="no answer")


def signatures(server, key, entries):
    """Entries that no log of this kind takes."""
    def broken(leaf):
        at = leaf.index(b'"content":"') + 30
        return leaf[:at] + (b"A" if leaf[at:at + 1] != b"A" else b"B") + leaf[at + 1:]
    some = list(entries)
    some[3], some[290] = broken(some[3]), b"rubbish"
    state = os.path.join(work, "bad.state")
    with Proxy(Log(key, server.vkey, some).get) as p:
        audit(server.vkey, p.url, what="nobody asked about signatures")
        for _ in range(2):
            r = audit(server.vkey, p.url, "--entries", "--state", state, expect=21, reason="leaf", what="bad entries")
            t.check(sorted(r["signatures"]["badAt"]) == ["290", "3"] and r["signatures"]["bad"] == "2" and
                    result(r, "tree") == "pass" and not os.path.exists(state), f"both are named: {r}")


def cache(server, key, entries):
    folder = os.path.join(work, "cache")
    with Proxy(Log(key, server.vkey, entries).get) as p:
        audit(server.vkey, p.url, "--cache", folder)
        p.paths.clear()
        audit(server.vkey, p.url, "--cache", folder)
        t.check(not [x for x in p.paths if re.fullmatch("/tile/entries/[0-9x/]*", x)] and
                [x for x in p.paths if ".p/" in x], f"full bundles are kept: {p.paths}")
        kept = [os.path.join(base, f) for base, _, files in os.walk(folder) for f in files]
        t.check(kept and not [x for x in kept if ".p/" in x], f"partial ones are not: {kept}")
        for path in kept:
            with open(path, "r+b") as f:
                f.seek(100)
                f.write(b"damaged")
        audit(server.vkey, p.url, "--cache", folder, what="a damaged cache")
        p.lie = always("/tile/entries/001", (404, {}, b""))
        audit(server.vkey, p.url, "--cache", folder, what="a mended cache")
        # Another log's cache is another one.
        t.check(len(os.listdir(folder)) == 1 and re.fullmatch("[0-9a-f]{64}", os.listdir(folder)[0]),
                f"the log's folder: {os.listdir(folder)}")


def main():
    with t.Server() as server:
        server.init().start()
        with open(os.path.join(server.dir, "key.pem"), "rb") as f:
            key = serialization.load_pem_private_key(f.read(), None)
        one, two = t.Signer(), t.Signer()
        lines = [json.dumps(one.request(b"%d" % i)) for i in range(640)]
        lines.append(json.dumps(two.request(b"7")))
        status, _, _ = server.call("POST", "/api/v1/batch", "\n".join(lines) + "\n",
                                   {"Content-Type": "application/x-ndjson"})
        t.check(status == 200, f"the log is filled: {status}")
        size, _ = server.checkpoint()
        t.check(size == 641, f"641 entries, not {size}")
        entries = entries_of(server, size)
        clean(server, size)
        damages(server)
        network(server)
        checkpoints(server, key)
        growth(server, key, entries)
        states(server, key, entries)
        forks(server, key, entries)
        pinned(server, key, entries)
        places(server, key, entries)
        cosigned(server, key, entries)
        locked(server, key, entries)
        interrupted(server, key)
        killed(server, key)
        seen(server, one.request(b"3"), key)
        signatures(server, key, entries)
        cache(server, key, entries)
    with t.Server() as server:
        searches(server.init().start())


if __name__ == "__main__":
    main()
    t.finish()
