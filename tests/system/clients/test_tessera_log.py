#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A log that the Go tessera library writes, on a plain file server: mtlog audit
reads it, follows its growth, and sees what somebody changed; and so do pins."""

import functools
import glob
import http.server
import json
import os
import subprocess
import tempfile
import threading

import clients_common as c

MTLOG = os.environ.get("MTLOG", os.path.join(os.path.abspath(c.t.BUILD), "mtlog"))
program = os.path.join(c.install("go"), "clients")


class Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass


def write(work, first, entries):
    """Appends entries; the log's vkey."""
    settings = os.path.join(work, "settings.json")
    with open(settings, "w") as f:
        json.dump({"origin": "tessera.example/log", "folder": os.path.join(work, "log"),
                   "first": first, "entries": entries}, f)
    run = subprocess.run([program, "log", settings], capture_output=True, text=True, timeout=c.LIMIT)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    c.t.check(run.returncode == 0 and all(line.get("ok", True) for line in lines),
              f"tessera writes: {run.stdout}{run.stderr}")
    return next(line["vkey"] for line in lines if "vkey" in line)


def audit(vkey, url, *options, expect=0):
    run = subprocess.run([MTLOG, "audit", "--log", vkey, "--url", url, "--json", *options],
                         capture_output=True, text=True, timeout=60)
    c.t.check(run.returncode == expect,
              f"audit {' '.join(options)}: {run.returncode}, not {expect}: {run.stdout}{run.stderr}")
    return json.loads(run.stdout)


def mtlog(*words, expect=0):
    run = subprocess.run([MTLOG, *words], capture_output=True, text=True, timeout=60)
    c.t.check(run.returncode == expect, f"{' '.join(words)}: {run.returncode}, not {expect}: {run.stdout}{run.stderr}")
    return run.stdout


def flip(path):
    with open(path, "r+b") as f:
        f.seek(9)
        byte = f.read(1)[0]
        f.seek(9)
        f.write(bytes([byte ^ 1]))


def main(work):
    handler = functools.partial(Quiet, directory=os.path.join(work, "log"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    state, cache = os.path.join(work, "state.json"), os.path.join(work, "cache")
    old, size = os.path.join(work, "old"), 0
    pins, leaf, proof = (os.path.join(work, name) for name in ("pins.json", "leaf", "proof"))
    checkpoints = []
    for entries in (1, 14, 241, 1, 443, 1000):
        vkey = write(work, size, entries)
        r = audit(vkey, url, "--state", state, "--cache", cache, *(["--seen", old] if size else []))
        c.t.check(r["walked"] == {"from": str(size), "to": str(size + entries)}, f"what is new: {r}")
        mtlog("log", "trust", "--pins", pins, vkey, url)
        got = json.loads(mtlog("log", "info", "--json", "--pins", pins))
        size += entries
        c.t.check(got["size"] == str(size), f"pinned, and grown since: {got}")
        if size > entries:
            mtlog("log", "consistency", str(size - entries), str(size), "--pins", pins)
        for index in {0, size // 2, size - 1}:
            mtlog("get", str(index), "--pins", pins)
            with open(leaf, "w") as f:
                f.write(mtlog("get", "--raw", str(index), "--pins", pins))
            mtlog("proof", "export", "--index", str(index), "--output", proof, "--pins", pins)
            mtlog("proof", "verify", "--vkey", vkey, "--leaf", leaf, proof)
        mtlog("get", str(size), "--pins", pins, expect=15)
        with open(os.path.join(work, "log", "checkpoint")) as f, open(old, "w") as copy:
            checkpoints.append(f.read())
            copy.write(checkpoints[-1])
        r = audit(vkey, url)
        done = {x["name"] for x in r["checks"] if x["result"] != "not-asked"}
        c.t.check(r["size"] == str(size) and r["clean"] and done == {"checkpoint", "tree"}, f"all of it: {r}")
    # A server that is behind shows what was, and is accused of nothing.
    with open(os.path.join(work, "log", "checkpoint")) as f:
        newest = f.read()
    for behind in checkpoints[:-1]:
        with open(os.path.join(work, "log", "checkpoint"), "w") as f:
            f.write(behind)
        got = json.loads(mtlog("log", "info", "--json", "--pins", pins))
        c.t.check(got["sight"] == "older", f"an older checkpoint: {got}")
    with open(os.path.join(work, "log", "checkpoint"), "w") as f:
        f.write(newest)
    # Its entries are no signatures, so there is nothing to search for.
    audit(vkey, url, "--entries", expect=21)
    r = audit(vkey, url, "--search", "100")
    c.t.check(r["checks"][5]["result"] == "not-asked", f"no search: {r}")
    # Partial tiles may go once they are full.
    for path in glob.glob(os.path.join(work, "log", "tile", "**", "00[0-5].p", "*"), recursive=True):
        if os.path.exists(os.path.dirname(path)[:-2]):
            os.remove(path)
    audit(vkey, url)
    for name in ("0/003", "0/006.p/164", "1/000.p/6", "entries/005", "entries/006.p/164"):
        path = os.path.join(work, "log", "tile", name)
        flip(path)
        audit(vkey, url, expect=21)
        flip(path)
    audit(vkey, url)
    server.shutdown()


with tempfile.TemporaryDirectory(prefix="mtlog-tessera-") as folder:
    main(folder)
c.t.finish()
