#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mtlog audit: of a real log, of that log behind a proxy that lies, and of logs
that are written here, by the key of the real one, to contradict it."""

import base64
import copy
import gzip
import hashlib
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from cryptography.hazmat.primitives import serialization

sys.path.insert(0, os.path.dirname(__file__))
import mtlog_test as t

MTLOG = os.environ.get("MTLOG", os.path.join(t.BUILD, "mtlog"))
SCHEMA = os.path.join(os.path.dirname(__file__), "..", "..", "schema", "json", "audit.schema.json")
work = tempfile.mkdtemp(prefix="mtlog-audit-")


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
    valid(r)
    t.check(r["code"] == p.returncode and r["clean"] == (p.returncode == 0), told)
    if reason:
        t.check(r["reason"] == reason, f"reason {reason}: {told}")
    return r


try:
    import jsonschema
    with open(SCHEMA) as f:
        schema = json.load(f)
except ImportError:
    jsonschema = None
    print("SKIP the reports' schema: jsonschema is not installed", flush=True)


def valid(report):
    if jsonschema:
        try:
            jsonschema.validate(report, schema)
        except jsonschema.ValidationError as e:
            t.check(False, f"the report is as its schema has it: {e.message}")


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
        file = os.path.join(state, os.listdir(state)[0])
        with open(file) as f:
            good = f.read()
        kept = json.loads(good)
        p.get = Log(key, server.vkey, entries[:299]).get
        audit(server.vkey, p.url, "--state", state, expect=17, reason="rollback", what="a smaller tree")
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
                      expect=17 if then is honest else 20, what=f"fork {n}")
            t.check(open(path).read() == before, "a fork is not remembered")
            if then is honest:
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
        seen(server, one.request(b"3"), key)
        signatures(server, key, entries)
        cache(server, key, entries)
    with t.Server() as server:
        searches(server.init().start())


try:
    main()
finally:
    shutil.rmtree(work, ignore_errors=True)
t.finish()
