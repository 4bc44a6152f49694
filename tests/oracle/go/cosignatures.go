// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"golang.org/x/mod/sumdb/note"
)

// A cosigner is a witness's key, as c2sp.org/tlog-cosignature has it for
// Ed25519: a signer and verifier of x/mod's notes.
type cosigner struct {
	name string
	key  ed25519.PrivateKey
	time uint64
}

func (c *cosigner) public() []byte {
	return append([]byte{4}, c.key.Public().(ed25519.PublicKey)...)
}

func (c *cosigner) Name() string { return c.name }

func (c *cosigner) KeyHash() uint32 {
	h := sha256.Sum256(append([]byte(c.name+"\n"), c.public()...))
	return binary.BigEndian.Uint32(h[:])
}

func (c *cosigner) vkey() string {
	return fmt.Sprintf("%s+%08x+%s", c.name, c.KeyHash(),
		base64.StdEncoding.EncodeToString(c.public()))
}

func message(time uint64, text []byte) []byte {
	return append([]byte(fmt.Sprintf("cosignature/v1\ntime %d\n", time)),
		text...)
}

func (c *cosigner) Sign(text []byte) ([]byte, error) {
	payload := binary.BigEndian.AppendUint64(nil, c.time)
	return append(payload, ed25519.Sign(c.key, message(c.time, text))...), nil
}

func (c *cosigner) Verify(text, payload []byte) bool {
	return len(payload) == 8+ed25519.SignatureSize && ed25519.Verify(
		c.key.Public().(ed25519.PublicKey),
		message(binary.BigEndian.Uint64(payload), text), payload[8:])
}

// cosignatures compares a cosigned checkpoint in both directions; signatures
// are deterministic, so that C's line is Go's.
func (t *tree) cosignatures(s *signer, text string) {
	c := &cosigner{name: "witness.example/w1", key: s.key,
		time: 1 + uint64(t.Int63n(1<<40))}
	signed, err := note.Sign(&note.Note{Text: text}, s.note)
	check(err)
	cosigned, err := note.Sign(&note.Note{Text: text}, s.note, c)
	check(err)
	line := cosigned[len(signed):]
	t.askBytes(func(got []byte) {
		if string(got) != string(line) {
			fatalf("cosignatures differ:\n%s\n%s", got, line)
		}
		_, err := note.Open(append(append([]byte{}, signed...), got...),
			note.VerifierList(s.own, c))
		check(err)
	}, "cosign", c.name, c.time, hex.EncodeToString([]byte(text)))
	t.cosigned(c, cosigned, fmt.Sprintf("%d %d", c.time, c.time))
	bad := append([]byte{}, cosigned...)
	// Neither the dash, nor the last digits, which hold the padding.
	at := len(bad) - 6 - t.Intn(80)
	if bad[at] == 'x' {
		bad[at] = 'y'
	} else {
		bad[at] = 'x'
	}
	t.cosigned(c, bad, refused)
	t.cosigned(c, signed, refused)
}

func (t *tree) cosigned(c *cosigner, msg []byte, want string) {
	_, err := note.Open(msg, note.VerifierList(c))
	if (err == nil) != (want != refused) {
		fatalf("Go: %v, not %s\n%s", err, want, msg)
	}
	t.ask(func(got string) {
		if got != want {
			fatalf("cosignature: %q, not %q\n%s", got, want, msg)
		}
		t.checks["cosignatures"]++
	}, "check-cosigned", c.vkey(), hex.EncodeToString(msg))
}
