#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Database against guard at start: every row of the table in server/recover.c,
made by hand, and what the server then does and does not do."""

import os
import shutil
import signal
import sqlite3
import time

import mtlog_test as t

signer = t.Signer()


class Log(t.Server):
    """A log of 300 entries, stopped; `old` is its state after the first 260."""

    def make(self, tail=40):
        self.init().start()
        for i in range(260):
            self.submit(signer.request(f"entry {i}".encode()))
        self.stop()
        self.keep("old")
        self.start()
        for i in range(tail):
            self.submit(signer.request(f"tail {i}".encode()))
        self.stop()
        self.keep("new")
        return self

    @property
    def guard(self):
        return os.path.join(self.dir, "guard", "guard")

    @property
    def database(self):
        return os.path.join(self.dir, "db", "log.db")

    def keep(self, name):
        folder = os.path.join(self.root, name)
        shutil.copytree(self.dir, folder)

    def put_back(self, name, *files):
        """The bytes of an older state into the files as they are (same inode)."""
        for f in files:
            with open(os.path.join(self.root, name, f), "rb") as old, open(os.path.join(self.dir, f), "wb") as now:
                now.write(old.read())

    def sql(self, statement, *values):
        db = sqlite3.connect(self.database)
        db.execute("PRAGMA wal_autocheckpoint=0")
        db.execute(statement, values)
        db.commit()
        db.close()

    def database_bytes(self):
        out = []
        for name in (self.database, self.database + "-wal"):
            out.append(open(name, "rb").read() if os.path.exists(name) else b"")
        return out

    def latched(self, what, head_shown):
        before = self.database_bytes()
        self.start()
        t.check(self.get("/readyz") [2] == b"log-latched\n", f"{what}: /readyz says log-latched")
        status, _, body = self.post(signer.request(b"one more"))
        t.check(status == 503 and b"log-latched" in body, f"{what}: new entries are refused: {status}")
        status, _, body = self.get("/checkpoint")
        t.check((status == 200) == head_shown, f"{what}: checkpoint {status}")
        t.check(self.get("/healthz")[0] == 200, f"{what}: the server stays up")
        t.check(self.stop() == 0, f"{what}: and stops cleanly")
        t.check(self.database_bytes() == before, f"{what}: the database was not touched")


def equal():
    with Log() as log:
        log.make()
        before = open(log.guard, "rb").read()
        log.start()
        t.check(log.checkpoint()[0] == 300, "equal: the guard's head is published")
        t.check(log.submit(signer.request(b"next")) == 300, "equal: and the log goes on")
        log.stop()
        t.check(open(log.guard, "rb").read() != before, "the guard follows")


def longer_and_sound():
    with Log() as log:
        log.make()
        log.put_back("old", "guard/guard")
        log.start()
        t.check(log.checkpoint()[0] == 300, "sound tail: rolled forward and signed")
        t.check(log.get("/readyz")[2] == b"ready\n", "sound tail: ready")
        log.stop()
        t.check(log.fsck().returncode == 0, "sound tail: fsck is clean")


def longer_and_unsound():
    with Log() as log:
        log.make()
        log.put_back("old", "guard/guard")
        log.sql("UPDATE entries SET leaf = x'7b7d' WHERE idx = 280")
        log.start()
        t.check(log.checkpoint()[0] == 260, "unsound tail: dropped to what was signed")
        t.check(log.submit(signer.request(b"after")) == 260, "unsound tail: the index is given again")
        log.stop()
        t.check("never signed" in log.tail(), "unsound tail: said in the log")
        t.check(log.fsck().returncode == 0, "unsound tail: fsck is clean")


def shorter():
    with Log() as log:
        log.make()
        log.put_back("old", "db/log.db", "db/log.db-wal", "db/log.db-shm")
        log.latched("shorter", False)


def other_root():
    with Log() as log:
        log.make()
        log.sql("UPDATE entries SET leaf = CAST(replace(CAST(leaf AS TEXT), 'SHA2_256', 'SHA2_257') AS BLOB) WHERE idx = 290")
        log.latched("other root", False)


def guard_missing():
    with Log() as log:
        log.make(2)
        os.unlink(log.guard)
        log.latched("guard missing", False)


def guard_copy_missing():
    with Log() as log:
        copy = os.path.join(log.root, "other-disk")
        log.make(2)
        shutil.copy(log.guard, copy)
        log.options += ["--guard-copy", copy]
        log.start()
        log.stop()
        os.rename(copy, copy + ".away")
        log.latched("guard copy missing", True)
        t.check("Mount its disk" in log.tail(), "guard copy missing: what to do is said")
        os.rename(copy + ".away", copy)
        log.start()
        t.check(log.submit(signer.request(b"again")) == 262, "guard copy is back: the log goes on")
        log.stop()


def guard_bad():
    with Log() as log:
        log.make(2)
        with open(log.guard, "r+b") as f:
            f.write(b"\0" * 8192)
        log.latched("both slots bad", False)


def guard_foreign():
    with Log() as log, Log() as other:
        log.make(2)
        other.init()
        shutil.copy(other.guard, log.guard)
        log.latched("guard of another key", False)


def copied_database():
    with Log() as log:
        log.make(2)
        shutil.copy(log.database, log.database + ".copy")
        os.rename(log.database + ".copy", log.database)
        log.latched("a copy of the database", True)


def one_slot_torn():
    with Log() as log:
        log.make(2)
        data = bytearray(open(log.guard, "rb").read())
        generations = [int.from_bytes(data[o + 16:o + 24], "big") for o in (0, 4096)]
        older = 0 if generations[0] < generations[1] else 4096
        data[older + 100:older + 600] = os.urandom(500)
        open(log.guard, "wb").write(data)
        log.start()
        t.check(log.submit(signer.request(b"on")) >= 262, "one torn slot: the other one counts")
        log.stop()


def second_server():
    with Log() as log:
        log.init().start()
        second = Log(folder=log.dir)
        second.start(expect_ready=False)
        t.check(second.process.returncode not in (None, 0), "a second server on one log is refused")
        t.check(log.submit(signer.request(b"x")) == 0, "and the first goes on")
        log.stop()


def children(log):
    """Name and process."""
    pid = log.process.pid
    pids = open(f"/proc/{pid}/task/{pid}/children").read().split()
    return {open(f"/proc/{child}/comm").read().strip(): int(child) for child in pids}


def process_killed():
    with Log() as log:
        log.init().start()
        log.submit(signer.request(b"x"))
        found = children(log)
        t.check(set(found) == {"mtlogd-signer", "mtlogd-config"}, f"two other processes: {found}")
        # Without the one that reads the configuration all goes on as it is.
        os.kill(found["mtlogd-config"], 9)
        log.process.send_signal(signal.SIGHUP)
        time.sleep(1)
        t.check("not-reloaded" in log.tail() and "stays as it was" in log.tail(), f"it says so: {log.tail()}")
        t.check(log.submit(signer.request(b"z")) == 1, "and goes on")
        os.kill(found["mtlogd-signer"], 9)
        t.check(log.wait() == 75, "signer dead: exit 75")
        log.start()
        t.check(log.submit(signer.request(b"y")) == 2, "and it goes on after a restart")
        log.stop()


for test in (equal, longer_and_sound, longer_and_unsound, shorter, other_root, guard_missing, guard_copy_missing,
             guard_bad, guard_foreign, copied_database, one_slot_torn, second_server, process_killed):
    test()
t.finish()
