#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One fault (EIO, ENOSPC, SIGKILL) at every file system call that start and
append make, injected by strace into server and signer alike. Afterwards the
log is started again without faults: nothing acknowledged is lost, no head
contradicts an earlier one, fsck is clean. Calls of each kind that are tried:
MTLOG_FAULTS (the first 14 of every thread)."""

import json
import os
import shutil

import mtlog_test as t

if not shutil.which("strace"):
    t.skip("strace is not installed")

MOST = int(os.environ.get("MTLOG_FAULTS", "14"))
# strace counts in each thread: a call that the start makes often is never
# reached in an append, but for the one file that is named.
CALLS = (("pwrite64", None), ("pwrite64", "db/log.db-wal"), ("pwrite64", "guard/guard"),
         ("fdatasync", None), ("fdatasync", "db/log.db-wal"), ("fdatasync", "guard/guard"),
         ("fsync", None), ("ftruncate", None), ("unlink,unlinkat", None), ("pread64", None))
FAULTS = ("error=EIO", "error=ENOSPC", "signal=SIGKILL")
signer = t.Signer()


class Truth:
    """What was ever acknowledged or shown."""

    def __init__(self):
        self.heads, self.acked = {}, {}
        self.full = 0  # answers that a write found no space

    def head(self, size, root, what):
        t.check(self.heads.setdefault(size, root) == root, f"{what}: two roots at size {size}")

    def answer(self, vkey, request, body, what):
        answer = json.loads(body)
        index = t.verify_answer(vkey, request, answer)
        leaf = t.leaf_of(request)
        t.check(self.acked.setdefault(index, leaf) == leaf, f"{what}: index {index} handed out twice")
        p = answer["inclusionProof"]
        self.head(int(p["treeSize"]), t.base64.b64decode(p["rootHash"]), what)


def with_fault(server, truth, call, path, fault, when):
    """A server in which one call fails; whether the fault can have happened."""
    what = f"{call} {path} {fault} {when}"
    only = ["-P", os.path.join(server.dir, path)] if path else []
    trace = os.path.join(server.root, "trace")
    faulty = t.Server(folder=server.dir, wrapper=[
        "strace", "-f", "-qq", "-o", trace, *only, "-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={when}"])
    faulty.vkey, faulty.root = server.vkey, None
    faulty.log = server.log
    faulty.start(expect_ready=False)
    full = False
    if faulty.port:
        for n in range(2):
            request = signer.request(f"{what} {n}".encode())
            try:
                status, _, body = faulty.post(request)
            except (OSError, t.http.client.HTTPException):
                break
            t.check(status in (201, 500, 503, 504), f"{what}: status {status}")
            if full:
                t.check(status == 503 and b"disk-low" in body, f"{what}: tried again at once after a full disk: {body[:100]}")
            full = status == 503 and b"disk-full" in body
            truth.full += full
            if status == 201:
                truth.answer(server.vkey, request, body, what)
        try:
            children = open(f"/proc/{faulty.process.pid}/task/{faulty.process.pid}/children").read().split()
            for child in children:
                os.kill(int(child), 15)
        except (FileNotFoundError, ProcessLookupError):
            pass  # it ends by itself
        faulty.wait(timeout=30)
    with open(trace, errors="replace") as f:
        text = f.read()
    # The server's filter would turn what is injected into its own end.
    t.check("SIGSYS" not in text, f"{what}: the sandbox killed a process")
    return "INJECTED" in text or "SIGKILL" in text


def afterwards(server, truth, what):
    server.start(expect_ready=False)
    if not t.check(server.port and server.process.poll() is None, f"{what}: no start afterwards: {server.tail()}"):
        return False
    t.check(server.get("/readyz")[2] == b"ready\n", f"{what}: {server.get('/readyz')[2]} afterwards: {server.tail()}")
    size, root = server.checkpoint()
    truth.head(size, root, what)
    for old, old_root in truth.heads.items():
        t.check(old <= size and t.consistent(old, size, server.consistency(old, size), old_root, root),
                f"{what}: head {old} is not consistent with {size}")
    for index, leaf in list(truth.acked.items())[-6:]:
        status, _, body = server.get(f"/api/v1/entries/{index}")
        t.check(status == 200 and t.base64.b64decode(json.loads(body)["canonicalizedBody"]) == leaf,
                f"{what}: acknowledged entry {index} is lost")
    server.stop()
    return True


def main():
    runs = injected = 0
    with t.Server() as server:
        server.init()
        truth = Truth()
        for call, path in CALLS:
            for fault in FAULTS:
                for when in range(1, MOST + 1):
                    server.port = None
                    hit = with_fault(server, truth, call, path, fault, when)
                    runs += 1
                    injected += hit
                    if not afterwards(server, truth, f"{call} {path} {fault} {when}"):
                        return runs, injected
                    if not hit:
                        break
        result = server.fsck()
        t.check(result.returncode == 0, f"fsck: {result.stdout}{result.stderr}")
        server.start()
        size, _ = server.checkpoint()
        for index, leaf in truth.acked.items():
            body = server.get(f"/api/v1/entries/{index}")[2]
            t.check(t.base64.b64decode(json.loads(body)["canonicalizedBody"]) == leaf, f"entry {index} is lost")
        server.stop()
    print(f"{runs} runs, {injected} with a fault, {len(truth.acked)} entries acknowledged", flush=True)
    t.check(injected >= 40, "too few faults to mean anything")
    t.check(truth.full > 0, "no append found a full disk")
    return runs, injected


main()
t.finish()
