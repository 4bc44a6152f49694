#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mtlog verify, on a real log: every refusal by a case that takes exactly one
condition from a model that is accepted; and what servers that lie achieve."""

import base64
import copy
import datetime
import fcntl
import hashlib
import http.server
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path += [HERE, os.path.join(HERE, "..", "support")]
import fulcio_tsa
import mtlog_test as t
import test_bundles as b

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature, encode_dss_signature)
from cryptography.x509.oid import ExtendedKeyUsageOID

MTLOG = os.environ.get("MTLOG", os.path.join(t.BUILD, "mtlog"))
NAME = "acme/prod/m"


SEEN = set()  # exit codes; the last check wants all of them


def mtlog(*words, cwd=None, timeout=60, program=MTLOG, **more):
    r = subprocess.run([program, *words], capture_output=True, text=True, timeout=timeout, cwd=cwd, **more)
    SEEN.add(r.returncode)
    return r


def stamp(seconds=0):
    return (datetime.datetime.utcnow() + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Witness:
    """c2sp.org/tlog-cosignature, type 04."""

    def __init__(self, name):
        self.name = name
        self.key = ed25519.Ed25519PrivateKey.generate()
        raw = b"\4" + self.key.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.id = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
        self.vkey = f"{name}+{self.id.hex()}+{t.b64(raw)}"

    def cosign(self, bundle, when=None):
        proof = bundle["verificationMaterial"]["tlogEntries"][-1]["inclusionProof"]
        note = proof["checkpoint"]["envelope"]
        when = int(time.time()) if when is None else when
        text = note.partition("\n\n")[0] + "\n"
        signature = self.key.sign(f"cosignature/v1\ntime {when}\n{text}".encode())
        line = t.b64(self.id + struct.pack(">Q", when) + signature)
        proof["checkpoint"]["envelope"] = note + f"\u2014 {self.name} {line}\n"


def log_key(name):
    """The vkey of a log that there is not."""
    raw = b"\1" + ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return f"{name}+{hashlib.sha256(name.encode() + b'%c' % 10 + raw).hexdigest()[:8]}+{t.b64(raw)}"


SCHEMA = t.Schema("verdict")


def check_verdict(v, what):
    """What the schema says, and what follows from the code."""
    SCHEMA.check(v, what)
    t.check(v["schema"] == "mtlog-verdict/1", f"{what}: schema")
    t.check(v["accepted"] is (v["code"] == 0), f"{what}: accepted only with code 0")
    t.check((v["reason"] is None) == (v["code"] == 0), f"{what}: a reason for each refusal")
    t.check(v["code"] == 0 or v["message"], f"{what}: a sentence for each refusal")


class World:
    def __init__(self, server):
        self.server = server
        self.root = server.root
        self.parties = {n: b.Party() for n in ("ci", "alice", "bob", "eve", "watcher")}
        self.ci = self.parties["ci"]
        self.witness = Witness("w1.example")
        self.files = {"config.json": b"{}\n", "sub/weights.bin": b"w" * 5000}
        self.digests = {n: hashlib.sha256(d).hexdigest() for n, d in self.files.items()}
        self.payload, self.model_root = b.model(NAME, self.digests, "1.0")
        self.S = b.sha256(b.pae(self.payload)).hex()
        self.bundle = self.log(self.ci, self.payload)
        self.index = int(self.entry(self.bundle)["logIndex"])

    @staticmethod
    def entry(bundle):
        return bundle["verificationMaterial"]["tlogEntries"][-1]

    def log(self, party, payload, signature=None):
        status, _, body = b.post(self.server, party, party.bundle(payload, signature))
        if status != 201:
            raise RuntimeError(f"{status}: {body[:300]!r}")
        return json.loads(body)

    def case(self):
        return Case(self)


class Case:
    """One model, policy and command line; what is not touched is accepted."""

    def __init__(self, w):
        self.w = w
        self.dir = tempfile.mkdtemp(dir=w.root)
        self.model = self.dir + "/m"
        for name, data in w.files.items():
            os.makedirs(os.path.dirname(f"{self.model}/{name}"), exist_ok=True)
            with open(f"{self.model}/{name}", "wb") as f:
                f.write(data)
        self.bundle = copy.deepcopy(w.bundle)
        self.logs = [f"log {w.server.vkey.text}", "quorum none"]
        self.head = []
        self.signers = [f"signer {n} key {t.b64(p.spki)}" for n, p in w.parties.items() if n != "eve"]
        self.rule = [f"model {NAME}", "signed-by ci"]
        self.evidence = []
        self.args = []
        self.name = NAME
        self.policy = self.dir + "/policy"
        self.text = None  # of the bundle, instead of it
        self.as_user = {}  # how the program is started

    def add(self, statement, party=None, logged=True, **more):
        party = self.w.parties[party]
        self.evidence.append(self.w.log(party, statement, **more) if logged else party.bundle(statement))

    def write(self):
        with open(self.policy, "w") as f:
            f.write("\n".join(self.logs + ["mtlog-policy 1"] + self.head + self.signers + self.rule) + "\n")
        os.chmod(self.policy, 0o600)
        if self.bundle is not None:
            with open(self.model + "/model.sig", "w") as f:
                f.write(self.text if self.text is not None else json.dumps(self.bundle))
        shutil.rmtree(self.model + "/.mtlog", ignore_errors=True)
        if self.evidence:
            os.mkdir(self.model + "/.mtlog")
        for i, e in enumerate(self.evidence):
            with open(f"{self.model}/.mtlog/{i}.sigstore.json", "w") as f:
                json.dump(e, f)

    def run(self, what, write=True):
        """(exit code, verdict)"""
        if write:
            self.write()
        r = mtlog("verify", "--policy", self.policy, "--name", self.name, "--json", *self.args, self.model,
                  **self.as_user)
        if not r.stdout:
            return r.returncode, {"reason": None, "message": r.stderr}
        v = json.loads(r.stdout)
        check_verdict(v, what)
        t.check(r.returncode == v["code"], f"{what}: exit code {r.returncode} and verdict {v['code']}")
        return r.returncode, v


CASES = []


def case(code, reason, setup=None):
    def add(f):
        CASES.append((f.__name__, setup, f, code, reason))
        return f
    return add


def edit(c, **changes):
    """The statement again, with other values, signed by ci and logged."""
    s = json.loads(c.w.payload)
    for path, value in changes.items():
        at, *keys = s, *path.split("__")
        for k in keys[:-1]:
            at = at[int(k) if k.isdigit() else k]
        at[keys[-1]] = value
    c.bundle = c.w.log(c.w.ci, b.dump(s))


def unlogged(c):
    c.rule.append("logged no")


# --- 10 ---

@case(10, "file-changed")
def file_changed(c):
    with open(c.model + "/config.json", "w") as f:
        f.write("{ }")


@case(10, "file-missing")
def file_missing(c):
    os.remove(c.model + "/sub/weights.bin")


@case(10, "file-unsigned")
def file_unsigned(c):
    open(c.model + "/evil.py", "w").close()


@case(10, "file-type")
def file_type(c):
    os.rename(c.model + "/config.json", c.dir + "/c")
    os.symlink(c.dir + "/c", c.model + "/config.json")


@case(10, "root-mismatch", unlogged)
def root_mismatch(c):
    s = json.loads(c.w.payload)
    s["subject"][0]["digest"]["sha256"] = "0" * 64
    c.bundle = c.w.ci.bundle(b.dump(s))


# --- 11 ---

@case(11, "signature")
def signature(c):
    e = c.bundle["dsseEnvelope"]
    e["payload"] = t.b64(base64.b64decode(e["payload"]).replace(b'"1.0"', b'"1.1"'))


@case(11, "hint-mismatch")
def hint_mismatch(c):
    c.bundle["verificationMaterial"]["publicKey"]["hint"] = "0" * 64


# --- 12 ---

@case(12, "no-bundle")
def no_bundle(c):
    os.remove(c.model + "/model.sig")
    c.bundle = None


@case(12, "malformed-bundle")
def malformed_bundle(c):
    c.text = json.dumps(c.bundle)[:-1]


@case(12, "malformed-bundle")
def two_signatures(c):
    c.bundle["dsseEnvelope"]["signatures"] *= 2


@case(12, "malformed-statement", unlogged)
def malformed_statement(c):
    c.bundle = c.w.ci.bundle(c.w.payload[:-1])


@case(12, "wrong-statement-type", unlogged)
def wrong_statement_type(c):
    c.bundle = c.w.ci.bundle(b.side("approval", [(NAME, c.w.S)], {"role": "r", "comment": ""}))


# --- 13 ---

@case(13, "no-rule")
def no_rule(c):
    c.rule[0] = "model acme/other/*"


@case(13, "wrong-name")
def wrong_name(c):
    c.name = "acme/prod/n"
    c.rule[0] = "model acme/*"


@case(13, "wrong-signer")
def wrong_signer(c):
    c.rule[1] = "signed-by alice"


@case(13, "denied")
def deny_statement(c):
    c.head.append(f"deny statement {c.w.S}")


@case(13, "denied")
def deny_file(c):
    c.head.append(f"deny file {c.w.digests['config.json']}")


@case(13, "denied")
def deny_key(c):
    c.head.append(f"deny key {c.w.ci.id}")


def approval(S, name=NAME, role="review"):
    return b.side("approval", [(name, S)], {"role": role, "comment": ""})


def approved(c):
    c.rule.append("approved-by any alice bob")
    c.add(approval(c.w.S), "alice")


@case(13, "approval-missing", approved)
def approval_missing(c):
    c.evidence.clear()


@case(13, "approval-missing", approved)
def approval_too_few(c):
    c.rule[-1] = "approved-by 2 alice bob"


@case(13, "approval-missing", approved)
def approval_not_logged(c):
    c.evidence.clear()
    c.add(approval(c.w.S), "alice", logged=False)


@case(13, "approval-missing", approved)
def approval_by_the_signer(c):
    c.rule[-1] = "approved-by any ci bob"
    c.evidence.clear()
    c.add(approval(c.w.S), "ci")


@case(13, "approval-missing", approved)
def approval_by_eve(c):
    c.evidence.clear()
    c.add(approval(c.w.S), "eve")


@case(13, "approval-missing", approved)
def approval_of_the_same_root(c):
    payload, root = b.model(NAME, c.w.digests, "0.9")
    assert root == c.w.model_root
    c.evidence.clear()
    c.add(approval(b.sha256(b.pae(payload)).hex()), "alice")


@case(13, "approval-missing", approved)
def approval_withdrawn(c):
    own = b.sha256(b.pae(approval(c.w.S))).hex()
    c.add(withdrawal(own), "alice")


def below(c, index=None, origin=t.ORIGIN):
    """The key of ci counts only below an entry's index."""
    index = c.w.index + 1 if index is None else index
    c.signers[0] = f"signer ci key {t.b64(c.w.ci.spki)} below {origin} {index}"


@case(13, "wrong-signer", below)
def not_below(c):
    below(c, c.w.index)


def another_log(c):
    c.logs.insert(1, "log " + log_key("other.example"))
    below(c)


@case(13, "wrong-signer", another_log)
def below_in_another_log(c):
    below(c, c.w.index + 1, "other.example")


def below_unlogged(c):
    below(c)
    unlogged(c)


@case(13, "wrong-signer", below_unlogged)
def below_without_entry(c):
    c.bundle["verificationMaterial"]["tlogEntries"] = []


# --- 14 ---

CA = b.authority()


def certified(c, issuer=None, **more):
    """The model under a certificate of CA, not logged: its time is now."""
    p = b.Party()
    names = [x509.UniformResourceIdentifier("https://ci.acme.example/release")]
    p.chain = [b.certify(p.key.public_key(), issuer or CA, names, **more)]
    c.party = p
    der = t.b64(CA.chain[0].public_bytes(serialization.Encoding.DER))
    c.head = [f"ca corp {der}"]
    c.signers = ["signer ci cert corp uri:https://ci.acme.example/release"]
    c.rule = [f"model {NAME}", "signed-by ci", "logged no"]
    c.bundle = p.bundle(c.w.payload)


@case(14, "chain", certified)
def chain(c):
    certified(c, b.authority())


@case(14, "expired", certified)
def expired(c):
    certified(c, lifetime=-60)


@case(14, "expired", certified)
def expired_later(c):
    c.args += ["--at", stamp(86400)]


@case(14, "not-yet-valid", certified)
def not_yet_valid(c):
    c.args += ["--at", stamp(-86400)]


def witnessed_before(c):
    """A certificate that has ended since, and witnesses who saw it in force."""
    certified(c)
    c.rule.pop()
    c.bundle = c.w.log(c.party, c.w.payload)
    witnessed(c)
    c.args += ["--at", stamp(86400)]


@case(14, "expired", witnessed_before)
def no_time_at_all(c):
    """Quorum none and no token: then nothing says when it was signed."""
    c.logs[-1] = "quorum none"


def until(c, seconds=3600):
    c.signers[0] = f"signer ci key {t.b64(c.w.ci.spki)} until {stamp(seconds)}"


@case(14, "expired", until)
def until_has_passed(c):
    until(c, -3600)


def cosigned_before_until(c):
    until(c, -3600)
    witnessed(c, -7200)


@case(14, "expired", cosigned_before_until)
def cosigned_after_until(c):
    c.bundle = copy.deepcopy(c.w.bundle)
    c.w.witness.cosign(c.bundle)


TSAS = []


def tsa(i):
    while len(TSAS) <= i:
        TSAS.append(fulcio_tsa.Tsa())
    return TSAS[i]


def stamped(c, authority=0, data=None):
    """A token over the signature, with the authority's certificate in it."""
    data = base64.b64decode(c.bundle["dsseEnvelope"]["signatures"][0]["sig"]) if data is None else data
    imprint = fulcio_tsa.der(0x30, fulcio_tsa.SHA256 + b"\x05\x00")
    imprint = fulcio_tsa.der(0x30, imprint + fulcio_tsa.der(0x04, b.sha256(data)))
    query = fulcio_tsa.der(0x30, b"\x02\x01\x01" + imprint + b"\x01\x01\xff")
    c.bundle["verificationMaterial"]["timestampVerificationData"] = {"rfc3161Timestamps": [
        {"signedTimestamp": t.b64(tsa(authority).answer(query, "application/timestamp-query"))}]}


def stamped_before(c):
    """A certificate that has ended since, and a token from when it was valid."""
    certified(c)
    der = tsa(0).root.certificate.public_bytes(serialization.Encoding.DER)
    c.head.append(f"ca tsa {t.b64(der)}")
    stamped(c)
    c.args += ["--at", stamp(86400)]


@case(14, "expired", stamped_before)
def no_token(c):
    del c.bundle["verificationMaterial"]["timestampVerificationData"]


@case(14, "expired", stamped_before)
def token_of_another_authority(c):
    """Nobody named it: it says nothing."""
    stamped(c, 1)


@case(14, "timestamp", stamped_before)
def token_over_other_bytes(c):
    stamped(c, 0, b"other bytes")


@case(14, "timestamp", stamped_before)
def token_with_a_wrong_bit(c):
    one = c.bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"][0]
    raw = bytearray(base64.b64decode(one["signedTimestamp"]))
    raw[-1] ^= 1
    one["signedTimestamp"] = t.b64(bytes(raw))


@case(14, "key-usage", certified)
def key_usage(c):
    certified(c, usage=ExtendedKeyUsageOID.SERVER_AUTH)


@case(14, "timestamp", certified)
def timestamp(c):
    c.bundle["verificationMaterial"]["timestampVerificationData"] = {
        "rfc3161Timestamps": [{"signedTimestamp": t.b64(b"0\x03\x02\x01\x00")}]}


# --- 15, 16 ---

@case(15, "no-entry")
def no_entry(c):
    c.bundle["verificationMaterial"]["tlogEntries"] = []


@case(15, "wrong-entry")
def wrong_entry(c):
    other = c.w.log(c.w.ci, b.model("acme/prod/other", c.w.digests)[0])
    c.bundle["verificationMaterial"]["tlogEntries"] = other["verificationMaterial"]["tlogEntries"]


@case(15, "inclusion")
def inclusion(c):
    again = c.w.log(c.w.ci, b.model(NAME, c.w.digests, "7")[0])
    c.bundle = again
    p = c.w.entry(again)["inclusionProof"]
    p["hashes"][0] = t.b64(b"\1" * 32)


@case(16, "unknown-log")
def unknown_log(c):
    c.logs[0] = "log " + log_key("other.example")


@case(16, "log-signature")
def log_signature(c):
    p = c.w.entry(c.bundle)["inclusionProof"]["checkpoint"]
    head, _, sig = p["envelope"].rstrip("\n").rpartition(" ")
    raw = bytearray(base64.b64decode(sig))
    raw[-1] ^= 1
    p["envelope"] = f"{head} {t.b64(bytes(raw))}\n"


def witnessed(c, seconds=0):
    c.logs = [c.logs[0], f"witness w1 {c.w.witness.vkey}", "quorum w1"]
    c.w.witness.cosign(c.bundle, int(time.time()) + seconds)


@case(16, "quorum", witnessed)
def quorum(c):
    c.bundle = copy.deepcopy(c.w.bundle)


@case(16, "quorum", witnessed)
def quorum_of_another_key(c):
    c.bundle = copy.deepcopy(c.w.bundle)
    Witness("w1.example").cosign(c.bundle)


@case(44, "clock", witnessed)
def clock(c):
    c.bundle = copy.deepcopy(c.w.bundle)
    c.w.witness.cosign(c.bundle, int(time.time()) + 3600)


# --- 17 ---

def withdrawal(S, reason="unsafe"):
    return b.side("withdrawal", [(NAME, S)], {"reason": reason, "comment": "found"})


def revocation(key, earlier):
    return b.side("key-revocation", [("key", key)], {"reason": "compromised", "earlier": earlier})


def unrelated(c):
    c.add(withdrawal("1" * 64), "ci")
    c.add(withdrawal(c.w.S), "eve")


@case(17, "withdrawn", unrelated)
def withdrawn(c):
    c.add(withdrawal(c.w.S), "ci")


@case(17, "withdrawn", unrelated)
def withdrawn_unlogged(c):
    c.add(withdrawal(c.w.S), "ci", logged=False)


@case(17, "withdrawn", lambda c: c.rule.append("withdrawn-by watcher"))
def withdrawn_by_a_watcher(c):
    c.add(withdrawal(c.w.S), "watcher")


@case(17, "key-revoked", lambda c: c.add(revocation(c.w.ci.id, "keep"), "ci"))
def key_revoked_all(c):
    c.evidence.clear()
    c.add(revocation(c.w.ci.id, "withdraw"), "ci")


@case(17, "key-revoked", lambda c: c.add(revocation(c.w.ci.id, "keep"), "ci"))
def key_revoked_before(c):
    c.bundle = c.w.log(c.w.ci, b.model(NAME, c.w.digests, "later")[0])


@case(17, "key-revoked", lambda c: c.add(revocation(c.w.ci.id, "keep"), "ci"))
def key_revoked_unlogged(c):
    c.evidence.clear()
    c.add(revocation(c.w.ci.id, "keep"), "ci", logged=False)


def status(c, age=600, by="watcher", **more):
    s = {"log": t.ORIGIN, "treeSize": "48300", "rootHash": t.b64(b"\2" * 32), "checked": stamp(-age),
         "complete": True, "withdrawn": [], "revoked": []}
    subject = more.pop("subject", c.w.S)
    s.update(more)
    c.evidence[:] = [c.w.parties[by].bundle(b.side("status", [(NAME, subject)], s))]


def fresh(c):
    c.rule.append("fresh 24h status watcher")
    status(c)


@case(17, "no-fresh-status", fresh)
def no_status(c):
    c.evidence.clear()


@case(17, "no-fresh-status", fresh)
def status_by_another(c):
    status(c, by="alice")


@case(17, "no-fresh-status", fresh)
def status_incomplete(c):
    status(c, complete=False)


@case(17, "no-fresh-status", fresh)
def status_of_another_log(c):
    status(c, log="other.example")


@case(17, "status-expired", fresh)
def status_expired(c):
    status(c, age=25 * 3600)


@case(17, "superseded", fresh)
def superseded(c):
    status(c, subject="3" * 64)


@case(17, "withdrawn", fresh)
def status_withdraws(c):
    status(c, withdrawn=[c.w.S])


@case(17, "key-revoked", fresh)
def status_revokes(c):
    status(c, revoked=[c.w.ci.id])


def newer_in_state(c):
    old = c.bundle
    c.args += ["--state", c.dir + "/state"]
    c.bundle = c.w.log(c.w.ci, b.model(NAME, c.w.digests, "2.0")[0])
    c.old = old


@case(17, "rollback", newer_in_state)
def rollback(c):
    c.bundle = c.old


def remembered(c):
    c.args += ["--state", c.dir + "/state"]


@case(20, "inconsistent", remembered)
def inconsistent(c):
    """The log signs two trees of the same size."""
    fork = c.w.log(c.w.ci, b.model(NAME, c.w.digests, "fork")[0])
    e = c.w.entry(fork)
    root = t.leaf_hash(base64.b64decode(e["canonicalizedBody"]))
    text = f"{t.ORIGIN}\n1\n{t.b64(root)}\n"
    with open(c.w.server.dir + "/key.pem", "rb") as f:
        key = serialization.load_pem_private_key(f.read(), None)
    line = t.b64(bytes.fromhex(c.w.server.vkey.id) + key.sign(text.encode()))
    e["logIndex"] = "0"
    e["inclusionProof"] = {"logIndex": "0", "treeSize": "1", "rootHash": t.b64(root), "hashes": [],
                           "checkpoint": {"envelope": f"{text}\n\u2014 {t.ORIGIN} {line}\n"}}
    c.bundle = fork


# --- 4x, 30, 2 ---

@case(40, "missing")
def model_missing(c):
    c.model += "-not"
    c.write = lambda: None


@case(44, "policy-expired", lambda c: c.head.append("expires " + stamp(3600)))
def policy_expired(c):
    c.head[-1] = "expires " + stamp(-3600)


def serial_in_state(c):
    c.head.append("serial 7")
    c.args += ["--state", c.dir + "/state"]


@case(44, "policy-rollback", serial_in_state)
def policy_rollback(c):
    c.head[-1] = "serial 6"


@case(30, "network")
def network(c):
    c.args += ["--online", "--log-url", "http://127.0.0.1:1", "--timeout", "2000"]


def refusals(w):
    for name, setup, remove, code, reason in CASES:
        c = w.case()
        if setup:
            setup(c)
        got, v = c.run(f"{name}, base")
        if not t.check(got == 0, f"{name}: the base case is accepted: {got} {v['reason']} {v['message']}"):
            continue
        remove(c)
        if c.bundle is not None or name == "no_bundle":
            got, v = c.run(name)
        t.check((got, v["reason"]) == (code, reason),
                f"{name}: {code} {reason}, not {got} {v['reason']}: {v['message']}")


def locked(w):
    c = w.case()
    remembered(c)
    t.check(c.run("locked, base")[0] == 0, "locked: the base case is accepted")
    with open(c.dir + "/state/lock", "r+") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        code, v = c.run("locked")
    t.check((code, v["reason"]) == (45, "locked"), f"locked: {code} {v['reason']}")


def without_permission(w):
    """40: root reads everything, so root's child is somebody else."""
    c = w.case()
    c.write()
    program = shutil.copy(MTLOG, c.dir + "/mtlog")
    for path in (w.root, c.dir, c.model, c.policy, program):
        os.chmod(path, 0o755)
    c.as_user = {"program": program}
    if os.geteuid() == 0:
        c.as_user |= {"user": 65534, "group": 65534, "extra_groups": []}
    try:
        code, v = c.run("permission, base", write=False)
    except PermissionError as e:
        print(f"SKIP a file without read permission: nobody else can run the program: {e}", flush=True)
        return
    t.check(code == 0, f"permission: the base case is accepted: {code} {v['message']}")
    for path, mode in ((c.model + "/sub/weights.bin", 0o644), (c.model + "/sub", 0o755), (c.model, 0o755),
                       (c.model + "/model.sig", 0o644), (c.policy, 0o644)):
        os.chmod(path, 0)
        code, v = c.run("permission", write=False)
        os.chmod(path, mode)
        # A policy that cannot be read ends before there is a verdict.
        t.check(code == 40 and (v["reason"] == "permission" or path == c.policy and "ermission" in v["message"]),
                f"permission: {path}: {code} {v['reason']} {v['message']}")
    t.check(c.run("permission, again", write=False)[0] == 0, "permission: accepted again")


def opened(pid, path):
    """Whether a process has this file open."""
    try:
        return any(os.readlink(f"/proc/{pid}/fd/{n}") == path for n in os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return False


def changed_while_read(w):
    """10: while the program hashes a file it is stopped, the file is cut, and
    it goes on. It reads holes, hundreds of megabytes of them; where it was done
    all the same when it stopped, and so had seen the file as it was signed, it
    is tried again."""
    size = 1 << 29
    c = w.case()
    path = os.path.realpath(c.model) + "/sub/holes"
    with open(path, "wb") as f:
        f.truncate(size)
    zeros, h = bytes(1 << 20), hashlib.sha256()
    for _ in range(size >> 20):
        h.update(zeros)
    c.rule.append("logged no")
    c.bundle = w.ci.bundle(b.model(NAME, {**w.digests, "sub/holes": h.hexdigest()}, "1.0")[0])
    t.check(c.run("changed while read, base")[0] == 0, "changed while read: the base case is accepted")
    for _ in range(20):
        os.truncate(path, size)
        p = subprocess.Popen([MTLOG, "verify", "--policy", c.policy, "--name", NAME, "--json", c.model],
                             stdout=subprocess.PIPE, text=True)
        while p.poll() is None and not opened(p.pid, path):
            pass
        p.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, p.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        os.truncate(path, 1 << 20)
        p.send_signal(signal.SIGCONT)
        v = json.loads(p.communicate(timeout=60)[0])
        check_verdict(v, "changed while read")
        if v["code"] != 0:
            break
    t.check((p.returncode, v["reason"]) == (10, "changed-while-read"),
            f"changed while read: {p.returncode} {v['reason']} {v['message']}")


# What only a loader meets: its own stop, and files that cannot be held.
LOADER = """
import ctypes, sys
library, policy, name, model, what = sys.argv[1:]
c = ctypes.CDLL(library)
for f in ("policy_read", "options_new", "model_open", "verdict_reason"):
    getattr(c, "mtlog_" + f).restype = ctypes.c_void_p
v = ctypes.c_void_p()
p = ctypes.c_void_p(c.mtlog_policy_read(policy.encode(), None, ctypes.byref(v)))
o = ctypes.c_void_p(c.mtlog_options_new(name.encode(), None))
stop = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint64, ctypes.c_uint64)(
    lambda *_: 1)
if what == "stop":
    c.mtlog_option_progress(o, stop, None)
if what == "copy":  # MTLOG_HOLD, MTLOG_COPY_MAX
    c.mtlog_option_number(o, 20, ctypes.c_int64(4))
    c.mtlog_option_number(o, 21, ctypes.c_int64(1))
v = ctypes.c_void_p()
m = c.mtlog_model_open(model.encode(), p, o, ctypes.byref(v))
print(m is not None, c.mtlog_verdict_code(v), ctypes.string_at(c.mtlog_verdict_reason(v)).decode())
"""


def loaders(w):
    """1 and 42, through the library as a loader in another language has it."""
    library = os.path.join(os.path.abspath(t.BUILD), "libmtlog.so.1")
    c = w.case()
    c.rule.append("hold open")
    c.write()
    for what, want in (("nothing", "True 0"), ("stop", "False 1 cancelled"), ("copy", "False 42 hold-unavailable")):
        r = subprocess.run([sys.executable, "-c", LOADER, library, c.policy, NAME, c.model, what],
                           capture_output=True, text=True, timeout=60)
        if "ASan runtime does not come first" in r.stderr:
            print("SKIP the library in Python: it has a sanitizer, and Python has none", flush=True)
            SEEN.update((1, 42))
            return
        t.check(r.stdout.strip() == want, f"loader, {what}: {r.stdout} {r.stderr}")
        if r.stdout:
            SEEN.add(int(r.stdout.split()[1]))


def answers(w):
    """3x, 21, 41 and 43: what a log or a key file can say, each with its code."""
    liar = Liar(w.server)
    c = w.case()
    c.args = ["--online", "--log-url", liar.url, "--timeout", "1500"]
    t.check(c.run("answers, base")[0] == 0, "answers: the base case is accepted")

    def hit(**more):
        return only("/search", lambda *_: (200, json.dumps({"next": None, "entries": [{
            "logIndex": "0", "statement": "0" * 64, "type": "https://mtlog/withdrawal/v1", **more}]}).encode()))
    for lie, code, reason in ((only("/checkpoint", lambda *_: (503, b"{}")), 31, "throttled"),
                              (only("/checkpoint", lambda *_: (500, b"{}")), 32, "server-error"),
                              (only("/checkpoint", lambda *_: (403, b"{}")), 43, "rejected"),
                              (hit(), 21, "search-hit"), (hit(canonicalizedBody=t.b64(b"{}")), 21, "search-hit")):
        liar.lie = lie
        got, v = c.run(reason)
        t.check((got, v["reason"]) == (code, reason), f"answers: {code} {reason}, not {got} {v['reason']}: {v['message']}")
    liar.close()
    r = mtlog("sign", "--key", c.dir + "/none", c.model)
    t.check(r.returncode == 41, f"no such key: {r.returncode} {r.stderr}")


# 18 and 19 are reserved; `monitor` says 22 and 23, a log with witnesses 33.
NOT_YET = {18, 19, 22, 23, 33}


def every_code():
    text = mtlog("help", "exit-codes").stdout
    codes = {int(n) for n in re.findall(r"^ *(\d+) ", text, re.M)}
    t.check(len(codes) >= 25, f"the list of exit codes: {sorted(codes)}")
    for code in sorted(codes - SEEN - NOT_YET):
        t.check(False, f"no case ends with exit code {code}")
    t.check(not SEEN & NOT_YET, f"no longer impossible: {SEEN & NOT_YET}")
    t.check(SEEN <= codes, f"in no list: {SEEN - codes}")


def usage(w):
    c = w.case()
    t.check(c.run("usage, base")[0] == 0, "usage: the base case is accepted")
    for flags in (["--key", "x"], ["--ca", "x"], ["--identity", "x"], ["--any-identity"], ["--logged=off"],
                  ["--ignore", "x"], ["--ignore-unsigned-files"], ["--log", "x"], ["--issuer", "x"],
                  ["--logged=maybe"], ["--policy-sha256", "0" * 64]):
        c.args = flags
        code, v = c.run(f"usage {flags}")
        t.check(code == 2, f"usage: {flags} with --policy: {code} {v['message']}")
    c.args = []
    c.write()
    for mode in (0o620, 0o602):
        os.chmod(c.policy, mode)
        code, v = c.run("policy others may write", write=False)
        t.check(code in (2, 40), f"usage: a policy of mode {mode:o}: {code} {v['message']}")


def words(w):
    """The promised words about freshness, to the letter."""
    c = w.case()
    fresh(c)
    status(c, age=3 * 3600)
    c.write()
    r = mtlog("verify", "--policy", c.policy, "--name", NAME, c.model)
    t.check(r.returncode == 0 and "current: stated by watcher for size 48300, 3 h old" in r.stdout,
            f"words of a status: {r.stdout} {r.stderr}")
    c = w.case()
    c.args = ["--online", "--log-url", f"http://127.0.0.1:{w.server.port}"]
    witness_free = c.run("online")
    t.check(witness_free[0] == 0, f"--online: {witness_free}")
    c.write()
    r = mtlog("verify", "--policy", c.policy, "--name", NAME, *c.args, c.model)
    t.check("(not proven)" in r.stdout and f"no withdrawal shown by {t.ORIGIN}" in r.stdout,
            f"words of --online: {r.stdout} {r.stderr}")


def malleable(w):
    """Anyone can log an old signature again as (r, n - s)."""
    r, s = decode_dss_signature(base64.b64decode(w.bundle["dsseEnvelope"]["signatures"][0]["sig"]))
    twin = w.log(w.ci, w.payload, encode_dss_signature(r, b.ORDER_P256 - s))
    t.check(int(w.entry(twin)["logIndex"]) != w.index, "the twin is another leaf")
    c = w.case()
    t.check(c.run("after the twin")[0] == 0, "the twin changes nothing")
    c.bundle = twin
    code, v = c.run("the twin itself")
    t.check(code == 0 and v["statement"] == w.S, f"the twin has the same S: {code} {v['message']}")


# --- a log that lies ---------------------------------------------------------

TIMEOUT_MS = 3000


class Liar:
    """Passes everything on to a log; what `lie` gives for a path replaces the
    answer: (status, body), or a function that writes to the connection."""

    def __init__(self, server):
        liar = self
        self.lie = lambda method, path, status, body: None
        self.end = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self):
                n = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(n) if n else None
                keep = {k: v for k, v in self.headers.items() if k.lower() in ("content-type", "mtlog-public-key")}
                status, _, data = server.call(self.command, self.path, body, keep)
                lie = liar.lie(self.command, self.path, status, data)
                if callable(lie):
                    self.close_connection = True
                    try:
                        lie(self)
                    except OSError:
                        pass
                    return
                status, data = lie or (status, data)
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", f"http://127.0.0.1:{server.port}{self.path}")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = answer

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def endless(self, h):
        h.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b" " * 65536
        while not self.end.is_set():
            h.wfile.write(b"10000\r\n" + chunk + b"\r\n")

    def stall(self, h):
        self.end.wait(30)

    def drip(self, h):
        h.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not self.end.wait(0.2):
            h.wfile.write(b" ")

    def close(self):
        self.end.set()
        self.http.shutdown()
        self.http.server_close()


def changed(body, change):
    value = json.loads(body)
    change(value["verificationMaterial"]["tlogEntries"][-1], value)
    return json.dumps(value).encode()


def wrong_hash(e, _):
    e["inclusionProof"]["hashes"][0] = t.b64(b"\1" * 32)


def wrong_log(e, _):
    c = e["inclusionProof"]["checkpoint"]
    c["envelope"] = c["envelope"].replace(t.ORIGIN, "other.example")


def transport(liar):
    """What can be wrong with any answer."""
    return {
        "endless body": lambda *_: liar.endless,
        "redirect": lambda *_: (302, b""),
        "stall": lambda *_: liar.stall,
        "slow drip": lambda *_: liar.drip,
        "garbage": lambda *_: (200, os.urandom(500)),
        "nothing": lambda *_: (200, b""),
        "wrong JSON": lambda *_: (200, b"[]"),
    }


def only(word, lie):
    return lambda method, path, status, body: lie(method, path, status, body) if word in path else None


def within(what, *words):
    began = time.monotonic()
    r = mtlog(*words)
    took = time.monotonic() - began
    t.check(took < TIMEOUT_MS / 1000 + 3, f"{what}: over after {took:.1f} s")
    return r


def lies_to_publishers(w):
    liar = Liar(w.server)
    folder = tempfile.mkdtemp(dir=w.root)
    key = folder + "/key"
    mtlog("key", "new", "--out", key)
    old = w.entry(w.bundle)

    def smaller(e, _):
        e["inclusionProof"] = old["inclusionProof"]

    def other_entry(_, value):
        value["verificationMaterial"]["tlogEntries"] = [old]

    def post(change):
        return only("/bundles", lambda m, p, s, body: (s, changed(body, change)))

    lies = {n: only("/bundles", f) for n, f in transport(liar).items()}
    lies |= {f"envelope: {n}": only("/envelopes/", f) for n, f in transport(liar).items()}
    lies |= {
        "wrong proof": post(wrong_hash), "another log": post(wrong_log), "smaller tree": post(smaller),
        "another entry": post(other_entry), "no entry": post(lambda _, v: v["verificationMaterial"].pop("tlogEntries")),
        "another bundle": only("/bundles", lambda *_: (201, json.dumps(w.bundle).encode())),
        "another envelope": only("/envelopes/", lambda *_: w.server.get("/api/v1/envelopes/" + w.S)[::2]),
    }
    options = ["--log", liar.url, "--vkey", w.server.vkey.text, "--timeout", str(TIMEOUT_MS), "--yes"]
    lies["none"] = lambda *_: None
    for i, (what, lie) in enumerate(lies.items()):
        model = f"{folder}/m{i}"
        os.mkdir(model)
        with open(model + "/w", "w") as f:
            f.write(what)
        liar.lie = lie
        r = within(f"publish, {what}", "publish", "--key", key, *options, model)
        good = what == "none"
        t.check((r.returncode == 0) == good, f"publish, {what}: {r.returncode} {r.stdout} {r.stderr}")
        t.check(os.listdir(model) == ["w"] or good, f"publish, {what}: leaves {os.listdir(model)}")
        mtlog("sign", "--key", key, model)
        with open(model + "/model.sig", "rb") as f:
            before = f.read()
        r = within(f"submit, {what}", "submit", "--key", key + ".pub", *options, model + "/model.sig")
        t.check((r.returncode == 0) == good, f"submit, {what}: {r.returncode} {r.stdout} {r.stderr}")
        with open(model + "/model.sig", "rb") as f:
            t.check(f.read() == before or good, f"submit, {what}: the bundle is as it was")
        t.check(sorted(os.listdir(model)) == ["model.sig", "w"], f"submit, {what}: leaves {os.listdir(model)}")
    liar.close()


def lies_to_verifiers(w):
    liar = Liar(w.server)
    party = b.Party()
    w.parties["ci"], mine = party, w.ci
    w.ci = party
    c = w.case()
    w.parties["ci"] = w.ci = mine
    c.bundle = w.log(party, c.w.payload)
    size = int(w.entry(c.bundle)["inclusionProof"]["treeSize"])
    c.args = ["--online", "--log-url", liar.url, "--timeout", str(TIMEOUT_MS)]
    t.check(c.run("online, no lie")[0] == 0, "online: the base case is accepted")
    old = w.entry(w.bundle)["inclusionProof"]["checkpoint"]["envelope"].encode()
    w.log(party, b.model(NAME, w.digests, "newer")[0])
    wrong_proof = lambda m, p, s, body: (200, json.dumps({"hashes": [t.b64(b"\1" * 32)]}).encode())
    any_of = lambda f, *words: (lambda method, path, *more: f(method, path, *more) if any(x in path for x in words) else None)
    lies = {f"{word}: {n}": only(word, f) for word in ("/checkpoint", "/search") for n, f in transport(liar).items()}
    lies["smaller tree"] = only("/checkpoint", lambda *_: (200, old))
    proofs = transport(liar) | {"wrong proof": wrong_proof}
    # Where the log gives no proof that holds, its tiles do, unless they are lies, too.
    lies |= {f"proof and tiles: {n}": any_of(f, "/consistency/", "/tile/") for n, f in proofs.items()}
    alone = {f"proof alone: {n}": only("/consistency/", f) for n, f in proofs.items()}
    for what, lie in (lies | alone).items():
        liar.lie = lie
        began = time.monotonic()
        code, v = c.run(f"online, {what}")
        if what in alone:
            t.check(code in ((30,) if "stall" in what or "drip" in what else (0,)), f"online, {what}: {code}")
        else:
            t.check(code not in (0, 20), f"online, {what}: refused, and nobody is accused ({size}): {code}")
        t.check(time.monotonic() - began < TIMEOUT_MS / 1000 + 3, f"online, {what}: in time")
    liar.lie = lambda *_: None
    t.check(c.run("online, no lie")[0] == 0, "online: accepted again")
    w.log(party, withdrawal(w.S))
    code, v = c.run("online, withdrawn")
    t.check((code, v["reason"]) == (17, "withdrawn"), f"online: what the log shows counts: {code} {v['reason']}")
    for i in range(70):
        w.log(w.parties["eve"], b.side("withdrawal", [(NAME, w.S)], {"reason": "other", "comment": str(i)}))
    code, v = c.run("online, crowded")
    t.check((code, v["reason"]) == (17, "withdrawn"), f"online: others do not crowd it out: {code} {v['reason']}")
    liar.lie = only("/search", lambda *_: (200, b'{"entries":[],"next":null}'))
    c.write()
    r = mtlog("verify", "--policy", c.policy, "--name", NAME, *c.args, c.model)
    t.check(r.returncode == 0 and "(not proven)" in r.stdout,
            f"a withdrawal left out: not noticed, and not claimed: {r.returncode} {r.stdout}")
    code, v = c.run("online, left out")
    t.check(code == 0 and v["current"]["proven"] == "shown", f"nor in the verdict: {v['current']}")
    liar.close()


def statements(w):
    """approve, withdraw and revoke-key as commands."""
    d = tempfile.mkdtemp(dir=w.root)
    log = ["--log", f"http://127.0.0.1:{w.server.port}", "--vkey", w.server.vkey.text, "--yes"]
    for k in ("ci", "alice", "bob"):
        mtlog("key", "new", "--out", f"{d}/{k}")
    model = d + "/m"
    os.mkdir(model)
    with open(model + "/w", "w") as f:
        f.write("weights")

    def run(what, code, *words):
        r = mtlog(*words, cwd=d)
        t.check(r.returncode == code, f"{what}: {r.returncode}, not {code}: {r.stdout} {r.stderr}")
        return r

    def pub(k):
        with open(f"{d}/{k}.pub", "rb") as f:
            key = serialization.load_pem_public_key(f.read())
        return t.b64(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))

    def by(name):
        """Whose statement it is."""
        with open(f"{model}/.mtlog/{name}") as f:
            hint = json.load(f)["verificationMaterial"]["publicKey"]["hint"]
        for k in ("ci", "alice", "bob"):
            with open(f"{d}/{k}.pub", "rb") as f:
                if hashlib.sha256(f.read()).hexdigest() == hint:
                    return k
        return None

    policy = d + "/p"
    with open(policy, "w") as f:
        f.write(f"log {w.server.vkey.text}\nquorum none\nmtlog-policy 1\n"
                + "".join(f"signer {k} key {pub(k)}\n" for k in ("ci", "alice", "bob"))
                + "model acme/*\nsigned-by ci\napproved-by 2 alice bob\n")
    os.chmod(policy, 0o600)
    verify = ["verify", "--policy", policy, "--name", "acme/s", "--json", model]
    run("publish", 0, "publish", "--key", d + "/ci", "--name", "acme/s", *log, model)
    run("no approval", 13, *verify)
    run("approve blindly", 2, "approve", "--key", d + "/alice", *log, model)
    run("approve another's model", 11, "approve", "--key", d + "/alice", "--signer", d + "/bob.pub", *log, model)
    run("approve", 0, "approve", "--key", d + "/alice", "--policy", policy, "--role", "r", *log, model)
    run("one approval", 13, *verify)
    run("approve the same", 0, "approve", "--key", d + "/bob", "--signer", d + "/ci.pub", "--role", "r", *log, model)
    t.check(len(os.listdir(model + "/.mtlog")) == 2, "the second approval does not replace the first")
    payloads = []
    for name in os.listdir(model + "/.mtlog"):
        with open(f"{model}/.mtlog/{name}") as f:
            payloads.append(base64.b64decode(json.load(f)["dsseEnvelope"]["payload"]))
    t.check(payloads[0] != payloads[1], "two who approve alike make two statements")
    keys = {f"[key {hashlib.sha256(base64.b64decode(pub(k))).hexdigest()[:16]}]" for k in ("alice", "bob")}
    t.check({json.loads(p)["predicate"]["comment"] for p in payloads} == keys, f"each with its key: {payloads}")
    v = json.loads(run("two approvals", 0, *verify).stdout)
    with open(model + "/w", "a") as f:
        f.write("!")
    run("approve what changed", 10, "approve", "--key", d + "/bob", "--policy", policy, *log, model)
    os.truncate(model + "/w", len("weights"))
    first = [n for n in os.listdir(model + "/.mtlog") if by(n) == "alice"][0]
    run("a long comment", 2, "approve", "--key", d + "/bob", "--policy", policy, "--comment", "x" * 980, *log, model)
    run("a reason that is none", 2, "withdraw", "--key", d + "/ci", "--reason", "boredom", *log, model)
    run("nobody to ask", 2, "withdraw", "--key", d + "/ci", "--reason", "other", *log[:-1], model)
    t.check(len(os.listdir(model + "/.mtlog")) == 2, "nothing was written")
    run("withdraw an approval", 0, "withdraw", "--key", d + "/alice", "--reason", "mistake", *log,
        f"{model}/.mtlog/{first}")
    run("approval withdrawn", 13, *verify)
    with open(policy) as f:
        text = f.read()
    with open(policy, "w") as f:
        f.write(text.replace("approved-by 2", "approved-by 1"))
    run("the other's stays", 0, *verify)
    with open(policy, "w") as f:
        f.write(text)
    run("withdraw by S", 0, "withdraw", "--key", d + "/ci", "--reason", "unsafe", "--output", d + "/o", *log,
        v["statement"], v["statement"])
    run("withdrawn", 17, *verify, "--evidence", d + "/o")
    run("withdraw", 0, "withdraw", "--key", d + "/ci", "--reason", "unsafe", *log, model)
    run("withdrawn beside it", 17, *verify)
    run("revoke what is lost", 0, "revoke-key", "--bundle", d + "/bob.revoke", "--output", d + "/o", *log)
    run("revoke again with a reason", 2, "revoke-key", "--bundle", d + "/bob.revoke", "--reason", "lost", *log)
    run("revoke", 0, "revoke-key", "--key", d + "/alice", "--reason", "retired", "--earlier", "withdraw",
        "--output", d + "/o", *log)
    run("unsound", 2, "revoke-key", "--key", d + "/alice", "--reason", "retired", "--earlier", "perhaps", *log)


OPENSSL_CONF = """openssl_conf = all
config_diagnostics = 1
[all]
providers = some
[some]
one = module
[module]
module = %s/module.so
activate = 1
"""


def no_configuration(w):
    """A verifier loads nothing that its environment names; what asks by TLS heeds the system's configuration."""
    c = w.case()
    config = c.dir + "/openssl.cnf"
    with open(config, "w") as f:
        f.write(OPENSSL_CONF % c.dir)
    c.as_user["env"] = {**os.environ, "OPENSSL_CONF": config}
    code, v = c.run("with OpenSSL's configuration")
    t.check(code == 0, f"it is not read: {v}")
    c.args = ["--online"]
    t.check(c.run("online")[0] != 0, "online it is, and the module is not there")


def main():
    with t.Server() as server:
        server.init().start()
        w = World(server)
        words(w)
        malleable(w)
        answers(w)
        lies_to_verifiers(w)
        lies_to_publishers(w)
        statements(w)
        refusals(w)
        usage(w)
        locked(w)
        without_permission(w)
        changed_while_read(w)
        loaders(w)
        no_configuration(w)
    every_code()
    t.finish()


if __name__ == "__main__":
    main()
