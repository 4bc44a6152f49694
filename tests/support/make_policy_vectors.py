#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/vectors/policy: policies that are accepted, and refused ones.

Each file begins with a comment that says what a reader must find:
"# accepted", or the error's class and the beginning of its sentence. Keys are
made from fixed numbers, so that every run writes the same files.
"""
import base64
import datetime
import hashlib
import os
import sys

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

LOG = "log.example+328a282e+AXLUbuKtM8NPghRbFtZWh9JSlaIwk7E09ZF/MH6oqo+r"
WITNESSES = {
    "w1": "w1.example+2e5a873e+BEJsmvX7Hh64uz0bJumMGBaInv6XNFK02hmLFbdmrnUe",
    "w2": "w2.example+33e05926+BMAhCghtUMYQpQQfADXl8cGv6sbt8LHjBswN9ZmF9TAO",
    "w3": "w3.example+06dba8d3+BAPEecjzA4tMmRW/rYYcv1xVTmbaAAD7e0QWduCSFcHz",
}


def spki(key):
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def b64(data):
    return base64.b64encode(data).decode()


def ed_key(name):
    seed = hashlib.sha256(("mtlog policy vectors: " + name).encode()).digest()
    return ed25519.Ed25519PrivateKey.from_private_bytes(seed)


def ec_key(number):
    return ec.derive_private_key(number, ec.SECP256R1())


def certificate(name, key, ca, serial=1):
    """Signed by itself with Ed25519, which has one signature per message."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
               .public_key(key.public_key()).serial_number(serial)
               .not_valid_before(datetime.datetime(2026, 1, 1))
               .not_valid_after(datetime.datetime(2036, 1, 1))
               .add_extension(x509.BasicConstraints(ca, None), True))
    return builder.sign(key, None).public_bytes(serialization.Encoding.DER)


K1, K2, K3 = (spki(ec_key(n)) for n in (1001, 1002, 1003))
K4 = spki(ed_key("k4"))
CORP = certificate("corp", ed_key("corp"), True)
RENEWED = certificate("corp", ed_key("corp"), True, 2)
OTHER = certificate("other", ed_key("other"), True)
NO_CA = certificate("leaf", ed_key("leaf"), False)
POINT = ec_key(1001).public_key().public_bytes(
    serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
D1, D2 = ("%02x" % n * 32 for n in (0x11, 0x2f))

VALUES = {
    "LOG": LOG, "D1": D1, "D2": D2,
    "K1": b64(K1), "K2": b64(K2), "K3": b64(K3), "K4": b64(K4),
    "H1": hashlib.sha256(K1).hexdigest(), "H2": hashlib.sha256(K2).hexdigest(),
    "CORP": b64(CORP), "RENEWED": b64(RENEWED), "OTHER": b64(OTHER), "NOCA": b64(NO_CA),
    "K1TRAIL": b64(K1 + b"\0"), "CORPTRAIL": b64(CORP + b"\0"),
    "K1URL": b64(K1).rstrip("="), "POINT": b64(POINT),
    **{k.upper(): v for k, v in WITNESSES.items()},
}

HEAD = "log @LOG@\nquorum none\nmtlog-policy 1\n"
ONE = HEAD + "signer ci key @K1@\n"
TWO = ONE + "signer bob key @K2@\n"
RULE = ONE + "model acme/*\n  signed-by ci\n"
CERT = HEAD + "ca corp @CORP@\n"

ACCEPTED = {
    "log-lines-only": "log @LOG@\nquorum none\n",
    "one-team": """# What one team with a log of its own needs.
log @LOG@
quorum none

mtlog-policy 1
signer ci key @K1@
model acme/*
  signed-by ci
""",
    "production": """# Two of three witnesses, one approval more, and a watcher.
log @LOG@ https://log.example/
witness w1 @W1@
witness w2 @W2@
witness w3 @W3@
group ws 2 w1 w2 w3
quorum ws

mtlog-policy 1
serial 7
expires 2027-02-01

ca corp @CORP@
signer ci cert corp uri:https://ci.acme.example/release issuer https://issuer.example
signer alice key @K1@
signer alice key @K4@ until 2027-01-15T12:00:00Z
signer bob key @K2@
signer watcher key @K3@
deny file @D1@
deny statement @D1@

model acme/prod/*
  signed-by ci
  approved-by 2 alice bob
  approved-by any watcher
  withdrawn-by watcher
  fresh 24h status watcher
  unsigned refuse
  hold copy
model acme/prod/resnet50
  signed-by ci
""",
    "vendor": """# Somebody who does not log, and a key that leaked.
log @LOG@
quorum none
mtlog-policy 1
ca corp @CORP@
signer corp cert corp spki-sha256:@H2@
signer old-ci key @K1@ below log.example 48213
model *
  signed-by corp
  logged no
  unsigned ignore
  hold open
model acme/*
  signed-by old-ci
  fresh 7d online
""",
    "plain": """log @LOG@
witness w1 @W1@
quorum w1
mtlog-policy 1
serial 9223372036854775807
expires 2027-02-01T00:00:00Z
ca corp @CORP@
ca other @OTHER@
signer a cert corp email:a@example.com
signer b cert corp uri:spiffe://x/y issuer https://issuer.example until 2027-01-01T00:00:00Z below log.example 5
signer c cert other dns:build.example
signer d cert other other:https://example.com/a%20b
signer e cert other spki-sha256:@H2@ issuer https://issuer.example
signer f key @K1@ until 1970-01-01T00:00:00Z
signer f key @K4@
signer g key @K3@ below log.example 0
deny statement @D1@
deny file @D1@
deny key @D2@
model *
  signed-by a b c d e f g
  approved-by 1 a b
  approved-by 2 a b
  withdrawn-by g
  logged no
  fresh 2d status f g
  unsigned ignore
  hold verity
model m
  signed-by a
  fresh 24h scan
  hold copy
model m/*
  signed-by a
  fresh 25h online
  hold open
""",
    "white-space": "\t log\t@LOG@  \n  quorum   none\nmtlog-policy\t1\t\n\n \t\n"
                   "   # indented\nsigner\tci  key @K1@ \nmodel * \n\t\tsigned-by\tci\n",
    "no-final-newline": RULE.rstrip("\n"),
    "log-below": "mtlog-policy 1\nsigner ci key @K1@ below log.example 7\n"
                 "model *\nsigned-by ci\nquorum none\nlog @LOG@\n",
    "signer-between-rules": RULE + "signer bob key @K2@\ndeny key @D1@\nmodel *\n  signed-by bob ci\n",
    "names": HEAD + "ca ci @CORP@\nsigner ci cert ci dns:a.example\nsigner all key @K1@\n"
             "signer \u00e9quipe key @K2@\nsigner \"a\" key @K3@\n"
             "model *\n  signed-by all ci\n  approved-by any all \u00e9quipe \"a\"\n",
    "same-name-other-ca": CERT + "ca other @OTHER@\nsigner a cert corp dns:a.example\n"
                          "signer b cert other dns:a.example\nmodel *\n  signed-by a b\n",
    "same-name-other-issuer": CERT + "signer a cert corp email:a@b.c issuer https://one.example\n"
                              "signer b cert corp email:a@b.c issuer https://two.example\n"
                              "model *\n  signed-by a b\n",
    "renewed-ca": CERT + "ca corp2 @RENEWED@\nsigner ci cert corp dns:a.example\n"
                  "signer ci cert corp2 dns:a.example\nmodel *\n  signed-by ci\n",
    "key-and-certificate-of-one": CERT + "signer ci key @K1@\nsigner ci cert corp spki-sha256:@H1@\n"
                                  "model *\n  signed-by ci\n",
    "limits-other-order": ONE.rstrip("\n") + " below log.example 9 until 2027-01-01\nmodel *\n  signed-by ci\n",
    "patterns": ONE + "".join("model %s\n  signed-by ci\n" % p for p in (
        "a", "a/*", "a/b", "a/b/*", "*", "A.b_c-1/2x", "x" * 255, "y" * 255 + "/*")),
    "longest-span": RULE + "  fresh 3650d scan\n",
    "all-approve": TWO + "model *\n  signed-by ci\n  approved-by all bob ci\n  approved-by 1 bob\n",
    "16-approvals": CERT + "".join("signer a%d cert corp dns:a%d.example\n" % (i, i) for i in range(16)) +
                    "model *\n  signed-by a0\n" +
                    "".join("  approved-by any a%d\n" % i for i in range(16)),
    "256-signers": CERT + "".join("signer s%d cert corp dns:s%d.example\n" % (i, i) for i in range(256)) +
                   "model *\n  signed-by s0 s63 s64 s255\n",
}

# name: (class, line of HEAD and what follows, sentence, text)
REFUSED = {
    # The file as such.
    "empty": ("syntax", 0, "the policy has no quorum line", ""),
    "no-quorum": ("syntax", 0, "the policy has no quorum line", "log @LOG@\nmtlog-policy 1\n"),
    "two-quorums": ("conflict", 4, "quorum: there is one already", HEAD + "quorum none\n"),
    "carriage-return": ("syntax", 1, "control characters in the line", HEAD.replace("\n", "\r\n")),
    "control-in-comment": ("syntax", 4, "control characters in the line", HEAD + "# a \x1b[0m\n"),
    "delete": ("syntax", 4, "control characters in the line", HEAD + "serial 1\x7f\n"),
    # Keywords.
    "unknown-keyword": ("syntax", 4, "unknown keyword \"frobnicate\"; mtlog-policy(5) lists them",
                        HEAD + "frobnicate\n"),
    "near-signer": ("syntax", 4, "unknown keyword \"singer\"; did you mean \"signer\"?", HEAD + "singer ci\n"),
    "near-signed-by": ("syntax", 6, "unknown keyword \"signed_by\"; did you mean \"signed-by\"?",
                       ONE + "model *\nsigned_by ci\n"),
    "near-quorum": ("syntax", 2, "unknown keyword \"quorun\"; did you mean \"quorum\"?",
                    "log @LOG@\nquorun none\n"),
    "keyword-case": ("syntax", 4, "unknown keyword \"Signer\"; did you mean \"signer\"?", HEAD + "Signer ci\n"),
    "keyword-not-utf8": ("syntax", 4, "unknown keyword \"sign?r\"; did you mean \"signer\"?",
                         HEAD + "sign\udcffr ci\n"),
    "comment-behind": ("syntax", 4, "serial: surplus item \"#\"", HEAD + "serial 1 # one\n"),
    # Places.
    "no-version": ("syntax", 3, "signer: the line \"mtlog-policy 1\" must stand above it",
                   "log @LOG@\nquorum none\nsigner ci key @K1@\n"),
    "late-version": ("syntax", 1, "serial: the line \"mtlog-policy 1\" must stand above it",
                     "serial 1\nmtlog-policy 1\nquorum none\n"),
    "version-2": ("syntax", 1, "mtlog-policy: only version 1 is known", "mtlog-policy 2\nquorum none\n"),
    "version-missing": ("syntax", 1, "mtlog-policy: the version is missing", "mtlog-policy\nquorum none\n"),
    "version-twice": ("conflict", 4, "mtlog-policy: there is one already", HEAD + "mtlog-policy 1\n"),
    "version-surplus": ("syntax", 1, "mtlog-policy: surplus item \"x\"", "mtlog-policy 1 x\nquorum none\n"),
    "no-model-above": ("syntax", 5, "signed-by: there is no model line above it", ONE + "signed-by ci\n"),
    "hold-no-model": ("syntax", 4, "hold: there is no model line above it", HEAD + "hold copy\n"),
    # serial, expires
    "serial-missing": ("syntax", 4, "serial: the number is missing", HEAD + "serial\n"),
    "serial-zero": ("syntax", 4, "serial: not a number from 1", HEAD + "serial 0\n"),
    "serial-leading-zero": ("syntax", 4, "serial: not a number from 1", HEAD + "serial 07\n"),
    "serial-huge": ("syntax", 4, "serial: not a number from 1", HEAD + "serial 9223372036854775808\n"),
    "serial-negative": ("syntax", 4, "serial: not a number from 1", HEAD + "serial -1\n"),
    "serial-twice": ("conflict", 5, "serial: there is one already", HEAD + "serial 1\nserial 2\n"),
    "expires-missing": ("syntax", 4, "expires: the time is missing", HEAD + "expires\n"),
    "expires-no-date": ("syntax", 4, "expires: not a time such as", HEAD + "expires 2027-02-30\n"),
    "expires-zone": ("syntax", 4, "expires: not a time such as", HEAD + "expires 2027-02-01T00:00:00+01:00\n"),
    "expires-two-items": ("syntax", 4, "expires: surplus item \"12:00\"", HEAD + "expires 2027-02-01 12:00\n"),
    "expires-twice": ("conflict", 5, "expires: there is one already",
                      HEAD + "expires 2027-02-01\nexpires 2027-02-01\n"),
    # ca
    "ca-no-name": ("syntax", 4, "ca: the name is missing", HEAD + "ca\n"),
    "ca-no-certificate": ("syntax", 4, "ca: the certificate is missing", HEAD + "ca corp\n"),
    "ca-not-base64": ("syntax", 4, "ca: the certificate is not base64", HEAD + "ca corp MII-\n"),
    "ca-not-der": ("syntax", 4, "ca: ", HEAD + "ca corp AAAA\n"),
    "ca-trailing": ("syntax", 4, "ca: ", HEAD + "ca corp @CORPTRAIL@\n"),
    "ca-of-key": ("syntax", 4, "ca: ", HEAD + "ca corp @K1@\n"),
    "ca-no-ca": ("syntax", 4, "ca: the certificate is no CA's", HEAD + "ca corp @NOCA@\n"),
    "ca-surplus": ("syntax", 4, "ca: surplus item \"x\"", HEAD + "ca corp @CORP@ x\n"),
    "ca-named-none": ("syntax", 4, "ca: the name \"none\" is reserved", HEAD + "ca none @CORP@\n"),
    "ca-name-twice": ("conflict", 5, "ca: the name is used already", CERT + "ca corp @OTHER@\n"),
    "ca-twice": ("conflict", 5, "ca: the certificate has a name already", CERT + "ca corp2 @CORP@\n"),
    "ca-long-name": ("limit", 4, "ca: the name is longer than 255 bytes", HEAD + "ca " + "n" * 256 + " @CORP@\n"),
    # signer
    "signer-no-name": ("syntax", 4, "signer: the name is missing", HEAD + "signer\n"),
    "signer-no-kind": ("syntax", 4, "signer: the kind (key or cert) is missing", HEAD + "signer ci\n"),
    "signer-other-kind": ("syntax", 4, "signer: neither key nor cert", HEAD + "signer ci pgp @K1@\n"),
    "signer-named-none": ("syntax", 4, "signer: the name \"none\" is reserved", HEAD + "signer none key @K1@\n"),
    "signer-long-name": ("limit", 4, "signer: the name is longer than 255 bytes",
                         HEAD + "signer " + "n" * 256 + " key @K1@\n"),
    "key-missing": ("syntax", 4, "signer: the key is missing", HEAD + "signer ci key\n"),
    "key-not-base64": ("syntax", 4, "signer: the key is not base64", HEAD + "signer ci key !\n"),
    "key-unpadded": ("syntax", 4, "signer: the key is not base64", HEAD + "signer ci key @K1URL@\n"),
    "key-trailing": ("syntax", 4, "signer: the key: ", HEAD + "signer ci key @K1TRAIL@\n"),
    "key-point": ("syntax", 4, "signer: the key: ", HEAD + "signer ci key @POINT@\n"),
    "key-issuer": ("syntax", 4, "signer: surplus item \"issuer\"",
                   HEAD + "signer ci key @K1@ issuer https://issuer.example\n"),
    "key-surplus": ("syntax", 4, "signer: surplus item \"x\"", HEAD + "signer ci key @K1@ x\n"),
    "cert-no-ca": ("syntax", 4, "signer: the name of the ca is missing", HEAD + "signer ci cert\n"),
    "cert-undefined-ca": ("syntax", 4, "signer: there is no ca \"corp\" on an earlier line",
                          HEAD + "signer ci cert corp dns:a.example\nca corp @CORP@\n"),
    "cert-no-name": ("syntax", 5, "signer: the <type>:<value> is missing", CERT + "signer ci cert corp\n"),
    "cert-no-colon": ("syntax", 5, "signer: not of the form <type>:<value>",
                      CERT + "signer ci cert corp a.example\n"),
    "cert-no-value": ("syntax", 5, "signer: the value behind the type is missing",
                      CERT + "signer ci cert corp dns:\n"),
    "cert-other-type": ("syntax", 5, "signer: the type is none of email, uri, dns, other, spki-sha256",
                        CERT + "signer ci cert corp URI:https://a.example\n"),
    "cert-any": ("syntax", 5, "signer: not of the form <type>:<value>", CERT + "signer ci cert corp any\n"),
    "cert-short-hash": ("syntax", 5, "signer: not 64 lower-case hex digits",
                        CERT + "signer ci cert corp spki-sha256:@D1@".replace("@D1@", D1[:62]) + "\n"),
    "cert-upper-hash": ("syntax", 5, "signer: not 64 lower-case hex digits",
                        CERT + "signer ci cert corp spki-sha256:" + D2.upper() + "\n"),
    "cert-issuer-missing": ("syntax", 5, "signer: the URL behind issuer is missing",
                            CERT + "signer ci cert corp dns:a.example issuer\n"),
    "cert-issuer-twice": ("syntax", 5, "signer: surplus item \"issuer\"",
                          CERT + "signer ci cert corp dns:a issuer https://a issuer https://b\n"),
    "cert-issuer-late": ("syntax", 5, "signer: surplus item \"issuer\"",
                         CERT + "signer ci cert corp dns:a until 2027-01-01 issuer https://a\n"),
    "until-missing": ("syntax", 4, "signer: the time is missing", HEAD + "signer ci key @K1@ until\n"),
    "until-no-time": ("syntax", 4, "signer: not a time such as", HEAD + "signer ci key @K1@ until tomorrow\n"),
    "until-twice": ("conflict", 4, "signer: the limit until stands twice",
                    HEAD + "signer ci key @K1@ until 2027-01-01 until 2027-01-01\n"),
    "below-no-origin": ("syntax", 4, "signer: the origin behind below is missing",
                        HEAD + "signer ci key @K1@ below\n"),
    "below-no-index": ("syntax", 4, "signer: the index behind below is missing",
                       HEAD + "signer ci key @K1@ below log.example\n"),
    "below-no-number": ("syntax", 4, "signer: the index behind below is not a number",
                        HEAD + "signer ci key @K1@ below log.example 1k\n"),
    "below-twice": ("conflict", 4, "signer: the limit below stands twice",
                    HEAD + "signer ci key @K1@ below log.example 1 below log.example 2\n"),
    "below-unknown-log": ("syntax", 4, "signer: below: \"other.example\" is no log of this policy",
                          HEAD + "signer ci key @K1@ below other.example 1\n"),
    "below-witness": ("syntax", 5, "signer: below: \"w1.example\" is no log of this policy",
                      HEAD + "witness w1 @W1@\nsigner ci key @K1@ below w1.example 1\n"),
    "key-of-two": ("conflict", 5, "signer: this credential is that of \"ci\" already (line 5)",
                   ONE + "signer bob key @K1@\n"),
    "key-twice": ("conflict", 5, "signer: this credential is that of \"ci\" already (line 5)",
                  ONE + "signer ci key @K1@\n"),
    "key-twice-limited": ("conflict", 5, "signer: this credential is that of \"ci\" already (line 5)",
                          ONE + "signer ci key @K1@ until 2027-01-01\n"),
    "key-in-certificate-of-two": ("conflict", 6, "signer: this credential is that of \"ci\" already (line 6)",
                                  CERT + "signer ci key @K1@\nsigner bob cert corp spki-sha256:@H1@\n"),
    "key-under-two-cas": ("conflict", 7, "signer: this credential is that of \"a\" already (line 7)",
                          CERT + "ca other @OTHER@\nsigner a cert corp spki-sha256:@H1@\n"
                          "signer b cert other spki-sha256:@H1@\n"),
    "name-of-two": ("conflict", 6, "signer: this credential is that of \"a\" already (line 6)",
                    CERT + "signer a cert corp dns:a.example\nsigner b cert corp dns:a.example\n"),
    "name-of-two-any-issuer": ("conflict", 6, "signer: this credential is that of \"a\" already (line 6)",
                               CERT + "signer a cert corp dns:a.example\n"
                               "signer b cert corp dns:a.example issuer https://a\n"),
    "name-of-two-renewed-ca": ("conflict", 7, "signer: this credential is that of \"a\" already (line 7)",
                               CERT + "ca corp2 @RENEWED@\nsigner a cert corp dns:a.example\n"
                               "signer b cert corp2 dns:a.example\n"),
    "name-twice": ("conflict", 6, "signer: this credential is that of \"a\" already (line 6)",
                   CERT + "signer a cert corp dns:a.example\nsigner a cert corp dns:a.example\n"),
    "257-signers": ("limit", 261, "signer: more than 256 names of signers",
                    CERT + "".join("signer s%d cert corp dns:s%d.example\n" % (i, i) for i in range(257))),
    # deny
    "deny-no-kind": ("syntax", 4, "deny: the kind (statement, file or key) is missing", HEAD + "deny\n"),
    "deny-other-kind": ("syntax", 4, "deny: neither statement, file nor key", HEAD + "deny model @D1@\n"),
    "deny-no-digest": ("syntax", 4, "deny: the digest is missing", HEAD + "deny key\n"),
    "deny-prefixed": ("syntax", 4, "deny: not 64 lower-case hex digits", HEAD + "deny key sha256:@D1@\n"),
    "deny-upper": ("syntax", 4, "deny: not 64 lower-case hex digits", HEAD + "deny key " + D2.upper() + "\n"),
    "deny-two-digests": ("syntax", 4, "deny: surplus item \"" + D2[:16], HEAD + "deny key @D1@ @D2@\n"),
    "deny-twice": ("conflict", 5, "deny: line 5 says so already", HEAD + "deny key @D1@\ndeny key @D1@\n"),
    # model
    "model-no-pattern": ("syntax", 4, "model: the pattern is missing", HEAD + "model\n"),
    "model-surplus": ("syntax", 4, "model: surplus item \"b\"", HEAD + "model a b\n"),
    "model-empty-segment": ("syntax", 4, "model: \"a//b\" is neither", HEAD + "model a//b\n"),
    "model-leading-slash": ("syntax", 4, "model: \"/a\" is neither", HEAD + "model /a\n"),
    "model-only-slash-star": ("syntax", 4, "model: \"/*\" is neither", HEAD + "model /*\n"),
    "model-dots": ("syntax", 4, "model: \"a/../b\" is neither", HEAD + "model a/../b\n"),
    "model-star-inside": ("syntax", 4, "model: \"a*\" is neither", HEAD + "model a*\n"),
    "model-star-between": ("syntax", 4, "model: \"*/a\" is neither", HEAD + "model */a\n"),
    "model-two-stars": ("syntax", 4, "model: \"**\" is neither", HEAD + "model **\n"),
    "model-star-star": ("syntax", 4, "model: \"a/*/*\" is neither", HEAD + "model a/*/*\n"),
    "model-not-ascii": ("syntax", 4, "model: \"mod\u00e8le\" is neither", HEAD + "model mod\u00e8le\n"),
    "model-not-utf8": ("syntax", 4, "model: \"a?b\" is neither", HEAD + "model a\udcffb\n"),
    "model-long": ("syntax", 4, "model: \"xxx", HEAD + "model " + "x" * 256 + "\n"),
    "model-long-prefix": ("syntax", 4, "model: \"xxx", HEAD + "model " + "x" * 256 + "/*\n"),
    "model-twice": ("conflict", 7, "model: the rule on line 6 has this pattern already", RULE + "model acme/*\n"),
    # signed-by, withdrawn-by
    "no-signed-by": ("syntax", 5, "model: the rule has no signed-by line", ONE + "model *\n"),
    "no-signed-by-first": ("syntax", 5, "model: the rule has no signed-by line",
                           ONE + "model *\n  logged no\nmodel a\n  signed-by ci\n"),
    "signed-by-nobody": ("syntax", 6, "signed-by: the name of a signer is missing", ONE + "model *\n  signed-by\n"),
    "signed-by-undefined": ("syntax", 6, "signed-by: there is no signer \"bob\" on an earlier line",
                            ONE + "model *\n  signed-by bob\nsigner bob key @K2@\n"),
    "signed-by-ca": ("syntax", 6, "signed-by: there is no signer \"corp\" on an earlier line",
                     CERT + "model *\n  signed-by corp\n"),
    "signed-by-twice": ("conflict", 8, "signed-by: the rule has one already, on line 8",
                        TWO + "model *\n  signed-by ci\n  signed-by bob\n"),
    "signed-by-same": ("conflict", 6, "signed-by: the signer \"ci\" stands twice",
                       ONE + "model *\n  signed-by ci ci\n"),
    "withdrawn-by-nobody": ("syntax", 7, "withdrawn-by: the name of a signer is missing",
                            RULE + "  withdrawn-by\n"),
    "withdrawn-by-undefined": ("syntax", 7, "withdrawn-by: there is no signer \"bob\" on an earlier line",
                               RULE + "  withdrawn-by bob\n"),
    "withdrawn-by-twice": ("conflict", 8, "withdrawn-by: the rule has one already, on line 8",
                           RULE + "  withdrawn-by ci\n  withdrawn-by ci\n"),
    # approved-by
    "approved-by-empty": ("syntax", 7, "approved-by: the number (all, any or a number) is missing",
                          RULE + "  approved-by\n"),
    "approved-by-nobody": ("syntax", 7, "approved-by: the name of a signer is missing", RULE + "  approved-by all\n"),
    "approved-by-no-number": ("syntax", 7, "approved-by: there is no signer", RULE + "  approved-by ci alice\n"),
    "approved-by-word": ("syntax", 7, "approved-by: neither all, any nor a number", RULE + "  approved-by some ci\n"),
    "approved-by-zero": ("syntax", 7, "approved-by: wants none, or more", RULE + "  approved-by 0 ci\n"),
    "approved-by-too-many": ("syntax", 7, "approved-by: wants none, or more", RULE + "  approved-by 2 ci\n"),
    "approved-by-leading-zero": ("syntax", 7, "approved-by: neither all, any nor a number",
                                 RULE + "  approved-by 01 ci\n"),
    "approved-by-undefined": ("syntax", 7, "approved-by: there is no signer \"bob\" on an earlier line",
                              RULE + "  approved-by any bob\n"),
    "approved-by-same": ("conflict", 7, "approved-by: the signer \"ci\" stands twice",
                         RULE + "  approved-by 2 ci ci\n"),
    "approved-by-twice": ("conflict", 9, "approved-by: line 9 says so already",
                          TWO + "model *\n  signed-by ci\n  approved-by all ci bob\n  approved-by 2 bob ci\n"),
    "17-approvals": ("limit", 40, "approved-by: more than 16 in one rule",
                     CERT + "".join("signer a%d cert corp dns:a%d.example\n" % (i, i) for i in range(17)) +
                     "model *\n  signed-by a0\n" + "".join("  approved-by any a%d\n" % i for i in range(17))),
    # logged, unsigned, hold
    "logged-missing": ("syntax", 7, "logged: the word is missing", RULE + "  logged\n"),
    "logged-word": ("syntax", 7, "logged: neither yes nor no", RULE + "  logged off\n"),
    "logged-surplus": ("syntax", 7, "logged: surplus item \"no\"", RULE + "  logged yes no\n"),
    "logged-twice": ("conflict", 8, "logged: the rule has one already, on line 8", RULE + "  logged yes\n  logged yes\n"),
    "unsigned-missing": ("syntax", 7, "unsigned: the word is missing", RULE + "  unsigned\n"),
    "unsigned-word": ("syntax", 7, "unsigned: neither ignore nor refuse", RULE + "  unsigned allow\n"),
    "unsigned-twice": ("conflict", 8, "unsigned: the rule has one already, on line 8",
                       RULE + "  unsigned refuse\n  unsigned ignore\n"),
    "hold-missing": ("syntax", 7, "hold: the word is missing", RULE + "  hold\n"),
    "hold-word": ("syntax", 7, "hold: neither copy, verity, lease nor open", RULE + "  hold none\n"),
    "hold-surplus": ("syntax", 7, "hold: surplus item \"lease\"", RULE + "  hold copy lease\n"),
    "hold-twice": ("conflict", 8, "hold: the rule has one already, on line 8", RULE + "  hold copy\n  hold copy\n"),
    # fresh
    "fresh-missing": ("syntax", 7, "fresh: the time span is missing", RULE + "  fresh\n"),
    "fresh-no-unit": ("syntax", 7, "fresh: not a time span such as 24h or 7d", RULE + "  fresh 24 online\n"),
    "fresh-minutes": ("syntax", 7, "fresh: not a time span such as 24h or 7d", RULE + "  fresh 30m online\n"),
    "fresh-two-units": ("syntax", 7, "fresh: not a time span such as 24h or 7d", RULE + "  fresh 1d2h online\n"),
    "fresh-zero": ("limit", 7, "fresh: a time span is 1h to 3650d", RULE + "  fresh 0h online\n"),
    "fresh-long": ("limit", 7, "fresh: a time span is 1h to 3650d", RULE + "  fresh 3651d online\n"),
    "fresh-wrap": ("limit", 7, "fresh: a time span is 1h to 3650d", RULE + "  fresh 9223372036854775807d online\n"),
    "fresh-no-how": ("syntax", 7, "fresh: the word (online, scan or status) is missing", RULE + "  fresh 24h\n"),
    "fresh-word": ("syntax", 7, "fresh: neither online, scan nor status", RULE + "  fresh 24h offline\n"),
    "fresh-status-nobody": ("syntax", 7, "fresh: the name of a signer is missing", RULE + "  fresh 24h status\n"),
    "fresh-status-undefined": ("syntax", 7, "fresh: there is no signer \"bob\" on an earlier line",
                               RULE + "  fresh 24h status bob\n"),
    "fresh-online-signer": ("syntax", 7, "fresh: surplus item \"ci\"", RULE + "  fresh 24h online ci\n"),
    "fresh-scan-signer": ("syntax", 7, "fresh: surplus item \"ci\"", RULE + "  fresh 24h scan ci\n"),
    "fresh-twice": ("conflict", 8, "fresh: the rule has one already, on line 8",
                    RULE + "  fresh 1h online\n  fresh 1h scan\n"),
    # tlog-policy lines in their own place
    "log-surplus": ("syntax", 4, "log: surplus items", "quorum none\n\n\nlog @LOG@ https://a b\n"),
    "group-undefined": ("syntax", 4, "group: a member is not defined on an earlier line",
                        HEAD + "group g any w1\n"),
    "quorum-signer": ("syntax", 4, "quorum: the name is not defined on an earlier line",
                      "mtlog-policy 1\nlog @LOG@\nsigner ci key @K1@\nquorum ci\n"),
}


def fill(text):
    for key, value in VALUES.items():
        text = text.replace("@" + key + "@", value)
    return text


def write(folder, name, text):
    with open(os.path.join(folder, name + ".policy"), "wb") as f:
        f.write(text.encode("utf-8", "surrogateescape"))


def main():
    folder = sys.argv[1]
    for name, text in ACCEPTED.items():
        write(folder, "valid-" + name, "# accepted\n" + fill(text))
    # The comment moves all lines by one.
    for name, (code, line, sentence, text) in REFUSED.items():
        where = "line %d: " % (line + 1) if line else ""
        write(folder, "invalid-" + name, "# %s %s%s\n" % (code, where, sentence) + fill(text))


main()
