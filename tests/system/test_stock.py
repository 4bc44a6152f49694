#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Models that stock tools signed: the verdict of every public case, the strict
one where stock tools are wrong (`should_be`). Skipped where the public vectors
are not there (MTLOG_VECTORS, else ../shared/vectors)."""

import json
import os
import shutil
import subprocess
import sys
import tempfile

import mtlog_test as t

SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
VECTORS = os.environ.get("MTLOG_VECTORS", os.path.join(SOURCE, "..", "shared", "vectors"))
MTLOG = os.environ.get("MTLOG", os.path.join(os.environ.get("BUILD", os.path.join(SOURCE, "build")), "mtlog"))
# A copy that does not keep links holds their targets as text.
LINKS = {"key-symlink-file", "key-symlink-outside", "bad-symlink-file", "bad-symlink-added", "bad-symlink-policy"}


def verify(folder, *args):
    """Exit code and verdict; usage errors have none."""
    r = subprocess.run([MTLOG, "verify", "--logged=off", "--json", *args], cwd=folder, capture_output=True, text=True)
    return r.returncode, json.loads(r.stdout) if r.stdout else None, r.stderr


def copy(name, folder):
    out = os.path.join(folder, os.path.basename(name))
    shutil.copytree(name, out, symlinks=True)
    for root, folders, files in os.walk(out):
        os.chmod(root, 0o755)
    return out


def restore_links(folder):
    for root, _, files in os.walk(folder):
        for name in files:
            path = os.path.join(root, name)
            with open(path, "rb") as f:
                target = f.read(200)
            if target and b"\n" not in target and os.path.exists(os.path.join(root.encode(), target)):
                os.unlink(path)
                os.symlink(target.decode(), path)


def judge(what, want, code, verdict, error):
    t.check((code == 0) == (want == "accept"), f"{what}: wanted {want}, got {code} {verdict and verdict['message']} {error}")
    t.check(code != 1, f"{what}: internal: {verdict and verdict['message']} {error}")
    if verdict is None:
        t.check(code == 2 and error, f"{what}: neither verdict nor usage error: {code} {error}")
        return
    t.check(verdict["accepted"] == (code == 0) and verdict["code"] == code, f"{what}: verdict {verdict['code']}, exit {code}")
    t.check(code == 0 or (verdict["reason"] and verdict["message"]), f"{what}: refused without a word")


def trust_of(case, folder, name):
    if os.path.exists(os.path.join(folder, "pub.pem")) and (case["method"] != "certificate" or name == "bad-cert-as-key"):
        if name != "bad-key-as-cert" or not os.path.exists(os.path.join(folder, "ca.pem")):
            return ["--key", "pub.pem"]
    if os.path.exists(os.path.join(folder, "ca.pem")):
        return ["--ca", "ca.pem", "--any-identity"]
    return []


def oms_stock(work):
    top = os.path.join(VECTORS, "oms-stock")
    count = 0
    for name in sorted(os.listdir(top)):
        if not os.path.exists(os.path.join(top, name, "case.json")):
            continue
        with open(os.path.join(top, name, "case.json")) as f:
            case = json.load(f)
        folder = copy(os.path.join(top, name), work)
        if name in LINKS:
            restore_links(os.path.join(folder, case["model"]))
        more = ["--ignore-unsigned-files"] if "ignore_unsigned" in case["verify"] or "ignore-unsigned" in case["verify"] else []
        judge(f"oms-stock/{name}", case.get("should_be") or case["expected"],
              *verify(folder, "--at", "2026-11-23T12:00:00Z", "--signature", case["signature"],
                      *trust_of(case, folder, name), *more, case["model"]))
        count += 1
    t.check(count == 105, f"oms-stock: {count} cases")


SIGNER = "stefanb@us.ibm.com"
ISSUER = "https://sigstore.verify.ibm.com/oauth2"


def sigstore(name, folder):
    """Keyless signatures, under the production instance's root; and what else
    the same bundle is not."""
    what = f"model-transparency/{name}"
    root = ["--trusted-root", os.path.join(VECTORS, "sigstore-bundles", "trusted_root.production.json")]
    files = ["--signature", "model.sig", "--ignore", "ignore-me"]
    who = ["--identity", SIGNER, "--issuer", ISSUER]
    code, verdict, error = verify(folder, *root, *who, *files, ".")
    judge(what, "accept", code, verdict, error)
    if code == 0:
        t.check(verdict["signer"]["identity"] == f"email:{SIGNER}" and verdict["signer"]["issuer"] == ISSUER,
                f"{what}: the signer is {verdict['signer']}")
        t.check(all(c["result"] in ("pass", "not-asked") for c in verdict["checks"]), f"{what}: a check is open")
    for other in (["--identity", "x" + SIGNER, "--issuer", ISSUER], ["--identity", SIGNER, "--issuer", ISSUER + "/"]):
        code, verdict, _ = verify(folder, *root, *other, *files, ".")
        t.check(code == 13 and verdict["reason"] == "wrong-signer", f"{what} {other}: {code} {verdict['message']}")
        t.check(verdict["name"] is None and verdict["signer"] is None, f"{what} {other}: tells of a signer")
    for more in (["--any-identity"], ["--key", "model.sig"], ["--ca", "model.sig"], ["--logged=online"],
                 ["--evidence", "model.sig"], ["--policy", "model.sig"]):
        code, _, error = verify(folder, *root, *who, *more, *files, ".")
        t.check(code == 2 and error, f"{what} {more}: {code}")
    code, _, error = verify(folder, *root, "--identity", SIGNER, *files, ".")
    t.check(code == 2 and error, f"{what} without an issuer: {code}")
    names = [n for n in os.listdir(folder) if n not in ("model.sig", "ignore-me") and os.path.isfile(os.path.join(folder, n))]
    with open(os.path.join(folder, names[0]), "ab") as f:
        f.write(b"x")
    code, verdict, _ = verify(folder, *root, *who, *files, ".")
    t.check(code == 10 and verdict["reason"] == "file-changed", f"{what} changed: {code} {verdict['message']}")


def model_transparency(work):
    top = os.path.join(VECTORS, "model-transparency")
    key = os.path.join(top, "keys", "certificate", "signing-key-pub.pem")
    ca = os.path.join(top, "keys", "certificate", "ca-cert.pem")
    for name in sorted(os.listdir(top)):
        if not name.startswith("v"):
            continue
        folder = copy(os.path.join(top, name), work)
        if name.endswith("sigstore"):
            sigstore(name, folder)
            continue
        trust = ["--key", key] if name.endswith("key") else ["--ca", ca, "--any-identity"]
        if not os.path.exists(key) and not os.path.exists(ca):
            t.check(False, f"{name}: no key in the vectors")
        model = "signme-1" if name == "v0.3.1-elliptic-key" else "."
        files = ["--signature", "model.sig", "--ignore", "ignore-me"]
        judge(f"model-transparency/{name}", "accept",
              *verify(folder, "--at", "2025-10-15T00:00:00Z", *trust, *files, model))


REFUSED = ("amc-setup-calibration-stack", "deepstream-dev", "deepstream-run-mv3dt")
NO_FILES = ("physical-ai-infrastructure-setup-and-resilient-scaling", "skill-card-generator")


def nvidia_skills(work):
    top = os.path.join(VECTORS, "nvidia-skills")
    ca = os.path.join(top, "nv-agent-root-cert.pem")
    for name in sorted(os.listdir(top)):
        if not os.path.isdir(os.path.join(top, name)):
            continue
        folder = copy(os.path.join(top, name), work)
        code, verdict, error = verify(folder, "--at", "2026-10-01T00:00:00Z", "--ca", ca, "--any-identity",
                                      "--signature", "skill.oms.sig", ".")
        if name in NO_FILES:
            # Signature, chain and manifest are good; the files are not here.
            checks = {c["name"]: c["result"] for c in verdict["checks"]}
            t.check(checks["signature"] == checks["certificate"] == checks["manifest"] == "pass" and code == 10,
                    f"nvidia-skills/{name}: {code} {verdict['message']}")
        else:
            judge(f"nvidia-skills/{name}", "refuse" if name in REFUSED else "accept", code, verdict, error)


def main():
    if not os.path.isdir(os.path.join(VECTORS, "oms-stock")):
        t.skip("the public vectors are not there")
    with tempfile.TemporaryDirectory() as work:
        for part in (oms_stock, model_transparency, nvidia_skills):
            folder = os.path.join(work, part.__name__)
            os.mkdir(folder)
            part(folder)


main()
t.finish()
