#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Bad clients while honest ones are served: 1,000 trickling connections, and
malformed requests (MTLOG_MALFORMED of them, 20,000), a quarter of them no HTTP
as it should be. The attackers are gone in time, memory stays, nothing malformed
is stored, answered 5xx, or crashes, and each answer names a listed reason."""

import contextlib
import json
import os
import random
import re
import selectors
import socket
import threading
import time

import mtlog_test as t

TRICKLERS = 1000
MALFORMED = int(os.environ.get("MTLOG_MALFORMED", "20000"))
SEED = int(os.environ.get("MTLOG_SEED", random.randrange(1 << 32)))
signer = t.Signer()


def memory(server):
    with open(f"/proc/{server.process.pid}/status") as f:
        return int(next(x for x in f if x.startswith("VmRSS")).split()[1])


def latencies(server, count, prefix):
    """Milliseconds of `count` honest submissions on one connection."""
    connection = server.connect()
    out = []
    for i in range(count):
        request = signer.request(f"{prefix} {i}".encode())
        began = time.monotonic()
        status, _, body = server.post(request, connection=connection)
        out.append((time.monotonic() - began) * 1000)
        t.check(status == 201, f"an honest submission got {status}: {body[:100]}")
        time.sleep(0.002)
    return sorted(out)


class Tricklers(threading.Thread):
    """One byte a second on each of many connections, until they are closed."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.gone_after, self.running = port, [], True

    def run(self):
        poll = selectors.DefaultSelector()
        text = b"POST /api/v2/log/entries HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{" + b" " * 400
        open_since = {}
        for i in range(TRICKLERS):
            s = socket.create_connection(("127.0.0.1", self.port), timeout=10)
            s.setblocking(False)
            open_since[s] = [time.monotonic(), 0 if i % 2 else 70]
            if i % 2 == 0:
                s.send(text[:70])
            poll.register(s, selectors.EVENT_READ)
        while open_since and self.running:
            for key, _ in poll.select(timeout=1.0):
                s = key.fileobj
                try:
                    if s.recv(4096):
                        continue
                except OSError:
                    pass
                self.gone_after.append(time.monotonic() - open_since.pop(s)[0])
                poll.unregister(s)
                s.close()
            for s, state in list(open_since.items()):
                try:
                    s.send(text[state[1]:state[1] + 1])
                    state[1] += 1
                except OSError:
                    pass
        for s in open_since:
            s.close()


def trickle():
    """Noise of the machine can only lengthen a p99: one try of three must hold."""
    for last in (False, False, True):
        if trickle_once(last):
            return


def trickle_once(last):
    """False if honest clients waited too long and it is not the last try."""
    with t.Server(options=["--request-timeout", "5"]) as server:
        server.init().start()
        latencies(server, 50, "warm")
        quiet = latencies(server, 300, "quiet")
        before = memory(server)
        attack = Tricklers(server.port)
        attack.start()
        time.sleep(1.5)
        busy = latencies(server, 300, "busy")
        grown = memory(server) - before
        attack.join(timeout=25)
        attack.running = False
        p99 = lambda v: v[int(len(v) * 0.99)]
        print(f"quiet p99 {p99(quiet):.1f} ms, beside {TRICKLERS} tricklers {p99(busy):.1f} ms, "
              f"memory grew {grown} kB, slowest gone after {max(attack.gone_after, default=99):.1f} s", flush=True)
        near = p99(busy) <= 3 * p99(quiet)
        t.check(near or not last, f"p99 {p99(busy):.1f} ms against {p99(quiet):.1f}: honest clients wait")
        t.check(len(attack.gone_after) == TRICKLERS, f"only {len(attack.gone_after)} were closed")
        t.check(max(attack.gone_after, default=99) < 10, "a trickler stayed over 10 s")
        t.check(grown < 32 * 1024 or "asan" in t.BUILD, f"memory grew by {grown} kB")
        t.check(server.stop() == 0, "clean stop")
        return near


def slow_readers():
    with t.Server() as server:
        server.init().start()
        for i in range(5):
            server.submit(signer.request(b"reader %d" % i))
        readers = []
        for _ in range(50):
            s = socket.create_connection(("127.0.0.1", server.port))
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.sendall(b"GET /openapi.yaml HTTP/1.1\r\nHost: x\r\n\r\n" * 40)
            readers.append(s)
        t.check(server.submit(signer.request(b"meanwhile")) == 5, "slow readers stop nobody")
        for s in readers:
            s.close()
        t.check(server.stop() == 0, "clean stop")


def mutate(rng, raw):
    data = bytearray(raw)
    kind = rng.randrange(8)
    if kind == 0:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del data[rng.randrange(len(data)):]
    elif kind == 2:
        at = rng.randrange(len(data))
        data[at:at] = os.urandom(rng.randrange(1, 20))
    elif kind == 3:
        a, b = sorted(rng.randrange(len(data)) for _ in range(2))
        del data[a:b]
    elif kind == 4:
        a, b = sorted(rng.randrange(len(data)) for _ in range(2))
        data[a:a] = data[a:b]
    elif kind == 5:
        data = bytearray(os.urandom(rng.randrange(200)))
    elif kind == 6:
        word = rng.choice([b"null", b"1e999", b"-1", b'""', b"[]", b"{}", b'"\\u0000"', b"true", b"9" * 400, b"[" * 50])
        at = rng.randrange(len(data))
        data[at:at + rng.randrange(30)] = word
    else:
        words = bytes(data).split(b'"')
        i, j = rng.randrange(len(words)), rng.randrange(len(words))
        words[i], words[j] = words[j], words[i]
        data = bytearray(b'"'.join(words))
    return bytes(data)


RAW = [
    b"POST /api/v2/log/entries HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /api/v1/batch HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\nA: b\r\n\r\n",
    b"GET http://x/checkpoint?a=b HTTP/1.1\r\nHost: x\r\nCookie: a=b; c=d\r\nConnection: close\r\n\r\n",
    b"GET /checkpoint HTTP/1.1\r\nHost: x\r\n\r\nGET /tile/0/000 HTTP/1.0\r\n\r\n",
]
PIECES = [b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b":", b",", b";", b"\r\n ", b"HTTP/9.9", b"Content-Length: 1\r\n",
          b"Transfer-Encoding: chunked\r\n", b"Host: y\r\n", b"a" * 5000, b"X: y\r\n" * 200, b"Cookie: a=b\r\n", b"&" * 80,
          b"Expect: 100-continue\r\n", b"ffffffffff\r\n", b"0\r\n\r\n", b"\xff", b"\x16\x03\x01"]


def raw_answers(text):
    """(status, body) of each answer in what a connection said; HEAD is not asked."""
    out = []
    while text:
        head, _, rest = text.partition(b"\r\n\r\n")
        status = re.match(rb"HTTP/1\.1 (\d\d\d) ", head)
        if not status:
            return []
        status = int(status.group(1))
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        length = int(length.group(1)) if length and status >= 200 else 0
        out.append((status, head, rest[:length]))
        text = rest[length:]
    return out


def raw_said(server, raw, timeout):
    """All that comes back; without an end where a whole request lets the connection live."""
    said = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=timeout) as s:
        try:
            s.sendall(raw)
            # It may have been answered, and closed, by now.
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_WR)
            while piece := s.recv(65536):
                said += piece
        except (ConnectionError, TimeoutError):
            pass
    return said


def raw_http(server, rng, reasons):
    """Malformed HTTP, each on a connection of its own, and its end sent after it."""
    statuses, accepted = {}, 0
    for _ in range(MALFORMED // 4):
        raw = rng.choice(RAW)
        for _ in range(rng.randrange(1, 3)):
            if rng.randrange(2):
                at = rng.randrange(len(raw) + 1)
                raw = raw[:at] + rng.choice(PIECES) + raw[at + rng.randrange(8):]
            else:
                raw = mutate(rng, raw) or b"x"
        said = raw_said(server, raw, 0.5) or raw_said(server, raw, 5)  # a busy machine may take its time
        answers = raw_answers(said)
        if not t.check(answers or not raw.strip(b"\r\n"), f"no answer to {raw!r}, but {said!r}"):
            continue
        for status, head, body in answers:
            statuses[status] = statuses.get(status, 0) + 1
            t.check(status < 500, f"status {status} for {raw!r}: {body!r}")
            accepted += status == 201
            if status >= 400:
                try:
                    reasons.add(json.loads(body)["details"][0]["reason"])
                except ValueError:
                    t.check(False, f"no JSON for {raw!r}: {head!r} {body[:200]!r}")
    return statuses, accepted


def malformed():
    rng = random.Random(SEED)
    print(f"seed {SEED}", flush=True)
    with t.Server() as server:
        server.init().start()
        good = json.dumps(signer.request(b"good")).encode()
        connection = server.connect()
        statuses, reasons = {}, set()
        accepted = 0
        for n in range(MALFORMED * 3 // 4):
            raw = mutate(rng, good)
            path = "/api/v2/log/entries" if n % 10 else "/api/v1/batch"
            try:
                connection.request("POST", path, raw)
                r = connection.getresponse()
                body = r.read()
            except (OSError, t.http.client.HTTPException):
                connection = server.connect()
                if not t.check(server.process.poll() is None, f"the server died of {raw!r}"):
                    break
                continue
            statuses[r.status] = statuses.get(r.status, 0) + 1
            if not t.check(r.status < 500, f"status {r.status} for {raw!r}: {body!r}"):
                continue
            if r.status >= 400:
                reasons.add(json.loads(body)["details"][0]["reason"])
            elif path.endswith("entries"):
                # Changes that do not change the meaning (a known entry, a
                # second value of the same key) may be right to accept.
                accepted += 1
        raw_statuses, raw_accepted = raw_http(server, rng, reasons)
        accepted += raw_accepted
        t.check(server.process.poll() is None, "the server lives")
        size, _ = server.checkpoint()
        t.check(size <= 1 + accepted, f"{size} entries stored, {accepted} accepted")
        t.check(server.stop() == 0, "clean stop")
        t.check(server.fsck().returncode == 0, "fsck")
        print(f"{sum(statuses.values())} answers {statuses}, to raw HTTP {raw_statuses}, "
              f"{len(reasons)} reasons, {size} stored", flush=True)
        t.check(len(reasons) >= 12, "reasons tell cases apart")
        with open(os.path.join(os.path.dirname(__file__), "../../schema/openapi.yaml")) as f:
            listed = set(re.findall(r"\{const: ([a-z0-9-]+),", f.read()))
        t.check(reasons <= listed, f"not listed in schema/openapi.yaml: {reasons - listed}")


for test in (trickle, slow_readers, malformed):
    test()
t.finish()
