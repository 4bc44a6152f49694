// SPDX-License-Identifier: Apache-2.0
// usage: CLIENTS=FOLDER node clients.mjs SETTINGS.json
// @sigstore/sign signs and logs, @sigstore/verify verifies and refuses; what
// is printed is read by clients_common.py.

import { createHash, createPrivateKey, sign as signBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(process.env.CLIENTS + '/');
const { bundleFromJSON, bundleToJSON } = require('@sigstore/bundle');
const { TrustedRoot, PublicKey } = require('@sigstore/protobuf-specs');
const sigstore = require('@sigstore/sign');
const { Verifier, toSignedEntity, toTrustMaterial } = require('@sigstore/verify');

const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const read = (name) => TrustedRoot.fromJSON(JSON.parse(readFileSync(settings[name], 'utf8')));
const ARTIFACT = Buffer.from('an artifact that sigstore-js signs');
const STATEMENT = Buffer.from(JSON.stringify({ _type: 'https://in-toto.io/Statement/v1' }));
const DSSE = 'application/vnd.in-toto+json';

function say(line) {
	process.stdout.write(JSON.stringify(line) + '\n');
}

function check(what, ok, detail = '') {
	say({ check: `sigstore-js: ${what}`, ok: Boolean(ok), detail: String(detail) });
}

function told(what, bundle, artifact) {
	say({ what, bundle: bundleToJSON(bundle), artifact: artifact?.toString('base64') });
}

// accepts and refuses run f, which throws when it refuses.
function accepts(what, f) {
	try {
		check(what, f() !== undefined, 'nothing came back');
	} catch (e) {
		check(what, false, e.stack);
	}
}

function refuses(what, code, f) {
	try {
		f();
		check(what, false, 'it was accepted');
	} catch (e) {
		check(what, e.code === code, `${e.code}: ${e.message}, not ${code}`);
	}
}

// Signs with a key on file; its verifier is a certificate, the only kind that
// this client sends to a log of version 2.
class KeySigner {
	constructor(certificate) {
		this.key = createPrivateKey(settings.key);
		this.certificate = certificate;
	}

	async sign(data) {
		const key = this.certificate
			? { $case: 'x509Certificate', certificate: this.certificate }
			: { $case: 'publicKey', publicKey: settings.publicKey };
		return { key, signature: signBytes('sha256', data, this.key) };
	}
}

const rekor = new sigstore.RekorWitness({
	rekorBaseURL: settings.url, majorApiVersion: 2, timeout: 5000 });
const tsa = new sigstore.TSAWitness({ tsaBaseURL: settings.tsa, timeout: 5000 });

// A bundle through its JSON, with what `change` does to the JSON.
function changed(bundle, change) {
	const json = bundleToJSON(bundle);
	change?.(json);
	return bundleFromJSON(json);
}

// One bit of a base64 text flipped.
function flip(text, at = 0) {
	const bytes = Buffer.from(text, 'base64');
	bytes[(at + bytes.length) % bytes.length] ^= 1;
	return bytes.toString('base64');
}

const entryOf = (json) => json.verificationMaterial.tlogEntries[0];

async function keyBased() {
	const signer = new KeySigner(settings.certificate);
	const messages = new sigstore.MessageSignatureBundleBuilder({ signer, witnesses: [rekor] });
	// Others first, so that the proof has hashes to tamper with.
	const many = await Promise.all(Array.from({ length: 20 }, async (_, i) => {
		const data = Buffer.from(`artifact ${i}`);
		return { data, bundle: await messages.create({ data }) };
	}));
	const bundle = await messages.create({ data: ARTIFACT });
	told('key, message', bundle, ARTIFACT);
	for (const { data, bundle } of many)
		told('key, one of many', bundle, data);

	const again = await rekor.testify(bundle.content, settings.certificate);
	check('the same entry again has the same index',
		again.tlogEntries[0].logIndex === bundle.verificationMaterial.tlogEntries[0].logIndex);

	// Verified with the key, which a bundle names by a hint.
	const hint = createHash('sha256').update(settings.publicKey).digest('base64');
	const key = PublicKey.fromJSON({
		rawBytes: settings.publicKey.replace(/-----[^-]+-----|\s/g, ''),
		keyDetails: 'PKIX_ECDSA_P256_SHA_256' });
	const trust = toTrustMaterial(read('logRoot'), { [hint]: key });
	const verifier = new Verifier(trust, { timestampThreshold: 0, ctlogThreshold: 0 });
	const verify = (artifact, change) => verifier.verify(toSignedEntity(changed(bundle, (json) => {
		delete json.verificationMaterial.x509CertificateChain;
		delete json.verificationMaterial.certificate;
		json.verificationMaterial.publicKey = { hint };
		change?.(json);
	}), artifact));
	accepts('a key\'s bundle, logged, verifies', () => verify(ARTIFACT));
	refuses('another artifact', 'SIGNATURE_ERROR', () => verify(Buffer.from('another')));
	refuses('another signature', 'TLOG_BODY_ERROR', () => verify(ARTIFACT, (json) => {
		json.messageSignature.signature = flip(json.messageSignature.signature, -1);
	}));
	refuses('another leaf', 'TLOG_INCLUSION_PROOF_ERROR', () => verify(ARTIFACT, (json) => {
		const body = Buffer.from(entryOf(json).canonicalizedBody, 'base64').toString();
		entryOf(json).canonicalizedBody =
			Buffer.from(body.replace('0.0.2"', '0.0.2" ')).toString('base64');
	}));
	refuses('another proof', 'TLOG_INCLUSION_PROOF_ERROR', () => verify(ARTIFACT, (json) => {
		const hashes = entryOf(json).inclusionProof.hashes;
		hashes[0] = flip(hashes[0]);
	}));
	refuses('another checkpoint', 'TLOG_INCLUSION_PROOF_ERROR', () => verify(ARTIFACT, (json) => {
		const checkpoint = entryOf(json).inclusionProof.checkpoint;
		checkpoint.envelope = checkpoint.envelope.replace(/\n(\d+)\n/, (_, n) => `\n${+n + 1}\n`);
	}));
	refuses('no log entry', 'TLOG_ERROR', () => verify(ARTIFACT, (json) => {
		json.verificationMaterial.tlogEntries = [];
	}));
}

// Seen with @sigstore/sign 4.1.1: a public key is sent as x509Certificate. No
// certificate can be parsed from it, and the refusal must say so.
async function publicKeyAsCertificate() {
	const builder = new sigstore.MessageSignatureBundleBuilder({
		signer: new KeySigner(), witnesses: [rekor] });
	try {
		await builder.create({ data: ARTIFACT });
		check('a public key that is sent as a certificate is refused', false, 'it was accepted');
	} catch (e) {
		check('a public key that is sent as a certificate is refused',
			e.code === 'TLOG_CREATE_ENTRY_ERROR' && e.cause?.statusCode === 400 &&
			/certificate/.test(e.cause?.message), `${e.code}: ${e.cause?.message}`);
	}
}

// Seen with @sigstore/verify 3.1.1: the digest of an envelope's payload is
// compared with the logged one, which is that of its pre-authentication
// encoding. Every such bundle is refused; that of a key is checked elsewhere.
const refusesEnvelope = (what, verifier, bundle) =>
	refuses(`${what} (a fault of this client)`, 'TLOG_BODY_ERROR',
		() => verifier.verify(toSignedEntity(changed(bundle))));

async function envelopes() {
	const bundle = await new sigstore.DSSEBundleBuilder({
		signer: new KeySigner(settings.certificate), witnesses: [rekor],
	}).create({ data: STATEMENT, type: DSSE });
	told('key, envelope', bundle);
	check('a dsseRequestV002 is logged as hashedrekord',
		bundle.verificationMaterial.tlogEntries[0].kindVersion.kind === 'hashedrekord');
}

async function whole() {
	const signer = new sigstore.FulcioSigner({
		fulcioBaseURL: settings.fulcio, timeout: 5000,
		identityProvider: { getToken: async () => settings.token },
	});
	const verifier = new Verifier(toTrustMaterial(read('trustedRoot')));
	const bundle = await new sigstore.MessageSignatureBundleBuilder({
		signer, witnesses: [rekor, tsa] }).create({ data: ARTIFACT });
	told('whole, message', bundle, ARTIFACT);
	const policy = { subjectAlternativeName: settings.identity, extensions: { issuer: settings.issuer } };
	const verify = (artifact, policy, change) =>
		verifier.verify(toSignedEntity(changed(bundle, change), artifact), policy);
	accepts('the whole flow verifies', () => verify(ARTIFACT, policy));
	refuses('another artifact', 'SIGNATURE_ERROR', () => verify(Buffer.from('another'), policy));
	refuses('another identity', 'UNTRUSTED_SIGNER_ERROR', () => verify(ARTIFACT,
		{ ...policy, subjectAlternativeName: 'mallory@test.example' }));
	refuses('another issuer', 'UNTRUSTED_SIGNER_ERROR', () => verify(ARTIFACT,
		{ ...policy, extensions: { issuer: 'https://mallory.test.example' } }));
	refuses('no time stamp', 'TIMESTAMP_ERROR', () => verify(ARTIFACT, policy, (json) => {
		json.verificationMaterial.timestampVerificationData.rfc3161Timestamps = [];
	}));
	refuses('another proof', 'TLOG_INCLUSION_PROOF_ERROR', () => verify(ARTIFACT, policy, (json) => {
		const hashes = entryOf(json).inclusionProof.hashes;
		hashes[hashes.length - 1] = flip(hashes[hashes.length - 1]);
	}));

	const envelope = await new sigstore.DSSEBundleBuilder({
		signer, witnesses: [rekor, tsa] }).create({ data: STATEMENT, type: DSSE });
	told('whole, envelope', envelope);
	refusesEnvelope('an envelope that is logged as hashedrekord', verifier, envelope);
}

for (const part of [keyBased, publicKeyAsCertificate, envelopes, whole]) {
	try {
		await part();
	} catch (e) {
		check(part.name, false, `${e.stack} ${e.cause ?? ''}`);
	}
}
