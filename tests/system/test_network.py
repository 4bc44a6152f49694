#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The whole of it on loopback: a log, three witnesses, a publisher, a loader, an
auditor and a monitor, all of them the real programs; while witnesses go and come
back, one is replaced by a liar, and the log's machine is put back to an older
state."""

import os
import shutil
import time

import mtlog_test as t
import standin_witness
from network_test import Network


def witnesses_come_and_go():
    """Two of three are enough; with one, a publisher is told, and finds the proof later."""
    with Network("open") as n:
        n.log.start()
        first = n.publish()
        said = n.verify(first)
        t.check("quorum" in said, said)
        n.witnesses[0].kill()
        n.verify(n.publish())
        n.witnesses[1].kill()
        lonely = n.publish(expect=33, wait="1")
        n.verify(lonely, expect=16)
        n.witnesses[1].start()
        n.publish(lonely)
        n.verify(lonely)
        n.audit("--seen", os.path.join(first, "model.sig"), os.path.join(lonely, "model.sig"))
        events = n.monitor(expect=22)
        t.check(len([e for e in events if e.get("type", e.get("kind")) == "entry"]) == 3, f"three releases: {events}")
        t.check(n.monitor("--compare", f"http://127.0.0.1:{n.witnesses[1].port}") == [], "and nothing twice")
        # The log's process dies; what was shown before is shown again, and everything goes on.
        shown = n.log.checkpoint()
        n.log.kill()
        n.log.start()
        t.check(n.log.checkpoint()[0] >= shown[0], "nothing goes back")
        n.verify(n.publish())
        t.check(n.log.stop() == 0 and n.log.fsck().returncode == 0, "clean at the end")


def required():
    """No answer without a quorum, and none lost; a machine that is put back does not sign again."""
    with Network("required") as n:
        n.log.start()
        n.verify(n.publish())
        n.log.stop()
        old = os.path.join(n.root, "old")
        # All of the machine: database and guard, and their very inodes.
        shutil.copytree(n.log.dir, old)
        n.log.start()
        second = n.publish()
        n.verify(second)
        for one in n.witnesses[:2]:
            one.kill()
        late = n.model()
        n.publish(late, expect=(30, 31, 32, 33), wait="1")
        for one in n.witnesses[:2]:
            one.start()
        n.publish(late)
        n.verify(late)
        size = n.log.checkpoint()[0]
        n.log.stop()
        for name in "db", "guard":
            for file in os.listdir(os.path.join(old, name)):
                with open(os.path.join(old, name, file), "rb") as f:
                    data = f.read()
                with open(os.path.join(n.log.dir, name, file), "r+b") as f:
                    f.truncate()
                    f.write(data)
        # The witnesses have seen more than this machine knows of: it latches.
        n.log.start()
        until = time.monotonic() + 30
        status, body = 0, b""
        while time.monotonic() < until and b"log-latched" not in body:
            t.check(status != 201, "nothing is signed meanwhile")
            status, _, body = n.log.post(t.Signer().request(b"after"))
        t.check(n.log.process.poll() is None, "it stays up")
        t.check(status == 503 and b"log-latched" in body, f"nothing is signed: {status} {body[:200]!r}")
        t.check(n.log.checkpoint()[0] < size, "it shows what it had")
        kept = [int(x.status()["logs"][0]["size"]) for x in n.witnesses]
        t.check(kept.count(size) >= 2 and max(kept) == size, f"a quorum keeps the head of size {size}: {kept}")
        # What was published still verifies; what a witness keeps is larger than what the log shows.
        n.verify(second)
        n.verify(late)


def a_liar():
    """One of three answers nonsense, or with another's cosignature: the other two are enough."""
    with Network("open") as n:
        n.witnesses[2].kill()
        liar = standin_witness.Witness("w3.example", n.log.vkey)
        path = os.path.join(n.log.dir, "witnesses")
        with open(path, encoding="utf-8") as f:
            text = f.read().replace(f"http://127.0.0.1:{n.witnesses[2].port}\n", f"http://127.0.0.1:{liar.port}\n")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        n.log.start()
        for liar.mood in "well", "forging", "replaying", "nonsense", "boasting", "broken", "busy", "endless", "slow":
            n.verify(n.publish())
        n.audit()
        liar.close()


def main():
    witnesses_come_and_go()
    required()
    a_liar()
    t.finish()


main()
