#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mtlog scan, between a real log and a proxy that cosigns its checkpoints and
lies: what a search leaves out and what an envelope request withholds is found
in the leaves, refuses models, and is told to others by a signed status."""

import base64
import hashlib
import http.server
import json
import os
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))
import mtlog_test as t
import test_audit
import test_bundles as b
import test_models as m

from cryptography.hazmat.primitives import serialization

NAME = "acme/prod/m"


class Proxy:
    """The log as others see it: cosigned, and as honest as it is told to be."""

    def __init__(self, server, witness):
        self.server, self.witness = server, witness
        self.when = None         # of the cosignature; None: now
        self.hidden = set()      # S that a search does not show
        self.withheld = {}       # digest: what is answered for its envelope
        self.stall = None        # a path's beginning that gets no answer
        self.stalled = threading.Event()
        self.seen = []           # paths
        self.end = threading.Event()
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                proxy.seen.append(self.path)
                if proxy.stall and self.path.startswith(proxy.stall):
                    proxy.stalled.set()
                    proxy.end.wait(30)
                    self.close_connection = True
                    return
                status, _, data = proxy.server.call("GET", self.path)
                status, data = proxy.change(self.path, status, data)
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.handle_error = lambda *_: None  # who was killed does not read
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def cosign(self, note):
        when = int(time.time()) if self.when is None else self.when
        text = note.partition("\n\n")[0] + "\n"
        w = self.witness
        signature = w.key.sign(f"cosignature/v1\ntime {when}\n{text}".encode())
        return note + f"\u2014 {w.name} {t.b64(w.id + struct.pack('>Q', when) + signature)}\n"

    def change(self, path, status, data):
        if path == "/checkpoint":
            return status, self.cosign(data.decode()).encode()
        if path.startswith("/api/v1/envelopes/"):
            lie = self.withheld.get(path.rsplit("/", 1)[1])
            if lie:
                return lie
        if path.startswith("/api/v1/search"):
            value = json.loads(data)
            if "entries" in value:
                value["entries"] = [e for e in value["entries"] if e.get("statement") not in self.hidden]
                data = json.dumps(value).encode()
        return status, data

    def close(self):
        self.end.set()
        self.http.shutdown()
        self.http.server_close()


class World:
    def __init__(self, server):
        self.server = server
        self.dir = tempfile.mkdtemp(dir=server.root)
        self.witness = m.Witness("w1.example")
        self.proxy = Proxy(server, self.witness)
        self.parties = {n: b.Party() for n in ("ci", "alice", "eve", "watcher")}
        self.parties["big"] = b.Party("p384")
        self.state = self.dir + "/state"
        self.files = {"w": b"weights"}
        self.policies = 0

    def log(self, party, payload, signature=None):
        party = self.parties[party]
        status, _, body = b.post(self.server, party, party.bundle(payload, signature))
        if status != 201:
            raise RuntimeError(f"{status}: {body[:300]!r}")
        return json.loads(body)

    def model(self, version, name=NAME, party="ci"):
        """(S, folder) of a new release, logged and cosigned."""
        files = {"w": f"weights {version}".encode()}
        payload, _ = b.model(name, {n: hashlib.sha256(d).hexdigest() for n, d in files.items()}, version)
        bundle = self.log(party, payload)
        self.witness.cosign(bundle, self.proxy.when)
        folder = tempfile.mkdtemp(dir=self.dir)
        for n, d in files.items():
            with open(f"{folder}/{n}", "wb") as f:
                f.write(d)
        with open(folder + "/model.sig", "w") as f:
            json.dump(bundle, f)
        return b.sha256(b.pae(payload)).hex(), folder, payload, bundle

    def policy(self, fresh, head=(), signers=("ci", "alice", "big", "watcher"), rule=()):
        self.policies += 1
        path = f"{self.dir}/policy{self.policies}"
        lines = [f"log {self.server.vkey.text} {self.proxy.url}", f"witness w1 {self.witness.vkey}", "quorum w1",
                 "mtlog-policy 1", *head]
        lines += [f"signer {n} key {t.b64(self.parties[n].spki)}" for n in signers]
        lines += [f"model {NAME}", "signed-by ci big" if "big" in signers else "signed-by ci", *rule]
        lines += ["withdrawn-by alice"] if "alice" in signers else []
        lines += [f"fresh {fresh}"] if fresh else []
        with open(path, "w") as f:
            f.write("\n".join(lines) + "\n")
        os.chmod(path, 0o600)
        return path

    def scan(self, policy, *more, code=0, state=None, what="scan"):
        r = m.mtlog("scan", "--policy", policy, "--state", state or self.state, "--json", *more)
        t.check(r.returncode == code, f"{what}: exit {r.returncode}, not {code}: {r.stdout[-500:]} {r.stderr[-500:]}")
        if not r.stdout:
            return r.stderr
        report = json.loads(r.stdout)
        check_report(report, what)
        return report

    def verify(self, policy, model, *more, what, code=0, reason=None, state=True, says=()):
        words = ["--state", self.state] if state else []
        r = m.mtlog("verify", "--policy", policy, "--name", NAME, "--json", *words, *more, model)
        v = json.loads(r.stdout) if r.stdout else {"code": r.returncode, "reason": None, "message": r.stderr}
        t.check(v["code"] == code and v["reason"] == reason, f"{what}: {v['code']} {v['reason']}: {v['message']}")
        text = r.stdout
        for part in says:
            t.check(part in text, f"{what}: {part!r} is in {text!r}")
        return v


SCHEMA = t.Schema("scan")


def check_report(report, what):
    SCHEMA.check(report, what)
    t.check(report["schema"] == "mtlog-scan-report/1", f"{what}: schema")
    t.check(report["complete"] is all(x["denied"] for x in report["missing"]), f"{what}: complete")


def withdrawal(S, reason="unsafe"):
    return b.side("withdrawal", [(NAME, S)], {"reason": reason, "comment": ""})


def wait_for(what, f):
    end = time.monotonic() + 20
    while not f():
        if time.monotonic() > end:
            t.check(False, what)
            return
        time.sleep(0.02)


def honest(w):
    """Nothing is hidden: the words of the verdict, newest, superseded."""
    w.S1, w.m1, w.p1, w.b1 = w.model("1")
    policy = w.policy("24h scan")
    w.verify(policy, w.m1, what="no scan yet", code=17, reason="no-fresh-status", says=["mtlog scan"])
    report = w.scan(policy)
    t.check(report["newest"] == [{"name": NAME, "statement": w.S1, "index": report["newest"][0]["index"]}] and
            report["leaves"]["models"] == 1 and report["complete"], f"one model: {report}")
    w.verify(policy, w.m1, what="scanned", says=[f"current: proven up to size {report['size']}"])
    w.verify(policy, w.m1, what="without a state", code=17, reason="no-fresh-status", state=False)
    w.S2, w.m2, _, _ = w.model("2")
    w.verify(policy, w.m2, what="after the scan", code=17, reason="no-fresh-status",
             says=["ends before the model's entry"])
    w.scan(policy)
    w.verify(policy, w.m2, what="newest")
    fresh = w.dir + "/fresh"
    w.scan(policy, state=fresh)
    r = m.mtlog("verify", "--policy", policy, "--name", NAME, "--json", "--state", fresh, w.m1)
    t.check(json.loads(r.stdout)["reason"] == "superseded", f"superseded: {r.stdout}")
    again = w.scan(policy, "--offline")
    t.check(again["size"] == w.scan(policy)["size"], "--offline tells the same")


def relogged(w):
    """(r, n-s) of an old release is a new leaf, and makes it no newer."""
    policy = w.policy("24h scan")
    signature = base64.b64decode(w.b1["dsseEnvelope"]["signatures"][0]["sig"])
    before = w.server.checkpoint()[0]
    w.log("ci", w.p1, b.other_signature(signature))
    t.check(w.server.checkpoint()[0] == before + 1, "the old signature is a new leaf")
    report = w.scan(policy)
    t.check([n["statement"] for n in report["newest"]] == [w.S2], f"still the newest: {report['newest']}")
    w.verify(policy, w.m2, what="newest across entries that were logged again")
    S3, m3, p3, _ = w.model("3", party="big")
    report = w.scan(policy)
    t.check([n["statement"] for n in report["newest"]] == [S3], "S of a key whose digest is SHA-384")
    w.log("ci", p3)
    w.S4, w.m4, _, _ = w.model("4")
    report = w.scan(policy)
    t.check([n["statement"] for n in report["newest"]] == [w.S4], "two parties signed one statement")
    w.verify(policy, w.m4, what="newest of many")


def left_out(w):
    """A withdrawal that the log's search does not show."""
    online, scan = w.policy("24h online"), w.policy("24h scan")
    w.log("eve", withdrawal(w.S4))  # the same words, first
    w.scan(scan)
    w.verify(scan, w.m4, what="by somebody that the policy does not know")
    bundle = w.log("alice", withdrawal(w.S4))
    W = b.sha256(b.pae(withdrawal(w.S4))).hex()
    wait_for("the search shows it", lambda: W in w.server.get(
        f"/api/v1/search?subject={w.S4}&signer={w.parties['alice'].id}")[2].decode())
    w.verify(online, w.m4, "--online", what="an honest search", code=17, reason="withdrawn", state=False)
    w.proxy.hidden.add(W)
    w.verify(online, w.m4, "--online", what="a search that leaves it out", state=False, says=["(not proven)"])
    status = w.dir + "/status.sigstore.json"
    w.key = w.dir + "/watcher.pem"
    with open(w.key, "wb") as f:
        f.write(w.parties["watcher"].key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    os.chmod(w.key, 0o600)
    report = w.scan(scan, "--status-key", w.key, "--status-out", status)
    t.check(w.S4 in report["withdrawn"], f"the scan names it: {report['withdrawn']}")
    w.verify(scan, w.m4, what="the scan refuses", code=17, reason="withdrawn")
    w.verify(w.policy(None), w.m4, what="a rule that asks for nothing", code=17, reason="withdrawn")
    watched = w.policy("24h status watcher")
    w.verify(watched, w.m4, "--evidence", status, what="the status refuses elsewhere", code=17, reason="withdrawn",
             state=False)
    payload = json.loads(base64.b64decode(json.load(open(status))["dsseEnvelope"]["payload"]))
    t.check(set(payload["predicate"]) == {"log", "treeSize", "rootHash", "checked", "complete", "withdrawn", "revoked"},
            f"exactly these members: {payload}")
    t.check(payload["predicate"]["treeSize"] == report["size"] and payload["predicate"]["complete"] is True,
            f"the status's size: {payload}")
    t.check(not [p for p in w.proxy.seen if "bundles" in p], "a status is not logged")
    w.proxy.hidden.clear()
    t.check(bundle is not None, "the withdrawal is logged")


def stated(w):
    """A status: demanded offline by others, expires, and not by anybody."""
    w.S5, w.m5, _, _ = w.model("5")
    scan, watched = w.policy("24h scan"), w.policy("24h status watcher")
    status = w.dir + "/s5.sigstore.json"
    report = w.scan(scan, "--status-key", w.key, "--status-out", status)
    t.check(report["status"] == status, "the report names the status")
    w.verify(watched, w.m5, what="no status", code=17, reason="no-fresh-status", state=False)
    w.verify(watched, w.m5, "--evidence", status, what="with a status", state=False,
             says=[f"current: stated by watcher for size {report['size']}"])
    w.verify(watched, w.m2, "--evidence", status, what="not the newest", code=17, reason="superseded", state=False)
    later = m.stamp(25 * 3600)
    w.verify(watched, w.m5, "--evidence", status, "--at", later, what="the status expires", code=17,
             reason="status-expired", state=False)
    stranger = w.dir + "/stranger.pem"
    subprocess.run([m.MTLOG, "key", "new", "--type", "ecdsa-p256", "--no-passphrase", stranger],
                   capture_output=True, timeout=30)
    if not os.path.exists(stranger):
        with open(stranger, "wb") as f:
            f.write(w.parties["eve"].key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        os.chmod(stranger, 0o600)
    forged = w.dir + "/forged.sigstore.json"
    w.scan(scan, "--status-key", stranger, "--status-out", forged)
    w.verify(watched, w.m5, "--evidence", forged, what="by a stranger", code=17, reason="no-fresh-status", state=False)
    old = w.dir + "/old.sigstore.json"
    w.proxy.when = int(time.time()) - 30 * 3600
    w.scan(scan, "--status-key", w.key, "--status-out", old, state=w.dir + "/old")
    w.verify(watched, w.m5, "--evidence", old, what="a checkpoint of yesterday", code=17, reason="status-expired",
             state=False)
    r = m.mtlog("verify", "--policy", scan, "--name", NAME, "--json", "--state", w.dir + "/old", w.m5)
    t.check(json.loads(r.stdout)["reason"] == "no-fresh-status", f"the scan is as old as its checkpoint: {r.stdout}")
    w.proxy.when = None
    for words in (("--status-key", w.key), ("--status-out", status), ("--log", "other.example")):
        w.scan(scan, *words, code=2, what="usage")


def withheld(w):
    """An envelope that does not come, or is another."""
    scan, watched = w.policy("24h scan"), w.policy("24h status watcher")
    status = w.dir + "/incomplete.sigstore.json"
    secret = withdrawal(w.S5)
    W = b.sha256(b.pae(secret)).hex()
    for i, lie in enumerate(((404, b""), (200, b"{}"), (500, b""), (200, withdrawal(w.S1)))):
        w.proxy.withheld = {W: lie}
        if i == 0:
            w.log("eve", secret)  # the same words, first
            w.log("alice", secret)
        report = w.scan(scan, "--status-key", w.key, "--status-out", status, code=21, what=f"withheld {lie}")
        t.check([x["digest"] for x in report["missing"]] == [W] and not report["complete"], f"named: {report}")
        index = report["missing"][0]["index"]
        w.verify(scan, w.m5, what="incomplete", code=17, reason="no-fresh-status",
                 says=["the scan is incomplete", f"first entry {index}"])
        w.verify(watched, w.m5, "--evidence", status, what="a status that is incomplete", code=17,
                 reason="no-fresh-status", state=False, says=["incomplete"])
    denying = w.policy("24h scan", head=[f"deny statement {W}"])
    report = w.scan(denying)
    t.check([x["denied"] for x in report["missing"]] == [True], "listed, and not asked for by the policy")
    w.verify(denying, w.m5, what="what the policy denies is not missed")
    w.proxy.withheld = {}
    report = w.scan(scan)
    t.check(report["complete"] and w.S5 in report["withdrawn"], f"asked for again: {report}")
    w.verify(scan, w.m5, what="and refuses then", code=17, reason="withdrawn")
    # A plain signature has no envelope.
    w.S6, w.m6, _, _ = w.model("6")
    data = os.urandom(100)
    plain = {"hashedRekordRequestV002": {
        "digest": t.b64(hashlib.sha256(data).digest()),
        "signature": {"content": t.b64(w.parties["ci"].sign(data)),
                      "verifier": {"keyDetails": "PKIX_ECDSA_P256_SHA_256",
                                   "publicKey": {"rawBytes": t.b64(w.parties["ci"].spki)}}}}}
    t.check(w.server.post(plain)[0] == 201, "a plain signature is logged")
    digest = hashlib.sha256(data).hexdigest()
    report = w.scan(scan, code=21, what="a plain signature")
    t.check([x["digest"] for x in report["missing"]] == [digest], "it is listed")
    w.head = [f"deny statement {digest}"]
    w.scan(w.policy("24h scan", head=w.head))


def revoked(w):
    """Keys: earlier entries stay good, or do not."""
    scan = w.policy("24h scan", head=w.head)
    watched = w.policy("24h status watcher", head=w.head)
    status = w.dir + "/revoked.sigstore.json"
    key = w.parties["ci"].id

    def revocation(earlier):
        return b.side("key-revocation", [("key", key)], {"reason": "lost", "earlier": earlier})
    w.log("eve", revocation("withdraw"))
    w.log("alice", revocation("keep"))
    report = w.scan(scan, "--status-key", w.key, "--status-out", status)
    t.check(report["revoked"] == [] and w.S6 not in report["withdrawn"], f"what is earlier stays: {report}")
    w.verify(scan, w.m6, what="before the revocation")
    w.verify(watched, w.m6, "--evidence", status, what="before the revocation, by status", state=False)
    S7, m7, _, _ = w.model("7")
    report = w.scan(scan, "--status-key", w.key, "--status-out", status)
    t.check(S7 in report["withdrawn"], f"what is later is refused: {report}")
    w.verify(scan, m7, what="after the revocation", code=17, reason="key-revoked")
    w.verify(watched, m7, "--evidence", status, what="after the revocation, by status", code=17, reason="withdrawn",
             state=False)
    w.log("alice", revocation("withdraw"))
    report = w.scan(scan, "--status-key", w.key, "--status-out", status)
    t.check(report["revoked"] == [key], f"all of it: {report}")
    w.verify(scan, w.m6, what="all of it", code=17, reason="key-revoked")


def interrupted(w):
    """Killed while it reads: the next one goes on; two at once do not."""
    scan = w.policy("24h scan", head=w.head)
    whole = w.scan(scan, state=w.dir + "/whole")
    state = w.dir + "/killed"
    for stall in ("/checkpoint", "/tile/entries/", "/api/v1/envelopes/"):
        w.proxy.stall = stall
        w.proxy.stalled.clear()
        p = subprocess.Popen([m.MTLOG, "scan", "--policy", scan, "--state", state],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        t.check(w.proxy.stalled.wait(20), f"the scan is at {stall}")
        w.scan(scan, state=state, code=45, what="another scan at once")
        p.send_signal(signal.SIGKILL)
        p.communicate(timeout=20)
        w.proxy.stall = None
        r = m.mtlog("verify", "--policy", scan, "--name", NAME, "--json", "--state", state, w.m6)
        t.check(json.loads(r.stdout)["reason"] == "no-fresh-status", f"no scan was finished: {r.stdout}")
    for i in range(15):
        p = subprocess.Popen([m.MTLOG, "scan", "--policy", scan, "--state", state if i % 3 else f"{w.dir}/killed{i}"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0, 0.1))
        p.kill()
        p.wait(20)
    after = w.scan(scan, state=state)
    t.check({k: after[k] for k in ("size", "root", "newest", "withdrawn", "revoked", "leaves")} ==
            {k: whole[k] for k in ("size", "root", "newest", "withdrawn", "revoked", "leaves")},
            f"as if it had not been killed: {after} {whole}")
    # What was scanned is not read again.
    w.proxy.seen.clear()
    w.scan(scan, state=state)
    again = [p for p in w.proxy.seen if p.startswith("/tile/entries") or "envelopes" in p]
    t.check(again == ["/api/v1/envelopes/" + x["digest"] for x in whole["missing"]],
            f"nothing but what is missing is read twice: {w.proxy.seen}")
    # Another signer to watch: from the beginning.
    other = w.policy("24h scan", head=w.head, signers=("ci", "alice", "big", "watcher", "eve"))
    r = m.mtlog("verify", "--policy", other, "--name", NAME, "--json", "--state", state, w.m6)
    t.check("did not look for all signers" in r.stdout or json.loads(r.stdout)["reason"] == "key-revoked",
            f"a policy with another signer: {r.stdout}")
    report = w.scan(other, state=state)
    t.check(report["leaves"]["withdrawals"] == whole["leaves"]["withdrawals"] + 2, f"begun anew: {report}")
    for path in os.listdir(state):
        if path.startswith("scan-"):
            with open(f"{state}/{path}", "r+") as f:
                f.truncate(100)
    w.scan(other, state=state, code=40, what="a broken book")


def snapshot(folder):
    out = {}
    for at, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(at, name), "rb") as f:
                out[os.path.join(at, name)] = f.read()
    return out


def put_back(folder, files):
    """In place: the log's guard would notice another file."""
    for path in snapshot(folder):
        if path not in files:
            os.unlink(path)
    for path, data in files.items():
        with open(path, "r+b" if os.path.exists(path) else "wb") as f:
            f.truncate(0)
            f.write(data)


def forked(w):
    """Another history of the same log, signed with the same key."""
    scan = w.policy("24h scan", head=w.head)
    state = w.dir + "/fork"
    server = w.server
    server.stop()
    before = snapshot(server.dir)
    server.start()
    w.model("8")
    w.scan(scan, state=state)
    server.stop()
    after = snapshot(server.dir)
    put_back(server.dir, before)
    server.start()
    said = w.scan(scan, state=state, code=20, what="a smaller tree alone")
    t.check("has no tiles any more" in said, said)
    for i in range(3):
        party = b.Party()
        status, _, body = b.post(server, party, party.bundle(b.model(f"other/{i}", {"x": "1" * 64})[0]))
        t.check(status == 201, f"another history grows: {status} {body[:300]}")
        said = w.scan(scan, state=state, code=20, what=f"a fork {i}")
        t.check("it forked" in said, said)
    evidence = sorted(f for f in os.listdir(state) if f.endswith(".evidence"))
    t.check(len(evidence) == 3, f"evidence: {evidence}")
    server.stop()
    put_back(server.dir, after)
    server.start()
    w.scan(scan, state=state, what="the first history again")
    w.proxy.when = int(time.time()) + 3600
    w.scan(scan, state=state, code=44, what="witnesses from the future")
    w.proxy.when = None
    w.proxy.witness = m.Witness("w1.example")
    w.scan(scan, state=state, code=16, what="nobody cosigned")
    w.proxy.close()
    w.proxy.url = "http://127.0.0.1:1"  # a port that no other test gets
    w.scan(scan, state=state, code=30, what="no log")


def plain_policy(server, folder):
    """One log, no witness, one signer."""
    policy = folder + "/policy"
    with open(policy, "w") as f:
        f.write(f"log {server.vkey.text}\nquorum none\nmtlog-policy 1\n"
                f"signer ci key {t.b64(b.Party().spki)}\nmodel *\nsigned-by ci\n")
    os.chmod(policy, 0o600)
    return policy


def smaller(server):
    """A smaller tree than before, with tiles of both: an old checkpoint, or of
    another history."""
    with open(os.path.join(server.dir, "key.pem"), "rb") as f:
        key = serialization.load_pem_private_key(f.read(), None)
    folder = tempfile.mkdtemp(dir=server.root)
    entries = [b"entry %d" % i for i in range(30)]
    large = test_audit.Log(key, server.vkey, entries)
    policy = plain_policy(server, folder)
    state = folder + "/state"

    def scan(url, code):
        r = m.mtlog("scan", "--policy", policy, "--state", state, "--log-url", url)
        t.check(r.returncode == code, f"exit {r.returncode}, not {code}: {r.stdout}{r.stderr}")
        return r.stderr
    with test_audit.Proxy(large.get) as p:
        scan(p.url, 0)
        for what, begin, code, says in (("an old one", entries, 17, "an old checkpoint of the same history"),
                                        ("another's", entries[1:], 20, "it forked; the evidence is in")):
            small = test_audit.Log(key, server.vkey, begin[:20])
            p.get = lambda path: small.get(path) if small.get(path)[0] == 200 else large.get(path)
            said = scan(p.url, code)
            t.check(says in said, f"{what}: {said}")
            p.lie = lambda path, answer: "break" if path not in small.files else None
            scan(p.url, 30)
            p.lie = lambda path, answer: (500, {}, b"") if path not in small.files else None
            scan(p.url, 32)
            p.lie = None
        evidence = [n for n in os.listdir(state) if n.endswith(".evidence")]
        if t.check(len(evidence) == 1, f"{evidence}"):
            test_audit.inspected(os.path.join(state, evidence[0]), small.note, large.note)
        # A scan that has no state yet knows what mtlog log has pinned.
        p.get = large.get
        pins, fresh = state + ".pins", state + ".fresh"
        r = m.mtlog("log", "trust", server.vkey.text, p.url, "--pins", pins)
        t.check(r.returncode == 0, f"trust: {r.stderr}")
        other = test_audit.Log(key, server.vkey, entries[1:] + entries[:1])
        for get, options, code in ((other.get, ["--pins", pins], 20), (large.get, ["--pins", pins], 0), (other.get, [], 0)):
            p.get = get
            r = m.mtlog("scan", "--policy", policy, "--state", f"{fresh}{code}{len(options)}", "--log-url", p.url, *options)
            t.check(r.returncode == code, f"pinned: exit {r.returncode}, not {code}: {r.stdout}{r.stderr}")
        p.get = large.get
        scan(p.url, 0)


def slow(server):
    """A log that takes its time: what was read is not read again."""
    with open(os.path.join(server.dir, "key.pem"), "rb") as f:
        key = serialization.load_pem_private_key(f.read(), None)
    folder = tempfile.mkdtemp(dir=server.root)
    log = test_audit.Slow(key, server.vkey, [b"entry %d" % i for i in range(25600)])
    log.wait = 1
    policy = plain_policy(server, folder)
    state = folder + "/state"
    with test_audit.Proxy(log.get) as p:
        words = [m.MTLOG, "scan", "--policy", policy, "--state", state, "--log-url", p.url, "--json"]
        run = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def scanned():
            for name in os.listdir(state) if os.path.isdir(state) else []:
                if re.fullmatch("scan-[0-9a-f]*.json", name):
                    with open(f"{state}/{name}") as f:
                        return int(json.load(f)["scanned"]["size"])
            return 0
        wait_for("it is kept within seconds", lambda: scanned() > 0)
        run.kill()
        run.wait(20)
        kept = scanned()
        t.check(0 < kept < 25600, f"a part of it: {kept}")
        log.wait = 0
        p.paths.clear()
        r = m.mtlog(*words[1:])
        again = [x for x in p.paths if x.startswith("/tile/entries/")]
        t.check(r.returncode == 0 and len(again) == 100 - kept // 256, f"from there: {r} {again}")


def main():
    with t.Server() as server:
        server.init().start()
        w = World(server)
        honest(w)
        relogged(w)
        left_out(w)
        stated(w)
        withheld(w)
        revoked(w)
        interrupted(w)
        forked(w)
        smaller(server)
        slow(server)
    t.finish()


if __name__ == "__main__":
    main()
