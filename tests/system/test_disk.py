#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A small file system of its own (tmpfs), filled and freed again and again:
below the low-water mark the log is read-only before the disk is full, and it
comes back by itself; nothing is lost. Rounds: MTLOG_ROUNDS (20). Needs to
mount; a second part fills a folder past the mark at once (ENOSPC)."""

import os
import subprocess
import tempfile
import time

import mtlog_test as t

ROUNDS = int(os.environ.get("MTLOG_ROUNDS", "20"))
MIB = 1 << 20
signer = t.Signer()

mount = tempfile.mkdtemp(prefix="mtlog-disk-")
if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=420m", "mtlog-test", mount], capture_output=True).returncode != 0:
    os.rmdir(mount)
    t.skip("may not mount a small file system here (needs root)")


def free():
    v = os.statvfs(mount)
    return v.f_bavail * v.f_frsize


def fill(leave):
    """Leaves so many bytes; returns the file that took the rest."""
    path = os.path.join(mount, "ballast")
    with open(path, "wb") as f:
        os.posix_fallocate(f.fileno(), 0, max(1, free() - leave))
    return path


def wait_ready(server, want, seconds=15):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if server.get("/readyz")[2] == want:
            return True
        time.sleep(0.05)
    return False


try:
    server = t.Server(folder=os.path.join(mount, "log"), options=["--low-water", "160MiB"])
    server.log = os.path.join(tempfile.gettempdir(), os.path.basename(mount) + ".log")
    server.init().start()
    acked = {}

    def submit(name):
        request = signer.request(name.encode())
        status, headers, body = server.post(request)
        if status == 201:
            acked[t.verify_answer(server.vkey, request, t.json.loads(body))] = t.leaf_of(request)
        return status, headers, body

    t.check(submit("first")[0] == 201, "it begins with space")
    known = signer.request(b"known")
    server.submit(known)
    for n in range(ROUNDS):
        leave = 100 * MIB if n % 2 else 60 * 1024
        ballast = fill(leave)
        t.check(wait_ready(server, b"disk-low\n"), f"round {n}: read-only below the mark")
        status, headers, body = submit(f"full {n}")
        t.check(status == 503 and b"disk-low" in body and "retry-after" in headers, f"round {n}: {status} {body[:100]}")
        t.check(server.submit(known) == 1, f"round {n}: a known entry is still proven")
        t.check(server.get("/checkpoint")[0] == 200, f"round {n}: reads go on")
        os.unlink(ballast)
        t.check(wait_ready(server, b"ready\n"), f"round {n}: comes back by itself")
        t.check(submit(f"free {n}")[0] == 201, f"round {n}: writes again")
    # A start on a full disk serves reads.
    server.stop()
    ballast = fill(4096)
    server.start()
    t.check(server.get("/checkpoint")[0] == 200, "a start on a full disk serves reads")
    t.check(server.get("/readyz")[2] == b"disk-low\n", "and says why it takes nothing")
    os.unlink(ballast)
    t.check(wait_ready(server, b"ready\n"), "and comes back by itself")
    size, root = server.checkpoint()
    for index, leaf in acked.items():
        body = server.get(f"/api/v1/entries/{index}")[2]
        t.check(t.base64.b64decode(t.json.loads(body)["canonicalizedBody"]) == leaf, f"entry {index} is lost")
    t.check(server.stop() == 0, "clean stop")
    result = server.fsck()
    t.check(result.returncode == 0, f"fsck: {result.stdout}{result.stderr}")
    print(f"{ROUNDS} rounds, {len(acked)} entries", flush=True)
finally:
    if server.process and server.process.poll() is None:
        server.kill()
    subprocess.run(["umount", mount], check=False)
    os.rmdir(mount)
t.finish()
