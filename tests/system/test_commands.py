#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The commands of mtlogd and the life of its process: init, check, status,
backup, restore in each of its outcomes, freeze; TERM, HUP, metrics, sandbox."""

import base64
import concurrent.futures
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import mtlog_test as t

signer = t.Signer()


def run(*words, **more):
    return subprocess.run([t.MTLOGD, *words], capture_output=True, text=True, timeout=120, **more)


def init_and_check():
    with t.Server() as s:
        s.init()
        t.check(os.stat(s.dir).st_mode & 0o777 == 0o700, "the folder is private")
        t.check(os.stat(s.dir + "/key.pem").st_mode & 0o777 == 0o600, "the key is private")
        again = run("init", "--dir", s.dir, "--origin", "other.example")
        t.check(again.returncode != 0 and "not empty" in again.stderr, "init refuses a folder that is not empty")
        t.check(run("check", "--dir", s.dir).returncode == 0, "check")
        keys = run("check", "--list-keys").stdout
        t.check("low-water\tsize\t256MiB\t" in keys, "the list of keys")
        t.check(run("check", "--dir", s.dir, "--list-keys").stdout == keys, "the same with --dir")
        with open(s.dir + "/mtlogd.conf", "a") as f:
            f.write("lisen = 127.0.0.1:1\n")
        wrong = run("check", "--dir", s.dir)
        t.check(wrong.returncode == 2 and re.search(r"mtlogd.conf:\d+:1: .*did you mean \"listen\"", wrong.stderr),
                f"an unknown key: {wrong.stderr}")
        t.check(run("nonsense").returncode == 2, "unknown command")
        t.check(run("serve").returncode == 2, "serve without --dir")
        t.check(run("serve", "--dir", "/nonexistent").returncode != 0, "serve without a log")
        for command in ("init", "serve", "check", "status", "fsck", "backup", "restore", "freeze"):
            t.check(run(command, "--help").returncode == 0, f"{command} --help")
    with t.Server() as s:
        public = run("init", "--dir", s.dir, "--origin", "x.example", "--listen", "0.0.0.0:0")
        t.check(public.returncode == 2 and "public-submissions" in public.stderr, "open to all must be said")
    for key_type in ("ed25519", "p256"):
        with t.Server() as s:
            secret = s.root + "/secret"
            with open(secret, "w") as f:
                f.write("correct horse\n")
            os.chmod(secret, 0o600)
            made = run("init", "--dir", s.dir, "--origin", "x.example", "--key-type", key_type,
                       "--key-passphrase-file", secret)
            t.check(made.returncode == 0, f"init with an encrypted {key_type} key: {made.stderr}")
            t.check("ENCRYPTED" in open(s.dir + "/key.pem").read(), "the key is encrypted")
            s.start()
            t.check(s.post(signer.request(b"x"))[0] == 201, f"a log with an encrypted {key_type} key")
            t.check(s.stop() == 0, "clean stop")


def status_and_metrics():
    with t.Server(options=["--metrics-listen", "127.0.0.1:0"]) as s:
        s.init()
        stopped = json.loads(run("status", "--dir", s.dir, "--json").stdout)
        t.check(stopped["state"] == "stopped" and stopped["signed"] == "0", "status of a stopped log")
        s.start()
        for i in range(5):
            s.submit(signer.request(b"%d" % i))
        s.post("{}")
        now = json.loads(run("status", "--dir", s.dir, "--json").stdout)
        t.check(now["state"] == "running" and now["ready"] == "ready" and now["signed"] == "5", f"status: {now}")
        for word in ("no-new-privs", "seccomp"):
            for process in ("sandbox", "signerSandbox", "configReaderSandbox"):
                t.check(word in now[process], f"{word} is in force: {process}")
        t.check("pid" in run("status", "--dir", s.dir).stdout, "status as text")
        proc = open(f"/proc/{s.process.pid}/status").read()
        t.check("NoNewPrivs:\t1" in proc and "Seccomp:\t2" in proc, "the kernel says so, too")
        import urllib.request
        page = urllib.request.urlopen(now["metrics"] + "/metrics", timeout=10).read().decode()
        for want in ('mtlog_tree_size{stage="signed"} 5', 'mtlog_tree_size{stage="cosigned"}',
                     'mtlog_submissions_total{result="accepted"} 5', "mtlog_rejects_total{reason=",
                     'mtlog_phase_seconds_bucket{phase="commit"', "mtlog_queue_entries", "mtlog_writable"):
            t.check(want in page, f"metrics: {want}")
        for line in page.splitlines():
            t.check(re.fullmatch(r"# (HELP|TYPE) (mtlog|process)_\w+ .+|(mtlog|process)_\w+(\{[^{}]*\})? [0-9.e+-]+", line), f"metrics line {line}")
        t.check(s.get("/metrics")[0] == 404, "the public address has no metrics")
        s.kill()
        t.check(json.loads(run("status", "--dir", s.dir, "--json").stdout)["state"] == "killed", "status after kill -9")


def term_drains():
    with t.Server() as s:
        s.init().start()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            results = []

            def one(i):
                try:
                    return s.post(signer.request(b"drain %d" % i))[0]
                except (OSError, t.http.client.HTTPException):
                    return 0
            work = [pool.submit(one, i) for i in range(400)]
            time.sleep(0.15)
            began = time.monotonic()
            code = s.stop()
            took = time.monotonic() - began
            results = [w.result() for w in work]
        t.check(code == 0 and took < 10, f"TERM drains within 10 s: exit {code} after {took:.1f} s")
        t.check(set(results) <= {201, 503, 0}, f"each is answered, refused or cut: {set(results)}")
        t.check(201 in results, "some were taken")
        s.start()
        t.check(s.checkpoint()[0] >= results.count(201), "what was acknowledged is there")
        s.stop()
    with t.Server() as s:
        s.init().start()
        idle = [socket.create_connection(("127.0.0.1", s.port)) for _ in range(20)]
        began = time.monotonic()
        t.check(s.stop() == 0 and time.monotonic() - began < 10, "idle connections do not delay TERM")
        for c in idle:
            c.close()


def hup_reloads():
    with t.Server() as s:
        s.init().start()
        with open(s.dir + "/mtlogd.conf", "a") as f:
            f.write("log-level = debug\n")
        s.process.send_signal(signal.SIGHUP)
        time.sleep(0.7)
        s.submit(signer.request(b"after HUP"))
        time.sleep(0.2)
        t.check("reloaded" in s.tail() and " debug " in s.tail(), f"HUP reloads the log level: {s.tail()}")
        with open(s.dir + "/mtlogd.conf", "a") as f:
            f.write("nonsense\n")
        s.process.send_signal(signal.SIGHUP)
        time.sleep(0.7)
        t.check(s.process.poll() is None and s.submit(signer.request(b"still")) == 1, "a broken file changes nothing")
        # an editor puts a new file in the old one's place; a symbolic link may lead there, too
        config = s.dir + "/mtlogd.conf"
        with open(config) as f:
            good = f.read().replace("nonsense\n", "")
        for replace, level in ((lambda new: os.rename(new, config), "warn"), (lambda new: link(new, config), "debug")):
            with open(s.root + "/new." + level, "w") as f:
                f.write(good.replace("log-level = debug", "log-level = " + level))
            replace(s.root + "/new." + level)
            at = os.path.getsize(s.log)
            s.process.send_signal(signal.SIGHUP)
            time.sleep(0.7)
            s.submit(signer.request(level.encode()))
            time.sleep(0.2)
            with open(s.log) as f:
                f.seek(at)
                said = f.read()
            t.check("not-reloaded" not in said, f"a replaced file is read: {said}")
            t.check((" reloaded " in said and " debug " in said) == (level == "debug"), f"and obeyed: {said}")
        os.unlink(config)
        s.process.send_signal(signal.SIGHUP)
        time.sleep(0.7)
        t.check("not-reloaded" in s.tail().splitlines()[-1], f"a missing file changes nothing: {s.tail()[-300:]}")
        t.check(s.submit(signer.request(b"and on")) == 4, "and goes on")
        s.stop()


def link(new, path):
    os.unlink(path)
    os.symlink(new, path)


def backup_and_restore():
    with t.Server() as s:
        s.init().start()
        requests = [signer.request(b"backup %d" % i) for i in range(600)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(s.submit, requests[:520]))
        backup, old_guard = s.root + "/backup", s.root + "/guard.old"
        shutil.copy(s.dir + "/guard/guard", old_guard)
        stop = threading.Event()

        def busy():
            n = 0
            while not stop.is_set():
                s.submit(signer.request(b"meanwhile %d" % n))
                n += 1
        writer = threading.Thread(target=busy)
        writer.start()
        made = run("backup", "--dir", s.dir, "--to", backup)
        stop.set()
        writer.join()
        t.check(made.returncode == 0, f"backup beside a busy server: {made.stdout}{made.stderr}")
        t.check(not os.path.exists(backup + "/key.pem") and not os.path.exists(backup + "/guard"),
                "neither key nor guard is in it")
        size, root = s.checkpoint()
        guard, key = s.root + "/guard.saved", s.root + "/key.saved"
        shutil.copy(s.dir + "/key.pem", key)
        os.chmod(key, 0o644)  # as a medium may have it

        # (1) with the guard that survived, and the rest fetched from the running log
        shutil.copy(s.dir + "/guard/guard", guard)
        there = s.root + "/restored"
        out = run("restore", "--dir", there, "--from-backup", backup, "--key", key, "--guard", guard,
                  "--from", f"http://127.0.0.1:{s.port}")
        t.check(out.returncode == 0 and "goes on" in out.stdout, f"restore with a guard: {out.stdout}{out.stderr}")
        # (2) the guard is ahead of the backup and nobody has the rest
        out = run("restore", "--dir", s.root + "/short", "--from-backup", backup, "--key", key, "--guard", guard)
        t.check(out.returncode != 0 and "--from" in out.stderr, f"entries missing: {out.stderr}")
        # … and gives them up: frozen for ever at what there is, which takes no key
        short = s.root + "/read-only"
        out = run("restore", "--dir", short, "--from-backup", backup, "--guard", guard, "--read-only")
        t.check(out.returncode == 0 and "frozen" in out.stdout, f"restore --read-only: {out.stdout}{out.stderr}")
        r = t.Server(folder=short)
        r.vkey = s.vkey
        r.start()
        t.check(520 <= r.checkpoint()[0] < size and r.get("/readyz")[2] == b"log-frozen\n", "it shows the backup's head")
        r.stop()
        # a guard makes the log go on, so it takes the key; nothing is said twice and then dropped
        copy = s.root + "/guard.copy"
        shutil.copy(short + "/guard/guard", s.root + "/guard.frozen")
        shutil.copy(guard, copy)
        out = run("restore", "--dir", s.root + "/no-key", "--from-backup", backup, "--guard", guard,
                  "--from", f"http://127.0.0.1:{s.port}")
        t.check(out.returncode == 2 and "--key" in out.stderr, f"no key: {out.stderr}")
        with t.Server() as other:
            other.init()
            out = run("restore", "--dir", s.root + "/other-key", "--from-backup", backup, "--guard", guard,
                      "--key", other.dir + "/key.pem", "--from", f"http://127.0.0.1:{s.port}")
            t.check(out.returncode != 0 and "is not the key of" in out.stderr, f"another key: {out.stderr}")
        out = run("restore", "--dir", s.root + "/bad-key", "--from-backup", backup, "--key", guard)
        t.check(out.returncode != 0 and "--key" in out.stderr, f"no key at all: {out.stderr}")
        locked = s.root + "/key.locked"
        subprocess.run(["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:secret", "-out", locked], check=True)
        with open(s.root + "/passphrase", "w", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write("secret\n")
        for more, says in (([], "was not checked"), (["--key-passphrase-file", s.root + "/passphrase"], "")):
            out = run("restore", "--dir", s.root + "/locked", "--from-backup", backup, "--key", locked, *more)
            t.check(out.returncode == 0 and says in out.stderr and ("warning" in out.stderr) == bool(says),
                    f"an encrypted key: {out.stderr}")
            shutil.rmtree(s.root + "/locked")
        out = run("restore", "--dir", s.root + "/twice", "--from-backup", backup, "--from-backup", backup)
        t.check(out.returncode == 2 and "given twice" in out.stderr, f"an option twice: {out.stderr}")
        for guards, says in (((old_guard, copy), "goes on"), ((copy, old_guard), "goes on"),
                             ((copy, s.root + "/guard.frozen"), "frozen"), ((old_guard,), "frozen")):
            many = s.root + "/many"
            out = run("restore", "--dir", many, "--from-backup", backup, "--key", key,
                      "--from", f"http://127.0.0.1:{s.port}", *[w for g in guards for w in ("--guard", g)])
            t.check(out.returncode == 0 and says in out.stdout, f"guards {guards}: {out.stdout}{out.stderr}")
            shutil.rmtree(many)
        # (3) without a guard: frozen
        frozen = s.root + "/frozen"
        out = run("restore", "--dir", frozen, "--from-backup", backup, "--key", key)
        t.check(out.returncode == 0 and "frozen" in out.stdout, f"restore without a guard: {out.stdout}{out.stderr}")
        # (4) a head that contradicts: another log with the same key
        evil = s.root + "/evil"
        shutil.copytree(s.dir, evil)
        s.stop()

        r = t.Server(folder=there)
        r.vkey = s.vkey
        r.start()
        t.check(r.checkpoint() == (size, root), "the restored log shows the same head")
        t.check(r.submit(signer.request(b"after the restore")) == size, "and goes on behind it")
        t.check(r.submit(requests[3]) < 520, "and knows its entries")
        r.stop()
        t.check(run("fsck", "--dir", there).returncode == 0, "fsck of the restored log")
        f = t.Server(folder=frozen)
        f.vkey = s.vkey
        f.start()
        status, headers, body = f.post(signer.request(b"new"))
        t.check(status == 405 and b"log-frozen" in body, f"a log without a guard takes nothing new: {status}")
        t.check(f.post(requests[5])[0] == 201, "but proves what it has")
        f.stop()

        # (4) the same log went on elsewhere, differently: two heads that contradict
        s.start()
        s.submit(signer.request(b"fork a"))
        s.submit(signer.request(b"fork b"))
        seen = s.root + "/seen"
        with open(seen, "wb") as out_file:
            out_file.write(s.get("/checkpoint")[2])
        s.stop()
        e = t.Server(folder=there)
        e.vkey = s.vkey
        e.start()
        e.submit(signer.request(b"other"))
        out = run("restore", "--dir", s.root + "/forked", "--from-backup", backup, "--key", key,
                  "--seen", seen, "--from", f"http://127.0.0.1:{e.port}")
        t.check(out.returncode != 0 and "evidence" in out.stderr, f"two contradicting heads: {out.stdout}{out.stderr}")
        t.check(os.path.exists(s.root + "/forked/evidence.txt"), "the evidence is kept")
        with open(s.root + "/forked/evidence") as f:
            text = f.read()
        t.check(text.startswith("mtlog-evidence/1\n") and s.vkey.text in text, "as others can check it")
        # each of several is looked at, also where nobody has the entries
        other = s.root + "/seen.other"
        with open(other, "wb") as out_file:
            out_file.write(e.get("/checkpoint")[2])
        for files in ((seen, other), (other, seen)):
            forked = s.root + "/forked2"
            out = run("restore", "--dir", forked, "--from-backup", backup, "--key", key, "--read-only",
                      *[w for f in files for w in ("--seen", f)])
            t.check(out.returncode == 1 and "evidence" in out.stderr, f"two --seen: {out.stdout}{out.stderr}")
            shutil.rmtree(forked)
        e.stop()


def freeze():
    with t.Server() as s:
        s.init().start()
        request = signer.request(b"kept")
        s.submit(request)
        refused = run("freeze", "--dir", s.dir, "--yes")
        t.check(refused.returncode != 0 and "stop the server" in refused.stderr, "not beside a running server")
        head = s.get("/checkpoint")[2]
        s.stop()
        t.check(run("freeze", "--dir", s.dir).returncode == 2, "freeze wants --yes")
        t.check(run("freeze", "--dir", s.dir, "--yes").returncode == 0, "freeze")
        s.start()
        status, headers, body = s.post(signer.request(b"new"))
        t.check(status == 405 and "log-frozen" in body.decode() and headers["allow"] == "POST", "new leaves: 405")
        t.check(s.submit(request) == 0, "known leaves: 201")
        t.check(s.get("/checkpoint")[2] == head, "the final head is byte-identical")
        t.check(s.get("/readyz")[2] == b"log-frozen\n", "readyz says so")
        t.check(json.loads(run("status", "--dir", s.dir, "--json").stdout)["frozen"] is True, "status says so")
        s.stop()
        with open(s.dir + "/mtlogd.conf") as f:
            t.check("frozen" not in f.read(), "frozen is in the guard, not in the configuration")
        os.unlink(s.dir + "/key.pem")
        s.start()
        t.check(s.submit(request) == 0, "the key may be destroyed: known leaves: 201")
        t.check(s.post(signer.request(b"newer"))[0] == 405, "and new ones 405")
        t.check(s.get("/checkpoint")[2] == head, "and the final head is the same")
        s.stop()
        os.rename(s.dir + "/vkey", s.dir + "/vkey.away")
        out = run("serve", "--dir", s.dir)
        t.check(out.returncode not in (0, 75) and "key.pem" in out.stderr, f"not without vkey: {out.stderr}")
        other = t.Server()
        other.init()
        shutil.copy(other.dir + "/vkey", s.dir + "/vkey")
        other.remove()
        out = run("serve", "--dir", s.dir)
        t.check(out.returncode not in (0, 75) and "key.pem" in out.stderr, f"not with another vkey: {out.stderr}")
        os.rename(s.dir + "/vkey.away", s.dir + "/vkey")


def the_key_is_gone_but_not_frozen():
    with t.Server() as s:
        s.init().start().stop()
        os.unlink(s.dir + "/key.pem")
        out = run("serve", "--dir", s.dir)
        t.check(out.returncode not in (0, 75) and "key.pem" in out.stderr,
                f"a log that can grow needs its key: {out.returncode} {out.stderr}")


def one_follows_another():
    """A frozen log, the one that follows it, and a third: all stay trusted."""
    with t.Server() as a:
        a.init()
        b, c = a.root + "/second", a.root + "/third"
        out = run("init", "--dir", b, "--origin", "second.test.example", "--follows", a.dir)
        t.check(out.returncode == 1 and "freeze" in out.stderr and not os.path.exists(b),
                f"only a frozen log is followed: {out.stderr}")
        run("freeze", "--dir", a.dir, "--yes")
        out = run("init", "--dir", b, "--origin", t.ORIGIN, "--follows", a.dir)
        t.check(out.returncode == 2 and not os.path.exists(b), f"under another name: {out.stderr}")
        for folder, origin, old in ((b, "second.test.example", a.dir), (c, "third.test.example", b)):
            out = run("init", "--dir", folder, "--origin", origin, "--follows", old)
            t.check(out.returncode == 0, f"init --follows: {out.stderr}")
            run("freeze", "--dir", folder, "--yes")
        s = t.Server(folder=c).start()
        logs = json.loads(s.get("/.well-known/mtlog/trusted_root.json")[2])["tlogs"]
        want = []
        for folder in (c, a.dir, b):
            with open(folder + "/vkey") as f:
                want.append(t.Vkey(f.read().strip()))
        t.check([base64.b64decode(log["logId"]["keyId"])[:4].hex() for log in logs] == [v.id for v in want],
                "all three logs are in the trusted root")
        t.check([log["baseUrl"] for log in logs[1:]] ==
                [f"https://{t.ORIGIN}", "https://second.test.example"], "where their names say")
        s.stop()


def fsck_finds_and_repairs():
    import sqlite3
    with t.Server() as s:
        s.init().start()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda i: s.submit(signer.request(b"fsck %d" % i)), range(300)))
        t.check(s.fsck().returncode == 0, "fsck beside a running server")
        s.stop()
        db = sqlite3.connect(s.dir + "/db/log.db")
        tile = db.execute("SELECT hashes FROM tiles WHERE level = 0 AND idx = 0").fetchone()[0]
        db.execute("UPDATE tiles SET hashes = ? WHERE level = 0 AND idx = 0", (bytes([tile[0] ^ 1]) + tile[1:],))
        db.commit()
        db.close()
        found = s.fsck()
        t.check(found.returncode == 1 and "tile 0/0" in found.stdout, f"a flipped bit in a tile: {found.stdout}")
        t.check(s.fsck("--repair").returncode == 0, "fsck --repair mends it")
        t.check(s.fsck().returncode == 0, "and it is clean")
        os.unlink(s.dir + "/db/index.db")
        s.start()
        s.stop()
        t.check(s.fsck().returncode == 0, "an index that is gone is made again")
        db = sqlite3.connect(s.dir + "/db/log.db")
        db.execute("UPDATE entries SET leaf = CAST(replace(CAST(leaf AS TEXT), 'SHA2_256', 'SHA2_384') AS BLOB) WHERE idx = 17")
        db.commit()
        db.close()
        found = s.fsck("--repair")
        t.check(found.returncode == 1 and ("entry 17" in found.stdout or "root" in found.stdout),
                f"a changed entry is found and cannot be mended: {found.stdout}")


for test in (init_and_check, status_and_metrics, term_drains, hup_reloads, backup_and_restore, freeze,
             the_key_is_gone_but_not_frozen, one_follows_another,
             fsck_finds_and_repairs):
    test()
t.finish()
