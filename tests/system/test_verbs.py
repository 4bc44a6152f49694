#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The verbs that look at models, bundles, policies and logs without judging
them: digest, diff, inspect, policy, search; on small inputs and a real log."""

import base64
import hashlib
import http.server
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(__file__))
import mtlog_test as t

MTLOG = os.environ.get("MTLOG", os.path.join(t.BUILD, "mtlog"))
OMS = "https://model_signing/signature/v1.0"


def run(*args, expect=0):
    p = subprocess.run([MTLOG, *args], capture_output=True, text=True, timeout=60)
    t.check(p.returncode == expect,
            f"mtlog {' '.join(args)}: exit {p.returncode}, not {expect}: {p.stdout[-600:]}{p.stderr[-600:]}")
    return p.stdout


def says(text, *parts):
    for part in parts:
        t.check(part in text, f"{part!r} is in {text!r}")


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


def sha256(data):
    return hashlib.sha256(data).digest()


def root_of(contents):
    return sha256(b"".join(sha256(c) for c in contents)).hex()


def safetensors(tensors, metadata=None):
    """A file of U8 vectors."""
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, content in tensors.items():
        header[name] = {"dtype": "U8", "shape": [len(content)],
                        "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def digest(root):
    m = os.path.join(root, "digest", "m")
    write(os.path.join(m, "a", "x"), "one")
    write(os.path.join(m, "a.txt"), "two")
    write(os.path.join(m, ".git", "x"), "not signed")
    write(os.path.join(m, "model.sig"), "not signed")
    # By name "a.txt" comes before "a/x"; by components it is the other way.
    by_name, by_part = root_of([b"two", b"one"]), root_of([b"one", b"two"])
    t.check(run("digest", m) == f"{by_name}  {m}\n", "the root digest")
    says(run("digest", "--both", m), by_name, f"{by_part}  {m} (in component order)")
    got = json.loads(run("digest", "--both", "--json", m))
    t.check(got == {"model": m, "root": by_name, "rootInComponentOrder": by_part, "hash": "sha256",
                    "method": "files", "resources": 2}, f"digest --json: {got}")
    got = json.loads(run("digest", "--json", "--shard-size", "2", "--hash", "sha256", m))
    t.check(got["root"] == root_of([b"tw", b"o", b"on", b"e"]) and got["method"] == "shards" and
            got["shardSize"] == 2, f"shards: {got}")
    t.check(run("digest", "--ignore", "a.txt", m).startswith(root_of([b"one"])), "--ignore")
    by_blake = sha256(hashlib.blake2b(b"two").digest() + hashlib.blake2b(b"one").digest()).hex()
    t.check(run("digest", "--hash", "blake2b", m).startswith(by_blake), "--hash blake2b")
    t.check(run("digest", os.path.join(m, "a.txt")).startswith(root_of([b"two"])), "one file")
    os.symlink("a.txt", os.path.join(m, "link"))
    run("digest", m, expect=10)
    t.check(run("digest", "--allow-symlinks", m).startswith(root_of([b"two", b"one", b"two"])), "links")
    run("digest", expect=2)
    run("digest", m, m, expect=2)
    run("digest", "--hash", "md5", m, expect=2)
    run("digest", "--shard-size", "0", m, expect=2)
    run("digest", "--threads", "65", m, expect=2)
    run("digest", m + "x", expect=40)


def diff(root, key):
    a, b = os.path.join(root, "diff", "a"), os.path.join(root, "diff", "b")
    old = {"same": b"1234", "gone": b"12", "other": b"abc"}
    new = {"same": b"1234", "new\n": b"12", "other": b"abd"}
    write(os.path.join(a, "same.txt"), "same")
    write(os.path.join(a, "gone.txt"), "gone")
    write(os.path.join(a, "w.safetensors"), safetensors(old, {"by": "me", "format": "pt"}))
    write(os.path.join(a, "bad.safetensors"), "\xff\x00\x00\x00\x00\x00\x00\x00{}")
    run("sign", "--key", key, "--name", "diff/a", a)
    t.check("0 changed, 0 appeared, 0 vanished, 4 equal" in run("diff", a, a), "equal")
    run("diff", os.path.join(a, "model.sig"), a)
    shutil.copytree(a, b)
    os.rename(os.path.join(b, "gone.txt"), os.path.join(b, "new.txt"))
    write(os.path.join(b, "w.safetensors"), safetensors(new, {"by": "you\x1b[2J", "format": "pt"}))
    write(os.path.join(b, "bad.safetensors"), "\x00" * 8)
    text = run("diff", a, b, expect=10)
    says(text, "- gone.txt\n", "+ new.txt\n", "~ w.safetensors\n", "tensor gone\n", "tensor new\\x0a\n",
         "- U8 [3] sha256:" + sha256(b"abc").hex(), "+ U8 [3] sha256:" + sha256(b"abd").hex(),
         "metadata by\n", "- me\n", "+ you\\x1b[2J\n", "no tensors compared",
         "2 changed, 1 appeared, 1 vanished, 1 equal")
    t.check("tensor same" not in text and "metadata format" not in text, "what is equal is not shown")
    got = json.loads(run("diff", "--json", a, b, expect=10))
    t.check([x["name"] for x in got["appeared"]] == ["new.txt"] and got["equal"] == 1, f"{got}")
    t.check(got["vanished"] == [{"name": "gone.txt", "digests": ["sha256:" + sha256(b"gone").hex()]}], f"{got}")
    inside = {x["name"]: x["safetensors"] for x in got["changed"]}
    t.check("unreadable" in inside["bad.safetensors"], f"{inside}")
    tensors = {x["name"]: x for x in inside["w.safetensors"]["tensors"]}
    t.check(sorted(tensors) == ["gone", "new\n", "other"] and tensors["gone"]["after"] is None, f"{tensors}")
    t.check(inside["w.safetensors"]["metadata"] == [{"key": "by", "before": "me", "after": "you\x1b[2J"}], f"{inside}")
    # A bundle says how the files beside it are hashed.
    says(run("diff", os.path.join(a, "model.sig"), b, expect=10), "2 changed", "not verified")
    shards = os.path.join(root, "diff", "shards.sig")
    run("sign", "--key", key, "--name", "diff/a", "--shard-size", "3", "--hash", "blake3", "--signature", shards, a)
    # model.sig was a file like others to that signature.
    run("diff", shards, a)
    says(run("diff", shards, b, expect=10), "0:3:blake3:")
    run("diff", shards, os.path.join(a, "model.sig"), expect=2)
    write(os.path.join(root, "diff", "broken.sig"), '{"dsseEnvelope":')
    run("diff", os.path.join(root, "diff", "broken.sig"), a, expect=12)
    # The same tensors, another order: said, and still another file.
    one, two = os.path.join(root, "diff", "1.safetensors"), os.path.join(root, "diff", "2.safetensors")
    write(one, safetensors({"a": b"1", "b": b"2"}))
    write(two, safetensors({"b": b"2", "a": b"1"}))
    says(run("diff", one, two, expect=10), "laid out otherwise", "1 changed, 0 appeared")
    run("diff", a, expect=2)
    run("diff", a, a + "x", expect=40)


class Liar(http.server.BaseHTTPRequestHandler):
    """A log that answers whatever the test wants."""
    answer = {}

    def do_GET(self):
        body = json.dumps(self.answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def ignored(root, key):
    """--ignore: below the model, there, and nothing that is signed."""
    m, sig = os.path.join(root, "ignored", "m"), os.path.join(root, "ignored", "m", "model.sig")
    for name in ("w", "sub/x", "cache/y"):
        write(os.path.join(m, name), name)
    for path in ("none", "/w", "../m", "./w", "sub/", "sub/../w", "", "*"):
        run("sign", "--key", key, "--ignore", path, m, expect=2)
        t.check(not os.path.exists(sig), f"sign --ignore {path!r} wrote nothing")
    run("sign", "--key", key, "--name", "acme/ig", "--ignore", "cache", m)
    statement = json.loads(base64.b64decode(json.load(open(sig))["dsseEnvelope"]["payload"]))["predicate"]
    t.check([r["name"] for r in statement["resources"]] == ["sub/x", "w"], f"{statement}")
    t.check(statement["serialization"]["ignore_paths"] ==
            [".git", ".gitattributes", ".github", ".gitignore", ".mtlog", "cache", "model.sig"], f"{statement}")
    verify = ("verify", "--logged=off", "--key", key + ".pub", "--name", "acme/ig")
    run(*verify, m)
    write(os.path.join(m, "more", "z"), "z")
    run(*verify, m, expect=10)
    run(*verify, "--ignore", "more", m)
    for path in ("w", "sub", "sub/x"):
        says(run(*verify, "--ignore", "more", "--ignore", path, m, expect=2), f"--ignore {path}: the signature lists")
    says(run(*verify, "--ignore", "su", m, expect=10), "file-unsigned")


def unsignable(root, key):
    """What a signature could not cover is refused, with its name, and nothing
    is written."""
    top = os.path.join(root, "unsignable")

    def sign(what, make, word, *more, expect=10):
        m = os.path.join(top, what)
        write(os.path.join(m, "w"), "weights")
        make(m)
        p = subprocess.run([MTLOG, "sign", "--key", key, "--name", "acme/u", *more, m], capture_output=True, text=True,
                           timeout=60)
        t.check(p.returncode == expect and word in p.stderr, f"{what}: {p.returncode} {p.stderr}")
        t.check(os.path.exists(os.path.join(m, "model.sig")) == (expect == 0), f"{what}: the bundle")
        return m

    def empty(m):
        os.remove(os.path.join(m, "w"))
        for name in (".git/x", ".github/y", ".gitignore", ".gitattributes", ".mtlog/z.sigstore.json"):
            write(os.path.join(m, name), "never signed")

    def link(target, name="l"):
        def make(m):
            write(os.path.join(m, "sub", "x"), "x")
            write(os.path.join(top, "outside", "o"), "o")
            os.symlink(target, os.path.join(m, name))
        return make

    sign("empty", empty, "has no file to sign", expect=2)
    sign("link", link("w"), "l is a symbolic link")
    sign("folder-link", link("sub"), "l is a symbolic link")
    sign("dangling", link("none"), "l is a symbolic link")
    sign("outside", link("../outside/o"), "l is a link", "--allow-symlinks")
    sign("outside-folder", link("../outside"), "l is a link", "--allow-symlinks")
    sign("cycle", link("."), "l is a link", "--allow-symlinks")
    sign("fifo", lambda m: os.mkfifo(os.path.join(m, "p")), "p is no regular file")
    sign("octets", lambda m: write(os.fsencode(m) + b"/\xff", "x"), "not UTF-8")
    sign("shards", lambda m: write(os.path.join(m, "e.py"), ""), "e.py is empty", "--shard-size", "4", expect=2)
    m = sign("shards-asked", lambda m: write(os.path.join(m, "e.py"), ""), "", "--shard-size", "4",
             "--allow-empty-in-shards", expect=0)
    verify = ("verify", "--logged=off", "--key", key + ".pub", "--name", "acme/u")
    says(run(*verify, m, expect=10), "unsigned e.py")
    m = sign("ignored-link", link("none", ".git"), "", expect=0)
    run(*verify, m)
    m = sign("inside", link("w"), "", "--allow-symlinks", expect=0)
    run(*verify, m)
    os.remove(os.path.join(m, "l"))
    write(os.path.join(m, "l"), "other")
    says(run(*verify, m, expect=10), "changed l")
    m = sign("nested", lambda m: write(os.path.join(m, "sub", ".git", "x"), "x"), "", expect=0)
    os.remove(os.path.join(m, "sub", ".git", "x"))
    says(run(*verify, m, expect=10), "missing sub/.git/x")


def trusts_nobody(root, key):
    """Nothing is trusted that was not said: no system's roots, no log, and no
    holder of a certificate."""
    m = os.path.join(root, "trust", "m")
    cert = os.path.join(root, "trust", "ca.pem")
    write(os.path.join(m, "w"), "weights")
    run("sign", "--key", key, "--name", "acme/t", m)
    subprocess.run(["openssl", "req", "-x509", "-key", key, "-out", cert, "-days", "2", "-subj", "/CN=x"],
                   check=True, capture_output=True)
    for words in ([], ["--logged=off"], ["--key", key + ".pub"], ["--ca", cert, "--logged=off"],
                  ["--identity", "email:a@example.org", "--logged=off"], ["--any-identity", "--logged=off"]):
        run("verify", *words, "--name", "acme/t", m, expect=2)
    run("verify", "--key", key + ".pub", "--logged=off", "--name", "acme/t", m)


def search_lies(honest, other):
    """Answers that are none, or not to what was asked."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        page = {"treeSize": "9", "entries": [], "next": None}
        entry = {"logIndex": "0", "canonicalizedBody": honest["canonicalizedBody"]}

        def ask(expect, signer=honest["signer"], **change):
            Liar.answer = {**page, **change}
            return run("search", "--log", url, "--signer", signer, expect=expect)
        ask(0)
        ask(0, entries=[entry])
        says(ask(0, entries=[{**entry, "model": "a\x1b[1mb", "statement": honest["statement"]}]),
             "claims, not verified", "a\\x1b[1mb")
        ask(32, signer=other, entries=[entry])
        ask(32, entries=[{**entry, "statement": "00" * 32}])
        ask(32, entries=[{**entry, "logIndex": 0}])
        ask(32, entries=[{**entry, "logIndex": "-1"}])
        ask(32, entries=[{**entry, "canonicalizedBody": "e30="}])
        ask(32, entries=[{"logIndex": "0"}])
        ask(32, entries=["x"])
        ask(32, entries=None)
        ask(32, treeSize=9)
        ask(32, next="x")
        ask(32, next="5")  # and "5" once more on the next page
        server.shutdown()


def search(root, key, server):
    url = f"http://127.0.0.1:{server.port}"
    ask = ("search", "--log", url)
    says(run(*ask, "--model", "no/such"), "0 found", "not proven")
    signer = hashlib.sha256(spki(key)).hexdigest()
    for i in range(4):
        m = os.path.join(root, "search", f"m{i}")
        write(os.path.join(m, "w"), f"weights {i}")
        write(os.path.join(m, "shared"), "the same in all")
        run("publish", "--key", key, "--log", url, "--vkey", server.vkey.text, "--yes",
            "--name", f"acme/s p{i}".replace(" ", "-"), "--version", f"1.{i}+x", m)
    root0 = run("digest", os.path.join(root, "search", "m0")).split()[0]
    shared = sha256(b"the same in all").hex()
    got = json.loads(run(*ask, "--model", "acme/s-p0", "--json"))
    t.check(len(got["entries"]) == 1 and got["absence"] == "not proven" and not got["more"], f"{got}")
    hit = got["entries"][0]
    t.check(hit["index"] == 0 and hit["signer"] == signer and hit["claims"]["root"] == root0 and
            hit["claims"]["version"] == "1.0+x" and hit["claims"]["type"] == OMS, f"{hit}")
    says(run(*ask, "--model", "acme/s-p0"), "entry 0\n", "claims, not verified", "model        acme/s-p0", "1 found")
    s = hit["claims"]["statement"]
    for option, value, count in [
            ("--root", root0, 1), ("--file", shared, 4), ("--statement", s, 1), ("--digest", s, 1),
            ("--version", "1.2+x", 1), ("--version", "1.2 x", 0), ("--signer", signer, 4),
            ("--signer", key + ".pub", 4), ("--signer", "0" * 64, 0), ("--type", OMS, 4),
            ("--type", "model", 4), ("--type", "withdrawal", 0), ("--subject", s, 0),
            ("--identity", "email:a&b=c@example.org", 0)]:
        got = json.loads(run(*ask, option, value, "--json"))
        t.check(len(got["entries"]) == count, f"{option} {value}: {len(got['entries'])} of {count}")
    got = json.loads(run(*ask, "--type", "model", "--limit", "3", "--json"))
    t.check([e["index"] for e in got["entries"]] == [0, 1, 2] and got["more"], f"--limit 3: {got}")
    says(run(*ask, "--type", "model", "--limit", "3"), "there are more")
    got = json.loads(run(*ask, "--type", "model", "--limit", "4", "--json"))
    t.check(len(got["entries"]) == 4, "--limit 4")
    # The same statement as another leaf, by whoever holds the signature: once,
    # with its first index, whatever is asked.
    again = os.path.join(root, "search", "m0")
    os.remove(os.path.join(again, "model.sig"))
    run("publish", "--key", key, "--log", url, "--vkey", server.vkey.text, "--yes", "--again",
        "--name", "acme/s-p0", "--version", "1.0+x", again)
    t.check(len(json.loads(server.get(f"/api/v1/search?digest={s}")[2])["entries"]) == 2, "another leaf")
    for option, value, indexes in (("--signer", signer, [0, 1, 2, 3]), ("--digest", s, [0]), ("--statement", s, [0])):
        got = json.loads(run(*ask, option, value, "--json"))
        t.check([e["index"] for e in got["entries"]] == indexes, f"logged again, {option}: {got}")
    # More than a page: single entries of another signer.
    other = t.Signer()
    for i in range(130):
        server.submit(other.request(b"%d" % i))
    got = json.loads(run(*ask, "--signer", hashlib.sha256(other.spki).hexdigest(), "--limit", "500", "--json"))
    t.check(len(got["entries"]) == 130 and not got["more"], f"{len(got['entries'])} over two pages")
    run("search", "--model", "x", expect=2)
    run(*ask, expect=2)
    run(*ask, "x", "--model", "x", expect=2)
    run(*ask, "--root", "ab", expect=2)
    run(*ask, "--root", "A" * 64, expect=2)
    run(*ask, "--limit", "0", "--model", "x", expect=2)
    run(*ask, "--signer", os.path.join(root, "none"), expect=40)
    run(*ask, "--identity", "nonsense", expect=43)
    run("search", "--log", "http://127.0.0.1:1", "--model", "x", expect=30)
    page = json.loads(server.get(f"/api/v1/search?statement={s}")[2])["entries"][0]
    search_lies({**page, "signer": signer}, hashlib.sha256(other.spki).hexdigest())


def spki(key):
    return subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"],
                          check=True, capture_output=True).stdout


def policy(root, key, other, server):
    folder = os.path.join(root, "policy")
    path, cases, m = (os.path.join(folder, n) for n in ("p", "cases", "m"))
    mine, its = t.b64(spki(key)), t.b64(spki(other))

    def put(*lines, quorum="none"):
        write(path, "\n".join([f"log {server.vkey.text}", f"quorum {quorum}", "mtlog-policy 1", *lines, ""]))
        os.chmod(path, 0o644)

    put(f"signer ci key {mine}", f"signer bob key {its}",
        "model acme/*", "  signed-by ci", "  approved-by 1 bob",
        "model acme/free", "  signed-by ci", "model *", "  signed-by ci", "  logged no")
    text = run("policy", "check", path)
    says(text, "3 rules, 2 signers", "0 warnings", hashlib.sha256(open(path, "rb").read()).hexdigest())
    got = json.loads(run("policy", "check", "--json", path))
    t.check(got["warnings"] == [], f"{got}")

    # test: which rule decides
    write(cases, "# comment\n\nacme/x acme/*\nacme/x\t 6\nacme/free acme/free\nother *\nother 11")
    t.check(run("policy", "test", path, cases) == "5 cases, 0 differ\n", "all as wanted")
    write(cases, "acme/x acme/free\nacme/free none\nother 6\nother *\n")
    text = run("policy", "test", path, cases, expect=13)
    says(text, f"{cases}:1: acme/x: line 6 (acme/*) decides, not acme/free", ":2: acme/free: line 9 (acme/free)",
         ":3: other: line 11 (*)", "4 cases, 3 differ")
    for bad in "acme/x\n", "acme/x a b\n", "", "# nothing\n":
        write(cases, bad)
        run("policy", "test", path, cases, expect=2)
    run("policy", "test", path, expect=2)
    run("policy", "test", path, cases + "x", expect=40)

    # explain, without and with a model
    text = run("policy", "explain", "-p", path, "--name", "acme/x")
    says(text, "line 6, acme/* (the closest of 2 matches)", "line 7   signed-by ci", "line 8   approved-by",
         hashlib.sha256(spki(key)).hexdigest(), "default  logged yes")
    t.check("not judged" not in text, "nothing was judged")
    says(run("policy", "explain", "--policy", path, "--name", "acme/free"), "line 9, acme/free (the closest of 3")
    says(run("policy", "explain", "--policy", path, "--name", "z"), "line 11, * (the only match)")
    write(os.path.join(m, "w"), "weights of the policy")
    url = f"http://127.0.0.1:{server.port}"
    publish = ("publish", "--key", key, "--log", url, "--vkey", server.vkey.text, "--yes")
    run(*publish, "--name", "acme/x", m)
    text = run("policy", "explain", "-p", path, "--name", "acme/x", m, expect=13)
    says(text, "\u2713 line 7   signed-by ci", "\u2717 line 8   approved-by", "- default  hold lease",
         "\u2713 default  logged yes", "refused  [approval-missing]", "mtlog approve MODEL")
    text = run("policy", "explain", "-p", path, "--name", "acme/free", m, expect=13)
    says(text, "- line 10  signed-by ci", "not judged", "refused  [wrong-name]")
    put(f"signer ci key {mine}", "model acme/x", "  signed-by ci")
    text = run("policy", "explain", "-p", path, "--name", "acme/x", m)
    says(text, "\naccepted\n", "\u2713 line 6   signed-by ci")
    says(run("policy", "explain", "-p", path, "--name", "other", expect=13), "none matches")
    write(os.path.join(m, "w"), "others")
    says(run("policy", "explain", "-p", path, "--name", "acme/x", m, expect=10), "[file-changed]",
         "- default  unsigned refuse")
    put(f"signer ci key {its}", "model acme/x", "  signed-by ci")
    says(run("policy", "explain", "-p", path, "--name", "acme/x", m, expect=11), "\u2717 line 6   signed-by ci")
    run("policy", "explain", "--name", "x", expect=2)
    run("policy", "explain", "-p", path, expect=2)
    run("policy", "explain", "-p", path, "--policy", path, "--name", "x", expect=2)
    run("policy", "explain", "-p", path, "--name", "x", "--at", "noon", m, expect=2)

    # check: what can hardly be meant
    digest = hashlib.sha256(spki(key)).hexdigest()
    put(f"signer ci key {mine}", "model x", "  signed-by ci", "  fresh 24h online")
    says(run("policy", "check", path), "line 7: can never be met: with quorum none")
    put(f"signer ci key {mine}", f"deny key {digest}", "model x", "  signed-by ci")
    says(run("policy", "check", path), "line 4: line 5 denies", "line 7: can never be met")
    put(f"signer ci key {mine} below {server.vkey.name} 0", "model x", "  signed-by ci")
    says(run("policy", "check", path), "no entry is below 0", "can never be met")
    put(f"signer ci key {mine}", f"signer bob key {its}", "model x", "  signed-by ci", "  approved-by 1 ci")
    says(run("policy", "check", path), "line 5: no rule uses the signer bob", "line 8: can never be met: the signer")
    put(f"signer ci key {mine}", f"signer bob key {its}", "model x", "  signed-by ci bob", "  approved-by 1 ci")
    says(run("policy", "check", path), "line 8: can never be met for what ci signs")
    put(f"signer ci key {mine} until 2020-01-01", "model x", "  signed-by ci")
    says(run("policy", "check", path), "until has passed")
    says(run("policy", "check", "--at", "2019-01-01", path), "0 warnings")
    put("expires 2020-01-01")
    says(run("policy", "check", path), "there is no rule", "has expired", "2 warnings")
    write(path, "quorum none\nmtlog-policy 1\nsigner ci key " + mine + "\nmodel x\n  signed-by ci\n")
    got = json.loads(run("policy", "check", "--json", path))
    t.check([w["line"] for w in got["warnings"]] == [4] and "no log is named" in got["warnings"][0]["text"], f"{got}")
    ca, ca_key = os.path.join(folder, "ca.der"), os.path.join(folder, "ca.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", ca_key, "-out", ca, "-outform", "DER", "-days", "2", "-subj", "/CN=ca"],
                   check=True, capture_output=True)
    put("ca corp " + t.b64(open(ca, "rb").read()), f"signer ci key {mine}", "model x", "  signed-by ci")
    says(run("policy", "check", path), "line 4: no signer is under the CA corp")
    says(run("policy", "check", "--at", "2099-01-01", path), "the CA corp has expired")
    put("signer ci key nonsense")
    run("policy", "check", path, expect=2)
    run("policy", "explain", "-p", path, "--name", "x", expect=2)
    run("policy", "check", expect=2)
    run("policy", "chekc", path, expect=2)
    run("policy", "check", path + "x", expect=40)


def claims_of(thing, kind):
    """Both lists as {name: [values]}; nothing of it may be called verified."""
    got = json.loads(run("inspect", "--json", thing))
    t.check(got["kind"] == kind and got["verified"] is False, f"{thing}: {got['kind']}, not {kind}")
    lists = []
    for name in "computed", "claims":
        values = {}
        for line in got[name]:
            values.setdefault(line["name"], []).append(line["value"])
        lists.append(values)
    return lists


def inspect(root, key, server):
    folder = os.path.join(root, "inspect")
    m, sig = os.path.join(folder, "m"), os.path.join(folder, "m", "model.sig")
    write(os.path.join(m, "w\x1b[1m"), "weights")
    computed, claims = claims_of(m, "model")
    t.check(computed["files"] == ["1"] and computed["signature"] == ["none beside it"] and not claims, f"{computed}")
    run("publish", "--key", key, "--log", f"http://127.0.0.1:{server.port}", "--vkey", server.vkey.text,
        "--yes", "--name", "acme/i", "--version", "3", m)
    text = run("inspect", m)
    head, _, tail = text.partition("claims, not verified:\n")
    t.check("acme/i" not in head and "acme/i" in tail and "\x1b" not in text and "w\\x1b[1m" in tail,
            f"claims stand under their heading: {text!r}")
    computed, claims = claims_of(sig, "bundle")
    envelope = json.load(open(sig))["dsseEnvelope"]
    payload = base64.b64decode(envelope["payload"])
    pae = b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (len(payload), payload)
    t.check(computed["statement S"] == ["sha256:" + sha256(pae).hex()], f"{computed}")
    t.check(claims["name"] == ["acme/i"] and claims["version"] == ["3"] and claims["log"] == [t.ORIGIN] and
            claims["file"] == ["w\\x1b[1m"], f"{claims}")
    # A forged signature is shown as well: inspect does not look at it.
    forged = json.load(open(sig))
    forged["dsseEnvelope"]["signatures"][0]["sig"] = t.b64(b"none")
    write(os.path.join(folder, "forged"), json.dumps(forged))
    claims_of(os.path.join(folder, "forged"), "bundle")
    write(os.path.join(folder, "broken"), '{"dsseEnvelope":{}}')
    run("inspect", os.path.join(folder, "broken"), expect=12)
    run("inspect", os.path.join(folder), expect=0)
    _, claims = claims_of(key + ".revoke", "bundle")
    t.check(claims["reason"] == ["lost"] and claims["earlier"] == ["keep"], f"{claims}")

    computed, claims = claims_of(key + ".pub", "public-key")
    digest = ["sha256:" + hashlib.sha256(spki(key)).hexdigest()]
    t.check(computed["spki-sha256"] == digest and not claims, f"{computed}")
    t.check(claims_of(key, "private-key")[0]["spki-sha256"] == digest, "a private key's public part")
    secret = "".join(open(key).read().split("\n")[1:-2])
    t.check(secret[:20] not in run("inspect", key), "and nothing secret")
    locked = os.path.join(folder, "locked.pem")
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", key, "-out", locked, "-passout", "pass:x"],
                   check=True, capture_output=True)
    says(run("inspect", locked), "a private key, encrypted")
    cert = os.path.join(folder, "cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-key", key, "-out", cert, "-days", "2", "-subj", "/CN=x",
                    "-addext", "subjectAltName=email:a@example.org"], check=True, capture_output=True)
    computed, claims = claims_of(cert, "certificate")
    t.check(claims["name"] == ["email:a@example.org"] and claims["spki-sha256"] == digest, f"{claims}")
    write(os.path.join(folder, "bad.pem"), "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    run("inspect", os.path.join(folder, "bad.pem"), expect=12)

    checkpoint = os.path.join(folder, "checkpoint")
    write(checkpoint, server.get("/checkpoint")[2])
    _, claims = claims_of(checkpoint, "checkpoint")
    t.check(claims["log"] == [t.ORIGIN] and int(claims["tree size"][0]) == server.checkpoint()[0], f"{claims}")
    note = os.path.join(folder, "note")
    write(note, "some \u202etext\n\n\u2014 x.example " + t.b64(b"0" * 68) + "\n")
    t.check("\u202e" not in run("inspect", note), "no text may turn its direction")
    claims_of(note, "note")
    computed, claims = claims_of(server.vkey.text, "vkey")
    t.check(claims["name"] == [t.ORIGIN] and computed["key ID"] == [server.vkey.id], f"{computed}")
    write(os.path.join(folder, "vkey"), server.vkey.text + "\n")
    claims_of(os.path.join(folder, "vkey"), "vkey")
    submission = os.path.join(folder, "submission")
    write(submission, json.dumps(t.Signer().request(b"inspect")))
    run("submit", "--log", f"http://127.0.0.1:{server.port}", "--vkey", server.vkey.text, "--yes", submission)
    _, claims = claims_of(submission + ".tlog-proof", "proof")
    t.check(claims["log"] == [t.ORIGIN], f"{claims}")
    path = os.path.join(folder, "policy")
    write(path, f"log {server.vkey.text}\nquorum none\nmtlog-policy 1\nserial 4\n")
    _, claims = claims_of(path, "policy")
    t.check(claims["serial"] == ["4"] and claims["log"] == [t.ORIGIN], f"{claims}")
    write(path, "quorum none\nmtlog-policy 1\nnonsense\n")
    run("inspect", path, expect=12)
    one = os.path.join(folder, "1.safetensors")
    write(one, safetensors({"a": b"1"}, {"k": "v\x1b"}))
    computed, claims = claims_of(one, "safetensors")
    t.check(computed["tensors"] == ["1"] and claims["metadata"] == ["k = v\\x1b"], f"{computed} {claims}")
    write(os.path.join(folder, "f"), "anything")
    claims_of(os.path.join(folder, "f"), "file")
    vectors = os.path.join(os.path.dirname(__file__), "..", "vectors", "evidence")
    for name in "valid-two-sizes.txt", "valid-equal-sizes.txt":
        thing = os.path.join(vectors, name)
        says(run("inspect", thing), "proven: whoever holds the key", "log.example")
        t.check(json.loads(run("inspect", "--json", thing))["verified"], f"{name} stands for itself")
        with open(thing, encoding="utf-8") as f:
            forged = f.read().replace("log.example\n20\n", "log.example\n21\n")
        write(path, forged)
        says(run("inspect", path, expect=11), "NOT proven")
    run("inspect", os.path.join(vectors, "invalid-trailing.txt"), expect=12)
    run("inspect", expect=2)
    run("inspect", m, m, expect=2)
    run("inspect", m + "x", expect=40)
    run("inspect", "a+b+c", expect=40)


def main():
    root = tempfile.mkdtemp(prefix="mtlog-verbs-")
    try:
        key = os.path.join(root, "key.pem")
        other = os.path.join(root, "other.pem")
        run("key", "new", "--out", key)
        run("key", "new", "--out", other)
        digest(root)
        diff(root, key)
        ignored(root, key)
        unsignable(root, key)
        trusts_nobody(root, key)
        with t.Server() as server:
            server.init().start()
            search(root, key, server)
            policy(root, key, other, server)
            inspect(root, key, server)
            t.check(server.stop() == 0, "a clean stop")
    finally:
        shutil.rmtree(root, ignore_errors=True)
    t.finish()


main()
