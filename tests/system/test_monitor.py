#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mtlog monitor against real servers, through a proxy that lies: what it
reports, in what order it finds out that a log forked, and that no event is
lost or told twice in silence when it is killed."""

import fcntl
import hashlib
import http.client
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
import termios
import threading
import time
import uuid
import xml.etree.ElementTree

sys.path.insert(0, os.path.dirname(__file__))
import mtlog_test as t
import standin_witness

MTLOG = os.environ.get("MTLOG", os.path.join(t.BUILD, "mtlog"))
ROUNDS = int(os.environ.get("MONITOR_ROUNDS", "100"))
ATOM = "{http://www.w3.org/2005/Atom}"


SCHEMA = t.Schema("event")


def event(line):
    e = json.loads(line)
    SCHEMA.check(e, line)
    return e


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Proxy:
    """A server's other face. `lie(path)` gives (status, headers, body) or None
    for the truth, which is `target`'s."""

    def __init__(self, target):
        proxy = self
        self.target = target
        self.lie = lambda path: None
        self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                proxy.asked.append(self.path)
                answer = proxy.lie(self.path)
                if answer is None:
                    c = http.client.HTTPConnection("127.0.0.1", proxy.target.port, timeout=30)
                    c.request("GET", self.path)
                    r = c.getresponse()
                    answer = (r.status, {}, r.read())
                    c.close()
                self.send_response(answer[0])
                for name, value in answer[1].items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer[2])))
                self.end_headers()
                self.wfile.write(answer[2])

        class Quiet(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                pass  # whoever was killed does not read on

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Scene:
    """A log, a proxy before it, a monitor's state."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="mtlog-monitor-")
        self.log = t.Server().init()
        self.log.start()
        self.proxy = Proxy(self.log)
        self.signer = t.Signer()
        self.other = t.Signer()
        self.n = 0
        self.servers = [self.log]
        self.rules(f"signer sha256:{sha256(self.signer.spki)}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.proxy.close()
        for s in self.servers:
            s.remove()
        shutil.rmtree(self.dir, ignore_errors=True)

    def at(self, name):
        return os.path.join(self.dir, name)

    def rules(self, *lines):
        with open(self.at("rules"), "w") as f:
            f.write("\n".join(lines) + "\n")

    def submit(self, signer=None, log=None):
        self.n += 1
        return (log or self.log).submit((signer or self.signer).request(b"entry %d" % self.n))

    def command(self, *options):
        return [MTLOG, "monitor", "--log", self.log.vkey.text, "--url", self.proxy.url,
                "--state", self.at("state"), "--rules", self.at("rules"), *options]

    def once(self, *options, expect=0):
        """The events of one round."""
        p = subprocess.run(self.command("--once", "--json", *options),
                           capture_output=True, text=True, timeout=120)
        t.check(p.returncode == expect,
                f"{options}: exit {p.returncode}, not {expect}: {p.stdout[-900:]}{p.stderr[-900:]}")
        self.said = p.stderr
        return [event(line) for line in p.stdout.splitlines()]

    @property
    def folder(self):
        return os.path.join(self.at("state"), sha256(t.ORIGIN.encode()))

    def pin(self):
        with open(os.path.join(self.folder, "checkpoint")) as f:
            return self.log.vkey.checkpoint(f.read())

    def evidence(self, events):
        """Of the one event, which is a fork; verified by mtlog inspect."""
        if not t.check([e["kind"] for e in events] == ["fork"], f"one fork: {events}"):
            return None
        path = events[0]["evidence"]
        p = subprocess.run([MTLOG, "inspect", path], capture_output=True, text=True, timeout=60)
        t.check(p.returncode == 0, f"inspect {path}: {p.returncode} {p.stdout}{p.stderr}")
        with open(path) as f:
            text = f.read()
        t.check(self.log.vkey.text in text, "the evidence names the log's key")
        with open(path, "w") as f:
            f.write(text.replace("\nhash ", "\nhash A", 1) if "\nhash " in text
                    else text.replace("larger ", "larger 1"))
        p = subprocess.run([MTLOG, "inspect", path], capture_output=True, timeout=60)
        t.check(p.returncode != 0, "changed evidence is refused")
        with open(path, "w") as f:
            f.write(text)
        return path

    def clone(self):
        """The same log once more, with its key and its memory, as a thief or a
        careless operator has it. Both go on alone."""
        saved, twin = self.at("saved"), t.Server()
        os.mkdir(saved)
        for name in ("key.pem", "guard/guard"):
            shutil.copy(os.path.join(self.log.dir, name), saved)
        for command in (["backup", "--dir", self.log.dir, "--to", saved + "/backup"],
                        ["restore", "--dir", twin.dir, "--from-backup", saved + "/backup",
                         "--key", saved + "/key.pem", "--guard", saved + "/guard"]):
            p = subprocess.run([t.MTLOGD, *command], capture_output=True, text=True, timeout=60)
            t.check(p.returncode == 0, f"{command}: {p.stdout}{p.stderr}")
        twin.vkey = self.log.vkey
        twin.start()
        self.servers.append(twin)
        return twin


def tile_path(n, width):
    """For n < 1000, which is enough here."""
    return f"{n:03d}" + (f".p/{width}" if width < 256 else "")


class Tiles:
    """A log of whatever entries, as a folder of files has it (C2SP
    tlog-tiles): what it serves by path."""

    def __init__(self, origin, entries):
        key = t.ed25519.Ed25519PrivateKey.generate()
        raw = b"\1" + key.public_key().public_bytes_raw()
        name = origin.encode() + b"\n"
        self.vkey = t.Vkey(f"{origin}+{sha256(name + raw)[:8]}+{t.b64(raw)}")
        leaves = [t.leaf_hash(e) for e in entries]
        text = f"{origin}\n{len(entries)}\n{t.b64(t.root_of(leaves))}\n"
        signature = bytes.fromhex(self.vkey.id) + key.sign(text.encode())
        self.files = {"/checkpoint": f"{text}\n\u2014 {origin} {t.b64(signature)}\n".encode()}
        level, nodes = 0, leaves
        while nodes:
            for n in range(0, len(nodes), 256):
                part = nodes[n:n + 256]
                self.files[f"/tile/{level}/{tile_path(n // 256, len(part))}"] = b"".join(part)
            nodes = [t.root_of(nodes[n:n + 256]) for n in range(0, len(nodes) - 255, 256)]
            level += 1
        for n in range(0, len(entries), 256):
            part = entries[n:n + 256]
            self.files["/tile/entries/" + tile_path(n // 256, len(part))] = b"".join(
                len(e).to_bytes(2, "big") + e for e in part)

    def get(self, path):
        return (200, {}, self.files[path]) if path in self.files else (404, {}, b"")

    def proxy(self, lie=lambda path: None):
        p = Proxy(None)
        p.lie = lambda path: lie(path) or self.get(path)
        return p


def keys(events, name="index"):
    return [e[name] for e in events]


def test_entries():
    with Scene() as s:
        for i in range(5):
            s.submit(s.signer if i % 2 else s.other)
        events = s.once(expect=22)
        t.check(keys(events) == ["1", "3"], f"entries of the signer: {events}")
        for e in events:
            t.check(e["kind"] == "entry" and e["log"] == t.ORIGIN and
                    e["signer"]["signature"] == "valid" and e["envelope"] == "missing" and
                    e["signer"]["key"] == sha256(s.signer.spki) and
                    e["statement"] is None and e["repeated"] is False, f"{e}")
        t.check(s.once() == [], "nothing is told twice")
        # Other rules are about what comes from now on.
        s.rules("opaque")
        s.submit(s.other)
        events = s.once(expect=22)
        t.check(keys(events) == ["5"] and events[0]["rule"] == "opaque", f"{events}")
        # A broken file of rules at the start, and text for people.
        s.rules("opaque", "model acme/*/x")
        p = subprocess.run(s.command("--once"), capture_output=True, text=True, timeout=60)
        t.check(p.returncode == 2 and "line 2, column 7:" in p.stderr, f"{p}")
        s.rules("opaque")
        s.submit(s.other)
        p = subprocess.run(s.command("--once"), capture_output=True, text=True, timeout=60)
        t.check(p.returncode == 22 and f" {t.ORIGIN} entry: entry 6: " in p.stdout, f"{p}")


def test_new_only():
    with Scene() as s:
        for _ in range(300):
            s.submit()
        t.check(s.once("--new-only") == [], "what was there is not news")
        s.submit()
        t.check(keys(s.once("--new-only", expect=22)) == ["300"], "what comes is")


def publish(s, key, name, content):
    model = s.at("model")
    shutil.rmtree(model, ignore_errors=True)
    os.mkdir(model)
    with open(os.path.join(model, "weights.bin"), "w") as f:
        f.write(content)
    url = f"http://127.0.0.1:{s.log.port}"
    p = subprocess.run([MTLOG, "publish", "--key", key, "--log", url, "--name", name,
                        "--yes", model], capture_output=True, text=True, timeout=60)
    t.check(p.returncode == 0, f"publish: {p.stderr}")
    return model, url


def new_key(s, name):
    """A key's file, and what rules call it."""
    path = s.at(name)
    subprocess.run([MTLOG, "key", "new", "--out", path], check=True, capture_output=True, timeout=60)
    with open(path + ".pub", "rb") as f:
        key = t.serialization.load_pem_public_key(f.read())
    spki = key.public_bytes(t.serialization.Encoding.DER,
                            t.serialization.PublicFormat.SubjectPublicKeyInfo)
    return path, sha256(spki)


def test_models():
    with Scene() as s:
        ours, our_name = new_key(s, "ours.pem")
        theirs, their_name = new_key(s, "theirs.pem")
        weights = sha256(b"the weights")
        s.rules(f"model acme/* except sha256:{our_name}", f"digest sha256:{weights}",
                f"signer sha256:{our_name} only withdrawal key-revocation")
        model, url = publish(s, ours, "acme/r50", "one")
        t.check(s.once() == [], "our own release is expected")
        model, url = publish(s, theirs, "acme/r50", "two")
        events = s.once(expect=22)
        t.check(len(events) == 1 and events[0]["statement"]["type"] == "model" and
                events[0]["statement"]["subjects"][0]["name"] == "acme/r50" and
                events[0]["signer"]["key"] == their_name and
                events[0]["envelope"] == "present", f"somebody else's is not: {events}")
        publish(s, theirs, "acmex/r50", "three")
        t.check(s.once() == [], "patterns are anchored")
        model, url = publish(s, theirs, "other/model", "the weights")
        t.check(keys(s.once(expect=22), "rule") == [f"digest sha256:{weights}"], "a watched file")
        subprocess.run([MTLOG, "withdraw", "--key", ours, "--log", url, "--reason", "unsafe",
                        "--yes", model], capture_output=True, timeout=60)
        subprocess.run([MTLOG, "revoke-key", "--key", ours, "--log", url, "--yes"],
                       capture_output=True, timeout=60)
        events = s.once(expect=22)
        t.check({e["statement"]["type"] for e in events} <= {"withdrawal", "key-revocation"}
                and events, f"withdrawal and revocation: {events}")


def test_envelope():
    """Withheld, and forged."""
    with Scene() as s:
        key, name = new_key(s, "k.pem")
        publish(s, key, "acme/r50", "one")
        s.rules("model acme/*", f"signer sha256:{name}", "opaque")
        s.proxy.lie = lambda p: (404, {}, b"{}") if "/envelopes/" in p else None
        events = s.once(expect=22)
        t.check(sorted(keys(events, "rule")) == sorted(["opaque", f"signer sha256:{name}"]) and
                {e["envelope"] for e in events} == {"missing"}, f"withheld: {events}")
        publish(s, key, "acme/r51", "two")
        s.proxy.lie = lambda p: (200, {}, b"{}") if "/envelopes/" in p else None
        events = s.once(expect=21)
        t.check([e["kind"] for e in events] == ["bad-data", "entry", "entry", "bad-data"] and
                "entry 0" in events[3]["message"] and events[0]["reason"] == "envelope" and events[1]["envelope"] == "forged",
                f"forged: {events}")
        # A failure is no absence: it is asked again.
        publish(s, key, "acme/r52", "three")
        s.proxy.lie = lambda p: (500, {}, b"{}") if "/envelopes/" in p else None
        t.check(s.once(expect=32) == [], "nothing is concluded from a failure")
        s.proxy.lie = lambda p: None
        events = s.once(expect=22)
        t.check(sorted(keys(events, "rule")) == sorted(3 * ["model acme/*"] + [f"signer sha256:{name}"]),
                f"then it is there, as are the others: {events}")


def test_late():
    """Logged as a digest alone, and the statement given to the log later."""
    with Scene() as s:
        key, name = new_key(s, "k.pem")
        for lie, code in ((404, 0), (410, 0)):
            s.rules("model acme/*")
            model, url = publish(s, key, "acme/r%d" % lie, "content %d" % lie)
            s.proxy.lie = lambda p: (lie, {}, b"{}") if "/envelopes/" in p else None
            t.check(s.once(expect=code) == [], f"{lie}: withheld")
            t.check(s.once(expect=code) == [], f"{lie}: and still")
            s.proxy.lie = lambda p: None
            events = s.once(expect=22)
            t.check(keys(events, "rule") == ["model acme/*"] and
                    events[0]["envelope"] == "present", f"{lie}: late: {events}")
            t.check(s.once() == [], f"{lie}: told once")
        # What was told without it is not told again.
        s.rules("model acme/*", f"signer sha256:{name}", "opaque")
        publish(s, key, "acme/both", "x")
        s.proxy.lie = lambda p: (404, {}, b"{}") if "/envelopes/" in p else None
        t.check(len(s.once(expect=22)) == 2, "signer and opaque")
        for i in range(40):
            s.submit(s.other)
        t.check(len(s.once(expect=22)) == 40, "opaque, all")
        s.proxy.asked.clear()
        s.once()
        asked = [p for p in s.proxy.asked if "/envelopes/" in p]
        t.check(len(set(asked)) == len(asked) == 16, f"some in each round: {len(asked)}")
        s.proxy.lie = lambda p: None
        events = []
        for _ in range(3):
            p = subprocess.run(s.command("--once", "--json"), capture_output=True, text=True, timeout=60)
            events += [event(line) for line in p.stdout.splitlines()]
        t.check(keys(events, "rule") == ["model acme/*"], f"late, and only what is new: {events}")


def test_fork():
    for more in (3, 0, 400):
        with Scene() as s:
            for _ in range(5):
                s.submit()
            twin = s.clone()
            s.submit(log=s.log)
            s.once(expect=22)
            before = s.pin()
            for _ in range(1 + more):
                s.submit(log=twin)
            s.proxy.target = twin
            path = s.evidence(s.once(expect=20))
            t.check(s.pin() == before, "the pin is not advanced")
            t.check(s.once(expect=20) == [], "it is told once, and exits 20 each time")
            # The first history again: still the one that is remembered.
            s.proxy.target = s.log
            s.submit()
            t.check(keys(s.once(expect=22)) == ["6"], "the pinned history goes on")
            t.check(path is None or os.path.exists(path), "the evidence stays")


def test_fork_smaller():
    """The other history is shorter than what was seen."""
    with Scene() as s:
        for _ in range(5):
            s.submit()
        twin = s.clone()
        s.submit(log=twin)
        for _ in range(4):
            s.submit()
        s.once(expect=22)
        note = twin.get("/checkpoint")[2]
        s.proxy.lie = lambda p: (200, {}, note) if p == "/checkpoint" else None
        s.evidence(s.once(expect=20))


def test_rollback():
    with Scene() as s:
        for _ in range(5):
            s.submit()
        old = s.log.get("/checkpoint")[2]
        backup = s.at("backup")
        s.log.stop()
        shutil.copytree(s.log.dir, backup)
        s.log.start()
        for _ in range(5):
            s.submit()
        s.once(expect=22)
        before = s.pin()
        # An old checkpoint, while the log still has all it had.
        s.proxy.lie = lambda p: (200, {}, old) if p == "/checkpoint" else None
        events = s.once(expect=17)
        t.check([e["kind"] for e in events] == ["rollback"] and
                events[0]["reason"] == "rollback", f"replayed: {events}")
        t.check(s.once(expect=17) == [], "told once")
        # Who stands between can spoil a tile, or give none: that accuses nobody of going back.
        for lie, code, kinds in ((lambda p: flipped(s, p), 21, ["bad-data"]), (lambda p: (500, {}, b""), 32, [])):
            s.proxy.lie = lambda p: (200, {}, old) if p == "/checkpoint" else lie(p) if p.startswith("/tile/0/") else None
            events = s.once(expect=code)
            t.check(keys(events, "kind") == kinds, f"an old one, and tiles that are not to be had: {events}")
        # The whole log as it was.
        s.proxy.lie = lambda p: None
        s.log.stop()
        shutil.rmtree(s.log.dir)
        shutil.copytree(backup, s.log.dir)
        s.log.start()
        events = s.once(expect=20)
        t.check([e["kind"] for e in events] == ["rollback"] and
                events[0]["reason"] == "inconsistent" and "checkpoint" in events[0] and
                events[0]["shown"] is not None, f"rolled back: {events}")
        t.check(s.pin() == before, "the pin is not advanced")


def flipped(s, path):
    status, _, body = s.log.get(path)
    return (status, {}, body[:-1] + bytes([body[-1] ^ 1])) if body else None


def test_bad_data():
    for where, reason in (("/tile/0/", "tile"), ("/tile/entries/", "leaf")):
        with Scene() as s:
            for _ in range(5):
                s.submit()
            s.proxy.lie = lambda p: flipped(s, p) if p.startswith(where) else None
            events = s.once(expect=21)
            t.check([(e["kind"], e["reason"]) for e in events] == [("bad-data", reason)],
                    f"{where}: {events}")
            t.check(s.once(expect=21) == [], "told once")
            s.proxy.lie = lambda p: None
            t.check(len(s.once(expect=22)) == 5, "and then the entries")


def test_failures():
    with Scene() as s:
        s.submit()
        s.once(expect=22)
        before = s.pin()
        elsewhere = {"Location": f"http://127.0.0.1:{s.log.port}/checkpoint"}
        foreign = t.Server().init()
        s.servers.append(foreign)
        foreign.start()
        note = foreign.get("/checkpoint")[2]
        cases = [
            ("unsigned", (200, {}, b"log.test.example\n1\n\n"), None),
            ("another key's", (200, {}, note), 16),
            ("empty", (200, {}, b""), None),
            ("gone", (404, {}, b""), 32),
            ("broken", (500, {}, b""), 32),
            ("redirected", (302, elsewhere, b""), 32),
            ("large", (200, {}, b"x" * 300000), None),
        ]
        for name, answer, code in cases:
            s.proxy.lie = lambda p: answer if p == "/checkpoint" else None
            p = subprocess.run(s.command("--once", "--json"), capture_output=True, text=True, timeout=60)
            t.check(p.returncode != 0 and p.stdout == "" and
                    (code is None or p.returncode == code),
                    f"{name}: exit {p.returncode}: {p.stdout}{p.stderr}")
        t.check(s.pin() == before, "the pin stays")
        s.proxy.close()
        t.check(s.once("--timeout", "2000", expect=30) == [], "nobody is there")
        s.proxy = Proxy(s.log)
        s.submit()
        t.check(len(s.once(expect=22)) == 1, "and again")


def test_stalled():
    with Scene() as s:
        s.submit()
        s.once("--stalled-after", "3600", expect=22)
        time.sleep(1.1)
        events = s.once("--stalled-after", "1", expect=23)
        t.check([e["kind"] for e in events] == ["stalled"], f"{events}")
        t.check(s.once("--stalled-after", "1", expect=23) == [], "told once")
        t.check(s.once("--stalled-after", "0") == [], "never, if it is not wanted")
        s.submit()
        events = s.once("--stalled-after", "3600", expect=22)
        t.check([e["kind"] for e in events] == ["resumed", "entry"], f"{events}")
        # A log that cannot be asked gets old, too.
        s.proxy.lie = lambda p: (503, {}, b"")
        time.sleep(1.1)
        events = s.once("--stalled-after", "1", "--timeout", "500", expect=23)
        t.check([e["kind"] for e in events] == ["stalled"], f"{events}")


def test_cosigned():
    """The age of a log that has nothing new is that of its cosignatures; without a quorum it is said."""
    with Scene() as s:
        s.submit()
        w = standin_witness.Witness("w.test.example", s.log.vkey)
        w.close()  # its key is all that is wanted
        with open(s.at("policy"), "w") as f:
            f.write(f"log {s.log.vkey.text}\nwitness w {w.vkey}\nquorum w\nmtlog-policy 1\n")
        when = []

        def cosigned(path):
            if path != "/checkpoint":
                return None
            note = s.log.get("/checkpoint")[2].decode()
            text = note.partition("\n\n")[0] + "\n"
            return 200, {}, (note + "".join(w.cosign(text, x) for x in when)).encode()
        s.proxy.lie = cosigned
        options = ["--policy", s.at("policy"), "--stalled-after", "100"]
        events = s.once(*options, expect=22)
        t.check(s.once(*options, expect=16) == [] and keys(events) == ["0"] and "too few witnesses" in s.said, f"no cosignature: {events} {s.said}")
        now = int(time.time())
        path = os.path.join(s.folder, "state.json")

        def seen(then):
            with open(path) as f:
                state = json.load(f)
            state["seen"] = str(then)
            with open(path, "w") as f:
                json.dump(state, f)
        seen(now - 1000)
        when = [now - 50]
        t.check(s.once(*options) == [], "cosigned again a minute ago")
        seen(now - 1000)
        when = [now - 500]
        events = s.once(*options, expect=23)
        t.check(keys(events, "kind") == ["stalled"], f"cosigned too long ago: {events}")
        t.check(s.once(*options, expect=23) == [], "told once")
        when = [now - 10]
        events = s.once(*options, expect=22)
        t.check(keys(events, "kind") == ["resumed"], f"and again: {events}")
        when = [now + 10 ** 6]
        t.check(s.once(*options) == [], "a witness whose clock is ahead")
        seen(now - 2000)
        when = []
        events = s.once(*options, expect=23)
        t.check(keys(events, "kind") == ["stalled"] and "too few witnesses" in s.said, f"later, without any: {events} {s.said}")
        events = s.once("--stalled-after", "100", expect=23)
        t.check(events == [], "who has no policy counts from the new entry")
        t.check(s.once("--policy", s.at("nothing"), expect=40) == [], "no policy there")


def test_compare():
    with Scene() as s:
        for _ in range(5):
            s.submit()
        twin = s.clone()
        common = s.log.get("/checkpoint")[2]
        s.submit(log=twin)
        for _ in range(3):
            s.submit()
        s.once(expect=22)
        note = s.at("seen")

        def seen(data):
            with open(note, "wb") as f:
                f.write(data)
        seen(common)
        t.check(s.once("--compare", note) == [], "an older one of this history")
        seen(s.log.get("/checkpoint")[2])
        t.check(s.once("--compare", note) == [], "the same one")
        t.check(s.once("--compare", s.at("nothing"), expect=40) == [], "one that is not there")
        # A file: the log signed something else for somebody else.
        seen(twin.get("/checkpoint")[2])
        s.evidence(s.once("--compare", note, expect=20))
        t.check(s.once("--compare", note, expect=20) == [], "told once")
        # A witness's address, and one that ends in /checkpoint; a folder.
        path = f"/{sha256(t.ORIGIN.encode())}/checkpoint"
        witness = Proxy(twin)
        witness.lie = lambda p: ((200, {}, twin.get("/checkpoint")[2])
                                 if p in (path, "/x/checkpoint") else (404, {}, b""))
        s.evidence(s.once("--compare", witness.url, expect=20))
        t.check(witness.asked[-1] == path, f"asked for {witness.asked}")
        s.evidence(s.once("--compare", witness.url + "/x/checkpoint", expect=20))
        t.check(s.once("--compare", witness.url + "/y", expect=33) == [], "no checkpoint there")
        witness.close()
        other = s.at("other")
        os.makedirs(other + os.path.dirname(path))
        shutil.copy(note, other + path)
        s.evidence(s.once("--compare", other, expect=20))
        t.check(s.once("--compare", s.at("state")) == [], "what a monitor keeps is a folder of them")


def test_compare_larger():
    """Others saw more than the log shows us."""
    with Scene() as s:
        for _ in range(5):
            s.submit()
        old = s.log.get("/checkpoint")[2]
        twin = s.clone()
        s.once(expect=22)
        for _ in range(3):
            s.submit()
        ahead = s.log.get("/checkpoint")[2]
        note = s.at("seen")
        with open(note, "wb") as f:
            f.write(ahead)
        s.proxy.lie = lambda p: (200, {}, old) if p == "/checkpoint" else None
        t.check(s.once("--compare", note) == [], "it has the tiles: of this history")
        # It shows us one history, and others another one.
        s.proxy.target = twin
        s.proxy.lie = lambda p: None
        t.check(s.once("--compare", note) == [], "nothing can be said yet")
        # For longer than a cache explains, that is news by itself.
        path = os.path.join(s.folder, "state.json")
        with open(path) as f:
            state = json.load(f)
        t.check(int(state["aheadSince"]) > 0 and state["ahead"] == ahead.decode(), f"{state}")
        with open(path, "w") as f:
            json.dump({**state, "aheadSince": str(int(state["aheadSince"]) - 301)}, f)
        events = s.once("--compare", note, expect=23)
        t.check([e["kind"] for e in events] == ["behind"] and
                events[0]["shown"] == ahead.decode(), f"behind: {events}")
        t.check(s.once("--compare", note, expect=23) == [], "told once")
        for _ in range(4):
            s.submit(log=twin)
        events = s.once("--compare", note, expect=20)
        t.check({e["kind"] for e in events} <= {"fork", "entry"} and
                any(e["kind"] == "fork" for e in events), f"then it can: {events}")
        # Remembered, also without the file.
        t.check(s.once("--compare", note, expect=20) == [], "told once")


def test_broken_state():
    """What was seen must not be forgotten in silence."""
    with Scene() as s:
        s.submit()
        s.once(expect=22)
        path = os.path.join(s.folder, "state.json")
        with open(path) as f:
            good = f.read()
        state = json.loads(good)
        for name, text in (
                ("empty", ""), ("no JSON", good[:-5]), ("list", "[]"),
                ("schema", json.dumps({**state, "schema": "x"})),
                ("note", json.dumps({**state, "checkpoint": state["checkpoint"].replace("\n1\n", "\n0\n")})),
                ("next", json.dumps({**state, "next": "2"})),
                ("number", json.dumps({**state, "next": 1})),
                ("missing", json.dumps({k: v for k, v in state.items() if k != "ahead"}))):
            with open(path, "w") as f:
                f.write(text)
            t.check(s.once(expect=40) == [] and "broken" in s.said, f"{name}: {s.said}")
        with open(path, "w") as f:
            f.write(good)
        t.check(s.once() == [], "as it was")


def test_two_logs():
    with Scene() as a, Scene() as b:
        # Two of one origin are refused; both are named alike here.
        p = subprocess.run(a.command("--once", "--log", b.log.vkey.text, "--url", b.proxy.url),
                           capture_output=True, text=True, timeout=60)
        t.check(p.returncode == 2 and "twice" in p.stderr, f"{p}")
        p = subprocess.run(a.command("--once", "--log", b.log.vkey.text),
                           capture_output=True, text=True, timeout=60)
        t.check(p.returncode == 2 and "--url" in p.stderr, f"{p}")
    with Scene() as a:
        second = t.Server()
        out = subprocess.run([t.MTLOGD, "init", "--dir", second.dir, "--origin", "second.example"],
                             check=True, capture_output=True, text=True, timeout=60).stdout
        second.vkey = t.Vkey(out)
        second.start()
        a.servers.append(second)
        a.submit()
        a.submit(log=second)
        both = ("--log", second.vkey.text, "--url", f"http://127.0.0.1:{second.port}")
        events = a.once(*both, expect=22)
        t.check({e["log"] for e in events} == {t.ORIGIN, "second.example"} and len(events) == 2,
                f"{events}")
        t.check(len({e["id"] for e in events}) == 2, "an id of its own each")
        # The worse one decides; the other one goes on.
        a.submit(log=second)
        a.proxy.close()
        p = subprocess.run(a.command("--once", "--json", "--timeout", "2000", *both),
                           capture_output=True, text=True, timeout=60)
        t.check(p.returncode == 22 and json.loads(p.stdout)["log"] == "second.example", f"{p}")
        # Another key for an origin that is known.
        a.proxy = Proxy(a.log)
        other = t.Server().init()
        a.servers.append(other)
        p = subprocess.run([MTLOG, "monitor", "--log", other.vkey.text, "--url", a.proxy.url,
                            "--state", a.at("state"), "--rules", a.at("rules"), "--once"],
                           capture_output=True, text=True, timeout=60)
        t.check(p.returncode == 16 and "another key" in p.stderr, f"{p}")


def test_slow_log():
    """One log takes long for each statement: another one's event does not wait for all of them."""
    with Scene() as a:
        second = t.Server()
        out = subprocess.run([t.MTLOGD, "init", "--dir", second.dir, "--origin", "second.example"],
                             check=True, capture_output=True, text=True, timeout=60).stdout
        second.vkey = t.Vkey(out)
        second.start()
        a.servers.append(second)
        for _ in range(30):
            a.submit()
        a.submit(log=second)
        a.proxy.lie = lambda path: time.sleep(0.4) if "/envelopes/" in path else None
        both = ("--log", second.vkey.text, "--url", f"http://127.0.0.1:{second.port}")
        logs = [e["log"] for e in a.once(*both, expect=22)]
        t.check(logs.count(t.ORIGIN) == 30 and logs.count("second.example") == 1, f"all of them, once: {logs}")
        t.check(logs.index("second.example") < 25, f"and not the other one last: {logs}")
        # The same while it goes on: no interval is waited for between the parts.
        a.submit(log=second)
        for _ in range(25):
            a.submit()
        p = subprocess.Popen(a.command("--json", "--interval", "3600", *both), stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True)
        logs = []
        timer = threading.Timer(60, p.kill)
        timer.start()
        while len(logs) < 26 and (line := p.stdout.readline()):
            logs.append(event(line)["log"])
        timer.cancel()
        p.terminate()
        p.communicate(timeout=20)
        t.check(logs.count(t.ORIGIN) == 25 and logs.index("second.example") < 20, f"{logs}")


def script(s, name, text):
    path = s.at(name)
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)
    return path


def test_hook():
    with Scene() as s:
        got = s.at("got")
        works = script(s, "works", f"echo \"$MTLOG_EVENT_ID\" >>{got}.ids\ncat >>{got}\n")
        fails = script(s, "fails", "exit 7\n")
        slow = script(s, "slow", "sleep 600\n")
        for _ in range(3):
            s.submit()
        events = s.once("--exec", fails, expect=22)
        t.check(len(events) == 3 and "ended with code 7" in s.said, f"{s.said}")
        s.once("--exec", fails, expect=40)
        t.check("tried again" in s.said, f"{s.said}")
        s.once("--exec", slow, "--exec-timeout", "1", expect=40)
        t.check("took longer" in s.said, f"{s.said}")
        s.once("--exec", works)
        with open(got) as f:
            told = [event(line) for line in f]
        t.check([e["id"] for e in told] == [e["id"] for e in events], "all, in order, once")
        t.check([e["repeated"] for e in told] == [True, False, False],
                "the first one may have been told by those that failed")
        with open(got + ".ids") as f:
            t.check(f.read().split() == [e["id"] for e in events], "named in the environment")
        s.once("--exec", works)
        with open(got) as f:
            t.check(len(f.readlines()) == 3, "nothing again")
        p = subprocess.run(s.command("--once", "--exec", s.at("nothing")),
                           capture_output=True, text=True, timeout=60)
        t.check(p.returncode == 2 and "--exec" in p.stderr, f"{p}")


def test_files():
    with Scene() as s:
        feed, metrics = s.at("feed.xml"), s.at("monitor.prom")
        key, name = new_key(s, "k.pem")
        s.rules("model *", "opaque")
        publish(s, key, "acme/r50", "one")
        for _ in range(120):
            s.submit()
        events = s.once("--feed", feed, "--metrics", metrics, expect=22)
        tree = xml.etree.ElementTree.parse(feed).getroot()
        entries = tree.findall(ATOM + "entry")
        t.check(len(events) == 121 and len(entries) == 100, f"{len(events)} {len(entries)}")
        t.check(len({e.find(ATOM + "id").text for e in entries}) == 100, "ids of their own")
        t.check([json.loads(e.find(ATOM + "content").text)["id"] for e in entries] ==
                [e["id"] for e in reversed(events)][:100], "the newest first")
        with open(feed) as f:
            before = f.read()
        s.once("--feed", feed, "--metrics", metrics)
        with open(metrics) as f:
            text = f.read()
        for line in (f'mtlog_monitor_size{{log="{t.ORIGIN}"}} 121',
                     f'mtlog_monitor_read{{log="{t.ORIGIN}"}} 121',
                     f'mtlog_monitor_events_total{{log="{t.ORIGIN}",kind="entry"}} 0',
                     "mtlog_monitor_hook_pending 0"):
            t.check(line in text.splitlines(), f"{line}: {text}")
        for line in text.splitlines():
            t.check(line.startswith("#") or re.fullmatch(r"[a-z_]+(\{[^}]*\})? \d+", line), line)
        with open(feed) as f:
            t.check(f.read().count("<entry>") == before.count("<entry>"), "the feed stays")
        # Whoever reads has the old file or the new one, whole.
        os.mkdir(s.at("web"))
        paths = [os.path.join(s.at("web"), name) for name in ("feed.xml", "monitor.prom")]
        s.once("--feed", paths[0], "--metrics", paths[1])
        old = [open(path) for path in paths]
        s.submit()
        s.once("--feed", paths[0], "--metrics", paths[1], expect=22)
        for path, f in zip(paths, old):
            with f, open(path) as g:
                t.check(os.fstat(f.fileno()).st_ino != os.fstat(g.fileno()).st_ino and
                        len(f.read()) > 1000 and len(g.read()) > 1000, f"{path}: replaced")
        t.check(sorted(os.listdir(s.at("web"))) == ["feed.xml", "monitor.prom"], "and nothing else is left")
        p = subprocess.run(s.command("--once", "--feed", s.at("no/such/folder")),
                           capture_output=True, text=True, timeout=60)
        t.check(p.returncode == 40, f"a feed that cannot be written: {p}")


def test_daemon():
    with Scene() as s:
        s.submit()
        p = subprocess.Popen(s.command("--interval", "1", "--json"), stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        first = event(p.stdout.readline())
        t.check(first["index"] == "0", f"{first}")
        # Only one works in a folder.
        q = subprocess.run(s.command("--once"), capture_output=True, text=True, timeout=60)
        t.check(q.returncode == 45, f"{q}")
        # It lives through a log that does not answer, and through bad rules.
        s.proxy.lie = lambda path: (500, {}, b"")
        line = p.stderr.readline()
        t.check("500" in line, line)
        s.rules("nonsense")
        while "the old rules stay" not in line:
            line = p.stderr.readline()
        s.proxy.lie = lambda path: None
        s.submit()
        t.check(json.loads(p.stdout.readline())["index"] == "1", "the old rules are good")
        p.send_signal(signal.SIGTERM)
        try:
            code = p.wait(timeout=60)
        except subprocess.TimeoutExpired:
            p.kill()
            code = p.wait()
        p.stdout.close()
        p.stderr.close()
        t.check(code == 0, f"SIGTERM ends it: {code}")


class Reader:
    """The lines of a program's output, as they come."""

    def __init__(self, file):
        self.lines, self.more = [], threading.Condition()

        def read():
            for line in file:
                with self.more:
                    self.lines.append(line)
                    self.more.notify_all()
        threading.Thread(target=read, daemon=True).start()

    def wait(self, good, seconds):
        """Whether the lines became what `good` says of them, in that time."""
        with self.more:
            return self.more.wait_for(lambda: good(self.lines), seconds)


def end(p, number=signal.SIGTERM):
    """Its exit code; None if the signal does not end it."""
    p.send_signal(number)
    try:
        return p.wait(timeout=30)
    except subprocess.TimeoutExpired:
        p.kill()
        p.wait()
        return None


def test_side_by_side():
    """A log that takes its time, and one that never answers, beside a third:
    nobody waits for them, and nothing of the slow one is lost."""
    gate, stall = threading.Event(), threading.Event()
    slow = Tiles("slow.example", [b"%d" % i for i in range(700)])

    def takes(path):
        if path.startswith("/tile/entries/"):
            gate.wait(8)
    with Scene() as s:
        proxies = [slow.proxy(takes), slow.proxy(lambda path: None if stall.wait(100) else None)]
        dead = Tiles("dead.example", [b"x"])
        s.rules("opaque", f"signer sha256:{sha256(s.signer.spki)}")
        p = subprocess.Popen(
            [MTLOG, "monitor", "--log", slow.vkey.text, "--url", proxies[0].url,
             "--log", dead.vkey.text, "--url", proxies[1].url,
             "--log", s.log.vkey.text, "--url", s.proxy.url, "--state", s.at("state"),
             "--rules", s.at("rules"), "--interval", "1", "--timeout", "100000", "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        out = Reader(p.stdout)
        for n in range(3):
            s.submit()
            t.check(out.wait(lambda lines: len(lines) == 2 * n + 2, 30) and
                    {event(line)["log"] for line in out.lines} == {t.ORIGIN},
                    f"what the fast one has comes, {n}: {out.lines[-1:]}")
        gate.set()
        t.check(out.wait(lambda lines: len(lines) == 706, 60), f"all of the slow one: {len(out.lines)}")
        s.submit()
        t.check(out.wait(lambda lines: len(lines) == 708, 30), "and on")
        t.check(end(p) == 0, "SIGTERM ends it, whatever is being waited for")
        check_told("slow", [e for e in map(json.loads, out.lines) if e["log"] == "slow.example"],
                   {(str(i), "opaque") for i in range(700)})
        check_told("fast", [e for e in map(json.loads, out.lines) if e["log"] == t.ORIGIN],
                   {(str(i), r) for i in range(4)
                    for r in ("opaque", f"signer sha256:{sha256(s.signer.spki)}")})
        stall.set()
        for proxy in proxies:
            proxy.close()


def test_at_once():
    """Statements are fetched several at once, but not more than a few."""
    lock, full = threading.Lock(), threading.Event()
    inside, most = 0, 0

    def takes(path):
        nonlocal inside, most
        if "/envelopes/" not in path:
            return
        with lock:
            inside += 1
            most = max(most, inside)
            if inside >= 4:
                full.set()
        full.wait(5)
        with lock:
            inside -= 1
    with Scene() as s:
        s.rules("opaque")
        s.proxy.lie = takes
        for _ in range(40):
            s.submit()
        events = s.once(expect=22)
        t.check(keys(events) == [str(i) for i in range(40)], f"each once, in order: {keys(events)}")
        t.check(4 <= most <= 8, f"{most} were asked for at once")


def test_unknown_entries():
    """Of an entry that is of no kind known here, nothing is said but that."""
    log = Tiles("any.example", [b"one", b"{}", b'{"apiVersion":"9.0.0","kind":"other","spec":{}}', b""])
    with Scene() as s:
        proxy = log.proxy()
        command = [MTLOG, "monitor", "--log", log.vkey.text, "--url", proxy.url, "--rules", s.at("rules"),
                   "--once", "--feed", s.at("feed.xml")]
        s.rules("opaque", "digest sha256:" + 64 * "0", "signer sha256:" + 64 * "0", "model *")
        p = subprocess.run([*command, "--json", "--state", s.at("json")],
                           capture_output=True, text=True, timeout=60)
        events = [event(line) for line in p.stdout.splitlines()]
        t.check(p.returncode == 22 and keys(events) == ["0", "1", "2", "3"] and
                {e["rule"] for e in events} == {"opaque"}, f"no key is the one of a rule: {p}")
        for e in events:
            t.check(e["signer"] is None and e["digest"] is None and e["s"] is None and
                    e["statement"] is None and e["envelope"] == "unknown" and
                    "does not know" in e["message"], f"{e}")
        t.check(not any("/envelopes/" in path for path in proxy.asked), "nothing is asked for")
        p = subprocess.run([*command, "--state", s.at("text")], capture_output=True, text=True, timeout=60)
        with open(s.at("feed.xml")) as f:
            for name, text in (("text", p.stdout), ("feed", f.read())):
                t.check(text.count("of a kind that this program does not know") >= 4 and
                        "WRONG" not in text and "key 0000" not in text, f"{name}: {text}")
        proxy.close()


def stuck_pipe():
    """A pipe that is full, and that nobody reads."""
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    try:
        while True:
            os.write(writes, 4096 * b"x")
    except BlockingIOError:
        os.set_blocking(writes, True)
    return reads, writes


def wait_for(what, seconds=30):
    until = time.monotonic() + seconds
    while not what() and time.monotonic() < until:
        time.sleep(0.05)
    return what()


def test_stuck_output():
    for options, number in ((("--interval", "1"), signal.SIGTERM), (("--once",), signal.SIGINT)):
        with Scene() as s:
            got = s.at("got")
            hook = script(s, "hook", f"cat >>{got}\n")
            reads, writes = stuck_pipe()
            s.submit()
            s.submit()
            p = subprocess.Popen(s.command("--json", "--exec", hook, *options), stdout=writes,
                                 stderr=writes)
            t.check(wait_for(lambda: os.path.exists(got) and len(told(got)) == 2),
                    f"{options}: the hook does not wait for it")
            t.check(end(p, number) in (0, 40), f"{options}: the signal ends it")
            os.close(reads)
            os.close(writes)
            events = s.once("--exec", hook, expect=22)
            t.check(keys(events) == ["0", "1"], f"{options}: told in the next run: {events}")
            t.check(len(told(got)) == 2 and s.once("--exec", hook) == [], f"{options}: and once")


def test_slow_hook():
    """While a hook hangs, what is found is printed, and heads are followed."""
    with Scene() as s:
        go, got = s.at("go"), s.at("got")
        hook = script(s, "hook", f"while ! [ -e {go} ]; do sleep 0.1; done\ncat >>{got}\n")
        p = subprocess.Popen(s.command("--json", "--interval", "1", "--exec", hook, "--exec-timeout", "100"),
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        out = Reader(p.stdout)
        for n in range(2):
            s.submit()
            t.check(out.wait(lambda lines: len(lines) == n + 1, 30), f"printed: {out.lines}")
        t.check(not os.path.exists(got), "it hangs")
        with open(go, "w"):
            pass
        t.check(wait_for(lambda: os.path.exists(got) and len(told(got)) == 2), "the hook is told, too")
        t.check(end(p) == 0, "ended")
        t.check([(e["index"], e["repeated"]) for e in told(got)] == [("0", False), ("1", False)], "once")


def test_head_first():
    """A log with much that is new is looked at again before all is read: what
    it shows meanwhile could be a fork."""
    with Scene() as s:
        s.rules("opaque")
        for _ in range(48):
            s.submit()
        s.proxy.lie = lambda path: time.sleep(2) if "/envelopes/" in path else None
        p = subprocess.Popen(s.command("--json", "--interval", "1"), stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True)
        out = Reader(p.stdout)
        t.check(out.wait(lambda lines: len(lines) == 48, 100), f"all of it: {len(out.lines)}")
        asked = s.proxy.asked[:]
        heads = [i for i, path in enumerate(asked) if path == "/checkpoint"]
        reads = [i for i, path in enumerate(asked) if "/envelopes/" in path]
        t.check(len(heads) > 1 and heads[1] < reads[47], f"the head between: {heads}, {reads}")
        t.check(end(p) == 0, "ended")
        check_told("head", [json.loads(line) for line in out.lines],
                   {(str(i), "opaque") for i in range(48)})


def told(path):
    """The events in a file; a line may have been cut by a kill."""
    with open(path) as f:
        text = f.read()
    decoder, events = json.JSONDecoder(), []
    for part in re.finditer(re.escape('{"schema":"mtlog-event/1"'), text):
        try:
            events.append(decoder.raw_decode(text, part.start())[0])
        except ValueError:
            pass
    return events


def in_order(events):
    """Their ids, as they were first told."""
    return list(dict.fromkeys(e["id"] for e in events))


def uuid_of(text):
    """What the feed makes of an id (RFC 9562, version 8)."""
    raw = bytearray.fromhex(text[:32])
    raw[6], raw[8] = raw[6] & 0x0f | 0x80, raw[8] & 0x3f | 0x80
    return str(uuid.UUID(bytes=bytes(raw)))


def check_told(name, events, wanted):
    got = {(e["index"], e["rule"]) for e in events}
    t.check(got == wanted, f"{name}: lost {sorted(wanted - got)[:5]}, more {sorted(got - wanted)[:5]}")
    fresh = [e["id"] for e in events if not e["repeated"]]
    t.check(len(fresh) == len(set(fresh)), f"{name}: told twice in silence")
    first = in_order(events)
    numbers = {e["id"]: int(e["seq"]) for e in events}
    t.check([numbers[i] for i in first] == sorted(numbers[i] for i in first), f"{name}: in order")
    return sum(e["repeated"] for e in events)


def test_pinned():
    """What mtlog log remembers is held against the log, too."""
    with Scene() as s:
        pins = ["--pins", s.at("pins")]
        for _ in range(3):
            s.submit()
        twin = s.clone()
        s.submit(log=twin)
        s.submit(log=s.log)
        p = subprocess.run([MTLOG, "log", "trust", s.log.vkey.text, f"http://127.0.0.1:{s.log.port}", *pins],
                           capture_output=True, text=True, timeout=60)
        t.check(p.returncode == 0, f"trust: {p}")
        t.check(len(s.once(*pins, expect=22)) == 4, "the pinned history")
        shutil.rmtree(s.at("state"))
        s.proxy.target = twin
        t.check("fork" not in keys(s.once(expect=22), "kind"), "who does not know cannot tell")
        shutil.rmtree(s.at("state"))
        events = s.once(*pins, expect=20)
        s.evidence([e for e in events if e["kind"] != "entry"])
        t.check([e["from"] for e in events if e["kind"] == "fork"] == ["the pin"], f"{events}")
        t.check(s.once(*pins, expect=20) == [], "told once")
        # The same name with another key is not this log.
        with open(s.at("pins")) as f:
            good = f.read()
        with t.Server() as other:
            other.init().start()
            subprocess.run([MTLOG, "log", "trust", other.vkey.text, f"http://127.0.0.1:{other.port}",
                            "--pins", s.at("others")], check=True, capture_output=True, timeout=60)
            other.stop()
        t.check(s.once("--pins", s.at("others"), expect=16) == [], f"another key: {s.said}")
        with open(s.at("pins"), "w") as f:
            f.write(good[:-20])
        t.check(s.once(*pins, expect=40) == [], f"a broken file: {s.said}")


def test_unheard():
    """A hook that fails, and more events than wait for it: the state stays sound, and a fork is told all the same."""
    with Scene() as s:
        s.rules("opaque")
        s.proxy.lie = lambda path: (404, {}, b"") if "/envelopes/" in path else None
        requests = [s.signer.request(b"entry %d" % i) for i in range(10050)]
        for i in range(0, len(requests), 150):
            status, _, body = s.log.post("\n".join(json.dumps(r) for r in requests[i:i + 150]) + "\n", "/api/v1/batch")
            t.check(status == 200, f"batch: {status} {body[:100]}")
        twin = s.clone()
        fails = script(s, "fails", "exit 1")
        told = s.once("--exec", fails, expect=22)
        t.check(len(told) == 10000, f"as many as may wait: {len(told)}")
        for _ in range(2):
            t.check(s.once("--exec", fails, expect=40) == [] and "wait to be told" in s.said, f"{s.said}")
        s.submit(log=s.log)
        s.submit(log=twin)
        t.check(s.once("--exec", fails, expect=40) == [], "a larger head of the same history")
        s.proxy.target = twin
        s.evidence(s.once("--exec", fails, expect=20))
        s.proxy.target = s.log
        told += s.once(expect=22)
        t.check(sorted(map(int, keys(told))) == list(range(10051)), f"each was told, once: {len(told)}")


def test_unread():
    """Nobody reads the output: a signal ends the monitor, and the next run tells what was not read."""
    with Scene() as s:
        s.rules("opaque")
        s.proxy.lie = lambda path: (404, {}, b"") if "/envelopes/" in path else None
        for _ in range(700):
            s.submit()
        r, w = os.pipe()
        p = subprocess.Popen(s.command("--interval", "1", "--json"), stdout=w, stderr=subprocess.PIPE, text=True)
        os.close(w)
        # Of its 64 KiB: what is written in small pieces leaves some of each page.
        full = lambda: struct.unpack("i", fcntl.ioctl(r, termios.FIONREAD, b"1234"))[0] >= 30000
        until = time.monotonic() + 60
        while not full() and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.3)
        t.check(full() and p.poll() is None, "it waits for its reader")
        p.send_signal(signal.SIGTERM)
        try:
            said = p.communicate(timeout=20)[1]
            t.check(p.returncode == 0 and "nobody read" in said, f"it ends: {p.returncode} {said}")
        except subprocess.TimeoutExpired:
            p.kill()
            t.check(False, "TERM does not end it")
        os.set_blocking(r, False)
        first = os.read(r, 1 << 20).decode().split("\n")[:-1]
        os.close(r)
        told = [event(line) for line in first] + s.once(expect=22)
        fresh = [e["index"] for e in told if not e["repeated"]]
        t.check(set(keys(told)) == {str(i) for i in range(700)} and len(fresh) == len(set(fresh)),
                f"none is lost, none is told twice in silence: {len(told)}")


def test_killed():
    """Killed at random moments; a submitter never rests."""
    with Scene() as s:
        random.seed(os.environ.get("MONITOR_SEED"))
        rule = f"signer sha256:{sha256(s.signer.spki)}"
        s.rules(rule, "opaque")
        out, hooked = s.at("out"), s.at("hooked")
        # One write of the whole, as a program that appends does.
        hook = script(s, "hook", f"x=$(cat)\nprintf '%s\\n' \"$x\" >>{hooked}\n")
        stop = threading.Event()
        indexes = []

        def submitter():
            while not stop.is_set():
                indexes.append(s.submit())
                stop.wait(random.random() * 0.2)
        thread = threading.Thread(target=submitter)
        thread.start()
        killed = 0
        for i in range(ROUNDS):
            with open(out, "ab") as f:
                p = subprocess.Popen(
                    s.command("--interval", "1", "--json", "--exec", hook,
                              "--feed", s.at("feed.xml")),
                    stdout=f, stderr=subprocess.DEVNULL)
            time.sleep(random.random() ** 2 * 0.4)
            p.kill()
            killed += p.wait() == -signal.SIGKILL
        stop.set()
        thread.join()
        with open(out, "ab") as f:
            p = subprocess.run(s.command("--once", "--json", "--exec", hook, "--feed",
                                         s.at("feed.xml")), stdout=f, stderr=subprocess.PIPE, text=True, timeout=120)
        t.check(p.returncode in (0, 22), f"the last one: {p}")
        t.check(killed == ROUNDS, f"killed {killed} times")
        wanted = {(str(i), r) for i in indexes for r in (rule, "opaque")}
        a = check_told("output", told(out), wanted)
        b = check_told("hook", told(hooked), wanted)
        tree = xml.etree.ElementTree.parse(s.at("feed.xml")).getroot()
        t.check([e.find(ATOM + "id").text for e in tree.findall(ATOM + "entry")] ==
                ["urn:uuid:" + uuid_of(i) for i in reversed(in_order(told(out))[-100:])],
                "the feed has the newest, once each")
        print(f"killed {killed} times, {len(wanted)} events, repeated {a} and {b}", flush=True)


def main():
    tests = [test_entries, test_new_only, test_models, test_envelope, test_late, test_fork,
             test_fork_smaller, test_rollback, test_bad_data, test_failures, test_stalled, test_cosigned,
             test_compare, test_compare_larger, test_broken_state,
             test_two_logs, test_slow_log, test_side_by_side, test_at_once, test_head_first,
             test_unknown_entries, test_hook, test_slow_hook, test_files, test_daemon, test_pinned,
             test_unheard, test_unread, test_stuck_output, test_killed]
    for f in tests:
        if len(sys.argv) > 1 and f.__name__[5:] not in sys.argv[1:]:
            continue
        f()
    t.finish()


if __name__ == "__main__":
    main()
