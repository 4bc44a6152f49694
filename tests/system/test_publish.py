#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""mtlog publish and submit, of what becomes public: what they ask and say,
that repeating adds nothing, what is too large to be kept, and entries without
an envelope."""

import base64
import hashlib
import json
import os
import pty
import subprocess
import tempfile

import mtlog_test as t
import test_bundles as b

MTLOG = os.environ.get("MTLOG", os.path.join(t.BUILD, "mtlog"))


def mtlog(*words, want=0, what=None):
    r = subprocess.run([MTLOG, *words], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    t.check(r.returncode == want, f"{what or ' '.join(words)}: {r.returncode}, not {want}: {r.stdout} {r.stderr}")
    return r


def ask(answer, *words):
    """(exit code, all that was said), on a terminal where somebody answers."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(MTLOG, [MTLOG, *words])
    said, answered = b"", False
    while True:
        try:
            more = os.read(terminal, 4096)
        except OSError:
            break
        if not more:
            break
        said += more
        if not answered and b"[y/N]" in said:
            os.write(terminal, answer + b"\n")
            answered = True
    os.close(terminal)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code, said.decode(), answered


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def S(path):
    return b.sha256(b.pae(base64.b64decode(json.loads(read(path))["dsseEnvelope"]["payload"]))).hex()


class Place:
    def __init__(self, server):
        self.server = server
        self.dir = tempfile.mkdtemp(dir=server.root)
        self.key = self.path("key")
        mtlog("key", "new", "--out", self.key)
        self.log = ["--log", f"http://127.0.0.1:{server.port}", "--vkey", server.vkey.text]

    def path(self, name):
        return os.path.join(self.dir, name)

    def model(self, name, files=1):
        for i in range(files):
            write(self.path(f"{name}/{i:05d}"), b"%s %d" % (name.encode(), i))
        return self.path(name)

    def publish(self, model, *more, key=None, **options):
        return mtlog("publish", "--key", key or self.key, *self.log, "--yes", *more, model, **options)

    def size(self):
        return self.server.checkpoint()[0]


def repeated(p):
    """The same statement by the same key in the same log is one entry."""
    model = p.model("repeated")
    sig = model + "/model.sig"
    r = p.publish(model, "--name", "acme/r")
    before, size = read(sig), p.size()
    index = int(json.loads(before)["verificationMaterial"]["tlogEntries"][0]["logIndex"])
    r = p.publish(model, "--name", "acme/r")
    t.check(f"is entry {index} of {t.ORIGIN} already" in r.stdout, f"it says so: {r.stdout}")
    t.check(p.size() == size and read(sig) == before, "nothing was sent or written")
    r = mtlog("publish", "--key", p.key, *p.log, "--name", "acme/r", model, what="nothing to ask")
    t.check("already" in r.stdout and p.size() == size, f"nor asked: {r.stdout} {r.stderr}")
    write(p.path("certificate/x"), b"")

    # Each of these is something new.
    def new(what, *more, **options):
        size = p.size()
        r = p.publish(model, "--name", "acme/r", *more, **options)
        t.check(p.size() == size + 1 and "already" not in r.stdout, f"{what}: another entry: {r.stdout}")
        mtlog("verify", "--key", (options.get("key") or p.key) + ".pub", "--log", p.server.vkey.text,
              "--name", "acme/r", model, what=f"{what}: verifies")
        write(sig, before)

    other = p.path("other")
    mtlog("key", "new", "--out", other)
    new("--again", "--again")
    new("another key", key=other)
    new("another version", "--version", "2")
    value = json.loads(before)
    value["dsseEnvelope"]["signatures"][0]["sig"] = t.b64(b"none")
    write(sig, json.dumps(value).encode())
    new("a spoiled signature")
    value = json.loads(before)
    value["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["rootHash"] = t.b64(b"\1" * 32)
    write(sig, json.dumps(value).encode())
    new("a spoiled proof")
    value = json.loads(before)
    value["verificationMaterial"]["tlogEntries"] = []
    write(sig, json.dumps(value).encode())
    new("no entry")
    write(sig, b"{")
    new("no bundle")
    os.unlink(sig)
    new("nothing there")
    write(model + "/00000", b"changed")
    new("another file")
    with t.Server() as second:
        second.init().start()
        log = ["--log", f"http://127.0.0.1:{second.port}", "--vkey", second.vkey.text]
        write(model + "/00000", b"repeated 0")
        mtlog("publish", "--key", p.key, *log, "--yes", "--name", "acme/r", model, what="another log")
        t.check(second.checkpoint()[0] == 1, "another log has an entry of its own")


def certified(p):
    """With a certificate: the very same one."""
    model, ca = p.model("certified"), p.path("ca")
    for n in ("1", "2"):
        subprocess.run(["openssl", "req", "-x509", "-key", p.key, "-out", ca + n, "-days", "2", "-subj", "/CN=x",
                        "-addext", "subjectAltName=email:a@example.org"], check=True, capture_output=True)
    p.publish(model, "--certificate", ca + "1")
    size = p.size()
    t.check("already" in p.publish(model, "--certificate", ca + "1").stdout and p.size() == size, "the same certificate")
    t.check("already" not in p.publish(model, "--certificate", ca + "2").stdout and p.size() == size + 1, "another one")
    t.check("already" not in p.publish(model).stdout and p.size() == size + 2, "its key alone")


def issued(p, name, issuer, *extensions):
    """A certificate for NAME by ISSUER (itself: self-signed), and its key unless it is there."""
    key = p.path(name + ".key")
    if not os.path.exists(key):
        mtlog("key", "new", "--out", key)
    by = [] if issuer == name else ["-CA", p.path(issuer + ".crt"), "-CAkey", p.path(issuer + ".key")]
    subprocess.run(["openssl", "req", "-x509", "-key", key, "-out", p.path(name + ".crt"), "-days", "2", "-subj", "/CN=" + name,
                    *by, *(word for e in extensions for word in ("-addext", e))], check=True, capture_output=True)
    return p.path(name + ".crt")


def chained(p):
    """Issuers that did not issue would make a signature that never verifies: the signer hears of it."""
    ca = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign")
    root, mid = issued(p, "root", "root", *ca), issued(p, "mid", "root", *ca)
    other, wrong = issued(p, "other", "root", *ca), issued(p, "wrong", "wrong", *ca)
    leaf = issued(p, "leaf", "mid", "basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature",
                  "extendedKeyUsage=codeSigning", "subjectAltName=email:a@example.org")
    model = p.model("chained")
    rows = (([mid], 0, ""), ([mid, root], 0, ""), ([], 0, ""), ([root], 2, "does not lead"), ([other], 2, "does not lead"),
            ([wrong], 2, "does not lead"), ([mid, wrong], 2, "does not lead"), ([mid, other, root], 2, "of which only 3"),
            ([root, mid], 2, "of which only 2"), ([mid, mid], 2, "of which only 2"), ([leaf], 2, "does not lead"))
    for chain, code, word in rows:
        names = [os.path.basename(c) for c in chain]
        r = mtlog("sign", "--key", p.path("leaf.key"), "--certificate", leaf, *(word for c in chain for word in ("--chain", c)),
                  "--signature", p.path("chained.sig"), model, want=code, what=f"chain {names}")
        t.check(word in r.stderr, f"chain {names}: {r.stderr}")


def path(n):
    """A relative path of n bytes."""
    return ("x" * 99 + "/") * ((n - 1) // 100) + "x" * ((n - 1) % 100 + 1)


def too_large(p):
    """What the log would not keep is refused before anything is public."""
    model = p.model("large", 10000)
    size = p.size()
    r = p.publish(model, want=2)
    t.check("--no-envelope" in r.stderr and "1048321" in r.stderr and "nothing was sent" in r.stderr, f"{r.stderr}")
    t.check(p.size() == size and not os.path.exists(model + "/model.sig"), "nothing was sent or written")
    mtlog("sign", "--key", p.key, "--name", "acme/large", model)
    sig = model + "/model.sig"
    before = read(sig)
    r = mtlog("submit", "--key", p.key + ".pub", *p.log, "--yes", sig, want=2)
    t.check("--no-envelope" in r.stderr and read(sig) == before and p.size() == size, f"submit: {r.stderr}")
    small = p.model("small")
    mtlog("sign", "--key", p.key, small)
    r = mtlog("submit", "--key", p.key + ".pub", *p.log, "--yes", sig, small + "/model.sig", want=2)
    t.check(p.size() == size + 1 and "proven" in r.stdout, f"the other file goes on: {r.stdout} {r.stderr}")
    r = mtlog("submit", "--key", p.key + ".pub", *p.log, "--yes", "--no-envelope", sig)
    t.check("incomplete" in r.stderr and p.size() == size + 2, f"its digest is logged: {r.stderr}")
    mtlog("verify", "--key", p.key + ".pub", "--log", p.server.vkey.text, "--name", "acme/large", model)
    r = mtlog("submit", "--key", p.key + ".pub", *p.log, sig, what="logged before: nothing to ask")
    t.check("logged before" in r.stdout and p.size() == size + 2, f"{r.stdout}")
    # The limit, to the byte, by the length of ignored paths.
    payload, _ = b.model("edge", {"a": hashlib.sha256(b"a").hexdigest()})
    spare = (1 << 20) - 255 - len(payload)
    for length, code in ((spare, 0), (spare + 1, 2)):
        value = json.loads(payload)
        each, quotes = 2000, len(',""')
        lengths = [each] * (length // each - 1) + [each // 2, length % each + each // 2]
        value["predicate"]["serialization"]["ignore_paths"] += [path(n - quotes) for n in lengths]
        t.check(len(b.dump(value)) == len(payload) + length, "as long as meant")
        party = b.Party()
        write(p.path("edge.pub"), party.pem)
        write(p.path("edge.sig"), json.dumps(party.bundle(b.dump(value))).encode())
        r = mtlog("submit", "--key", p.path("edge.pub"), *p.log, "--yes", p.path("edge.sig"), want=code)


def no_envelope(p):
    """The digest alone: proven, but nobody finds it by what it says."""
    model = p.model("private")
    sig = model + "/model.sig"
    r = p.publish(model, "--name", "acme/private", "--no-envelope")
    t.check("incomplete" in r.stderr, f"it says what that means: {r.stderr}")
    s = S(sig)
    t.check(b.envelope(p.server, s)[0] == 404 and b.indexes(p.server, model="acme/private") == [], "not kept, not found")
    entry = json.loads(read(sig))["verificationMaterial"]["tlogEntries"]
    t.check(len(entry) == 1 and b.indexes(p.server, digest=s) == [int(entry[0]["logIndex"])], "but logged")
    mtlog("verify", "--key", p.key + ".pub", "--log", p.server.vkey.text, "--name", "acme/private", model)
    size, before = p.size(), read(sig)
    r = p.publish(model, "--name", "acme/private", "--no-envelope")
    t.check("already" in r.stdout and p.size() == size, f"repeated: {r.stdout}")
    # Later with its envelope: the same entry, and the file stays.
    r = p.publish(model, "--name", "acme/private")
    t.check("already" in r.stdout and p.size() == size and read(sig) == before, f"its envelope later: {r.stdout}")
    t.check(b.envelope(p.server, s)[0] == 200, "is kept now")
    # An entry of another log stays in the bundle, one of this log is replaced.
    value = json.loads(before)
    theirs = json.loads(before)["verificationMaterial"]["tlogEntries"][0]
    theirs["logId"]["keyId"] = t.b64(b"\1" * 32)
    theirs["inclusionProof"]["rootHash"] = t.b64(b"\2" * 32)
    broken = json.loads(before)["verificationMaterial"]["tlogEntries"][0]
    broken["inclusionProof"]["rootHash"] = t.b64(b"\1" * 32)
    value["verificationMaterial"]["tlogEntries"] = [broken, theirs]
    write(sig, json.dumps(value).encode())
    mtlog("submit", "--key", p.key + ".pub", *p.log, "--yes", "--no-envelope", sig)
    got = json.loads(read(sig))["verificationMaterial"]["tlogEntries"]
    t.check(len(got) == 2 and got[0] == theirs and got[1]["inclusionProof"] != broken["inclusionProof"],
            f"{len(got)} entries")
    signer = b.Party()
    write(p.path("foreign.pub"), signer.pem)
    foreign = b.dump({**json.loads(b.model("f", b.digests("f"))[0]), "predicateType": "https://slsa.dev/provenance/v1"})
    write(p.path("foreign"), json.dumps(signer.bundle(foreign)).encode())
    mtlog("submit", "--key", p.path("foreign.pub"), *p.log, "--yes", p.path("foreign"), want=43)
    mtlog("submit", "--key", p.path("foreign.pub"), *p.log, "--yes", "--no-envelope", p.path("foreign"))


def asked(p):
    """Once, on a terminal, and what is said; elsewhere --yes is needed."""
    model = p.model("asked")
    size = p.size()
    publish = ["publish", "--key", p.key, *p.log, "--name", "acme/asked", model]
    r = mtlog(*publish, want=2)
    t.check("--yes" in r.stderr and p.size() == size and not os.path.exists(model + "/model.sig"), f"{r.stderr}")
    code, said, _ = ask(b"n", *publish)
    t.check(code == 43 and p.size() == size and not os.path.exists(model + "/model.sig"), f"no: {code} {said}")
    for word in ("acme/asked", "1 files", "public key", "can never be taken out"):
        t.check(word in said, f"publish says {word}: {said}")
    code, said, _ = ask(b"n", *publish[:-1], "--no-envelope", model)
    t.check(code == 43 and "acme/asked" not in said and "digest of the statement" in said and "incomplete" in said,
            f"without envelope: {said}")
    code, said, _ = ask(b"y", *publish)
    t.check(code == 0 and p.size() == size + 1, f"yes: {code} {said}")
    code, said, answered = ask(b"n", *publish)
    t.check(code == 0 and not answered and p.size() == size + 1, f"already public: not asked: {code} {said}")

    for n in ("one", "two"):
        mtlog("sign", "--key", p.key, "--name", "acme/" + n, p.model(n))
    write(p.path("digest"), json.dumps(t.Signer().request(b"submit")).encode())
    files = [p.path("one/model.sig"), p.path("two/model.sig"), p.path("digest"), model + "/model.sig"]
    submit = ["submit", "--key", p.key + ".pub", *p.log, *files]
    before, size = [read(f) for f in files], p.size()
    r = mtlog(*submit, want=2)
    t.check("--yes" in r.stderr and p.size() == size and [read(f) for f in files] == before, f"submit: {r.stderr}")
    code, said, _ = ask(b"n", *submit)
    t.check(code == 43 and p.size() == size and [read(f) for f in files] == before, f"submit, no: {code} {said}")
    for word in ("the name acme/one,", "the name acme/two,", "digest: a digest", "can never be taken out",
                 f"{files[3]}: entry"):
        t.check(word in said, f"submit says {word}: {said}")
    t.check(said.count("[y/N]") == 1 and "acme/asked" not in said, f"once, and not of what is public: {said}")
    code, said, _ = ask(b"y", *submit)
    t.check(code == 0 and p.size() == size + 3, f"submit, yes: {code} {said}")
    r = mtlog("submit", "--key", p.key + ".pub", *p.log, files[0], files[1])
    t.check(p.size() == size + 3 and r.stdout.count("logged before") == 2, f"again: {r.stdout}")
    # More than can be told one by one; a name that would move the cursor.
    many = []
    for i in range(25):
        many.append(p.path(f"many{i}"))
        write(many[-1], json.dumps(t.Signer().request(b"%d" % i)).encode())
    code, said, _ = ask(b"n", "submit", *p.log, *many)
    t.check(code == 43 and "25 files in all" in said and "many19" in said and "many20" not in said, f"{said}")
    party = b.Party()
    write(p.path("ugly.pub"), party.pem)
    write(p.path("ugly"), json.dumps(party.bundle(b.model("a\x1b[2Jb", b.digests("u"))[0])).encode())
    code, said, _ = ask(b"n", "submit", "--key", p.path("ugly.pub"), *p.log, p.path("ugly"))
    t.check("\x1b[2J" not in said and "a\\x1b[2Jb" in said, f"escaped: {said!r}")


def main():
    with t.Server() as server:
        server.init().start()
        p = Place(server)
        repeated(p)
        certified(p)
        chained(p)
        too_large(p)
        no_envelope(p)
        asked(p)
        t.check(server.stop() == 0, "a clean stop")
    t.finish()


if __name__ == "__main__":
    main()
