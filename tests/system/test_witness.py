#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""mtlog-witness, the program: its commands, the ten rows of add-checkpoint in
their order, concurrent submissions of two inconsistent trees, kill -9 at random
moments (rounds: MTLOG_ROUNDS, 30), a full disk, syncs that fail, and a log of
mtlogd's. Trees, notes and proofs are the test's own."""

import os
import random
import shutil
import subprocess
import tempfile
import threading
import time

import mtlog_test as t
import witness_test as w

ROUNDS = int(os.environ.get("MTLOG_ROUNDS", "30"))
SEED = int(os.environ.get("MTLOG_SEED", random.randrange(1 << 32)))
EMPTY = t.hashlib.sha256(b"").digest()


def commands():
    with w.Witness() as x:
        a, b = w.Log("a.example/log"), w.Log("b.example")
        t.check(os.stat(x.dir).st_mode & 0o777 == 0o700, "the folder is private")
        t.check(os.stat(x.dir + "/key.pem").st_mode & 0o777 == 0o600, "the key is private")
        again = x.run("init", "--dir", x.dir, "--name", "other")
        t.check(again.returncode != 0 and "not empty" in again.stderr, "init refuses a folder that is not empty")
        t.check(x.run("init", "--dir", x.dir + "2", "--name", "a b").returncode == 2, "a name with a space")
        t.check(not os.path.exists(x.dir + "2"), "which leaves nothing")
        t.check(x.run("serve", "--dir", "/nonexistent").returncode != 0, "serve without a witness")
        t.check(x.run("serve").returncode == 2, "serve without --dir")
        t.check(x.run("serve", "--dir", x.dir, "--lisen", "x").returncode == 2, "an unknown option")
        t.check(x.run("nonsense").returncode == 2, "an unknown command")
        for command in ("init", "serve", "add-log", "status", "evidence"):
            told = x.run(command, "--help")
            t.check(told.returncode == 0 and f"mtlog-witness {command}" in told.stdout, f"{command} --help")
        t.check(x.add(a).returncode == 0, "add-log")
        t.check(x.add(a).returncode != 0, "the same log again")
        t.check(x.add(a, "--replace", "--per-day", "9", "--url", "https://a.example").returncode == 0, "--replace")
        t.check(x.add(x.key.text).returncode == 2, "the vkey of a witness")
        t.check(x.add("nonsense").returncode == 2, "no vkey")
        t.check(x.add(b, "--per-day", "0").returncode == 2, "never")
        t.check(x.run("add-log", "--dir", x.dir).returncode == 2, "add-log without a vkey")
        status = x.status()
        t.check(status["state"] == "stopped" and len(status["logs"]) == 1, f"status: {status}")
        x.start("--metrics-listen", "127.0.0.1:0")
        t.check(x.cosign(b, 0, 5)[0] == 404, "a log that is not known")
        t.check(x.add(b).returncode == 0 and x.cosign(b, 0, 5)[0] == 200, "added while it serves")
        second = x.run("serve", "--dir", x.dir, "--listen", "127.0.0.1:0")
        t.check(second.returncode != 0 and "locked" in second.stderr, f"a second one: {second.stderr}")
        status = x.status()
        logs = {log["origin"]: log for log in status["logs"]}
        t.check(status["state"] == "running" and status["vkey"] == x.key.text, "status of a running one")
        t.check(logs[a.name]["perDay"] == 9 and logs[a.name]["url"] == "https://a.example"
                and "size" not in logs[a.name], "a log without a checkpoint")
        t.check(logs[b.name]["size"] == "5" and logs[b.name]["age"] < 60 and logs[b.name]["id"] == b.id, "and with one")
        t.check("size 5" in x.run("status", "--dir", x.dir).stdout, "for people")
        for part in ("seccomp", "no-new-privs"):
            t.check(part in status["sandbox"] and part in status["keeperSandbox"], f"confined: {status}")
        server, keeper = x.process.pid, x.keeper()
        names = [os.readlink(f"/proc/{server}/fd/{fd}") for fd in os.listdir(f"/proc/{server}/fd")]
        t.check(not any("key.pem" in n or "witness.db" in n for n in names), f"what has the network has no key: {names}")
        t.check(keeper != server, "the keeper is a process of its own")
        port = int(status["metrics"].rsplit(":", 1)[1])
        c = t.http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        c.request("GET", "/metrics")
        page = c.getresponse().read().decode()
        c.close()
        t.check('mtlog_witness_log_size{log="b.example"} 5' in page
                and 'mtlog_witness_submissions_total{result="cosigned"} 1' in page
                and 'mtlog_witness_submissions_total{result="unknown-log"} 1' in page, f"metrics: {page}")
        t.check(x.stop() == 0, "TERM")
        t.check(x.status()["state"] == "stopped", "and it says so")
        os.unlink(x.dir + f"/logs/{b.id}")
        x.start()
        t.check(x.cosign(b, 5, 6)[0] == 404 and x.shown(b)[0] == 5, "a log that is no longer witnessed")
        t.check(x.kill() == -9 and x.status()["state"] == "killed", "killed")
        alone = shutil.copy(w.MTLOG, x.root)
        missing = subprocess.run([alone, "witness", "status", "--dir", x.dir], capture_output=True, text=True, timeout=20)
        t.check(missing.returncode != 0 and "mtlog-witness" in missing.stderr and "beside" in missing.stderr,
                f"without the program: {missing.stderr}")


def too_long(x, size, chunked=False):
    """(status, body) for so many bytes, of which as many are sent as are read."""
    with t.socket.create_connection(("127.0.0.1", x.port), timeout=30) as s:
        how = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
        s.sendall(f"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nConnection: close\r\n{how}\r\n\r\n".encode())
        try:
            for _ in range(0, size, 4096):
                s.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n" if chunked else b"x" * min(4096, size))
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = b""
        try:
            while piece := s.recv(65536):
                answer += piece
        except ConnectionResetError:
            pass
    return int(answer.split(b" ", 2)[1] if answer else 0), answer.partition(b"\r\n\r\n")[2]


def rows():
    with w.Witness() as x:
        a, stranger = w.Log("a.example/log"), w.Log("c.example")
        x.add(a)
        x.start()
        forged = {"spoil": True}
        wrong = bytes(32)

        def expect(row, status, body, text=None):
            got, headers, answer = x.submit(body)
            t.check(got == status and (text is None or answer == text), f"row {row}: {got} {answer[:100]}")
            if status == 409:
                t.check(headers["content-type"] == "text/x.tlog.size", f"row {row}: {headers}")
            t.check("text/x.tlog.size" != headers["content-type"] or status == 409, f"row {row}: {headers}")

        # 1: malformed, whatever else; extension lines
        expect(1, 400, b"")
        expect(1, 400, a.body(0, 5)[:-1])
        expect(1, 400, a.body(9, 5, **forged).replace(b"old 9", b"old 09"))
        expect(1, 400, a.body(0, 5, extension="more\n"))
        expect(1, 400, a.body(0, 5, proof=[wrong] * 64))
        expect(1, 400, a.body(0, 5) + "\u2014 a AAAAAAAA\n".encode() * 9000)
        # 2: unknown, and forged
        expect(2, 404, stranger.body(9, 5, **forged))
        # 3: forged, and the old size larger; a stranger's; another's name
        expect(3, 403, a.body(9, 5, **forged))
        expect(3, 403, stranger.body(9, 5, origin=a.name))
        both = a.body(9, 5) + w.note_line(a.name, a.identity, bytes(64)).encode()
        expect(3, 403, both)
        # 4: old over size, and not the last
        expect(4, 400, a.body(9, 5))
        # 5: not the last, and all that follows
        expect(5, 409, a.body(4, 5), b"0\n")
        # 6, 7
        expect(6, 422, a.body(0, 0, root=wrong, proof=[wrong]))
        expect(7, 422, a.body(0, 5, proof=[wrong]))
        t.check(x.shown(a) is None, "nothing so far")
        # 10
        began = int(time.time())
        status, first = x.cosign(a, 0, 5)
        t.check(status == 200 and began <= first <= time.time(), "row 10: the first")
        t.check(x.shown(a) == (5, a.tree.root(0, 5), first), "which can be read")
        expect(5, 409, a.body(0, 0, root=wrong, proof=[wrong]), b"5\n")
        # 8: another root of that size, with a proof
        expect(8, 422, a.body(5, 5, root=wrong, proof=[wrong]))
        # 9
        expect(9, 422, a.body(5, 9, proof=[]))
        expect(9, 422, a.body(5, 9, proof=a.tree.proof(4, 9)))
        expect(9, 422, a.body(5, 5, proof=[wrong]))
        expect(9, 422, a.body(5, 9, root=wrong))
        t.check(x.shown(a) == (5, a.tree.root(0, 5), first), "nothing of that counted")
        t.check(x.cosign(a, 5, 9)[0] == 200, "row 10: grows")
        expect(5, 409, a.body(5, 12), b"9\n")
        extra = a.body(9, 12) + w.note_line("evil.example", b"abcd", bytes(64)).encode()
        t.check(x.submit(extra)[0] == 200, "a stranger's line beside the log's")
        t.check(x.shown(a)[0] == 12, "which is not kept")
        status, before = x.cosign(a, 12, 12)
        t.check(status == 200, "the same size again")
        until = time.monotonic() + 10
        while status == 200 and time.monotonic() < until:
            status, after = x.cosign(a, 12, 12)
            if after > before:
                break
            time.sleep(0.2)
        t.check(status == 200 and after > before and x.shown(a)[2] == after, "refreshes its time")
        logs = x.status()["logs"]
        t.check(logs[0]["forks"] == 1, f"the other root is kept: {logs}")

        # The rest of HTTP.
        t.check(x.call("GET", "/add-checkpoint")[0] == 405, "GET add-checkpoint")
        t.check(x.call("POST", f"/{a.id}/checkpoint", b"x")[0] == 404, "POST checkpoint")
        t.check(x.call("GET", f"/{stranger.id}/checkpoint")[0] == 404, "never cosigned")
        t.check(x.call("GET", f"/{a.id.upper()}/checkpoint")[0] == 404, "hex is lower-case")
        t.check(x.call("HEAD", f"/{a.id}/checkpoint")[0::2] == (200, b""), "HEAD")
        t.check(x.call("GET", "/healthz")[0] == 200, "healthz")
        t.check(x.call("GET", "/readyz")[0::2] == (200, b"ready\n"), "readyz")
        t.check(x.call("GET", "/nothing")[0] == 404, "no address")
        for size in (128 << 10) + 1, 512 << 10, (512 << 10) + 1, 1 << 20, 8 << 20:
            status, said = too_long(x, size)
            t.check(status == 400 and (b"larger" in said or b"too long" in said), f"row 1: {size} bytes: {status} {said}")
        status, said = too_long(x, 1 << 20, chunked=True)
        t.check(status == 400, f"row 1: a megabyte in pieces: {status} {said}")
        t.check(x.stop() == 0, "TERM")


def evidence():
    """What is kept of a fork comes out as files that stand alone, while the
    witness runs; and what does not stand alone is not called evidence."""
    with w.Witness() as x:
        a, b = w.Log("a.example/log"), w.Log("b.example")
        x.add(a)
        x.add(b)
        out = os.path.join(x.root, "out")
        took = x.run("evidence", "--dir", x.dir, "--output", out)
        t.check(took.returncode == 0 and took.stdout == "" and "No evidence" in took.stderr, f"nothing: {took}")
        t.check(not os.path.exists(out), "and no folder for it")
        t.check(x.run("evidence", "--dir", x.root).returncode != 0, "no witness")
        t.check(x.run("evidence", "--dir", x.dir, "--to", out).returncode == 2, "an unknown option")
        x.start()
        forks = [w.Tree("left", 3), w.Tree("right", 4)]
        for log in a, b:
            t.check(x.cosign(log, 0, 5)[0] == 200, "cosigned")
        for tree in forks + forks:
            t.check(x.submit(a.body(5, 5, tree))[0] == 422, "a fork")
        t.check(x.submit(b.body(5, 5, forks[0]))[0] == 422, "a fork of the other log")
        t.check(x.submit(b.body(5, 6, forks[0]))[0] == 422, "one that proves nothing")
        logs = {log["origin"]: log for log in x.status()["logs"]}
        t.check(logs[a.name]["forks"] == 2 and len(logs[a.name]["evidence"]) == 2, f"status: {logs}")
        told = {e["file"]: e for log in logs.values() for e in log["evidence"]}
        t.check(len(told) == 3 and all(e["proves"] and e["size"] == "5" for e in told.values()), f"status: {told}")
        t.check({e["roots"][1] for e in logs[a.name]["evidence"]} == {t.b64(f.root(0, 5)) for f in forks}
                and logs[b.name]["evidence"][0]["roots"][0] == t.b64(b.tree.root(0, 5)), f"roots: {told}")
        t.check("2 FORKS KEPT" in x.run("status", "--dir", x.dir).stdout, "for people")
        for _ in range(2):
            took = x.run("evidence", "--dir", x.dir, "--output", out)
            t.check(took.returncode == 0 and took.stderr == "", f"evidence: {took}")
            t.check(sorted(os.listdir(out)) == sorted(told), f"{os.listdir(out)}, not {list(told)}")
            t.check(sorted(took.stdout.splitlines()) == sorted(os.path.join(out, f) for f in told), took.stdout)
        for file, e in told.items():
            path = os.path.join(out, file)
            seen = subprocess.run([w.MTLOG, "inspect", path], capture_output=True, text=True, timeout=60)
            t.check(seen.returncode == 0 and "fork" in seen.stdout.lower(), f"inspect: {seen}")
            with open(path, "rb") as f:
                text = f.read()
            t.check(name_of(text) == file and all(r.encode() in text for r in e["roots"]), file)
            # One bit of a signature, and it proves nothing.
            with open(path, "wb") as f:
                f.write(text[:-20] + (b"A" if text[-20:-19] != b"A" else b"B") + text[-19:])
            seen = subprocess.run([w.MTLOG, "inspect", path], capture_output=True, text=True, timeout=60)
            t.check(seen.returncode != 0, f"inspect of a forged one: {seen}")
        # A's key is forgotten: b's evidence is as good as before, a's are two notes each.
        shutil.rmtree(out)
        os.unlink(x.dir + f"/logs/{a.id}")
        took = x.run("evidence", "--dir", x.dir, "--output", out)
        names = sorted(os.listdir(out))
        t.check(took.returncode == 0 and took.stderr.count("does not stand alone") == 2, f"without a key: {took}")
        t.check([n.split(".", 1)[1] for n in names].count("cosigned.note") == 2
                and sum(n.endswith(".other.note") for n in names) == 2 and len(names) == 5, f"without a key: {names}")
        other = next(n for n in names if n.endswith(".other.note"))
        with open(os.path.join(out, other), encoding="utf-8") as f:
            t.check(f.read() in [a.note(5, tree) for tree in forks], "the log's note, byte for byte")
        logs = {log["origin"]: log for log in x.status()["logs"]}
        t.check([e["proves"] for e in logs[a.name]["evidence"]] == [False, False]
                and "file" not in logs[a.name]["evidence"][0], f"status without a key: {logs[a.name]}")
        t.check(x.stop() == 0, "TERM")
        t.check(x.run("evidence", "--dir", x.dir, "--output", "/proc/none").returncode == 1, "no such place")
        took = subprocess.run([w.WITNESS, "evidence", "--dir", x.dir], capture_output=True, text=True, timeout=60, cwd=x.root)
        t.check(took.returncode == 0 and told.keys() & set(os.listdir(x.root)), "stopped, and into the current folder")


def name_of(text):
    return f"fork-{t.hashlib.sha256(text).hexdigest()[:16]}.evidence"


def rates():
    with w.Witness() as x:
        a, b = w.Log("a.example"), w.Log("b.example")
        x.add(a, "--per-day", "3")
        x.add(b)
        x.start()
        for n in range(3):
            t.check(x.cosign(a, n, n + 1)[0] == 200, f"growth {n}")
        status, headers, _ = x.submit(a.body(3, 4))
        t.check(status == 429 and 28000 < int(headers["retry-after"]) <= 28800, f"a fourth: {status} {headers}")
        t.check(x.submit(a.body(2, 4))[0] == 409, "what is wrong is told first")
        t.check(x.cosign(a, 3, 3)[0] == 200, "a repeated one is answered")
        t.check(x.cosign(b, 0, 4)[0] == 200, "another log has a rate of its own")
        t.check(x.shown(a)[0] == 3, "what was refused is not shown")


def at_once(jobs):
    """Runs them all, from one moment on."""
    gate = threading.Barrier(len(jobs))

    def run(job):
        gate.wait(timeout=60)
        job()

    threads = [threading.Thread(target=run, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
        t.check(not thread.is_alive(), "a client hangs")


def of_one_tree(heads, trees):
    """All of these (size, root) are of one tree."""
    return any(all(tree.root(0, size) == root for size, root in heads) for tree in trees)


def concurrent():
    """One key signs two trees that part at 100. Whoever is faster decides which
    of them goes on; never both."""
    fork = 100
    trees = [w.Tree("left", fork), w.Tree("right", fork)]
    rng = random.Random(SEED)
    went = set()
    for number in range(4):
        with w.Witness() as x:
            a = w.Log("a.example", trees[0])
            x.add(a, "--per-day", "86400000")
            x.start()
            lock, heads, codes = threading.Lock(), [], []

            def send(old, size, tree):
                status, _ = x.cosign(a, old, size, tree=tree)
                with lock:
                    codes.append(status)
                    if status == 200:
                        heads.append((size, tree.root(0, size)))
                return status

            def first(size, tree):
                send(0, size, tree)

            def grow(size, tree):
                # As a client does: what the witness says, and once more.
                old = 0
                for _ in range(40):
                    status, _, answer = x.submit(a.body(old, size, tree=tree))
                    if status == 409:
                        old = int(answer)
                        if old > size:
                            return
                        continue
                    if status == 200:
                        text = a.note(size, tree).partition("\n\n")[0] + "\n"
                        x.key.time(text, answer.decode())
                        with lock:
                            heads.append((size, tree.root(0, size)))
                    with lock:
                        codes.append(status)
                    return

            sizes = rng.sample(range(fork + 1, 500), 50)
            at_once([lambda s=s, i=i: first(s, trees[i % 2]) for i, s in enumerate(sizes)])
            t.check(sorted(codes) == [200] + [409] * 49, f"one is first: {sorted(codes)}")
            t.check(len(heads) == 1, "one cosignature")
            codes.clear()
            # The other tree has the largest sizes: those are always tried.
            mine = trees[trees[0].root(0, heads[0][0]) != heads[0][1]]
            other = trees[mine is trees[0]]
            sizes = rng.sample(range(fork + 1, 570), 25)
            at_once([lambda s=s: grow(s, mine) for s in sizes]
                    + [lambda s=s: grow(s, other) for s in range(571, 596)])
            t.check(set(codes) <= {200, 422}, f"{set(codes)}")
            t.check(422 in codes, "the other tree was refused")
            t.check(of_one_tree(heads, trees), f"round {number}: two inconsistent trees: {heads}")
            shown = x.shown(a)
            t.check(shown[0] == max(size for size, _ in heads), "the largest is shown")
            t.check(of_one_tree(heads + [shown[:2]], trees), "of the same tree")
            went.add(trees[0].root(0, shown[0]) == shown[1])
            t.check(x.stop() == 0, "TERM")
    print(f"50 at once, four times; trees that went on: {len(went)}", flush=True)


class Grower(threading.Thread):
    """A log that grows until the witness goes away; what it was handed."""

    def __init__(self, x, log, size):
        super().__init__(daemon=True)
        self.x, self.log, self.size, self.got, self.bad = x, log, size, [], []

    def run(self):
        try:
            while self.size < len(self.log.tree.leaves):
                status, moment = self.x.cosign(self.log, self.size, self.size + 1)
                if status == 200:
                    self.size += 1
                    self.got.append((self.size, moment))
                elif status != 503:
                    self.bad.append(status)
                    return
        except (OSError, t.http.client.HTTPException):
            pass


def kills():
    rng = random.Random(SEED)
    last, cosigned = {}, 0
    with w.Witness() as x:
        logs = [w.Log(f"log{n}.example", w.Tree(capacity=8000)) for n in range(3)]
        for log in logs:
            x.add(log, "--per-day", "86400000")
        for number in range(ROUNDS):
            x.start()
            growers = []
            for log in logs:
                shown = x.shown(log)
                size, moment = (shown[0], shown[2]) if shown else (0, 0)
                had = last.get(log.name, (0, 0))
                t.check(size >= had[0] and moment >= had[1],
                        f"round {number}: {log.name}: {size} at {moment} after {had} was handed out")
                t.check(size <= had[0] + 1, f"round {number}: {log.name}: {size} was never asked for")
                last[log.name] = (size, moment)
                t.check(size == 0 or shown[1] == log.tree.root(0, size), f"round {number}: another tree")
                growers.append(Grower(x, log, size))
            for grower in growers:
                grower.start()
            time.sleep(rng.uniform(0.01, 0.25))
            if rng.random() < 0.5:
                os.kill(x.keeper(), 9)
                t.check(x.wait() == 75, "wants to be started again")
            else:
                x.kill()
            for grower in growers:
                grower.join(timeout=20)
                t.check(not grower.is_alive() and not grower.bad, f"round {number}: {grower.bad}")
                times = [moment for _, moment in grower.got]
                t.check(times == sorted(times), f"round {number}: back in time")
                if grower.got:
                    last[grower.log.name] = grower.got[-1]
                cosigned += len(grower.got)
        x.start()
        for log in logs:
            shown = x.shown(log)
            t.check(shown and shown[0] >= last[log.name][0], f"{log.name} went back")
        t.check(x.stop() == 0, "TERM")
    print(f"{ROUNDS} kills, {cosigned} cosignatures", flush=True)
    t.check(cosigned > ROUNDS, "too little to mean anything")


def full_disk():
    """Below its mark the witness cosigns nothing. A disk that is full at once,
    between two looks at it, gives no cosignature that is not kept, either."""
    mount = tempfile.mkdtemp(prefix="mtlog-witness-disk-")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "mtlog-test", mount], capture_output=True).returncode:
        os.rmdir(mount)
        print("SKIP a full disk: may not mount a small file system here (needs root)", flush=True)
        return
    ballast = os.path.join(mount, "ballast")

    def fill(leave):
        v = os.statvfs(mount)
        with open(ballast, "wb") as f:
            os.posix_fallocate(f.fileno(), 0, max(1, v.f_bavail * v.f_frsize - leave))

    def wait_for(what, condition):
        until = time.monotonic() + 20
        while not condition():
            if not t.check(time.monotonic() < until, what):
                return
            time.sleep(0.1)

    try:
        with w.Witness(folder=os.path.join(mount, "w")) as x:
            a = w.Log("a.example", w.Tree(capacity=4000))
            x.add(a, "--per-day", "86400000")
            x.start()
            size = ended = refused = 0

            def grow():
                """The status; `size` is what was handed out."""
                nonlocal size
                try:
                    status, _ = x.cosign(a, size, size + 1)
                except (OSError, t.http.client.HTTPException):
                    status = 0
                size += status == 200
                return status

            for number in range(6):
                t.check(grow() == 200, f"round {number}: begins with space")
                fill(4096 * (number % 4) if number % 2 else 8 << 20)
                # What fits into files that are there may still go on.
                status = 200
                while status == 200 and size < 3900:
                    status = grow()
                t.check(status in (503, 500, 0), f"round {number}: {status}")
                refused += status == 503
                if status != 503 or x.call("GET", "/readyz")[2] == b"keeper-down\n":
                    t.check(x.wait() == 75, f"round {number}: the end")
                    ended += 1
                    x.start()
                    t.check(x.shown(a)[0] in (size, size + 1), f"round {number}: {x.shown(a)} after {size}")
                    size = x.shown(a)[0]
                    status, _, answer = x.submit(a.body(size, size + 1))
                    t.check(status == 503 and b"disk" in answer, f"round {number}: started full: {status} {answer}")
                t.check(x.shown(a)[0] == size, f"round {number}: reads go on, and nothing has changed")
                t.check(x.call("GET", "/readyz")[0] == 503, f"round {number}: readyz")
                os.unlink(ballast)
                wait_for(f"round {number}: comes back by itself", lambda: grow() == 200)
                t.check(x.shown(a)[0] == size, f"round {number}: as it was")
                t.check(x.call("GET", "/readyz")[0] == 200, f"round {number}: readyz after")
            t.check(refused > 0, "the disk was never full")
            t.check(x.stop() == 0, "TERM")
        print(f"full disk: refused in {refused} of 6 rounds, {ended} ends", flush=True)
    finally:
        subprocess.run(["umount", mount], check=False)
        os.rmdir(mount)


def failed_syncs():
    """EIO at each sync of a submission: no cosignature, exit 75, and the next
    start knows what counts."""
    if not shutil.which("strace") or os.geteuid() != 0:
        print("SKIP syncs that fail: needs strace, and root", flush=True)
        return
    with w.Witness() as x:
        a = w.Log("a.example")
        x.add(a, "--per-day", "86400000")
        size = failures = 0
        for number in range(8):
            x.start()
            shown = x.shown(a)
            t.check((shown[0] if shown else 0) in (size, size + 1), f"fault {number}: {shown} after {size}")
            size = shown[0] if shown else 0
            t.check(x.cosign(a, size, size + 1)[0] == 200, f"fault {number}: begins well")
            size += 1
            call, nth = ("fdatasync", 1 + number // 2) if number % 2 == 0 else ("pwrite64", 1 + number // 2)
            tracer = subprocess.Popen(
                ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
                 "-e", f"inject={call}:error=EIO:when={nth}", "-p", str(x.keeper())],
                stderr=subprocess.PIPE)
            until = time.monotonic() + 10
            while f"TracerPid:\t{tracer.pid}" not in open(f"/proc/{x.keeper()}/status").read():
                if time.monotonic() > until or tracer.poll() is not None:
                    raise RuntimeError("strace does not attach")
                time.sleep(0.01)
            status = 200
            while status == 200 and size < 590:
                try:
                    status, _ = x.cosign(a, size, size + 1)
                except (OSError, t.http.client.HTTPException):
                    status = 0
                size += status == 200
            t.check(status in (0, 500, 503), f"fault {number}: {status}")
            failures += 1
            t.check(x.wait() == 75, f"fault {number}: wants to be started again")
            tracer.wait(timeout=20)
        x.start()
        t.check(x.shown(a)[0] in (size, size + 1), "in the end")
        t.check(x.stop() == 0, "TERM")
        print(f"{failures} faults injected", flush=True)


def real_log():
    """A log of mtlogd's, cosigned as it grows."""
    signer = t.Signer()
    with t.Server() as server, w.Witness() as x:
        server.init().start()
        t.check(x.add(server.vkey.text).returncode == 0, "add-log of mtlogd's vkey")
        x.start()
        old, identity = 0, t.hashlib.sha256(t.ORIGIN.encode()).hexdigest()
        for number in range(5):
            for n in range(number + 1):
                server.submit(signer.request(f"{number}-{n}".encode()))
            note = server.get("/checkpoint")[2].decode()
            size, _ = server.vkey.checkpoint(note)
            proof = server.consistency(old, size)
            body = f"old {old}\n" + "".join(t.b64(h) + "\n" for h in proof) + "\n" + note
            status, _, answer = x.submit(body.encode())
            t.check(status == 200, f"size {size}: {status} {answer[:100]}")
            x.key.time(note.rpartition("\n\n")[0] + "\n", answer.decode())
            shown = x.call("GET", f"/{identity}/checkpoint")[2].decode()
            t.check(shown == note + answer.decode(), "what is shown is the note and the cosignature")
            old = size
        t.check(server.stop() == 0 and x.stop() == 0, "TERM")


print(f"seed {SEED}", flush=True)
for part in (commands, rows, evidence, rates, concurrent, kills, full_disk, failed_syncs, real_log):
    part()
t.finish()
