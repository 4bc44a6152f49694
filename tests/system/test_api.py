#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The HTTP API of a real server on loopback, told apart by hand-written checks:
answers, duplicates, batches, reads and their headers, searches, refusals."""

import base64
import concurrent.futures
import gzip
import hashlib
import json
import random

import mtlog_test as t

server = t.Server().init().start()
signer = t.Signer()


def reason(body):
    return json.loads(body)["details"][0]["reason"]


def submissions():
    request = signer.request(b"first")
    t.check(server.submit(request) == 0, "first entry has index 0")
    t.check(server.submit(request) == 0, "a duplicate gets the first index")
    status, headers, body = server.post(request)
    t.check(status == 201 and headers["content-type"] == "application/json", "201 JSON")
    answer = json.loads(body)
    for name in ("logIndex", "logId", "kindVersion", "integratedTime", "inclusionPromise",
                 "inclusionProof", "canonicalizedBody"):
        t.check(name in answer, f"{name} is emitted")
    t.check(answer["integratedTime"] == "0" and answer["inclusionPromise"] is None, "unset fields")
    log_id = base64.b64decode(answer["logId"]["keyId"])
    t.check(len(log_id) == 32 and log_id[:4].hex() == server.vkey.id, "logId")
    snake = {"hashed_rekord_request_v002": {
        "digest": request["hashedRekordRequestV002"]["digest"].replace("+", "-").replace("/", "_").rstrip("="),
        "signature": {
            "content": request["hashedRekordRequestV002"]["signature"]["content"],
            "verifier": {
                "public_key": {"raw_bytes": t.b64(signer.spki)},
                "key_details": 5}}}}
    status, _, body = server.post(snake)
    t.check(status == 201 and json.loads(body)["logIndex"] == "0",
            f"snake_case, URL-safe base64 and enum numbers give the same leaf: {status} {body[:200]}")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        requests = [signer.request(f"many {i}".encode()) for i in range(300)]
        indexes = list(pool.map(server.submit, requests))
    t.check(sorted(indexes) == list(range(1, 301)), "300 entries, each its own index")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        same = signer.request(b"the same at once")
        t.check(len(set(pool.map(lambda _: server.submit(same), range(40)))) == 1,
                "40 equal submissions at once get one index")


def dsse():
    payload = json.dumps({"_type": "https://in-toto.io/Statement/v1"}).encode()
    kind = "application/vnd.in-toto+json"
    pae = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
    hashed = signer.request(pae)
    sig = hashed["hashedRekordRequestV002"]["signature"]
    request = {"dsseRequestV002": {
        "envelope": {"payload": t.b64(payload), "payloadType": kind,
                     "signatures": [{"sig": sig["content"], "keyid": ""}]},
        "verifiers": [sig["verifier"]]}}
    status, _, body = server.post(request)
    t.check(status == 201, f"dsseRequestV002: {status} {body[:200]}")
    t.verify_answer(server.vkey, hashed, json.loads(body))
    t.check(server.submit(hashed) == int(json.loads(body)["logIndex"]),
            "a DSSE envelope is logged as the hash of its PAE")


def batches():
    requests = [signer.request(f"batch {i}".encode()) for i in range(50)]
    lines = [json.dumps(r) for r in requests]
    lines[7] = "{}"
    lines[9] = "not json"
    lines[11] = lines[10]
    status, headers, body = server.post("\n".join(lines) + "\n", "/api/v1/batch")
    t.check(status == 200 and headers["content-type"] == "application/x-ndjson", f"batch: {status} {body[:200]}")
    answers = [json.loads(x) for x in body.decode().splitlines()]
    t.check(len(answers) == 50, "an answer a line")
    sizes = set()
    for i, (request, answer) in enumerate(zip(requests, answers)):
        if i in (7, 9):
            t.check(answer["code"] == 3 and answer["details"][0]["reason"], f"line {i} is refused")
        elif i != 11:
            t.verify_answer(server.vkey, request, answer)
            sizes.add(answer["inclusionProof"]["treeSize"])
    t.check(answers[10]["logIndex"] == answers[11]["logIndex"], "the same line twice, one index")
    t.check(len(sizes) == 1, "all under one checkpoint")
    for text, want in (("", "empty-batch"), ("{}\n" * 1001, "batch-too-long")):
        status, _, body = server.post(text, "/api/v1/batch")
        t.check(status in (400, 413) and reason(body) == want, f"{want}: {status} {body[:100]}")


def reads():
    size, root = server.checkpoint()
    status, headers, body = server.get("/checkpoint")
    t.check(headers["content-type"] == "text/plain; charset=utf-8", "checkpoint's type")
    t.check(headers["cache-control"] == "no-cache", "checkpoint is revalidated")
    t.check(headers["access-control-allow-origin"] == "*", "CORS")
    t.check(server.get("/checkpoint", {"If-None-Match": headers["etag"]})[0] == 304, "304")
    status, head, nothing = server.call("HEAD", "/checkpoint")
    t.check(status == 200 and nothing == b"" and head["content-length"] == str(len(body)), "HEAD")
    leaves = []
    for n in range((size + 255) // 256):
        width = min(256, size - 256 * n)
        suffix = f".p/{width}" if width < 256 else ""
        status, headers, hashes = server.get(f"/tile/0/{n:03d}{suffix}")
        t.check(status == 200 and len(hashes) == 32 * width, f"tile {n}")
        t.check("immutable" in headers["cache-control"], "tiles are immutable")
        status, headers, bundle = server.get(f"/api/v2/tile/entries/{n:03d}{suffix}")
        t.check(status == 200 and "content-encoding" not in headers, "plain bundle")
        status, headers, packed = server.get(f"/tile/entries/{n:03d}{suffix}", {"Accept-Encoding": "gzip"})
        if headers.get("content-encoding") == "gzip":
            packed = gzip.decompress(packed)
        t.check(packed == bundle, "gzip holds the same bytes")
        t.check((headers.get("content-encoding") == "gzip") == (width == 256), "full bundles are compressed")
        at, inside = 0, []
        while at < len(bundle):
            length = int.from_bytes(bundle[at:at + 2], "big")
            inside.append(bundle[at + 2:at + 2 + length])
            at += 2 + length
        leaves += inside
        t.check(hashes == b"".join(t.leaf_hash(x) for x in inside), "tile and bundle agree")
    t.check(t.root_of([t.leaf_hash(x) for x in leaves]) == root, "the entries give the root")
    status, _, tile1 = server.get("/tile/1/000.p/1")
    t.check(status == 200 and tile1 == t.root_of([t.leaf_hash(x) for x in leaves[:256]]), "tile of level 1")
    status, headers, part = server.get("/tile/0/000", {"Range": "bytes=32-95"})
    t.check(status == 206 and part == t.leaf_hash(leaves[1]) + t.leaf_hash(leaves[2]), "a range of a tile")
    t.check(headers["content-range"] == "bytes 32-95/8192", "Content-Range")
    status, headers, body = server.get("/tile/0/000", {"Range": "bytes=9000-"})
    t.check(status == 416 and headers["content-range"] == "bytes */8192" and reason(body) == "range-not-satisfiable",
            f"416: {status} {body[:100]}")
    t.check(headers["cache-control"] == "no-store" and "etag" not in headers, "a 416 is not cached as the tile")
    tag = server.get("/tile/0/000")[1]["etag"]
    part = {"Range": "bytes=32-95", "If-Range": tag}
    t.check(server.get("/tile/0/000", part)[0] == 206, "If-Range with the tag")
    t.check(server.get("/tile/0/000", {**part, "If-Range": '"other"'})[0] == 200, "If-Range with another tag: all of it")
    t.check(server.get("/checkpoint", {**part, "If-Range": "Wed, 21 Oct 2015 07:28:00 GMT"})[0] == 200,
            "If-Range with a date: all of it")
    status, headers, body = server.call("HEAD", "/tile/0/000", headers={"Range": "bytes=32-95"})
    t.check(status == 200 and headers["content-length"] == "8192", "a range is a GET's")
    for takes in ("gzip", "GZip", "br, gzip;q=0.5", "gzip ; q=1", "identity;q=0,gzip;q=0.001"):
        t.check(server.get("/tile/entries/000", {"Accept-Encoding": takes})[1].get("content-encoding") == "gzip", takes)
    for not_so in ("", "br", "gzip;q=0", "gzip; q=0", "gzip;q=0.0, br", "gzip ;Q=0.000", "notgzip", "gzipped"):
        t.check("content-encoding" not in server.get("/tile/entries/000", {"Accept-Encoding": not_so})[1], f"no: {not_so}")
    status, headers, _ = server.call("OPTIONS", "/checkpoint")
    t.check(status == 204 and "Range" in headers["access-control-allow-headers"], "preflight")
    t.check("ETag" in server.get("/checkpoint")[1]["access-control-expose-headers"], "a page may read the tag")
    for path in (f"/tile/0/{size // 256:03d}", f"/tile/0/{size // 256:03d}.p/{size % 256 + 1}", "/tile/4/000",
                 "/tile/0/999", "/nothing"):
        status, headers, body = server.get(path)
        t.check(status == 404 and "immutable" not in headers.get("cache-control", ""), f"404 {path}")
    for path in ("/tile/0/00", "/tile/00/000", "/tile/0/000.p/0", "/tile/0/000.p/256", "/tile/64/000",
                 "/tile/0/x000/000", "/tile/0/1000", "/tile/-1/000", "/tile/0/000.p/01", "/tile/0/000/"):
        t.check(server.get(path)[0] in (400, 404), f"malformed {path}")
    return size, root, leaves


def proofs(size, root, leaves):
    rng = random.Random(1)
    hashed = [t.leaf_hash(x) for x in leaves]
    for _ in range(40):
        n = rng.randint(1, size)
        i = rng.randrange(n)
        status, _, body = server.get(f"/api/v1/proof/inclusion/{i}/{n}")
        p = json.loads(body)
        got = t.inclusion_root(i, n, hashed[i], [base64.b64decode(h) for h in p["hashes"]])
        t.check(status == 200 and got == t.root_of(hashed[:n]) == base64.b64decode(p["rootHash"]),
                f"inclusion {i}/{n}")
        m = rng.randint(1, n)
        t.check(t.consistent(m, n, server.consistency(m, n), t.root_of(hashed[:m]), t.root_of(hashed[:n])),
                f"consistency {m}/{n}")
        status, _, body = server.get(f"/api/v1/entries/{i}")
        t.check(base64.b64decode(json.loads(body)["canonicalizedBody"]) == leaves[i], f"entry {i}")
    for path, want in ((f"/api/v1/proof/inclusion/0/{size + 1}", 404), ("/api/v1/proof/inclusion/5/5", 404),
                       ("/api/v1/proof/consistency/0/5", 400), ("/api/v1/proof/consistency/6/5", 400),
                       (f"/api/v1/entries/{size}", 404), ("/api/v1/entries/x", 400), ("/api/v1/entries/01", 400)):
        status, _, body = server.get(path)
        t.check(status == want and reason(body), f"{path}: {status}")


def searches(size, leaves):
    digest = json.loads(leaves[5])["spec"]["hashedRekordV002"]["data"]["digest"]
    status, headers, body = server.get("/api/v1/search?digest=" + base64.b64decode(digest).hex())
    found = json.loads(body)
    t.check(status == 200 and [e["logIndex"] for e in found["entries"]] == ["5"], "search by digest")
    t.check(found["treeSize"] == str(size) and headers["cache-control"] == "no-store", "complete up to the size")
    signer_id = hashlib.sha256(signer.spki).hexdigest()
    for order in ("oldest", "newest"):
        seen, after = [], ""
        while True:
            _, _, body = server.get(f"/api/v1/search?signer={signer_id}&limit=100&order={order}{after}")
            page = json.loads(body)
            seen += [int(e["logIndex"]) for e in page["entries"]]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        want = list(range(size))
        t.check(seen == (want if order == "oldest" else want[::-1]), f"all entries of a signer, {order} first")
    _, _, body = server.get("/api/v1/search?signer=" + "0" * 64)
    t.check(json.loads(body)["entries"] == [], "nobody's entries")
    for query in ("", "?digest=zz", "?signer=00", "?what=1", "?digest", "?limit=0&signer=" + signer_id,
                  "?order=up&signer=" + signer_id):
        t.check(server.get("/api/v1/search" + query)[0] == 400, f"search{query}")


def change(path, value):
    r = json.loads(json.dumps(signer.request(b"refused")))
    at = r
    for key in path[:-1]:
        at = at[key]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return r


def refusals():
    h, s, v = "hashedRekordRequestV002", "signature", "verifier"
    other = t.Signer()
    flipped = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    good = signer.request(b"refused")
    cases = [
        ("", None), ("{", None), ("[]", None), ("null", None), ("{}", None), ("\xff", None), ("{}{}", None),
        (json.dumps(good) + "x", None), (json.dumps(good)[:-1] + ',"more":1}', None),
        ('{"hashedRekordRequestV002":{"digest":"","digest":""}}', None),
        ("[" * 100000, None),
        (change([h, "digest"], flipped), "signature-invalid"),
        (change([h, "digest"], "AAAA"), None), (change([h, "digest"], None), None),
        (change([h, "digest"], "!!!!"), None), (change([h, "digest"], 5), None),
        (change([h, s, "content"], "AAAA"), None), (change([h, s, "content"], None), None),
        (change([h, s, v, "publicKey", "rawBytes"], t.b64(other.spki)), "signature-invalid"),
        (change([h, s, v, "publicKey", "rawBytes"], t.b64(other.spki[:-1])), None),
        (change([h, s, v, "publicKey", "rawBytes"], t.b64(other.spki + b"\0")), None),
        (change([h, s, v, "keyDetails"], "PKIX_ED25519_PH"), None),
        (change([h, s, v, "keyDetails"], "PKIX_RSA_PKCS1V15_2048_SHA256"), None),
        (change([h, s, v, "keyDetails"], "PKIX_ED25519"), None),
        (change([h, s, v, "keyDetails"], "nonsense"), None), (change([h, s, v, "keyDetails"], None), None),
        (change([h, s, v, "x509Certificate"], {"rawBytes": "AAAA"}), None),
        (change([h, s, v, "unknown"], 1), None),
    ]
    before = server.checkpoint()
    reasons = set()
    for request, want in cases:
        raw = request.encode("latin-1") if isinstance(request, str) else request
        status, headers, body = server.post(raw)
        ok = t.check(400 <= status < 500, f"{str(request)[:80]}: {status}")
        if ok:
            answer = json.loads(body)
            reasons.add(reason(body))
            t.check(len(answer["message"]) > 10 and "cache-control" in headers, "a sentence")
            t.check(want is None or reason(body) == want, f"{reason(body)} is not {want}")
    t.check(len(reasons) >= 8, f"reasons tell cases apart: {sorted(reasons)}")
    status, _, body = server.post("x" * (1 << 21))
    t.check(status == 413 and "1048576" in json.loads(body)["message"], f"413 names the limit: {status} {body[:200]}")
    t.check(server.checkpoint() == before, "nothing of it was stored")
    for method, path, allowed in (("GET", "/api/v2/log/entries", "POST"), ("OPTIONS", "/api/v1/batch", "POST"),
                                  ("DELETE", "/checkpoint", "GET, HEAD, OPTIONS"),
                                  ("POST", "/tile/0/000", "GET, HEAD, OPTIONS")):
        status, headers, body = server.call(method, path)
        t.check(status == 405 and headers["allow"] == allowed and reason(body) == "wrong-method",
                f"{method} {path}: {status} {headers.get('allow')}")


def operations():
    t.check(server.get("/healthz")[2] == b'{"status":"SERVING"}\n', "healthz")
    t.check(server.get("/readyz")[2] == b"ready\n", "readyz")
    t.check(server.get("/.well-known/mtlog/vkey")[2].decode().strip() == server.vkey.text, "vkey")
    root = json.loads(server.get("/.well-known/mtlog/trusted_root.json")[2])
    t.check(root["tlogs"][0]["logId"]["keyId"], "trusted root")
    config = json.loads(server.get("/.well-known/mtlog/signing_config.json")[2])
    t.check(config["rekorTlogUrls"][0]["majorApiVersion"] == 2, "signing config")
    t.check(server.get("/openapi.yaml")[2].startswith(b"openapi: 3.1"), "openapi.yaml")


with server:
    submissions()
    dsse()
    batches()
    size, root, leaves = reads()
    proofs(size, root, leaves)
    searches(size, leaves)
    refusals()
    operations()
    t.check(server.stop() == 0, "clean stop")
    result = server.fsck()
    t.check(result.returncode == 0, f"fsck: {result.stdout}{result.stderr}")
    server.start()
    t.check(server.checkpoint()[0] == size, "the same head after a restart")
    server.stop()
t.finish()
