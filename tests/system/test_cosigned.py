#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A log with witnesses: what is shown in each mode, and that it never goes
back, whatever witnesses and processes do."""

import json
import os
import shutil
import subprocess
import threading
import time

import mtlog_test as t
from standin_witness import Witness

signer = t.Signer()


def wait_for(condition, what, seconds=30):
    """Checks that it becomes true; how long that takes is not judged."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return t.check(True, what)
        time.sleep(0.02)
    return t.check(False, what)


class Log(t.Server):
    """A log whose quorum is two of three witnesses."""

    def make(self, mode, quorum=2, **settings):
        self.init()
        self.witnesses = [Witness(n, self.vkey) for n in ("w1.example", "w2.example", "w3.example")]
        self.policy = os.path.join(self.dir, "witnesses")
        with open(self.policy, "w") as f:
            for w in self.witnesses:
                f.write(w.line)
            f.write(f"group all {quorum} w1.example w2.example w3.example\nquorum all\n")
        self.configure(witness_mode=mode, witness_policy="witnesses", witness_interval=50,
                       witness_timeout=1, metrics_listen="127.0.0.1:0", **settings)
        return self

    def configure(self, **settings):
        path = os.path.join(self.dir, "mtlogd.conf")
        names = [k.replace("_", "-") for k in settings]
        with open(path) as f:
            lines = [l for l in f if l.split("=")[0].strip() not in names]
        with open(path, "w") as f:
            f.writelines(lines)
            for k, v in settings.items():
                f.write(f"{k.replace('_', '-')} = {v}\n")

    def remove(self):
        super().remove()
        for w in self.witnesses:
            w.close()

    def shown(self, path="/checkpoint"):
        """(size, cosigners) of what is shown, or None."""
        status, _, body = self.get(path)
        if status != 200:
            return None
        size, _ = self.vkey.checkpoint(body.decode())
        return size, sum(1 for w in self.witnesses if w.verify(body.decode()))

    def cosigned_size(self):
        shown = self.shown()
        return shown[0] if shown else -1

    def no_faults(self, what):
        t.check(not any(w.faults for w in self.witnesses), f"{what}: the witnesses saw no fault: "
                f"{[w.faults for w in self.witnesses]}")

    def metrics(self):
        with open(os.path.join(self.dir, "db", "serving.json")) as f:
            port = int(json.load(f)["metrics"].rsplit(":", 1)[1])
        self_port, self.port = self.port, port
        body = self.get("/metrics")[2].decode()
        self.port = self_port
        return body


def cosigned_proof(log, request, index):
    """Checks the answer of .../cosigned as a client would."""
    status, headers, body = log.get(f"/api/v1/proof/inclusion/{index}/cosigned")
    if status != 200:
        return status, headers, json.loads(body)["details"][0]["reason"]
    p = json.loads(body)
    note = p["checkpoint"]["envelope"]
    size, root = log.vkey.checkpoint(note)
    t.check(str(size) == p["treeSize"] and t.b64(root) == p["rootHash"] and p["logIndex"] == str(index),
            "cosigned: proof and checkpoint agree")
    got = t.inclusion_root(index, size, t.leaf_hash(t.leaf_of(request)),
                           [t.base64.b64decode(h) for h in p["hashes"]])
    t.check(got == root, "cosigned: the proof verifies")
    t.check(sum(1 for w in log.witnesses if w.verify(note)) >= 2, "cosigned: a quorum has signed")
    return status, headers, ""


def open_mode():
    with Log() as log:
        log.make("open").start()
        wait_for(lambda: log.shown() == (0, 3), "open: the empty log is cosigned by all three")
        requests = [signer.request(f"open {i}".encode()) for i in range(40)]
        for i, r in enumerate(requests):
            t.check(log.submit(r) == i, "open: an answer at once")
        t.check(log.shown("/api/v1/checkpoint/signed")[0] == 40, "open: the signed checkpoint is the newest")
        wait_for(lambda: log.cosigned_size() == 40, "open: the quorum follows")
        for i in (0, 20, 39):
            t.check(cosigned_proof(log, requests[i], i)[0] == 200, "open: there is a cosigned proof")
        t.check(cosigned_proof(log, requests[0], 40)[2] == "no-such-entry", "open: none of what is not there")
        t.check(log.get("/api/v1/proof/inclusion/x/cosigned")[0] == 400, "open: no number, no proof")
        t.check(log.get("/readyz")[0] == 200, "open: ready")
        wait_for(lambda: all(w.size == 40 for w in log.witnesses), "open: all three follow")
        text = log.metrics()
        t.check('mtlog_tree_size{stage="cosigned"} 40' in text, "metrics: the cosigned size")
        for w in log.witnesses:
            wait_for(lambda: f'mtlog_witness_size{{witness="{w.name}"}} 40' in log.metrics(),
                     f"metrics: the size of {w.name}")

        # Two of three are enough; one is not, and what is shown stays.
        log.witnesses[0].close()
        log.submit(signer.request(b"with two"))
        wait_for(lambda: log.cosigned_size() == 41, "open: one down of three")
        log.witnesses[1].mood = "broken"
        t.check(log.submit(signer.request(b"with one")) == 41, "open: answers go on without a quorum")
        t.check(log.shown("/api/v1/checkpoint/signed")[0] == 42, "open: and are signed")
        status, headers, reason = cosigned_proof(log, None, 41)
        t.check((status, reason) == (404, "not-cosigned-yet") and "retry-after" in headers,
                f"open: too early for the proof: {status} {reason}")
        wait_for(lambda: log.get("/readyz")[2] == b"cosigning-behind\n", "open: not ready when something waits")
        t.check(log.cosigned_size() == 41, "open: what is shown stays")
        log.kill()
        log.start()
        t.check(log.cosigned_size() == 41, "open: and is shown after a kill")
        t.check(log.shown("/api/v1/checkpoint/signed")[0] == 42, "open: nothing signed is lost")
        log.witnesses[0].open()
        log.witnesses[1].mood = "well"
        wait_for(lambda: log.cosigned_size() == 42, "open: and goes on when they are back")
        wait_for(lambda: log.get("/readyz")[0] == 200, "open: ready again")
        t.check(log.stop() == 0, "open: a clean end")
        log.no_faults("open")


def never_back():
    """Kills at random moments under load; every size that is shown is larger."""
    with Log() as log:
        log.make("open")
        largest = -1
        for turn in range(4):
            log.start()
            first = log.cosigned_size()
            t.check(first >= largest, f"never back: {first} after {largest}")
            largest = max(largest, first)
            until = time.monotonic() + 0.5 + 0.2 * turn
            while time.monotonic() < until:
                log.submit(signer.request(os.urandom(16)))
                size = log.cosigned_size()
                t.check(size >= largest, f"never back: {size} after {largest}")
                largest = max(largest, size)
            log.kill()
        t.check(largest > 0, "never back: something was cosigned")
        for w in log.witnesses:
            t.check(w.sizes == sorted(w.sizes), f"never back: {w.name} saw the log grow")
        log.no_faults("never back")


def wrongs():
    """One witness does wrong; the other two are the quorum, and nothing wrong is
    ever shown."""
    with Log() as log:
        log.make("open").start()
        bad = log.witnesses[2]
        for mood in ("slow", "busy", "broken", "nonsense", "boasting", "endless", "forging", "replaying"):
            bad.mood = mood
            index = log.submit(signer.request(mood.encode()))
            wait_for(lambda: log.cosigned_size() == index + 1, f"a witness that is {mood} stops nobody")
            t.check(log.shown()[1] >= 2, f"{mood}: a quorum is shown")
        t.check(log.get("/readyz")[0] == 200, "boasting alone does not latch the log")
        bad.mood = "well"
        wait_for(lambda: bad.size == log.cosigned_size(), "and it may come back")
        log.no_faults("wrongs")
        t.check(log.stop() == 0, "wrongs: a clean end")


def required_mode():
    with Log() as log:
        log.make("required", submit_timeout=2).start()
        request = signer.request(b"first")
        index = log.submit(request)
        t.check(log.cosigned_size() >= index + 1, "required: the answer came after the quorum")
        status, _, body = log.post(request)
        t.check(status == 201 and json.loads(body)["logIndex"] == str(index), "required: a known entry is answered")
        note = json.loads(body)["inclusionProof"]["checkpoint"]["envelope"]
        t.check(sum(1 for w in log.witnesses if w.verify(note)) >= 2, "required: under a cosigned checkpoint")

        log.witnesses[0].mood = log.witnesses[1].mood = "broken"
        late = signer.request(b"late")
        status, headers, body = log.post(late)
        t.check(status == 503 and b"not-cosigned" in body and "retry-after" in headers,
                f"required: without a quorum 503: {status} {body[:200]}")
        t.check(log.cosigned_size() == 1, "required: nothing below a quorum is shown")
        t.check(log.shown("/api/v1/checkpoint/signed")[0] == 1, "required: nor as the signed checkpoint")
        t.check(log.get("/api/v1/entries/1")[0] == 404, "required: nor as an entry")
        t.check(log.get("/tile/0/000.p/2")[0] == 404, "required: nor as a tile")
        t.check(log.get("/tile/0/000.p/1")[0] == 200, "required: what is cosigned is there")
        digest = late["hashedRekordRequestV002"]["digest"]
        found = json.loads(log.get("/api/v1/search?digest=" + t.base64.b64decode(digest).hex())[2])
        t.check(found["entries"] == [] and found["treeSize"] == "1", f"required: nor by search: {found}")

        log.kill()
        log.start()
        t.check(log.cosigned_size() == 1, "required: not after a restart either")
        t.check(log.get("/readyz")[2] == b"witnesses-unasked\n", "required: nothing is signed before they are asked")
        status, _, body = log.post(signer.request(b"too early"))
        t.check(status == 503 and b"witnesses-unasked" in body, f"required: and nothing is taken: {body[:200]}")
        answers = []
        thread = threading.Thread(target=lambda: answers.append(log.post(late)))
        thread.start()
        log.witnesses[0].mood = "well"
        thread.join()
        status, _, body = answers[0]
        if status != 201:
            wait_for(lambda: log.cosigned_size() == 2, "required: the quorum is back")
            status, _, body = log.post(late)
        t.check(status == 201 and t.verify_answer(log.vkey, late, json.loads(body)) == 1,
                f"required: later it is answered, at the same index: {status}")
        wait_for(lambda: log.get("/readyz")[0] == 200, "required: ready again")
        t.check(log.submit(signer.request(b"next")) == 2, "required: and goes on")
        t.check(log.stop() == 0, "required: a clean end")
        log.no_faults("required")


def put_back(log, old):
    """The whole machine as it was: old bytes in the files as they are."""
    for folder, _, files in os.walk(old):
        for name in files:
            path = os.path.join(folder, name)
            now = os.path.join(log.dir, os.path.relpath(path, old))
            if os.path.exists(now):
                with open(path, "rb") as a, open(now, "wb") as b:
                    b.write(a.read())


def rolled_back():
    """Guard, database and all are old: only the witnesses know."""
    for mode in ("open", "required"):
        with Log() as log:
            log.make(mode).start()
            for i in range(3):
                log.submit(signer.request(f"old {i}".encode()))
            wait_for(lambda: log.cosigned_size() == 3, f"{mode}: cosigned")
            log.stop()
            old = os.path.join(log.root, "old")
            shutil.copytree(log.dir, old)
            log.start()
            for i in range(3):
                log.submit(signer.request(f"new {i}".encode()))
            wait_for(lambda: all(w.size == 6 for w in log.witnesses), f"{mode}: the witnesses know six")
            log.stop()
            put_back(log, old)

            if mode == "required":  # nobody to ask: nothing is signed
                for w in log.witnesses:
                    w.close()
                log.start()
                status, _, body = log.post(signer.request(b"a fork"))
                t.check(status == 503 and b"witnesses-unasked" in body, f"rolled back, unasked: {status}")
                log.stop()
                for w in log.witnesses:
                    w.open()
            log.start()
            wait_for(lambda: log.get("/readyz")[2] == b"log-latched\n", f"{mode}: rolled back: latched")
            status, _, body = log.post(signer.request(b"a fork"))
            t.check(status == 503 and b"log-latched" in body, f"{mode}: rolled back: {status} {body[:200]}")
            with open(os.path.join(log.dir, "db", "unknown-checkpoint")) as f:
                t.check(log.vkey.checkpoint(f.read())[0] == 6, f"{mode}: the head that it does not know is kept")
            t.check(log.cosigned_size() == 3, f"{mode}: what it has is still shown")
            t.check(log.stop() == 0, f"{mode}: a clean end")

            for w in log.witnesses:  # it does not forget, whoever is there
                w.close()
            log.start()
            t.check(log.get("/readyz")[2] == b"log-latched\n", f"{mode}: latched for good")
            t.check(all(w.size == 6 for w in log.witnesses), f"{mode}: and no witness saw another tree")


def unsigned_tail():
    """Entries that were stored and not signed wait until witnesses were asked;
    then the process wants to be started again, and signs them."""
    with Log() as log:
        log.make("off").start()
        log.submit(signer.request(b"signed"))
        log.stop()
        guard = os.path.join(log.dir, "guard", "guard")
        with open(guard, "rb") as f:
            old = f.read()
        log.start()
        tail = signer.request(b"not signed")
        log.submit(tail)
        log.stop()
        with open(guard, "r+b") as f:
            f.write(old)
        log.configure(witness_mode="required")
        for w in log.witnesses:
            w.mood = "broken"
        log.start()
        t.check(log.get("/readyz")[2] == b"restarting\n", "tail: waits for the witnesses")
        t.check(log.post(signer.request(b"new"))[0] == 503, "tail: takes nothing")
        t.check(log.get("/checkpoint")[0] == 503, "tail: shows nothing that is not cosigned")
        for w in log.witnesses:
            w.mood = "well"
        t.check(log.wait(30) == 75, "tail: starts again when they have answered")
        log.start()
        t.check(log.submit(tail) == 1, "tail: and it is signed, and cosigned")
        t.check(log.cosigned_size() == 2, "tail: as everybody sees")
        t.check(log.stop() == 0, "tail: a clean end")
        log.no_faults("tail")


def run(*arguments):
    return subprocess.run([t.MTLOGD, *arguments], capture_output=True, text=True, timeout=120)


def restored():
    """Without a guard, out of a backup that is old: what required was for."""
    with Log() as log:
        log.make("required").start()
        for i in range(5):
            log.submit(signer.request(f"kept {i}".encode()))
        backup = os.path.join(log.root, "backup")
        out = run("backup", "--dir", log.dir, "--to", backup)
        t.check(out.returncode == 0, f"backup: {out.stderr}")
        late = [signer.request(f"later {i}".encode()) for i in range(300)]
        for r in late[:4]:
            log.submit(r)
        wait_for(lambda: all(w.size == 9 for w in log.witnesses), "restore: the witnesses know nine")
        key = os.path.join(log.dir, "key.pem")
        url = f"http://127.0.0.1:{log.port}"

        def restore(name, *more):
            folder = os.path.join(log.root, name)
            return folder, run("restore", "--dir", folder, "--from-backup", backup, "--key", key, *more)

        _, out = restore("short", "--required-since-backup")
        t.check(out.returncode != 0 and "w1.example shows a head of 9" in out.stderr,
                f"restore: the witnesses show what is missing: {out.stderr}")
        folder, out = restore("frozen", "--from", url)
        t.check(out.returncode == 0 and "frozen" in out.stdout, f"restore: nobody says required: {out.stdout}{out.stderr}")
        log.witnesses[0].close()
        log.witnesses[1].close()
        folder, out = restore("alone", "--from", url, "--required-since-backup")
        t.check(out.returncode == 0 and "frozen" in out.stdout, f"restore: one witness is too few: {out.stdout}")
        log.witnesses[0].open()
        folder, out = restore("again", "--from", url, "--required-since-backup")
        t.check(out.returncode == 0 and "The witnesses know" in out.stdout, f"restore: two are enough: {out.stdout}{out.stderr}")
        log.stop()
        with t.Server(folder=folder) as again:
            again.vkey = log.vkey
            again.start()
            t.check(again.checkpoint()[0] == 9, "restored: shows what was shown")
            t.check(again.submit(late[0]) == 5, "restored: knows its entries")
            t.check(again.submit(late[4]) == 9, "restored: and goes on behind them")
            t.check(again.stop() == 0, "restored: a clean end")
        t.check(run("fsck", "--dir", folder).returncode == 0, "restored: fsck is content")
        log.no_faults("restored")

        # The policy may be elsewhere by now.
        shutil.move(os.path.join(backup, "witnesses"), os.path.join(log.root, "moved"))
        _, out = restore("no-policy", "--from", url)
        t.check(out.returncode != 0 and "--witness-policy" in out.stderr, f"restore: no policy: {out.stderr}")
        _, out = restore("moved-policy", "--witness-policy", os.path.join(log.root, "moved"))
        t.check(out.returncode != 0 and "w1.example shows a head of" in out.stderr, f"restore: moved: {out.stderr}")
        shutil.move(os.path.join(log.root, "moved"), os.path.join(backup, "witnesses"))

        # A head that contradicts the entries: evidence, and an end.
        forged = os.path.join(log.root, "forged")
        with open(os.path.join(backup, "checkpoint")) as f:
            note = f.read()
        with open(forged, "w") as f:
            f.write(note.replace("\n5\n", "\n4\n"))
        _, out = restore("forged-head", "--seen", forged)
        t.check(out.returncode != 0 and "forged" in out.stderr, f"restore: a head that nobody signed: {out.stderr}")


def real_witness():
    """mtlog-witness as the one witness of a log that requires it: killed, it is
    missed; started again, it goes on where it was."""
    program = os.environ.get("MTLOG_WITNESS", os.path.join(t.BUILD, "mtlog-witness"))
    if not os.path.exists(program):
        print("no mtlog-witness: not tried with one", flush=True)
        return
    with Log() as log:
        log.init()
        log.witnesses = []
        folder = os.path.join(log.root, "witness")

        def witness(*words):
            return subprocess.run([program, *words], capture_output=True, text=True, timeout=60)

        def serve(port=0):
            p = subprocess.Popen([program, "serve", "--dir", folder, "--listen", f"127.0.0.1:{port}"],
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            return p, int(p.stdout.readline().strip().rsplit(":", 1)[1])

        made = witness("init", "--dir", folder, "--name", "real.example")
        t.check(made.returncode == 0, f"real: init {made.stderr}")
        added = witness("add-log", "--dir", folder, log.vkey.text)
        t.check(added.returncode == 0, f"real: add-log {added.stderr}")
        process, port = serve()
        try:
            with open(os.path.join(log.dir, "witnesses"), "w") as f:
                f.write(f"witness real {made.stdout.strip()} http://127.0.0.1:{port}\nquorum real\n")
            log.configure(witness_mode="required", witness_policy="witnesses", witness_interval=50,
                          witness_timeout=2, submit_timeout=3)
            log.start()
            for i in range(3):
                t.check(log.submit(signer.request(f"real {i}".encode())) == i, "real: answered")
            note = log.get("/checkpoint")[2].decode()
            t.check("\u2014 real.example " in note, "real: its line is on the checkpoint")
            process.kill()
            process.wait()
            late = signer.request(b"without")
            t.check(log.post(late)[0] == 503, "real: it is missed")
            log.kill()
            process, _ = serve(port)
            log.start()
            wait_for(lambda: log.post(late)[0] == 201, "real: and all goes on")
            t.check(log.submit(late) == 3, "real: at the same index")
            t.check(log.stop() == 0, "real: a clean end")
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def frozen():
    """No key, nothing new; and still cosigned, also what was not yet."""
    with Log() as log:
        log.make("required", submit_timeout=1).start()
        log.submit(signer.request(b"before"))
        for w in log.witnesses:
            w.mood = "broken"
        t.check(log.post(signer.request(b"waits"))[0] == 503, "frozen: one waits")
        log.stop()
        out = run("freeze", "--dir", log.dir, "--yes")
        t.check(out.returncode == 0, f"freeze: {out.stderr}")
        os.unlink(os.path.join(log.dir, "key.pem"))
        with open(log.policy) as f:  # a name, looked up inside the sandbox
            text = f.read()
        with open(log.policy, "w") as f:
            f.write(text.replace("http://127.0.0.1:", "http://localhost:"))
        for w in log.witnesses:
            w.mood = "well"
        log.start()
        wait_for(lambda: log.cosigned_size() == 2, "frozen: cosigned to its end")
        t.check(log.shown()[1] >= 2, "frozen: by a quorum")
        t.check(log.get("/readyz")[2] == b"log-frozen\n", "frozen: says so")
        t.check(log.stop() == 0, "frozen: a clean end")


def wrong_policies():
    with Log() as log:
        log.make("open")
        for text, says in (("", "quorum"), ("quorum none\n", "none"),
                           (log.witnesses[0].line + "quorum w1.example\nnonsense\n", "line 3"),
                           (f"log {log.witnesses[0].vkey}\n" + log.witnesses[0].line + "quorum w1.example\n", "")):
            with open(log.policy, "w") as f:
                f.write(text)
            for out in (run("check", "--dir", log.dir),
                        run("serve", "--dir", log.dir, "--listen", "127.0.0.1:0")):
                t.check(out.returncode != 0 and says in out.stderr, f"policy {text!r}: {out.stderr}")
        os.unlink(log.policy)
        out = run("check", "--dir", log.dir)
        t.check(out.returncode != 0 and "witness-policy" in out.stderr, f"no policy: {out.stderr}")
        log.configure(witness_policy="")
        out = run("check", "--dir", log.dir)
        t.check(out.returncode != 0 and "witness-policy = FILE" in out.stderr, f"none named: {out.stderr}")


def crowded():
    """No more than half of the connections wait for the witnesses."""
    with Log() as log:
        log.make("required", submit_timeout=5, max_connections=8).start()
        log.submit(signer.request(b"first"))
        for w in log.witnesses:
            w.mood = "broken"
        answers = []
        lock = threading.Lock()

        def post(i):
            answer = log.post(signer.request(f"crowd {i}".encode()))
            with lock:
                answers.append(answer)

        threads = [threading.Thread(target=post, args=(i,)) for i in range(7)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(answers) == 3, "crowded: three of seven are refused at once")
        t.check(all(s == 503 and b"quorum-busy" in b for s, _, b in answers), f"crowded: {answers}")
        t.check(log.get("/checkpoint")[0] == 200, "crowded: reads find a connection")
        for w in log.witnesses:
            w.mood = "well"
        for thread in threads:
            thread.join()
        t.check(sorted(s for s, _, _ in answers) == [201] * 4 + [503] * 3, "crowded: the others are answered")

        # A batch is one answer; one that waits when the server ends is told.
        lines = b"\n".join(json.dumps(signer.request(f"line {i}".encode())).encode() for i in range(50))
        status, _, body = log.post(lines, "/api/v1/batch")
        t.check(status == 200 and body.count(b'"logIndex"') >= 50, f"batch: {status}")
        for w in log.witnesses:
            w.mood = "broken"
        answers.clear()
        thread = threading.Thread(target=post, args=(99,))
        thread.start()
        wait_for(lambda: log.get("/readyz")[2] == b"cosigning-behind\n", "crowded: one waits")
        t.check(log.stop() == 0, "crowded: and the server ends all the same")
        thread.join()
        t.check(answers[0][0] == 503 and b"not-cosigned" in answers[0][2], f"crowded: it is told: {answers}")


def off_mode():
    with Log() as log:
        log.make("off").start()
        t.check(log.submit(signer.request(b"off")) == 0, "off: as ever")
        t.check(log.shown() == (1, 0) and log.shown("/api/v1/checkpoint/signed") == (1, 0), "off: one checkpoint")
        status, _, reason = cosigned_proof(log, None, 0)
        t.check((status, reason) == (404, "no-witnesses"), f"off: {status} {reason}")
        t.check(not any(w.requests for w in log.witnesses), "off: no witness was asked")


if __name__ == "__main__":
    for part in (off_mode, open_mode, never_back, wrongs, required_mode, rolled_back, unsigned_tail, restored,
                 frozen, wrong_policies, crowded, real_witness):
        part()
    t.finish()
