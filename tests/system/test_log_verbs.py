#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reading a log and holding it to what it said before: log, get, proof, and
the verbs that publish; a real mtlogd behind a proxy that lies, goes back,
forks, stalls and redirects."""

import base64
import hashlib
import http.client
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

sys.path.insert(0, os.path.dirname(__file__))
import mtlog_test as t
import standin_witness

MTLOG = os.environ.get("MTLOG", os.path.join(t.BUILD, "mtlog"))
EMPTY = hashlib.sha256(b"").digest()


def run(*args, expect=0, env=None, stdin=subprocess.DEVNULL):
    p = subprocess.run([MTLOG, *args], capture_output=True, text=True, timeout=60, stdin=stdin,
                       env={**os.environ, **(env or {})})
    t.check(p.returncode == expect,
            f"mtlog {' '.join(args)}: exit {p.returncode}, not {expect}: {p.stdout[-600:]}{p.stderr[-600:]}")
    return p.stdout + p.stderr


def asked(*args, expect=0, env=None):
    """The same for one line of JSON on standard output."""
    p = subprocess.run([MTLOG, *args, "--json"], capture_output=True, text=True, timeout=60,
                       stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})
    t.check(p.returncode == expect, f"mtlog {' '.join(args)}: exit {p.returncode}, not {expect}: {p.stderr[-600:]}")
    return json.loads(p.stdout) if p.stdout else None


def says(text, *parts):
    for part in parts:
        t.check(part in text, f"{part!r} is in {text!r}")


class Proxy(http.server.BaseHTTPRequestHandler):
    """Passes on what it is asked, unless a rule answers for a path: a function
    that gives (status, body), a dict of headers too, or None to pass on."""
    protocol_version = "HTTP/1.1"

    def any(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        self.server.asked.append(self.path)
        for prefix, rule in self.server.rules.items():
            if self.path.startswith(prefix):
                answer = rule(self.path)
                if answer is not None:
                    return self.answer(*answer)
        c = http.client.HTTPConnection("127.0.0.1", self.server.behind.port, timeout=30)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
        c.request(self.command, self.path, body, headers)
        r = c.getresponse()
        data = r.read()
        c.close()
        for prefix, change in self.server.changes.items():
            if self.path.startswith(prefix):
                data = change(data)
        return self.answer(r.status, data, {"Content-Type": r.getheader("Content-Type", "text/plain")})

    def answer(self, status, body, headers=None):
        body = body.encode() if isinstance(body, str) else body
        try:
            self.send_response(status)
            for k, v in (headers or {}).items():
                self.send_header(k, v)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            pass  # who asked has gone

    do_GET = do_POST = any

    def log_message(self, *_):
        pass


class Lying:
    """The proxy before a server, and what it forges with the log's own key."""

    def __init__(self, server):
        self.server = server
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
        self.http.daemon_threads = True
        self.http.handle_error = lambda *_: None  # who asked has gone
        self.http.behind = server
        self.http.rules, self.http.changes, self.http.asked = {}, {}, []
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        with open(os.path.join(server.dir, "key.pem"), "rb") as f:
            self.key = serialization.load_pem_private_key(f.read(), None)

    def honest(self):
        self.http.rules.clear()
        self.http.changes.clear()
        self.http.asked.clear()

    def rules(self, **rules):
        """Only these: checkpoint=, consistency=, tile=, api=, all=."""
        self.honest()
        paths = {"checkpoint": "/checkpoint", "consistency": "/api/v1/proof/consistency/", "tile": "/tile/",
                 "api": "/api/", "all": "/"}
        for name, rule in rules.items():
            self.http.rules[paths[name]] = rule

    def sign(self, size, root):
        text = f"{t.ORIGIN}\n{size}\n{t.b64(root)}\n"
        line = bytes.fromhex(self.server.vkey.id) + self.key.sign(text.encode())
        return f"{text}\n\u2014 {t.ORIGIN} {t.b64(line)}\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()


class Witness:
    """Cosigns whatever it is given (c2sp.org/tlog-cosignature)."""

    def __init__(self, name):
        self.name = name
        self.key = ed25519.Ed25519PrivateKey.generate()
        raw = b"\x04" + self.key.public_key().public_bytes_raw()
        self.id = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
        self.vkey = f"{name}+{self.id.hex()}+{t.b64(raw)}"

    def cosign(self, note, when=None):
        when = int(time.time()) if when is None else when
        text = note.rpartition("\n\n")[0] + "\n"
        signature = self.key.sign(f"cosignature/v1\ntime {when}\n{text}".encode())
        line = self.id + when.to_bytes(8, "big") + signature
        return f"{note}\u2014 {self.name} {t.b64(line)}\n"


def fixed(text, status=200, headers=None):
    return lambda path: (status, text, headers or {})


def submit(server, signer, name, count):
    for i in range(count):
        server.submit(signer.request(f"{name} {i}".encode()))


def server_leaf(server, index):
    return base64.b64decode(json.loads(server.get(f"/api/v1/entries/{index}")[2])["canonicalizedBody"])


def pin_of(pins):
    logs = asked("log", "list", "--pins", pins)["logs"]
    t.check(len(logs) == 1, f"one pin: {logs}")
    return int(logs[0]["size"]), logs[0]["root"]


def trusting(root, server, url):
    vkey = server.vkey.text
    pins = os.path.join(root, "trusting")
    os.mkdir(pins)
    env = {"XDG_STATE_HOME": os.path.join(root, "state"), "HOME": os.path.join(root, "home")}
    t.check(run("log", "list", env=env) == "", "nothing is pinned")
    run("log", "info", env=env, expect=2)
    run("log", "info", "--log", url, env=env, expect=2)
    run("log", "info", "--log", url, "--vkey", vkey, env=env)
    t.check(not os.path.exists(os.path.join(root, "state")), "looking leaves no state")
    # The log's own word about its key is asked to be compared.
    says(run("log", "trust", url, env=env, expect=2), vkey, "--yes")
    t.check(run("log", "list", env=env) == "", "still nothing is pinned")
    says(run("log", "trust", url, "--yes", env=env), "pinned now")
    got = asked("log", "info", env=env)
    t.check(got["sight"] == "same" and got["vkey"] == vkey and got["url"] == url, f"{got}")
    says(run("log", "info", env=env), vkey, "pinned       yes, and as it was seen before")
    t.check(asked("log", "info", "--log", t.ORIGIN, env=env)["sight"] == "same", "by its origin")
    mode = os.stat(os.path.join(root, "state", "mtlog", "pins.json")).st_mode & 0o777
    t.check(mode == 0o600, f"the pins are the user's alone: {mode:o}")
    # A folder, a file, a key in a file; another key is refused.
    with open(os.path.join(root, "vkey"), "w") as f:
        f.write(vkey + "\n")
    got = asked("log", "trust", os.path.join(root, "vkey"), url + "/", "--pins", pins)
    t.check(got["url"] == url and got["pins"] == os.path.join(pins, "pins.json"), f"{got}")
    t.check(asked("log", "trust", vkey, url, "--pins", pins)["sight"] == "same", "again")
    with t.Server() as other:
        other.init()
        run("log", "trust", other.vkey.text, url, "--pins", pins, expect=16)
        run("log", "info", "--vkey", other.vkey.text, "--pins", pins, expect=16)
        run("log", "info", "--log", url, "--vkey", other.vkey.text, "--pins", pins, expect=16)
        run("log", "info", "--log", "http://127.0.0.1:1", "--vkey", vkey, "--pins", pins, "--timeout", "2000", expect=30)
    t.check(len(asked("log", "list", "--pins", pins)["logs"]) == 1, "as before")
    run("log", "forget", "nothing", "--pins", pins, expect=2)
    run("log", "forget", t.ORIGIN, "--pins", pins)
    t.check(asked("log", "list", "--pins", pins)["logs"] == [], "forgotten")
    for words in (["log"], ["log", "inof"], ["log", "trust"], ["log", "consistency", "1"], ["log", "list", "x"],
                  ["log", "trust", "a", "b", "c"], ["log", "forget"]):
        run(*words, "--pins", pins, expect=2)
    with open(os.path.join(pins, "pins.json"), "w") as f:
        f.write("{}")
    run("log", "list", "--pins", pins, expect=40)


def looking(root, server, proxy):
    pins = os.path.join(root, "looking.json")
    run("log", "trust", server.vkey.text, proxy.url, "--pins", pins)
    note = subprocess.run([MTLOG, "log", "checkpoint", "--pins", pins], capture_output=True, text=True, timeout=60).stdout
    size, head = server.vkey.checkpoint(note)
    t.check((size, head) == server.checkpoint(), "the checkpoint, as it is signed")
    got = asked("log", "checkpoint", "--pins", pins)
    t.check(got["checkpoint"] == note and got["size"] == str(size) and got["root"] == head.hex(), f"{got}")
    for old, new in ((1, size), (2, 3), (3, 3), (4, 7), (size, size), (size - 1, size)):
        got = asked("log", "consistency", str(old), str(new), "--pins", pins)
        roots = [bytes.fromhex(got[k]["root"]) for k in ("old", "new", "head")]
        proof = [base64.b64decode(h) for h in got["hashes"]]
        t.check(roots[2] == head and t.consistent(old, new, proof, roots[0], roots[1]), f"{old} to {new}: {got}")
        t.check(t.consistent(new, size, server.consistency(new, size) if new < size else [], roots[1], head),
                f"{new} to the head")
    says(run("log", "consistency", "2", "3", "--pins", pins), "consistent", "tree of 2", "tree of 3")
    run("log", "consistency", "3", "2", "--pins", pins, expect=2)
    run("log", "consistency", "0", "2", "--pins", pins, expect=2)
    run("log", "consistency", "1", "x", "--pins", pins, expect=2)
    run("log", "consistency", "1", str(size + 1), "--pins", pins, expect=33)
    # The tiles say it, and nobody else is asked.
    proxy.rules(consistency=fixed("<html>"))
    asked("log", "consistency", "3", "5", "--pins", pins)
    t.check(not any("/api/" in path for path in proxy.http.asked), f"{proxy.http.asked}")
    for what, expect, rule in (("wrong", 21, fixed(EMPTY * size)), ("cut", 21, fixed(EMPTY)), ("none", 32, fixed("", 404)),
                               ("busy", 31, fixed("", 503)), ("nonsense", 21, fixed("<html>"))):
        proxy.rules(tile=rule)
        run("log", "consistency", "3", "5", "--pins", pins, "--timeout", "3000", expect=expect)
    proxy.honest()


def growing(root, server, proxy, signer):
    """What a log may do, and what it may not."""
    pins = os.path.join(root, "growing.json")
    info = ("log", "info", "--pins", pins, "--timeout", "3000")
    run("log", "trust", server.vkey.text, proxy.url, "--pins", pins)
    old_size, old_root = server.checkpoint()
    old_note = server.get("/checkpoint")[2].decode()
    submit(server, signer, "growing", 3)
    t.check(asked(*info)["sight"] == "larger", "the log has grown")
    new_size, new_root = server.checkpoint()
    t.check(pin_of(pins) == (new_size, new_root.hex()), "the pin with it")
    # An old checkpoint that the log itself connects with the pin is no crime.
    proxy.rules(checkpoint=fixed(old_note))
    t.check(asked(*info)["sight"] == "older", "an old checkpoint")
    says(run("log", "checkpoint", "--pins", pins), old_note, "older checkpoint")
    proxy.rules(checkpoint=fixed(proxy.sign(0, EMPTY)))
    t.check(asked(*info)["sight"] == "older", "the empty tree")

    def refused(what, expect, *parts, **rules):
        before = pin_of(pins)
        proxy.rules(**rules)
        says(run(*info, expect=expect), *parts)
        t.check(pin_of(pins) == before, f"{what}: the pin stays")
        proxy.honest()
    lie = hashlib.sha256(b"lie").digest()
    # forks
    refused("fork", 20, "FORKED", checkpoint=fixed(proxy.sign(new_size, lie)))
    refused("fork, smaller", 20, "FORKED", "evidence for everybody", checkpoint=fixed(proxy.sign(old_size, lie)))
    refused("fork, smaller, by its tiles", 20, "FORKED", "evidence for everybody",
            checkpoint=fixed(proxy.sign(old_size, lie)), consistency=fixed("{}", 404))
    refused("a tree of nothing with a root", 20, "FORKED", "evidence for everybody",
            checkpoint=fixed(proxy.sign(0, lie)))
    proxy.rules(checkpoint=fixed(proxy.sign(new_size, lie)))
    said = run(*info, expect=20)
    says(said, "evidence for everybody: ")
    path = said.split("evidence for everybody: ")[1].strip()
    t.check(os.path.dirname(path) == root and "//" not in path, f"beside the pins: {path}")
    says(run("inspect", path), "fork", t.ORIGIN)
    proxy.honest()
    # A head that nothing is shown of is no proof of anything.
    refused("a larger head alone", 32, "does not prove", checkpoint=fixed(proxy.sign(new_size + 1, lie)),
            consistency=fixed(json.dumps({"hashes": [t.b64(lie)]})))
    # rollback: an old checkpoint, and "no" to everything that was signed since
    refused("rollback", 20, "WENT BACK", checkpoint=fixed(old_note), consistency=fixed("{}", 404),
            tile=fixed("{}", 404))
    refused("no word of it", 32, checkpoint=fixed(old_note), consistency=fixed("{}", 500), tile=fixed("{}", 404))
    # but an old one whose continuation is there is none
    proxy.rules(checkpoint=fixed(old_note), consistency=fixed("{}", 404))
    t.check(asked(*info)["sight"] == "older", "by the tiles")
    # Wrong proofs between honest trees: the tiles prove them, or nobody does.
    wrong = {"a proof": json.dumps({"hashes": [t.b64(lie)] * 3}), "no hashes": '{"hashes":[]}', "a page": "<html>",
             "too many": json.dumps({"hashes": [t.b64(lie)] * 64}), "endless": "x" * 300000,
             "roots of its own": json.dumps({"hashes": [t.b64(lie)], "oldRootHash": t.b64(lie), "newRootHash": t.b64(lie)})}
    for what, text in wrong.items():
        proxy.rules(checkpoint=fixed(old_note), consistency=fixed(text))
        t.check(asked(*info)["sight"] == "older", f"{what} of the past")
        submit(server, signer, f"and on with {what}", 1)
        rules = {"consistency": fixed(text)}
        refused(f"{what}, wrong tiles", 21, tile=fixed(EMPTY * (server.checkpoint()[0] % 256)), **rules)
        refused(f"{what}, no tiles", 32, "does not prove", tile=fixed("{}", 404), **rules)
        refused(f"{what}, busy", 31, tile=fixed("{}", 503), **rules)
        proxy.rules(**rules)
        t.check(asked(*info)["sight"] == "larger", f"{what}: the tiles show that it has grown")
    submit(server, signer, "and on", 2)
    # answers that are none prove nothing
    refused("no proof of growth", 32, "does not prove", consistency=fixed("{}", 404), tile=fixed("{}", 404))
    refused("a busy log", 31, consistency=fixed("{}", 503))
    refused("no signature", 16, checkpoint=fixed(proxy.sign(new_size, lie).replace(t.ORIGIN + " ", "other.example ")))
    refused("forged", 16, checkpoint=fixed(proxy.sign(new_size, lie).replace(t.b64(lie), t.b64(EMPTY))))
    refused("sent elsewhere", 32, "sends us elsewhere",
            all=fixed("", 302, {"Location": f"http://127.0.0.1:{server.port}/checkpoint"}))
    refused("stalled", 30, "timed out", checkpoint=lambda path: time.sleep(4))
    t.check(asked(*info)["sight"] == "larger", "and the honest log goes on")


def flip(text, at):
    """The text with one character of base64 changed."""
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1:]


def getting(root, server, proxy, signer):
    pins = os.path.join(root, "getting.json")
    run("log", "trust", server.vkey.text, proxy.url, "--pins", pins)
    request = signer.request(b"what is got")
    index = server.submit(request)
    leaf = t.leaf_of(request)
    digest = hashlib.sha256(b"what is got").hexdigest()
    got = asked("get", str(index), "--pins", pins)
    size, head = server.vkey.checkpoint(got["checkpoint"])
    proof = [base64.b64decode(h) for h in got["hashes"]]
    t.check(t.inclusion_root(index, size, t.leaf_hash(leaf), proof) == head, "the proof that it prints")
    t.check(base64.b64decode(got["canonicalizedBody"]) == leaf and got["leafHash"] == t.leaf_hash(leaf).hex() and
            got["digest"] == f"sha256:{digest}" and got["signer"] == hashlib.sha256(signer.spki).hexdigest() and
            got["index"] == str(index) and got["size"] == str(size), f"{got}")
    t.check(pin_of(pins) == (size, head.hex()), "its checkpoint is the pin now")
    says(run("get", str(index), "--pins", pins), f"entry {index} of {t.ORIGIN}", digest, "signature verified")
    t.check(asked("get", digest, "--pins", pins)["index"] == str(index), "by its digest")
    raw = subprocess.run([MTLOG, "get", "--raw", str(index), "--pins", pins], capture_output=True, timeout=60)
    t.check(raw.stdout == leaf, "the very bytes")
    hashed = t.leaf_hash(leaf).hex()
    t.check(asked("get", hashed, "--pins", pins)["index"] == str(index), "by the hash of its leaf")
    first = asked("get", "0", "--pins", pins)
    t.check(asked("get", first["leafHash"], "--pins", pins) == first, "the oldest, too")
    again = server.submit(signer.request(b"what is got"))
    text = run("get", digest, "--pins", pins)
    says(text, f"entry {index} of", f"entry {again} of")
    run("get", "--raw", digest, "--pins", pins, expect=2)
    run("get", "00" * 32, "--pins", pins, expect=15)
    run("get", "99999", "--pins", pins, expect=15)
    for words in ([], ["x"], ["-1"], ["1", "2"], ["ABCD" * 16], ["0", "--raw", "--json"], ["0", "--timeout", "0"]):
        run("get", *words, "--pins", pins, expect=2)
    # What a log must not answer.
    honest = json.loads(server.get(f"/api/v1/entries/{index}")[2])
    other = json.loads(server.get("/api/v1/entries/0")[2])

    def refused(what, expect, answer, word=str(index)):
        proxy.rules()
        proxy.http.rules["/api/v1/entries/"] = fixed(answer if isinstance(answer, str) else json.dumps(answer))
        run("get", word, "--pins", pins, expect=expect)
        proxy.honest()
    inside = honest["inclusionProof"]
    note = inside["checkpoint"]["envelope"]
    refused("nothing", 0, "{}")  # the tiles have it
    for what, expect, rule in (("cut", 21, fixed("")), ("wrong", 21, fixed(b"\0\1x" * 200)), ("none", 32, fixed("", 404))):
        proxy.rules(tile=rule, api=fixed("", 404))
        run("get", str(index), "--pins", pins, expect=expect)
    proxy.honest()
    refused("another entry", 15, other)
    refused("another index", 15, {**other, "logIndex": str(index), "inclusionProof": {**other["inclusionProof"], "logIndex": str(index)}})
    refused("another leaf", 15, {**honest, "canonicalizedBody": other["canonicalizedBody"]})
    refused("other hashes", 15, {**honest, "inclusionProof": {**inside, "hashes": [t.b64(EMPTY)] + inside["hashes"][1:]}})
    refused("no signature", 16, {**honest, "inclusionProof": {**inside, "checkpoint": {"envelope": flip(note, len(note) - 20)}}})
    proxy.rules()
    proxy.http.rules["/api/v1/search"] = fixed(json.dumps({"treeSize": "9", "entries": [{"logIndex": "0"}], "next": None}))
    run("get", digest, "--pins", pins, expect=21)
    proxy.http.rules["/api/v1/search"] = fixed(json.dumps({"treeSize": "9", "entries": [{"logIndex": 0}], "next": None}))
    run("get", digest, "--pins", pins, expect=32)
    # One leaf, signed by the log with a tree of its own: a fork, if it is smaller
    # than the pin, and what the entry says is not believed.
    forged = t.leaf_of(t.Signer().request(b"forged")).replace(b"SHA2_256", b"SHA2_999")
    lie = {**honest, "logIndex": "0", "canonicalizedBody": t.b64(forged), "inclusionProof": {
        "logIndex": "0", "treeSize": "1", "rootHash": t.b64(t.leaf_hash(forged)), "hashes": [],
        "checkpoint": {"envelope": proxy.sign(1, t.leaf_hash(forged))}}}
    refused("a tree of its own", 20, lie, "0")
    proxy.http.rules["/api/v1/entries/"] = fixed(json.dumps(lie))
    run("get", "0", "--log", proxy.url, "--vkey", server.vkey.text, "--pins", os.path.join(root, "none"), expect=21)
    proxy.honest()


def proving(root, server, proxy, signer):
    pins = os.path.join(root, "proving.json")
    at = lambda name: os.path.join(root, name)

    def write(name, text):
        with open(at(name), "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        return at(name)
    vkey = write("vkey", server.vkey.text + "\n")
    run("log", "trust", vkey, proxy.url, "--pins", pins)
    request = signer.request(b"to be proven")
    submission = write("entry.json", json.dumps(request))
    run("submit", "--log", proxy.url, "--vkey", vkey, "--pins", pins, "--yes", submission)
    proof = submission + ".tlog-proof"
    verify = ("proof", "verify", "--vkey", vkey)
    says(run(*verify, "--submission", submission, proof), f"of {t.ORIGIN} (tree of ")
    got = asked(*verify, "--submission", submission, proof)
    index = got["index"]
    leaf = write("leaf", t.leaf_of(request))
    proxy.http.asked.clear()
    t.check(asked(*verify, "--leaf", leaf, proof) == got and got["witnesses"] == [], "by its leaf")
    # Out of the log, and out of a model's bundle.
    out = at("out.tlog-proof")
    run("proof", "export", "--index", index, "--pins", pins, "--output", out)
    run(*verify, "--leaf", leaf, out)
    model = at("model")
    os.mkdir(model)
    write("model/weights.bin", "weights")
    run("key", "new", "--out", at("key.pem"))
    run("publish", "--key", at("key.pem"), "--log", t.ORIGIN, "--pins", pins, "--name", "acme/m", "--yes", model)
    proxy.http.asked.clear()
    run("proof", "export", "--vkey", vkey, "--output", out, model)
    run(*verify, "--bundle", model, out)
    says(run("proof", "export", "--output", out, os.path.join(model, "model.sig")), "was not verified")
    text = run("proof", "export", "--vkey", vkey, model)
    with open(out) as f:
        exported = f.read()
    t.check(text == exported and exported.startswith("c2sp.org/tlog-proof@v1\nindex "), "printed, too")
    t.check(proxy.http.asked == [], f"offline: {proxy.http.asked}")
    # Witnesses.
    witness, absent = Witness("w.example"), Witness("absent.example")
    head, _, note = exported.partition("\n\n")
    cosigned = write("cosigned.tlog-proof", f"{head}\n\n{witness.cosign(note)}")
    policy = f"log {server.vkey.text}\nwitness w {witness.vkey}\nwitness a {absent.vkey}\n"
    one, two = write("one", policy + "group g 1 w a\nquorum g\n"), write("two", policy + "group g 2 w a\nquorum g\n")
    for name in ("one", "two"):
        os.chmod(at(name), 0o600)
    got = asked("proof", "verify", "--policy", one, "--bundle", model, cosigned)
    t.check(got["witnesses"] == ["w"] and got["existedBy"], f"{got}")
    says(run("proof", "verify", "--policy", one, "--vkey", vkey, "--bundle", model, cosigned), "cosigned by w, existed by 20")
    run("proof", "verify", "--policy", two, "--bundle", model, cosigned, expect=16)
    run("proof", "verify", "--policy", one, "--bundle", model, out, expect=16)
    run("proof", "export", "--policy", one, model, expect=16)
    run("proof", "export", "--index", index, "--policy", one, "--pins", pins, expect=16)
    run("log", "info", "--policy", one, "--pins", pins, expect=16)
    proxy.rules(checkpoint=lambda path: (200, witness.cosign(server.get("/checkpoint")[2].decode())))
    got = asked("log", "info", "--policy", one, "--pins", pins)
    t.check([(w["name"], w["verified"]) for w in got["witnesses"]] == [("w.example", True)] and got["freshSince"], f"{got}")
    says(run("log", "info", "--policy", one, "--pins", pins), "cosigned by  w.example", ", verified", "met; fresh since 20")
    says(run("log", "info", "--pins", pins), "not verified")
    proxy.honest()
    # What is not proven.
    run(*verify, "--leaf", leaf, out, expect=15)
    run(*verify, "--bundle", model, proof, expect=15)
    run("proof", "verify", "--vkey", witness.vkey.replace("w.example", "x"), "--leaf", leaf, proof, expect=2)
    with open(proof) as f:
        text = f.read()
    run(*verify, "--leaf", leaf, write("flipped", flip(text, text.index("\n\n") - 10)), expect=15)
    run(*verify, "--leaf", leaf, write("forged", flip(text, len(text) - 20)), expect=16)
    run(*verify, "--leaf", leaf, write("cut", text[:40]), expect=12)
    run(*verify, "--leaf", write("bad", "{}"), proof, expect=15)
    run(*verify, "--leaf", at("missing"), proof, expect=40)
    run(*verify, "--bundle", submission, proof, expect=12)
    unlogged = at("unlogged.sig")
    run("sign", "--key", at("key.pem"), "--signature", unlogged, model)
    run("proof", "export", "--vkey", vkey, unlogged, expect=15)
    with t.Server() as other:
        other.init()
        run("proof", "export", "--vkey", other.vkey.text, model, expect=16)
        run("proof", "verify", "--vkey", other.vkey.text, "--leaf", leaf, proof, expect=16)
    for words in (["verify", proof], ["verify", "--vkey", vkey, proof], ["verify", "--leaf", leaf, proof],
                  ["verify", "--leaf", leaf, "--bundle", model, "--vkey", vkey, proof],
                  ["verify", "--leaf", leaf, "--vkey", vkey, "--log", proxy.url, proof], ["verify"], ["exprot"], [],
                  ["export"], ["export", "--index", "1", model], ["export", "--leaf", leaf, model],
                  ["export", "--pins", pins, model], ["export", "--index", "x"]):
        run("proof", *words, expect=2)


class Cosigning:
    """A log's address for cosigned proofs, with a witness behind it."""

    def __init__(self, server, witness):
        self.server, self.witness = server, witness
        self.late = 0  # refusals before it is there
        self.asked = 0

    def __call__(self, path):
        if not path.endswith("/cosigned"):
            return None
        self.asked += 1
        if self.late > 0:
            self.late -= 1
            return self.refusal("not-cosigned-yet")
        return 200, json.dumps(self.proof(path.split("/")[-2]))

    @staticmethod
    def refusal(reason):
        return 404, json.dumps({"code": 5, "message": "no", "details": [{"reason": reason}]})

    def proof(self, index):
        note = self.server.get("/checkpoint")[2].decode()
        size = note.split("\n")[1]
        answer = json.loads(self.server.get(f"/api/v1/proof/inclusion/{index}/{size}")[2])
        answer["checkpoint"] = {"envelope": self.witness.cosign(note)}
        return answer


def cosigning(root, server, proxy):
    """publish and its like wait for the witnesses of the log."""
    at = lambda name: os.path.join(root, "cosigning", name)
    os.mkdir(os.path.join(root, "cosigning"))
    model, key, pins, vkey = at("model"), at("key.pem"), at("pins"), server.vkey.text
    os.mkdir(model)
    with open(os.path.join(model, "w"), "w") as f:
        f.write("weights")
    witness, absent = Witness("w.example"), Witness("absent.example")
    for name, names in (("one", "w"), ("two", "w a")):
        with open(at(name), "w") as f:
            f.write(f"log {vkey}\nwitness w {witness.vkey}\nwitness a {absent.vkey}\n"
                    f"group g all {names}\nquorum g\n")
        os.chmod(at(name), 0o600)
    run("key", "new", "--out", key)
    run("log", "trust", vkey, proxy.url, "--pins", pins)
    publish = ("publish", "--key", key, "--log", proxy.url, "--pins", pins, "--name", "acme/m", "--yes")

    def prove(rule):
        proxy.rules()
        proxy.http.rules["/api/v1/proof/inclusion/"] = rule

    def envelope():
        with open(os.path.join(model, "model.sig")) as f:
            entries = json.load(f)["verificationMaterial"]["tlogEntries"]
        t.check(len(entries) == 1, "one entry")
        return entries[0]["inclusionProof"]["checkpoint"]["envelope"]

    def cosigned():
        return "w.example" in envelope()
    # A log without witnesses, that says so or knows nothing of them.
    proxy.honest()
    says(run(*publish, model), "no witnesses", "so nobody else says")
    t.check(not asked("log", "list", "--pins", pins)["logs"][0]["witnessed"], "none seen")
    t.check(not cosigned() and len([p for p in proxy.http.asked if p.endswith("/cosigned")]) == 1, "asked once")
    prove(lambda path: Cosigning.refusal("no-witnesses"))
    says(run(*publish, "--again", model), "so nobody else says")
    t.check("it alone" not in run(*publish, "--again", "--wait", "0", model), "who does not wait is not told")
    says(run(*publish, "--again", "--witnesses", at("one"), model, expect=33), "no quorum of witnesses has cosigned")
    run(*publish, "--again", "--wait", "0", "--witnesses", at("one"), model, expect=2)
    # The pin remembers a log that had witnesses, and takes no other word for it.
    other = at("remembering")
    run("log", "trust", vkey, proxy.url, "--pins", other)
    remembering = ("publish", "--key", key, "--log", proxy.url, "--pins", other, "--name", "acme/m", "--yes", "--again")
    run(*remembering, model)
    proxy.rules(checkpoint=lambda path: (200, witness.cosign(server.get("/checkpoint")[2].decode())))
    run("log", "info", "--pins", other)
    t.check(asked("log", "list", "--pins", other)["logs"][0]["witnessed"], "seen")
    says(run("log", "list", "--pins", other), "have been cosigned")
    for what, answer in (("no witnesses", Cosigning.refusal("no-witnesses")), ("no such thing", (404, "<html>")),
                         ("forbidden", (403, "{}"))):
        prove(lambda path, answer=answer: answer)
        says(run(*remembering, model, expect=33), "showed a cosigned checkpoint before")
        t.check(asked("log", "list", "--pins", other)["logs"][0]["witnessed"], f"{what}: it stays")
    prove(Cosigning(server, witness))
    run(*remembering, model)
    run("log", "forget", t.ORIGIN, "--pins", other)
    proxy.honest()
    run("log", "trust", vkey, proxy.url, "--pins", other)
    says(run(*remembering, model), "so nobody else says")
    # At once; late; not in time, and completed later.
    there = Cosigning(server, witness)
    prove(there)
    run(*publish, "--again", model)
    t.check(cosigned(), "the cosigned proof is kept")
    run("verify", "--key", key + ".pub", "--log", vkey, model)
    run("proof", "export", "--policy", at("one"), "--output", at("proof"), model)
    before = envelope()
    there.asked = 0
    says(run(*publish, model), "already; --again")
    t.check(envelope() == before and there.asked == 0, "nothing more to be asked")
    there.late = 2
    run(*publish, "--again", "--witnesses", at("one"), model)
    t.check(cosigned() and there.late == 0, "it waits")
    there.late = 10**6
    began = time.monotonic()
    says(run(*publish, "--again", "--wait", "1", model, expect=33), "is entry", "Repeat this later")
    t.check(time.monotonic() - began >= 1 and not cosigned(), "as long as was said")
    run("verify", "--key", key + ".pub", "--log", vkey, model)
    run(*publish, "--wait", "1", model, expect=33)
    run(*publish, "--wait", "0", model)
    t.check(not cosigned(), "nobody has cosigned yet")
    there.late = 0
    says(run(*publish, model), "now with its witnesses")
    t.check(cosigned(), "and the proof takes the other's place")
    # One entry, under the newest checkpoint that is cosigned.
    index = str(server.checkpoint()[0] - 1)
    got = asked("get", index, "--pins", pins, "--policy", at("one"))
    t.check("w.example" in got["checkpoint"], f"{got}")
    run("get", index, "--pins", pins, "--policy", at("two"), expect=16)
    run("proof", "export", "--index", index, "--pins", pins, "--policy", at("one"), "--output", at("proof"))
    there.late = 10**6
    run("get", index, "--pins", pins, "--policy", at("one"), expect=16)
    there.late = 0
    # Not by the quorum that was asked for.
    run(*publish, "--wait", "1", "--witnesses", at("two"), model, expect=33)
    run(*publish, "--again", "--wait", "1", "--witnesses", at("two"), model, expect=33)
    prove(lambda path: (200, json.dumps({**there.proof(path.split("/")[-2]), "checkpoint": {
        "envelope": server.get("/checkpoint")[2].decode()}})) if path.endswith("/cosigned") else None)
    run(*publish, "--again", "--wait", "1", model, expect=33)
    # Others that publish: submissions, bundles, statements.
    prove(there)
    signer = t.Signer()
    with open(at("entry.json"), "w") as f:
        json.dump(signer.request(b"cosigned"), f)
    submit = ("submit", "--log", proxy.url, "--pins", pins, "--yes")
    run(*submit, "--witnesses", at("one"), at("entry.json"))
    run("proof", "verify", "--policy", at("one"), "--submission", at("entry.json"), at("entry.json.tlog-proof"))
    there.late = 10**6
    run(*submit, "--wait", "1", at("entry.json"), expect=33)
    run("proof", "verify", "--vkey", vkey, "--submission", at("entry.json"), at("entry.json.tlog-proof"))
    run(*publish, "--again", "--wait", "0", model)
    there.late = 0
    bundle = os.path.join(model, "model.sig")
    says(run(*submit, "--key", key + ".pub", bundle), "cosigned")
    t.check(cosigned(), "submit completes a bundle")
    approve = ("approve", "--key", key, "--signer", key + ".pub", "--log", proxy.url, "--pins", pins, "--yes", model)
    withdraw = ("withdraw", "--key", key, "--log", proxy.url, "--pins", pins, "--yes", "--reason", "mistake", model)
    for words in (approve, withdraw):
        run(*words)
        there.late = 10**6
        run(*words, "--wait", "1", expect=33)
        there.late = 0

    # What is false is believed of no address.
    def refused(what, expect, change):
        prove(lambda path: (200, json.dumps(change(there.proof(path.split("/")[-2])))) if path.endswith("/cosigned") else None)
        before = envelope()
        run(*publish, "--again", "--wait", "1", model, expect=expect)
        t.check(envelope() == before, f"{what}: nothing is written")
        proxy.honest()
    lie = hashlib.sha256(b"lie").digest()
    refused("other hashes", 15, lambda p: {**p, "hashes": [t.b64(lie)] * len(p["hashes"])})
    refused("forged", 16, lambda p: {**p, "checkpoint": {"envelope": flip(p["checkpoint"]["envelope"], p["checkpoint"]["envelope"].index("\u2014") + 40)}})
    refused("a tree of its own", 15, lambda p: {**p, "checkpoint": {"envelope": witness.cosign(proxy.sign(1000, lie))}})
    # What does not come is not waited for longer.
    for what, rule in (("nonsense", fixed("<html>")), ("fails", fixed("{}", 500)), ("busy", fixed("{}", 503)),
                       ("stalls", lambda path: time.sleep(3))):
        prove(lambda path, rule=rule: rule(path) if path.endswith("/cosigned") else None)
        began = time.monotonic()
        run(*publish, "--again", "--wait", "1", model, expect=33)
        t.check(time.monotonic() - began < 10, f"{what}: in time")
    proxy.honest()
    # And the log forks between two publications.
    proxy.rules()

    def forked(data):
        answer = json.loads(data)
        leaf = base64.b64decode(answer["verificationMaterial"]["tlogEntries"][0]["canonicalizedBody"])
        answer["verificationMaterial"]["tlogEntries"][0].update({"logIndex": "0", "inclusionProof": {
            "logIndex": "0", "treeSize": "1", "rootHash": t.b64(t.leaf_hash(leaf)), "hashes": [],
            "checkpoint": {"envelope": proxy.sign(1, t.leaf_hash(leaf))}}})
        return json.dumps(answer).encode()
    proxy.http.changes["/api/v1/bundles"] = forked
    before = envelope()
    says(run(*publish, "--again", model, expect=20), "FORKED", "evidence for everybody")
    t.check(envelope() == before, "a private tree is not kept")
    # Nobody who did not pin the log would have noticed.
    run("publish", "--key", key, "--log", proxy.url, "--vkey", vkey, "--pins", at("none"), "--name", "acme/m", "--yes",
        "--again", model)
    t.check(not os.path.exists(at("none")), "and nothing was pinned unasked")
    proxy.honest()


def witnessed(root):
    """The same with a real log that collects cosignatures, in mode open."""
    at = lambda name: os.path.join(root, "witnessed", name)
    os.makedirs(at("model"))
    with open(at("model/w"), "w") as f:
        f.write("weights")
    key, pins, policy = at("key.pem"), at("pins"), at("policy")
    run("key", "new", "--out", key)
    with t.Server().init() as server:
        witnesses = [standin_witness.Witness(n, server.vkey) for n in ("w1.example", "w2.example")]
        lines = "".join(w.line for w in witnesses) + "group g all w1.example w2.example\nquorum g\n"
        with open(os.path.join(server.dir, "witnesses"), "w") as f:
            f.write(lines)
        with open(os.path.join(server.dir, "mtlogd.conf"), "a") as f:
            f.write("witness-mode = open\nwitness-policy = witnesses\nwitness-interval = 50\nwitness-timeout = 1\n")
        with open(policy, "w") as f:
            f.write(f"log {server.vkey.text}\n{lines}")
        os.chmod(policy, 0o600)
        try:
            server.start()
            url = f"http://127.0.0.1:{server.port}"
            publish = ("publish", "--key", key, "--log", url, "--vkey", server.vkey.text, "--pins", pins, "--name",
                       "acme/w", "--yes", "--again", "--witnesses", policy)
            run(*publish, "--wait", "60", at("model"))
            run("log", "trust", server.vkey.text, url, "--pins", pins)
            run("log", "info", "--pins", pins, "--policy", policy)
            run("get", "0", "--pins", pins, "--policy", policy)
            run("proof", "export", "--policy", policy, "--output", at("proof"), at("model"))
            got = asked("proof", "verify", "--policy", policy, "--bundle", at("model"), at("proof"))
            t.check(got["witnesses"] == ["w1.example", "w2.example"], f"{got}")
            witnesses[0].close()
            run(*publish, "--wait", "1", at("model"), expect=33)
            # The pin is what the log signed, /checkpoint what they cosigned.
            t.check(pin_of(pins)[0] == 2, "the pin is ahead")
            t.check(asked("log", "info", "--pins", pins)["sight"] == "older", "and what is cosigned behind")
            run("get", "1", "--pins", pins)
            run("get", "1", "--pins", pins, "--policy", policy, expect=16)
            run("verify", "--key", key + ".pub", "--log", server.vkey.text, "--online", "--pins", pins, at("model"))
            t.check(not any(w.faults for w in witnesses), "the witnesses saw no fault")
            t.check(server.stop() == 0, "the server stops")
        finally:
            for w in witnesses[1:]:
                w.close()


def verifying(root, server, proxy, signer):
    """Who asks the log what is new holds it to the pin, if there is one."""
    at = lambda name: os.path.join(root, "verifying", name)
    os.mkdir(os.path.join(root, "verifying"))
    model, key, pins, vkey = at("model"), at("key.pem"), at("pins"), server.vkey.text
    os.mkdir(model)
    with open(os.path.join(model, "w"), "w") as f:
        f.write("weights")
    run("key", "new", "--out", key)
    run("publish", "--key", key, "--log", proxy.url, "--vkey", vkey, "--name", "acme/v", "--yes", model)
    verify = ("verify", "--key", key + ".pub", "--log", vkey, "--pins", pins, "--timeout", "5000")
    online = (*verify, "--online", "--log-url", proxy.url)
    run(*online, model)
    t.check(not os.path.exists(pins) and not os.path.exists(pins + ".lock"), "nothing was pinned unasked")
    run(*verify, "--online", model, expect=2)
    run("log", "trust", vkey, proxy.url, "--pins", pins)
    run(*verify, "--online", model)  # the pin says where
    submit(server, signer, "verifying", 2)
    run(*online, model)
    size, head = server.checkpoint()
    t.check(pin_of(pins) == (size, head.hex()), "a contact is a contact")
    lie = hashlib.sha256(b"lie").digest()
    for what, rules, expect in (
            ("fork", {"checkpoint": fixed(proxy.sign(size, lie))}, 20),
            ("forged", {"checkpoint": fixed(flip(proxy.sign(size, head), 20))}, 16),
            ("stalled", {"checkpoint": lambda path: time.sleep(7)}, 30)):
        proxy.rules(**rules)
        got = asked(*online, model, expect=expect)
        t.check(not got["accepted"] and got["code"] == expect, f"{what}: {got}")
        t.check(pin_of(pins) == (size, head.hex()), f"{what}: the pin stays")
    # A wrong proof is no fork: the tiles have the right one, or nobody does.
    for kept in (pins, at("nothing")):
        words = [kept if word == pins else word for word in online]
        for what, tile, expect in (("right tiles", None, 0), ("wrong tiles", fixed(EMPTY * size), 21),
                                   ("no tiles", fixed("", 404), 32)):
            rules = {"consistency": fixed(json.dumps({"hashes": [t.b64(lie)] * 3}))}
            if tile:
                rules["tile"] = tile
            proxy.rules(**rules)
            run(*words, model, expect=expect)
    proxy.honest()
    # Witnesses follow behind: what they have cosigned may be older than the
    # bundle, which is no rollback where the log shows what it has signed.
    now, old = server.get("/checkpoint")[2].decode(), proxy.sign(1, t.leaf_hash(server_leaf(server, 0)))
    proxy.rules(checkpoint=fixed(old))
    run(*online, model)
    proxy.http.rules["/api/v1/checkpoint/signed"] = fixed("{}", 404)
    run(*online, model, expect=17)
    proxy.http.rules["/api/v1/checkpoint/signed"] = fixed(now)
    run(*online, model)
    proxy.http.rules["/api/v1/checkpoint/signed"] = fixed(old)
    run(*online, model, expect=17)
    proxy.http.rules["/api/v1/checkpoint/signed"] = fixed("{}", 503)
    run(*online, model, expect=31)
    # Offline nothing of that matters, and nothing is asked or opened.
    proxy.http.asked.clear()
    run(*verify, model)
    with open(pins, "w") as f:
        f.write("{}")
    run(*verify, model)
    t.check(proxy.http.asked == [], "offline is offline")
    proxy.honest()
    run(*online, model, expect=40)


def no_checkpoint(root, server, proxy):
    """What stands in a checkpoint's place and is none is the log's failure, to
    whatever reads it: the same code for the same fault."""
    at = lambda name: os.path.join(root, "no-checkpoint", name)
    os.mkdir(os.path.join(root, "no-checkpoint"))
    vkey = server.vkey.text
    for name, text in (("policy", f"log {vkey}\nquorum none\nmtlog-policy 1\nsigner s key {t.b64(t.Signer().spki)}\nmodel *\n  signed-by s\n"),
                       ("rules", "opaque\n")):
        with open(at(name), "w") as f:
            f.write(text)
        os.chmod(at(name), 0o600)
    run("log", "trust", vkey, proxy.url, "--pins", at("pins"))
    size, head = server.checkpoint()
    note = proxy.sign(size, head)
    lie = hashlib.sha256(b"lie").digest()
    verbs = {"log": ("log", "info", "--pins", at("pins")),
             "audit": ("audit", "--log", vkey, "--url", proxy.url, "--search", "0"),
             "monitor": ("monitor", "--log", vkey, "--url", proxy.url, "--state", at("monitor"), "--rules", at("rules"),
                         "--once", "--new-only"),
             "scan": ("scan", "--policy", at("policy"), "--log-url", proxy.url, "--state", at("scan"))}
    faults = [("a page", 32, fixed("<html>")), ("nothing", 32, fixed("")), ("zeros", 32, fixed("\0" * 100)),
              ("not UTF-8", 32, fixed(b"\xff" * 100)), ("no signatures", 32, fixed(note.partition("\n\n")[0] + "\n\n")),
              ("a note of something else", 32, fixed(note.replace(f"\n{size}\n", "\nmany\n"))),
              ("a size that is none", 32, fixed(note.replace(f"\n{size}\n", f"\n0{size}\n"))),
              ("endless", 32, fixed("x" * 2000000)), ("204", 32, fixed("", 204)), ("206", 32, fixed(note[:9], 206)),
              ("404", 32, fixed("", 404)), ("403", 32, fixed("", 403)), ("410", 32, fixed("", 410)),
              ("401", 32, fixed("", 401)), ("500", 32, fixed("", 500)),
              ("302", 32, fixed("", 302, {"Location": "/other"})), ("429", 31, fixed("", 429)), ("503", 31, fixed("", 503)),
              # what is a checkpoint is judged, and not called broken
              ("forged", 16, fixed(note.replace(t.b64(head), t.b64(lie)))),
              ("unsigned", 16, fixed(note.replace(f"{t.ORIGIN} ", "other.example ")))]
    for what, expect, rule in faults:
        proxy.rules(checkpoint=rule)
        for verb, words in verbs.items():
            p = subprocess.run([MTLOG, *words, "--timeout", "1000"], capture_output=True, text=True, timeout=60)
            t.check(p.returncode == expect, f"{what}: mtlog {verb}: {p.returncode}, not {expect}: {p.stdout}{p.stderr}")
    proxy.honest()
    for verb, words in verbs.items():
        run(*words)


def tiles_alone(root, server, proxy):
    """A log that has tiles and nothing else (c2sp.org/tlog-tiles)."""
    pins = os.path.join(root, "tiles-alone.json")
    alone = {"api": fixed("<!DOCTYPE html>", 404)}
    rules = lambda **more: (proxy.rules(**more), proxy.http.rules.update({"/api/": alone["api"],
                                                                         "/.well-known/": alone["api"]}))
    old = server.get("/checkpoint")[2].decode()
    rules()
    run("log", "trust", server.vkey.text, proxy.url, "--pins", pins)
    submit(server, t.Signer(), "tiles alone", 3)
    t.check(asked("log", "info", "--pins", pins)["sight"] == "larger", "grown, by its tiles")
    size, head = server.checkpoint()
    t.check(pin_of(pins) == (size, head.hex()), "pinned")
    rules(checkpoint=fixed(old))
    t.check(asked("log", "checkpoint", "--pins", pins)["sight"] == "older", "an old checkpoint is no crime")
    rules()
    t.check(asked("log", "consistency", "2", str(size), "--pins", pins)["consistent"], "consistency")
    leaf = server_leaf(server, 4)
    got = asked("get", "4", "--pins", pins)
    t.check(base64.b64decode(got["canonicalizedBody"]) == leaf and got["size"] == str(size), f"{got}")
    proof = [base64.b64decode(h) for h in got["hashes"]]
    t.check(t.inclusion_root(4, size, t.leaf_hash(leaf), proof) == head, "its proof")
    t.check(asked("get", got["leafHash"], "--pins", pins) == got, "by the hash of its leaf")
    says(run("get", got["digest"].split(":")[1], "--pins", pins, expect=43), "no look-up by digest", "give the index")
    says(run("get", "00" * 48, "--pins", pins, expect=43), "no look-up by digest")
    run("get", str(size), "--pins", pins, expect=15)
    out, at = os.path.join(root, "tiles-alone.tlog-proof"), os.path.join(root, "tiles-alone.leaf")
    run("proof", "export", "--index", "4", "--pins", pins, "--output", out)
    with open(at, "wb") as f:
        f.write(leaf)
    run("proof", "verify", "--vkey", server.vkey.text, "--leaf", at, out)
    run("proof", "export", "--index", str(size), "--pins", pins, expect=15)
    # The same fork that its own API would have shown.
    lie = hashlib.sha256(b"lie").digest()
    rules(checkpoint=fixed(proxy.sign(size - 1, lie)))
    said = run("log", "info", "--pins", pins, expect=20)
    says(said, "FORKED", "evidence for everybody: ")
    says(run("inspect", said.split("evidence for everybody: ")[1].strip()), "fork", t.ORIGIN)
    # A larger tree of another past, of which it shows everything.
    leaves = [t.leaf_hash(server_leaf(server, i)) for i in range(size)]
    fork = [leaves[1], leaves[0], *leaves[2:], lie]
    rules(checkpoint=fixed(proxy.sign(len(fork), t.root_of(fork))), tile=lambda path: (200, b"".join(fork), {}))
    said = run("log", "info", "--pins", pins, expect=20)
    says(said, "FORKED", "evidence for everybody: ")
    says(run("inspect", said.split("evidence for everybody: ")[1].strip()), "fork", t.ORIGIN)
    t.check(pin_of(pins) == (size, head.hex()), "the pin stays")
    proxy.honest()


def tessera(root):
    """A log that the Go tessera library wrote, as a folder of files; what is in
    it is no signature."""
    folder = os.path.join(os.environ.get("MTLOG_VECTORS") or
                          os.path.join(os.path.dirname(__file__), "..", "..", "..", "shared", "vectors"), "tessera-log")
    if not os.path.isdir(folder):
        print("tessera: skipped, no public vectors")
        return
    vkey = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"

    def serve(path):
        name = os.path.join(folder, f"checkpoint.{size}" if path == "/checkpoint" else path.lstrip("/"))
        if not os.path.isfile(name):
            return 404, "no such file"
        with open(name, "rb") as f:
            return 200, f.read()
    pins = os.path.join(root, "tessera.json")
    with t.Server().init() as behind, Lying(behind) as proxy:
        proxy.rules(all=serve)
        size = 4
        run("log", "trust", vkey, proxy.url, "--pins", pins)
        size = 8
        t.check(asked("log", "info", "--pins", pins)["sight"] == "larger", "it has grown")
        size = 2
        t.check(asked("log", "info", "--pins", pins)["sight"] == "older", "and is not accused of what it was")
        size = 14
        got = asked("get", "3", "--pins", pins)
        t.check(base64.b64decode(got["canonicalizedBody"]) == b"four" and got["digest"] is None and got["size"] == "14",
                f"{got}")
        says(run("get", "3", "--pins", pins), "4 bytes, of no signature")
        t.check(run("get", "--raw", "3", "--pins", pins) == "four", "its bytes")
        out, leaf = os.path.join(root, "tessera.tlog-proof"), os.path.join(root, "tessera.leaf")
        run("proof", "export", "--index", "3", "--pins", pins, "--output", out)
        with open(leaf, "w") as f:
            f.write("four")
        says(run("proof", "verify", "--vkey", vkey, "--leaf", leaf, out), "of no signature", "entry 3 of")
        with open(leaf, "w") as f:
            f.write("five")
        run("proof", "verify", "--vkey", vkey, "--leaf", leaf, out, expect=15)
        run("get", "14", "--pins", pins, expect=15)
        got = asked("log", "consistency", "3", "9", "--pins", pins)
        t.check(got["consistent"] and got["head"]["size"] == "14", f"{got}")
        size = 0
        t.check(asked("log", "info", "--pins", pins)["sight"] == "older", "the empty tree")


def closed(root, server):
    """What has no place to say what it found has not said it, and puts it
    nowhere else."""
    pins, rules, state = (os.path.join(root, "closed" + x) for x in (".json", ".rules", ".state"))
    url, vkey, signer = f"http://127.0.0.1:{server.port}", server.vkey.text, t.Signer()
    run("log", "trust", vkey, url, "--pins", pins)
    with open(rules, "w") as f:
        f.write(f"signer sha256:{hashlib.sha256(signer.spki).hexdigest()}\n")
    read = ("--log", url, "--vkey", vkey)
    verbs = [("log", "info", "--pins", pins), ("log", "list", "--pins", pins), ("log", "checkpoint", "--pins", pins),
             ("log", "consistency", "1", "3", "--pins", pins), ("get", "0", *read), ("get", "--raw", "0", *read),
             ("proof", "export", "--index", "0", *read), ("audit", "--log", vkey, "--url", url), ("--version",), ("help",),
             ("--help",), ("log", "--help"), ("help", "exit-codes"), ("completion", "bash")]
    for words in verbs:
        for redirect in (">&-", ">/dev/full", "<&- >&-", "<&- >&- 2>&-", ">&- 2>&-"):
            p = subprocess.run(["/bin/sh", "-c", f'"$@" {redirect}', "sh", MTLOG, *words], capture_output=True, timeout=60)
            t.check(p.returncode == 40 and not p.stdout, f"mtlog {' '.join(words)} {redirect}: {p.returncode} {p.stdout}")
        for redirect in ("<&-", "2>&-", "<&- 2>&-"):
            p = subprocess.run(["/bin/sh", "-c", f'"$@" {redirect}', "sh", MTLOG, *words], capture_output=True, timeout=60)
            t.check(p.returncode == 0 and p.stdout, f"mtlog {' '.join(words)} {redirect}: {p.returncode}")
    monitor = (MTLOG, "monitor", "--log", vkey, "--url", url, "--state", state, "--rules", rules, "--once", "--json")
    subprocess.run(monitor, capture_output=True, timeout=60)
    for i, redirect in enumerate((">&-", "<&- >&-", "<&- >&- 2>&-", ">/dev/full")):
        submit(server, signer, f"closed {i}", 2)
        p = subprocess.run(["/bin/sh", "-c", f'"$@" {redirect}', "sh", *monitor], capture_output=True, timeout=60)
        t.check(p.returncode not in (0, 22), f"{redirect}: nothing was told: {p.returncode}")
        p = subprocess.run(monitor, capture_output=True, timeout=60)
        t.check(p.returncode == 22 and len(p.stdout.splitlines()) == 2, f"{redirect}: nothing is lost: {p}")
    for words in ((t.MTLOGD, "--version"), (t.MTLOGD, "check", "--dir", server.dir), (t.MTLOGD, "status", "--dir", server.dir),
                  (os.path.join(t.BUILD, "mtlog-witness"), "--help")):
        for redirect in (">&-", "<&- >&- 2>&-"):
            p = subprocess.run(["/bin/sh", "-c", f'"$@" {redirect}', "sh", *words], capture_output=True, timeout=60)
            t.check(p.returncode == 1, f"{' '.join(words)} {redirect}: {p.returncode}")


def at_once(root, server, proxy, signer):
    """Many who meet the log at the same time lose nothing."""
    pins = os.path.join(root, "at-once.json")
    run("log", "trust", server.vkey.text, proxy.url, "--pins", pins)
    for _ in range(3):
        submit(server, signer, os.urandom(4).hex(), 1)
        many = [subprocess.Popen([MTLOG, "log", "info", "--pins", pins], stdout=subprocess.DEVNULL) for _ in range(6)]
        t.check([p.wait(timeout=60) for p in many] == [0] * 6, "six at once")
        size, head = server.checkpoint()
        t.check(pin_of(pins) == (size, head.hex()), "the newest is pinned")


def main():
    root = tempfile.mkdtemp(prefix="mtlog-log-")
    signer = t.Signer()
    try:
        with t.Server().init() as server:
            server.start()
            submit(server, signer, "first", 9)
            trusting(root, server, f"http://127.0.0.1:{server.port}")
            with Lying(server) as proxy:
                looking(root, server, proxy)
                growing(root, server, proxy, signer)
                getting(root, server, proxy, signer)
                proving(root, server, proxy, signer)
                cosigning(root, server, proxy)
                verifying(root, server, proxy, signer)
                at_once(root, server, proxy, signer)
                no_checkpoint(root, server, proxy)
                tiles_alone(root, server, proxy)
            closed(root, server)
            t.check(server.stop() == 0, "the server stops")
        tessera(root)
        witnessed(root)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    t.finish()


if __name__ == "__main__":
    main()
