// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"
	"google.golang.org/protobuf/proto"
)

var statement = []byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"model",` +
	`"digest":{"sha256":"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"}}],` +
	`"predicateType":"https://test.example/predicate","predicate":{}}`)

// contents are what is signed: a message and an envelope.
func contents(what string) map[string]sign.Content {
	return map[string]sign.Content{
		"message":  &sign.PlainData{Data: []byte("an artifact: " + what)},
		"envelope": &sign.DSSEData{Data: statement, PayloadType: "application/vnd.in-toto+json"},
	}
}

func artifactOf(content sign.Content) []byte {
	if plain, ok := content.(*sign.PlainData); ok {
		return plain.Data
	}
	return nil
}

func signAndVerify(ctx context.Context, s Settings) {
	config, err := root.NewSigningConfigFromPath(s.SigningConfig)
	if !accepts("sigstore-go: signing configuration", err) {
		return
	}
	logs, err := root.SelectServices(config.RekorLogURLs(), config.RekorLogURLsConfig(),
		sign.RekorAPIVersions, time.Now())
	if !accepts("sigstore-go: the log is selected", err) {
		return
	}
	rekor := sign.NewRekor(&sign.RekorOptions{BaseURL: logs[0].URL, Timeout: 20 * time.Second,
		Version: logs[0].MajorAPIVersion})
	for _, algorithm := range []protocommon.PublicKeyDetails{
		protocommon.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256,
		protocommon.PublicKeyDetails_PKIX_ECDSA_P384_SHA_384,
		protocommon.PublicKeyDetails_PKIX_ECDSA_P521_SHA_512,
		protocommon.PublicKeyDetails_PKIX_RSA_PKCS1V15_2048_SHA256,
		protocommon.PublicKeyDetails_PKIX_ED25519_PH,
	} {
		withKey(ctx, s, rekor, algorithm)
	}
	unhashed(ctx, rekor)
	whole(ctx, s, config, rekor)
}

// keyed is a trusted root that knows one key.
type keyed struct {
	root.TrustedMaterial
	key root.TimeConstrainedVerifier
}

func (k keyed) PublicKeyVerifier(string) (root.TimeConstrainedVerifier, error) {
	return k.key, nil
}

func trustKey(path string, keypair sign.Keypair) (root.TrustedMaterial, error) {
	trusted, err := root.NewTrustedRootFromPath(path)
	if err != nil {
		return nil, err
	}
	verifier, err := signature.LoadVerifierWithOpts(keypair.GetPublicKey(),
		options.WithHash(hashOf(keypair)), options.WithED25519ph())
	if err != nil {
		return nil, err
	}
	return keyed{trusted, root.NewExpiringKey(verifier, time.Time{}, time.Time{})}, nil
}

func hashOf(keypair sign.Keypair) crypto.Hash {
	switch keypair.GetHashAlgorithm() {
	case protocommon.HashAlgorithm_SHA2_384:
		return crypto.SHA384
	case protocommon.HashAlgorithm_SHA2_512:
		return crypto.SHA512
	default:
		return crypto.SHA256
	}
}

// verifies asks for a bundle's log entry, after a way through its JSON, and
// for an identity if there is one.
func verifies(trusted root.TrustedMaterial, proto *protobundle.Bundle, artifact []byte,
	identity verify.PolicyOption, asks ...verify.VerifierOption) error {
	asks = append(asks, verify.WithTransparencyLog(1))
	verifier, err := verify.NewVerifier(trusted, asks...)
	if err != nil {
		return err
	}
	one, err := bundle.NewBundle(proto)
	if err != nil {
		return err
	}
	text, err := one.MarshalJSON()
	if err != nil {
		return err
	}
	var again bundle.Bundle
	if err := again.UnmarshalJSON(text); err != nil {
		return err
	}
	content := verify.WithoutArtifactUnsafe()
	if artifact != nil {
		content = verify.WithArtifact(bytes.NewReader(artifact))
	}
	_, err = verifier.Verify(&again, verify.NewPolicy(content, identity))
	return err
}

// changed is a copy of a bundle with its log entry changed.
func changed(original *protobundle.Bundle, change func(*protobundle.Bundle)) *protobundle.Bundle {
	other := proto.Clone(original).(*protobundle.Bundle)
	change(other)
	return other
}

// tampered are bundles that no one may accept. A changed leaf is not among
// them: this client computes it anew and never looks at the one it is given.
func tampered(original *protobundle.Bundle) map[string]*protobundle.Bundle {
	return map[string]*protobundle.Bundle{
		"another signature": changed(original, func(b *protobundle.Bundle) {
			if message := b.GetMessageSignature(); message != nil {
				message.Signature[len(message.Signature)-1] ^= 1
			} else {
				sig := b.GetDsseEnvelope().Signatures[0].Sig
				sig[len(sig)-1] ^= 1
			}
		}),
		"another index": changed(original, func(b *protobundle.Bundle) {
			entry := b.VerificationMaterial.TlogEntries[0]
			entry.LogIndex ^= 1
			entry.InclusionProof.LogIndex = entry.LogIndex
		}),
		"another proof": changed(original, func(b *protobundle.Bundle) {
			b.VerificationMaterial.TlogEntries[0].InclusionProof.Hashes[0][5] ^= 1
		}),
		"another checkpoint": changed(original, func(b *protobundle.Bundle) {
			cp := b.VerificationMaterial.TlogEntries[0].InclusionProof.Checkpoint
			cp.Envelope = strings.Replace(cp.Envelope, "\n", "\n1", 1)
		}),
		"another log": changed(original, func(b *protobundle.Bundle) {
			b.VerificationMaterial.TlogEntries[0].LogId.KeyId[0] ^= 1
		}),
		"no log entry": changed(original, func(b *protobundle.Bundle) {
			b.VerificationMaterial.TlogEntries = nil
		}),
	}
}

func refusesTampered(trusted root.TrustedMaterial, what string, b *protobundle.Bundle, artifact []byte,
	identity verify.PolicyOption, asks ...verify.VerifierOption) {
	for name, other := range tampered(b) {
		refuses(what+": "+name, verifies(trusted, other, artifact, identity, asks...))
	}
}

func withKey(ctx context.Context, s Settings, rekor *sign.Rekor, algorithm protocommon.PublicKeyDetails) {
	keypair, err := sign.NewEphemeralKeypair(&sign.EphemeralKeypairOptions{Algorithm: algorithm})
	if !accepts("sigstore-go: key", err) {
		return
	}
	trusted, err := trustKey(s.LogRoot, keypair)
	if !accepts("sigstore-go: trusted root of the log's own making", err) {
		return
	}
	elsewhere, err := otherHost(s.LogRoot, keypair)
	if !accepts("sigstore-go: trusted root with another host", err) {
		return
	}
	for kind, content := range contents(algorithm.String()) {
		what := fmt.Sprintf("sigstore-go: %s of %s", kind, algorithm)
		// It verifies what it signed, once.
		b, err := sign.Bundle(content, keypair, sign.BundleOptions{Context: ctx,
			TransparencyLogs: []sign.Transparency{rekor}, TrustedRoot: trusted})
		if !accepts(what, err) {
			continue
		}
		told(what, b, artifactOf(content))
		artifact := artifactOf(content)
		asks := verify.WithNoObserverTimestamps()
		accepts(what+" verifies", verifies(trusted, b, artifact, verify.WithKey(), asks))
		if artifact != nil {
			refuses(what+": another artifact",
				verifies(trusted, b, []byte("another"), verify.WithKey(), asks))
		}
		refusesTampered(trusted, what, b, artifact, verify.WithKey(), asks)
		// The origin has to be the host of the log's baseUrl, for this client.
		refuses(what+": another host", verifies(elsewhere, b, artifact, verify.WithKey(), asks))
		again := proto.Clone(b).(*protobundle.Bundle)
		again.VerificationMaterial.TlogEntries = nil
		pem, err := keypair.GetPublicKeyPem()
		if accepts("a key in PEM", err) &&
			accepts(what+" once more", rekor.GetTransparencyLogEntry(ctx, []byte(pem), again)) {
			check(what+" once more: the same index",
				again.VerificationMaterial.TlogEntries[0].LogIndex ==
					b.VerificationMaterial.TlogEntries[0].LogIndex, "another index")
		}
	}
}

// otherHost is the log's trusted root under another baseUrl.
func otherHost(path string, keypair sign.Keypair) (root.TrustedMaterial, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var document map[string]any
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	document["tlogs"].([]any)[0].(map[string]any)["baseUrl"] = "https://log.other.example"
	if text, err = json.Marshal(document); err != nil {
		return nil, err
	}
	other := path + ".other"
	if err := os.WriteFile(other, text, 0o600); err != nil {
		return nil, err
	}
	return trustKey(other, keypair)
}

// unhashed signs with Ed25519 over the message itself, which no log of this
// kind can take.
func unhashed(ctx context.Context, rekor *sign.Rekor) {
	keypair, err := sign.NewEphemeralKeypair(&sign.EphemeralKeypairOptions{
		Algorithm: protocommon.PublicKeyDetails_PKIX_ED25519})
	if !accepts("sigstore-go: key", err) {
		return
	}
	_, err = sign.Bundle(contents("unhashed")["message"], keypair, sign.BundleOptions{Context: ctx,
		TransparencyLogs: []sign.Transparency{rekor}})
	check("sigstore-go: pure Ed25519 is refused by the log",
		err != nil && strings.Contains(err.Error(), "400"), err)
}

// whole is the flow with a certificate and a time stamp.
func whole(ctx context.Context, s Settings, config *root.SigningConfig, rekor *sign.Rekor) {
	trusted, err := root.NewTrustedRootFromPath(s.TrustedRoot)
	if !accepts("sigstore-go: trusted root", err) {
		return
	}
	fulcio, err := root.SelectService(config.FulcioCertificateAuthorityURLs(), sign.FulcioAPIVersions, time.Now())
	if !accepts("sigstore-go: Fulcio is selected", err) {
		return
	}
	tsa, err := root.SelectServices(config.TimestampAuthorityURLs(), config.TimestampAuthorityURLsConfig(),
		sign.TimestampAuthorityAPIVersions, time.Now())
	if !accepts("sigstore-go: a time-stamp authority is selected", err) {
		return
	}
	identity, err := verify.NewShortCertificateIdentity(s.Issuer, "", s.Identity, "")
	if !accepts("sigstore-go: identity", err) {
		return
	}
	mallory, err := verify.NewShortCertificateIdentity(s.Issuer, "", "mallory@test.example", "")
	if !accepts("sigstore-go: another identity", err) {
		return
	}
	asks := []verify.VerifierOption{verify.WithSignedCertificateTimestamps(1), verify.WithSignedTimestamps(1)}
	for kind, content := range contents("whole") {
		what := "sigstore-go: whole flow, " + kind
		keypair, err := sign.NewEphemeralKeypair(nil)
		if !accepts(what+": key", err) {
			return
		}
		b, err := sign.Bundle(content, keypair, sign.BundleOptions{Context: ctx,
			CertificateProvider: sign.NewFulcio(&sign.FulcioOptions{
				BaseURL: fulcio.URL, Timeout: 20 * time.Second}),
			CertificateProviderOptions: &sign.CertificateProviderOptions{IDToken: s.Token},
			TimestampAuthorities: []*sign.TimestampAuthority{sign.NewTimestampAuthority(
				&sign.TimestampAuthorityOptions{URL: tsa[0].URL, Timeout: 20 * time.Second})},
			TransparencyLogs: []sign.Transparency{rekor}, TrustedRoot: trusted})
		if !accepts(what, err) {
			continue
		}
		artifact := artifactOf(content)
		told(what, b, artifact)
		known := verify.WithCertificateIdentity(identity)
		accepts(what+" verifies", verifies(trusted, b, artifact, known, asks...))
		refuses(what+": another identity", verifies(trusted, b, artifact,
			verify.WithCertificateIdentity(mallory), asks...))
		if artifact != nil {
			refuses(what+": another artifact", verifies(trusted, b, []byte("another"), known, asks...))
		}
		refuses(what+": no time stamp", verifies(trusted, changed(b, func(b *protobundle.Bundle) {
			b.VerificationMaterial.TimestampVerificationData = nil
		}), artifact, known, asks...))
		refusesTampered(trusted, what, b, artifact, known, asks...)
	}
}
