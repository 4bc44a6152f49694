#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Clocks that are wrong, or jump while the program runs: a witness's, a log's, a
loader's and a monitor's; backwards and forwards. Nothing is cosigned at an
earlier time than before, nothing that is right is called a lie, and each
verdict has its code."""

import json
import os
import subprocess
import time

import clock_test
import mtlog_test as t
import witness_test as w
from network_test import Network

MINUTE, HOUR, DAY = 60, 3600, 86400
shop = clock_test.Shop()


def near(got, want):
    """This machine may be slow, but not by a minute."""
    return want - 2 <= got <= want + MINUTE


def a_witness():
    """Times never go backwards for one log, whatever the clock and restarts do."""
    clock = shop.clock()
    with clock.worn(), w.Witness() as x:
        a, b = w.Log("a.example"), w.Log("b.example")
        for log in a, b:
            x.add(log, "--per-day", "86400000")
        x.start()
        status, first = x.cosign(a, 0, 5)
        t.check(status == 200 and near(first, time.time()), f"begins: {status} {first}")

        # A little behind: the last time again, over restarts, too.
        clock.set(wall=-2 * MINUTE)
        t.check(x.cosign(a, 5, 6) == (200, first), "two minutes behind")
        x.stop()
        x.start()
        t.check(x.cosign(a, 6, 7) == (200, first), "two minutes behind, after a restart")

        # Far behind: nothing, and nothing is changed by it.
        clock.set(wall=-HOUR)
        for began in "running", "restarted":
            for old, size in (7, 9), (7, 7):
                status, headers, answer = x.submit(a.body(old, size))
                t.check(status == 503 and b"behind" in answer and int(headers["retry-after"]) > 0,
                        f"an hour behind, {began}: {status} {answer}")
            t.check(x.shown(a) == (7, a.tree.root(0, 7), first), f"and shows what it had, {began}")
            t.check(x.call("GET", "/readyz")[0] == 503, f"and is not ready, {began}")
            x.stop()
            x.start()
        # Another log has no time to be held to.
        status, early = x.cosign(b, 0, 3)
        t.check(status == 200 and near(early, time.time() - HOUR), f"a log without a past: {status} {early}")

        clock.set()
        status, second = x.cosign(a, 7, 9)
        t.check(status == 200 and second >= first and near(second, time.time()), "right again")
        t.check(x.call("GET", "/readyz")[0] == 200, "and ready")

        # Ahead: that is its word, and cannot be taken back.
        clock.set(wall=HOUR)
        status, ahead = x.cosign(a, 9, 12)
        t.check(status == 200 and near(ahead, time.time() + HOUR), f"an hour ahead: {status} {ahead}")
        clock.set()
        t.check(x.submit(a.body(12, 13))[0] == 503, "right, and so an hour behind its word")
        t.check(x.cosign(b, 3, 4)[0] == 200, "the other log has never heard it")
        clock.set(wall=HOUR - 3 * MINUTE)
        t.check(x.cosign(a, 12, 13) == (200, ahead), "until the hour is over")
        clock.set(wall=HOUR + MINUTE)
        status, third = x.cosign(a, 13, 14)
        t.check(status == 200 and third > ahead, "then it goes on")

        # One that has never been set: before any time that it could mean.
        clock.set(wall=-int(time.time()) + 1000)
        status, _, answer = x.submit(b.body(4, 5))
        t.check(status == 503 and b"not set" in answer, f"1970: {status} {answer}")
        t.check(x.stop() == 0, "TERM")


def a_network():
    """One witness of three with a wrong clock changes nothing; two, and it is told."""
    clocks = [shop.clock() for _ in range(3)]
    with Network("required", clocks) as n:
        with open(os.path.join(n.log.dir, "mtlogd.conf"), "a", encoding="utf-8") as f:
            f.write("submit-timeout = 6\n")
        n.log.start()
        first = n.publish()
        n.verify(first)
        signer = t.Signer()
        clocks[0].set(wall=-HOUR)
        n.verify(n.publish())
        clocks[1].set(wall=-HOUR)
        size = n.log.checkpoint()[0]
        late = signer.request(b"late")
        status, _, body = n.log.post(late)
        t.check(status == 503 and b"quorum" in body, f"two of three are behind: {status} {body[:200]}")
        t.check(n.log.checkpoint()[0] == size, "and nothing more is shown")
        clocks[0].set()
        clocks[1].set()
        until, status = time.monotonic() + 60, 0
        while status != 201 and time.monotonic() < until:
            status, _, body = n.log.post(late)
            t.check(status in (201, 503), f"right again: {status} {body[:200]}")
        t.check(status == 201, "goes on")
        n.verify(n.publish())

        # One of the two that are left is an hour ahead: when it was logged is
        # not known, as far as this machine's clock can tell.
        n.witnesses[2].kill()
        clocks[0].set(wall=HOUR)
        ahead = n.publish()
        n.verify(ahead, expect=44)
        n.verify(first)
        clocks[0].set()
        # Its clock is right again, but it has said more: with the third it goes on.
        n.witnesses[2].start()
        later = n.publish()
        n.verify(later)
        n.verify(ahead, expect=44)
        n.audit("--seen", *(os.path.join(x, "model.sig") for x in (first, ahead, later)))
        loader = shop.clock()
        loader.set(wall=HOUR)
        with loader.worn():
            n.verify(ahead)
        t.check(n.log.stop() == 0 and n.log.fsck().returncode == 0, "clean at the end")


def a_loader():
    """What was logged is not older than the clock allows, nor in its future."""
    clock = shop.clock()
    with Network("open") as n, clock.worn():
        clock.set()
        n.log.start()
        model = n.publish()
        with open(n.policy, encoding="utf-8") as f:
            rules = f.read().rstrip("\n")
        fresh = n.write("fresh", rules + "\n  fresh 2h online\n")
        for wall, plain, recent in (
                (0, 0, 0), (-2 * MINUTE, 0, 0), (-10 * MINUTE, 44, 44), (-HOUR, 44, 44), (HOUR, 0, 0),
                (3 * HOUR, 0, 17), (400 * DAY, 0, 17)):
            clock.set(wall=wall)
            n.verify(model, expect=plain)
            n.verify(model, "--online", "--log-url", n.url(), expect=recent, policy=fresh)
        # The auditor's verdict is about trees, which have no time.
        for wall in -HOUR, 3 * HOUR:
            clock.set(wall=wall)
            n.audit("--seen", os.path.join(model, "model.sig"))


def a_log():
    """mtlogd needs the time for nothing that it signs; its hour is not the wall's."""
    clock = shop.clock()
    with Network("required") as n:
        with clock.worn():
            n.log.start()
        signer = t.Signer()
        n.log.submit(signer.request(b"begins"))

        def times():
            note = n.log.get("/checkpoint")[2].decode()
            text, _, lines = note.rpartition("\n\n")
            found = {}
            for x in n.witnesses:
                try:
                    found[x.key.name] = x.key.time(text + "\n", lines)
                except ValueError:
                    pass  # two are enough
            return found

        for wall in -HOUR, HOUR, 3 * DAY, -3 * DAY, 0:
            clock.set(wall=wall)
            n.log.submit(signer.request(b"wall %d" % wall))
            found = times()
            t.check(len(found) >= 2 and all(near(x, time.time()) for x in found.values()),
                    f"log at {wall}: the witnesses' times {found}")
            ready, _, why = n.log.get("/readyz")
            t.check(ready == (503 if wall == 3 * DAY else 200), f"log at {wall}: readyz {ready} {why}")
        # An idle one is cosigned again when an hour has gone by, and only then.
        n.log.submit(signer.request(b"the last"))
        size, before = n.log.checkpoint()[0], times()
        time.sleep(2)
        clock.set(wall=2 * HOUR)
        time.sleep(2)
        t.check(max(times().values()) <= max(before.values()) + 1, "the wall's hours do not count")
        clock.set(monotonic=HOUR + MINUTE)
        until = time.monotonic() + 30
        while min(times().values()) <= max(before.values()) and time.monotonic() < until:
            time.sleep(0.2)
        after = times()
        t.check(len(after) >= 2 and min(after.values()) > max(before.values()), f"an hour later: {before}, {after}")
        t.check(n.log.checkpoint()[0] == size, "of the same size")
        t.check(n.log.stop() == 0 and n.log.fsck().returncode == 0, "clean at the end")


def a_monitor():
    """A clock that jumps makes one event at most, and none when it jumps back."""
    clock = shop.clock()
    with Network("open") as n, clock.worn():
        clock.set()
        n.log.start()
        n.publish()

        def kinds(expect):
            return sorted(e.get("kind", e.get("type")) for e in n.monitor(expect=expect))

        t.check(kinds(22) == ["entry"], "the first")
        t.check(kinds(0) == [], "and nothing twice")
        for wall in HOUR, -HOUR, -3 * DAY, 0:
            clock.set(wall=wall)
            t.check(kinds(0) == [], f"at {wall}: nothing")
        clock.set(wall=2 * DAY)
        t.check(kinds(23) == ["stalled"], "two days later, by its clock: stalled")
        for _ in range(3):
            t.check(kinds(23) == [], "which is told once")
        for wall in 0, -HOUR, 0:
            clock.set(wall=wall)
            t.check(kinds(0) == [], f"and at {wall} it is not so")
        clock.set(wall=2 * DAY)
        t.check(kinds(23) == [], "nor told again for the same head")
        clock.set(wall=-HOUR)
        n.log.submit(t.Signer().request(b"goes on"))
        t.check(kinds(22) == ["resumed"], "it goes on")
        clock.set()
        n.publish()
        t.check(kinds(22) == ["entry"], "and a release is found")
        clock.set(wall=-HOUR)
        n.publish()
        t.check(kinds(22) == ["entry"], "by a clock that is behind, too")
        clock.set()
        t.check(kinds(0) == [], "right at last")


def a_following_monitor():
    """The same while it runs: one event for all the jumps, and it goes on."""
    clock = shop.clock()
    with Network("open") as n, clock.worn():
        n.log.start()
        n.publish()
        said = n.write("said", "")
        with open(said, "w", encoding="utf-8") as out:
            process = subprocess.Popen(
                [w.MTLOG, "monitor", "--log", n.log.vkey.text.strip(), "--url", n.url(), "--state",
                 os.path.join(n.root, "following"), "--rules", n.write("rules", "model acme/*\n"), "--interval", "1",
                 "--json"], stdout=out, stderr=subprocess.DEVNULL)

        def kinds():
            with open(said, encoding="utf-8") as f:
                return [json.loads(line)["kind"] for line in f if line.endswith("\n")]

        def wait_for(*wanted):
            until = time.monotonic() + 60
            while kinds() != list(wanted) and time.monotonic() < until:
                time.sleep(0.1)
            t.check(kinds() == list(wanted), f"{kinds()}, not {wanted}")

        try:
            wait_for("entry")
            clock.set(wall=2 * DAY)
            wait_for("entry", "stalled")
            for wall in 0, 2 * DAY, -HOUR, 3 * DAY, 0:
                clock.set(wall=wall)
                time.sleep(2.5)
            n.publish()
            wait_for("entry", "stalled", "resumed", "entry")
        finally:
            process.terminate()
            t.check(process.wait(timeout=30) == 0, "TERM")


def main():
    try:
        for part in (a_witness, a_network, a_loader, a_log, a_monitor, a_following_monitor):
            part()
    finally:
        shop.close()
    t.finish()


main()
