#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One fault (EIO, ENOSPC, SIGKILL) at every file system call of an append,
injected by strace into the one thread (or the signer) that makes it; and at the
calls of a start. Afterwards the log is started again without faults: nothing
acknowledged is lost, no head contradicts an earlier one, fsck is clean. Calls
of each kind that are tried of a start: MTLOG_FAULTS (the first 14)."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import time

import mtlog_test as t

if not shutil.which("strace"):
    t.skip("strace is not installed")

MOST = int(os.environ.get("MTLOG_FAULTS", "14"))
CALLS = ("pwrite64", "fdatasync", "fsync", "ftruncate", "unlink,unlinkat", "pread64")
# A start makes more such calls than an append: only from outside, once it is
# ready, does a fault meet the append.
APPENDS = os.geteuid() == 0
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


class Tracer:
    """strace beside one thread of a server that is ready, or beside all."""

    def __init__(self, server, tasks, *options):
        self.trace = os.path.join(server.root, "trace")
        self.process = subprocess.Popen(
            ["strace", "-qq", "-y", "-o", self.trace, *options, *(f"-p{task}" for task in tasks)])
        until = time.monotonic() + 10
        while not all(self.traces(task) for task in tasks):
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("strace does not attach")
            time.sleep(0.002)

    @staticmethod
    def traces(task):
        with open(f"/proc/{task}/status") as f:
            return "\nTracerPid:\t0\n" not in f.read()

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)
        with open(self.trace, errors="replace") as f:
            return f.read()


def tasks_of(server):
    """Threads and the signer, always in the same order, with names for them.
    Some threads only help with the start: when they are gone."""
    pid = server.process.pid
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        signer_pid = int(f.read().split()[0])
    threads, before = [], None
    while threads != before:
        before = threads
        time.sleep(0.03)
        threads = sorted(int(x) for x in os.listdir(f"/proc/{pid}/task"))
    return {"signer": signer_pid, **{f"thread {n}": task for n, task in enumerate(threads)}}


def submit_some(server, truth, what):
    full = False
    for n in range(2):
        request = signer.request(f"{what} {n}".encode())
        try:
            status, _, body = server.post(request)
        except (OSError, t.http.client.HTTPException):
            return
        t.check(status in (201, 500, 503, 504), f"{what}: status {status}")
        if full:
            t.check(status == 503 and b"disk-low" in body, f"{what}: tried again at once after a full disk: {body[:100]}")
        full = status == 503 and b"disk-full" in body
        truth.full += full
        if status == 201:
            truth.answer(server.vkey, request, body, what)


def calls_of_an_append(server, truth):
    """(who, call, n): who makes the n-th such call of its own, on a file of the
    log, while two entries are appended."""
    server.start()
    tasks = tasks_of(server)
    tracer = Tracer(server, tasks.values(), "-e", "trace=%file,%desc")
    submit_some(server, truth, "recording")
    text = tracer.stop()
    server.stop()
    names = {task: who for who, task in tasks.items()}
    counts, found = {}, []
    for task, call, rest in re.findall(r"^(\d+) +(\w+)\((.*)$", text, re.MULTILINE):
        who = (names[int(task)], call)
        counts[who] = counts.get(who, 0) + 1
        if server.dir in rest:
            found.append((*who, counts[who]))
    return found


def happened(text, what):
    """Whether a fault was injected. The server's filter must not turn it into
    its own end, which would make every fault a kill."""
    t.check("SIGSYS" not in text, f"{what}: the sandbox killed a process")
    return "INJECTED" in text or "SIGKILL" in text


def append_with_fault(server, truth, who, call, fault, when):
    """Whether the fault happened."""
    what = f"append: {who} {call} {fault} {when}"
    server.start()
    tracer = Tracer(server, [tasks_of(server)[who]], "-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={when}")
    submit_some(server, truth, what)
    text = tracer.stop()
    killed = server.stop(timeout=30) == -9
    afterwards(server, truth, what)
    return happened(text, what) or killed


@contextlib.contextmanager
def new_log():
    with t.Server() as server:
        yield server.init(), Truth()


def appends(kind, log):
    """The faults of an append to log(), each in turn."""
    with log() as (server, truth):
        calls = calls_of_an_append(server, truth)
    kinds = {(who == "signer", call) for who, call, _ in calls}
    for must in ((False, "pwrite64"), (False, "fdatasync"), (True, "pwrite64"), (True, "fdatasync")):
        t.check(must in kinds, f"{kind}: {must} is not in the recording: {kinds}")
    injected = 0
    for who, call, when in calls:
        for fault in FAULTS:
            with log() as (server, truth):
                injected += append_with_fault(server, truth, who, call, fault, when)
    print(f"{kind}: {len(calls)} calls, {injected} faults", flush=True)
    # Rarely a thread makes a call less than when it was recorded.
    t.check(injected >= len(calls) * len(FAULTS) * 9 // 10, f"{kind}: {injected} faults at {len(calls)} calls")


def with_fault(server, truth, call, fault, when):
    """A server in which one call fails; whether the fault can have happened."""
    what = f"{call} {fault} {when}"
    trace = os.path.join(server.root, "trace")
    faulty = t.Server(folder=server.dir, wrapper=[
        "strace", "-f", "-qq", "-o", trace, "-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={when}"])
    faulty.vkey, faulty.root = server.vkey, None
    faulty.log = server.log
    faulty.start(expect_ready=False)
    if faulty.port:
        submit_some(faulty, truth, what)
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it may end by itself
            for child in open(f"/proc/{faulty.process.pid}/task/{faulty.process.pid}/children").read().split():
                os.kill(int(child), 15)
        faulty.wait(timeout=30)
    with open(trace, errors="replace") as f:
        return happened(f.read(), what)


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


def starts(server, truth):
    """The faults of a start, and of what follows it; how many there were."""
    runs = injected = 0
    for call in CALLS:
        for fault in FAULTS:
            for when in range(1, MOST + 1):
                server.port = None
                hit = with_fault(server, truth, call, fault, when)
                runs += 1
                injected += hit
                if not afterwards(server, truth, f"{call} {fault} {when}"):
                    return injected
                if not hit:
                    break
    print(f"start: {runs} runs, {injected} with a fault", flush=True)
    return injected


def main():
    with t.Server() as server:
        server.init()
        truth = Truth()
        t.check(starts(server, truth) >= 40, "too few faults to mean anything")
        if APPENDS:
            appends("first append", new_log)
            appends("append", lambda: contextlib.nullcontext((server, truth)))
        result = server.fsck()
        t.check(result.returncode == 0, f"fsck: {result.stdout}{result.stderr}")
        server.start()
        size, _ = server.checkpoint()
        for index, leaf in truth.acked.items():
            body = server.get(f"/api/v1/entries/{index}")[2]
            t.check(t.base64.b64decode(json.loads(body)["canonicalizedBody"]) == leaf, f"entry {index} is lost")
        server.stop()
    print(f"{len(truth.acked)} entries acknowledged", flush=True)
    t.check(truth.full > 0, "no append found a full disk")


main()
if not APPENDS and not t.failed:
    t.skip("the faults of an append: only root may attach to a server that is not dumpable")
t.finish()
