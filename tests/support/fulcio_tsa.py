#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Fulcio, its certificate-transparency log and a time-stamp
authority (RFC 3161), for tests on loopback: sigstore's clients sign with it as
they do with the public ones. The SCT is embedded: it is what all clients take.

Identity tokens are made here too: JWTs with a MAC that only this process
knows. Nothing is stored; the keys live as long as the process does."""

import base64
import datetime
import hashlib
import hmac
import http.server
import json
import os
import secrets
import struct
import subprocess
import tempfile
import threading
import time

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

ISSUER_V1 = ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
ISSUER_V2 = ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
SCT_LIST = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
SHA256 = bytes.fromhex("0609608648016503040201")
MAX_BODY = 64 * 1024


def b64(data):
    return base64.b64encode(data).decode()


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def der(tag, content):
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def spki(public_key):
    return public_key.public_bytes(serialization.Encoding.DER,
                                   serialization.PublicFormat.SubjectPublicKeyInfo)


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def raw(certificate):
    return {"rawBytes": b64(certificate.public_bytes(serialization.Encoding.DER))}


def name(common):
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "test.example"),
                      x509.NameAttribute(NameOID.COMMON_NAME, common)])


def usage(*on):
    every = ("digital_signature", "content_commitment", "key_encipherment",
             "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign",
             "encipher_only", "decipher_only")
    return x509.KeyUsage(**{u: u in on for u in every})


class Authority:
    """A certificate with its key: root, intermediate, time-stamp signer."""

    def __init__(self, common, parent=None, purposes=(), path=None, days=3650):
        self.key = new_key()
        issuer = parent or self
        now = datetime.datetime.utcnow().replace(microsecond=0)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(common))
            .issuer_name(parent.certificate.subject if parent else name(common))
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(path is not None, path), critical=True)
            .add_extension(usage("digital_signature") if path is None
                           else usage("key_cert_sign", "crl_sign"), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(
                self.key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                issuer.key.public_key()), critical=False))
        if purposes:
            # RFC 3161 section 2.3: critical for a time-stamp authority's key.
            builder = builder.add_extension(x509.ExtendedKeyUsage(purposes),
                                            critical=path is None)
        self.certificate = builder.sign(issuer.key, hashes.SHA256())


class Refused(Exception):
    """What a client asked for wrongly."""


class Fulcio:
    """Ten-minute certificates for whoever holds a token of ours."""

    def __init__(self, issuer):
        self.issuer = issuer
        self.secret = secrets.token_bytes(32)
        self.root = Authority("Fulcio stand-in root", path=1)
        self.middle = Authority("Fulcio stand-in", self.root,
                                [ExtendedKeyUsageOID.CODE_SIGNING], path=0)
        self.ct_key = new_key()

    def mac(self, text):
        return b64url(hmac.digest(self.secret, text.encode(), "sha256"))

    def token(self, email, lifetime=3600):
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": "sigstore", "sub": email, "email": email,
                  "email_verified": True, "iat": now, "nbf": now - 5,
                  "exp": now + lifetime}
        text = ".".join(b64url(json.dumps(part).encode())
                        for part in ({"alg": "HS256", "typ": "JWT"}, claims))
        return f"{text}.{self.mac(text)}"

    def identity(self, token):
        text, _, mac = token.rpartition(".")
        if not hmac.compare_digest(mac, self.mac(text)):
            raise Refused("the identity token is not one of ours")
        claims = text.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        if claims["exp"] < time.time():
            raise Refused("the identity token has expired")
        return claims["email"]

    @staticmethod
    def proven_key(request, identity):
        """The requester's public key, once it has shown that it has the other."""
        try:
            if "certificateSigningRequest" in request:
                csr = x509.load_pem_x509_csr(
                    base64.b64decode(request["certificateSigningRequest"]))
                if not csr.is_signature_valid:
                    raise InvalidSignature
                return csr.public_key()
            asked = request["publicKeyRequest"]
            key = serialization.load_pem_public_key(asked["publicKey"]["content"].encode())
            key.verify(base64.b64decode(asked["proofOfPossession"]),
                       identity.encode(), ec.ECDSA(hashes.SHA256()))
            return key
        except InvalidSignature:
            raise Refused("the proof of possession is wrong") from None

    def sct_list(self, tbs):
        """RFC 6962 section 3.2: an SCT for a precertificate, in its list."""
        log_id = hashlib.sha256(spki(self.ct_key.public_key())).digest()
        stamp = int(time.time() * 1000)
        parent = hashlib.sha256(spki(self.middle.key.public_key())).digest()
        text = (struct.pack(">BBQH", 0, 0, stamp, 1) + parent
                + len(tbs).to_bytes(3, "big") + tbs + b"\0\0")
        signature = self.ct_key.sign(text, ec.ECDSA(hashes.SHA256()))
        sct = (b"\0" + log_id + struct.pack(">QHBBH", stamp, 0, 4, 3, len(signature))
               + signature)
        one = struct.pack(">H", len(sct)) + sct
        return der(0x04, struct.pack(">H", len(one)) + one)

    def certificate(self, key, email):
        now = datetime.datetime.utcnow().replace(microsecond=0)
        issuer = self.issuer.encode()
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.middle.certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(seconds=5))
            .not_valid_after(now + datetime.timedelta(minutes=10))
            .add_extension(usage("digital_signature"), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]),
                           critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                self.middle.key.public_key()), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.RFC822Name(email)]),
                           critical=True)
            .add_extension(x509.UnrecognizedExtension(ISSUER_V1, issuer), critical=False)
            .add_extension(x509.UnrecognizedExtension(ISSUER_V2, der(0x0C, issuer)),
                           critical=False))
        before = builder.sign(self.middle.key, hashes.SHA256())
        return builder.add_extension(
            x509.UnrecognizedExtension(SCT_LIST, self.sct_list(before.tbs_certificate_bytes)),
            critical=False).sign(self.middle.key, hashes.SHA256())

    def answer(self, body, authorization):
        request = json.loads(body)
        token = request.get("credentials", {}).get("oidcIdentityToken")
        if authorization.startswith("Bearer "):
            token = authorization[len("Bearer "):]
        if not token:
            raise Refused("no identity token")
        email = self.identity(token)
        leaf = self.certificate(self.proven_key(request, email), email)
        chain = [pem(c) for c in (leaf, self.middle.certificate, self.root.certificate)]
        return json.dumps({"signedCertificateEmbeddedSct":
                           {"chain": {"certificates": chain}}}).encode()


class Tsa:
    """RFC 3161 answers, signed by openssl ts."""

    def __init__(self):
        self.root = Authority("TSA stand-in root", path=0)
        self.signer = Authority("TSA stand-in", self.root,
                                [ExtendedKeyUsageOID.TIME_STAMPING])
        self.lock = threading.Lock()
        self.folder = tempfile.TemporaryDirectory(prefix="mtlog-tsa-")
        self.write("serial", b"01\n")
        self.write("certificate.pem", pem(self.signer.certificate).encode())
        self.write("key.pem", self.signer.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))
        self.write("ts.cnf", f"""
[tsa]
default_tsa = one
[one]
serial = {self.path("serial")}
signer_cert = {self.path("certificate.pem")}
signer_key = {self.path("key.pem")}
signer_digest = sha256
default_policy = 1.3.6.1.4.1.57264.2
digests = sha256, sha384, sha512
ess_cert_id_alg = sha256
ess_cert_id_chain = no
""".encode())

    def path(self, file):
        return os.path.join(self.folder.name, file)

    def write(self, file, data):
        with open(self.path(file), "wb") as f:
            f.write(data)

    @staticmethod
    def query(request):
        """A query in DER from the JSON that sigstore's authority also takes."""
        if request.get("hashAlgorithm") != "sha256":
            raise Refused("only sha256")
        digest = base64.b64decode(request["artifactHash"], validate=True)
        if len(digest) != 32:
            raise Refused("a digest of another length")
        algorithm = der(0x30, SHA256 + b"\x05\x00")
        return der(0x30, b"\x02\x01\x01" + der(0x30, algorithm + der(0x04, digest)))

    def answer(self, body, kind):
        if kind.startswith("application/json"):
            body = self.query(json.loads(body))
        with self.lock:
            self.write("query", body)
            subprocess.run(["openssl", "ts", "-reply", "-config", self.path("ts.cnf"),
                            "-queryfile", self.path("query"), "-out", self.path("reply")],
                           check=True, capture_output=True, timeout=30)
            with open(self.path("reply"), "rb") as f:
                return f.read()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def reply(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        stand_in = self.server.stand_in
        size = int(self.headers.get("Content-Length", 0))
        if size > MAX_BODY:
            self.close_connection = True
            return self.reply(413, "text/plain", b"too large\n")
        body = self.rfile.read(size)
        try:
            if self.path == "/api/v2/signingCert":
                return self.reply(200, "application/json", stand_in.fulcio.answer(
                    body, self.headers.get("Authorization", "")))
            if self.path == "/api/v1/timestamp":
                return self.reply(201, "application/timestamp-reply", stand_in.tsa.answer(
                    body, self.headers.get("Content-Type", "")))
        except (Refused, KeyError, ValueError, TypeError) as e:
            return self.reply(400, "application/json", json.dumps(
                {"code": 3, "message": f"{e!r}"}).encode())
        return self.reply(404, "application/json", b'{"code":5,"message":"not found"}')

    def log_message(self, *_):
        pass


class FulcioTsa:
    """Both behind one port of loopback."""

    def __init__(self):
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.stand_in = self
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.tsa_url = self.url + "/api/v1/timestamp"
        self.issuer = "https://issuer.test.example"
        self.fulcio = Fulcio(self.issuer)
        self.tsa = Tsa()
        self.token = self.fulcio.token

    def start(self):
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def stop(self):
        self.http.shutdown()
        self.http.server_close()
        self.tsa.folder.cleanup()

    def trusted_root(self, log_root):
        """A log's trusted root, with our authorities added."""
        always = {"start": "2020-01-01T00:00:00Z"}
        subject = {"organization": "test.example", "commonName": "stand-in"}
        ct_key = spki(self.fulcio.ct_key.public_key())
        return {
            **log_root,
            "certificateAuthorities": [{
                "subject": subject, "uri": self.url, "validFor": always,
                "certChain": {"certificates": [
                    raw(self.fulcio.middle.certificate), raw(self.fulcio.root.certificate)]}}],
            "ctlogs": [{
                "baseUrl": self.url + "/ct", "hashAlgorithm": "SHA2_256",
                "publicKey": {"rawBytes": b64(ct_key), "validFor": always,
                              "keyDetails": "PKIX_ECDSA_P256_SHA_256"},
                "logId": {"keyId": b64(hashlib.sha256(ct_key).digest())}}],
            "timestampAuthorities": [{
                "subject": subject, "uri": self.tsa_url, "validFor": always,
                "certChain": {"certificates": [
                    raw(self.tsa.signer.certificate), raw(self.tsa.root.certificate)]}}],
        }

    def signing_config(self, log_config):
        """A log's signing configuration, with our services added."""
        def service(url):
            return [{"url": url, "majorApiVersion": 1, "operator": "test.example",
                     "validFor": {"start": "2020-01-01T00:00:00Z"}}]
        return {**log_config, "caUrls": service(self.url), "oidcUrls": service(self.issuer),
                "tsaUrls": service(self.tsa_url), "tsaConfig": {"selector": "ANY"}}
