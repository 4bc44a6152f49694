// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// A signer is one key, known to Go and, as its current key, to the C program.
type signer struct {
	name     string
	vkey     string
	note     note.Signer
	own      note.Verifier
	verifier note.Verifiers
	key      ed25519.PrivateKey
}

func (t *tree) newSigner(name string) *signer {
	seed := make([]byte, ed25519.SeedSize)
	t.Read(seed)
	key := ed25519.NewKeyFromSeed(seed)
	vkey, err := note.NewEd25519VerifierKey(name,
		key.Public().(ed25519.PublicKey))
	check(err)
	verifier, err := note.NewVerifier(vkey)
	check(err)
	sign, err := note.NewSigner(fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", name,
		verifier.KeyHash(), base64.StdEncoding.EncodeToString(
			append([]byte{1}, seed...))))
	check(err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	check(err)
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	t.ask(func(got string) {
		if got != vkey {
			fatalf("vkey %s, not %s", got, vkey)
		}
	}, "key", name, hex.EncodeToString(text))
	return &signer{name, vkey, sign, verifier, note.VerifierList(verifier),
		key}
}

// opens wants Go and C to agree with `want` on whether the note is good.
func (t *tree) opens(s *signer, msg []byte, text string, want bool, kind string) {
	opened, err := note.Open(msg, s.verifier)
	if (err == nil && opened.Text == text) != want {
		fatalf("Go: %v, not %v, on %s\n%s", !want, want, kind, msg)
	}
	t.askBytes(func(got []byte) {
		if (got != nil && string(got) == text) != want {
			fatalf("C: %v, not %v, on %s\n%s", !want, want, kind,
				msg)
		}
		t.checks[kind]++
	}, "check-note", s.vkey, hex.EncodeToString(msg))
}

// sameNote handles a note signed in C: Ed25519 signatures are deterministic,
// so that it is the one signed in Go, which Go then opens.
func (t *tree) sameNote(s *signer, fromGo []byte) func([]byte) {
	return func(fromC []byte) {
		if string(fromC) != string(fromGo) {
			fatalf("notes differ:\n%s\n%s", fromC, fromGo)
		}
		_, err := note.Open(fromC, s.verifier)
		check(err)
	}
}

func (t *tree) notes() {
	s := t.newSigner(fmt.Sprintf("log%d.example.com", t.Intn(1000)))
	text := t.noteText()
	fromGo, err := note.Sign(&note.Note{Text: text}, s.note)
	check(err)
	t.askBytes(t.sameNote(s, fromGo), "sign", hex.EncodeToString([]byte(text)))
	t.opens(s, fromGo, text, true, "notes")
	for i := 0; i < 4; i++ {
		t.changedNote(s, fromGo, text)
	}
	t.checkpoint(s)
	t.otherSigner(s, fromGo, text)
}

func (t *tree) noteText() string {
	text := fmt.Sprintf("origin %s\n%d\n", t.seed, t.size)
	for i := t.Intn(4); i > 0; i-- {
		text += []string{"\n", "ünïcode — line\n", "a b+c\n",
			"— looks like a signature\n"}[t.Intn(4)]
	}
	return text + "end\n"
}

// changedNote damages one byte of the text, or of the signature.
func (t *tree) changedNote(s *signer, msg []byte, text string) {
	bad := append([]byte{}, msg...)
	at := t.Intn(len("origin"))
	if t.Intn(2) == 0 {
		line := strings.LastIndex(string(msg), " ") + 1
		// Not the last digits, which hold the padding.
		at = line + t.Intn(len(msg)-line-5)
	}
	if bad[at] == 'x' {
		bad[at] = 'y'
	} else {
		bad[at] = 'x'
	}
	opened := string(bad[:len(text)])
	t.opens(s, bad, opened, false, "changed notes")
}

// otherSigner adds a stranger's signature, then asks for the stranger's key
// where only the first has signed.
func (t *tree) otherSigner(s *signer, msg []byte, text string) {
	other := t.newSigner("other.example.org")
	t.opens(other, msg, text, false, "notes by others")
	both, err := note.Sign(&note.Note{Text: text}, other.note, s.note)
	check(err)
	t.opens(s, both, text, true, "notes")
	t.opens(other, both, text, true, "notes")
}

// checkpoint compares a whole checkpoint in both directions.
func (t *tree) checkpoint(s *signer) {
	root := t.root(t.size)
	text := fmt.Sprintf("%s\n%d\n%s\n", s.name, t.size,
		base64.StdEncoding.EncodeToString(root[:]))
	fromGo, err := note.Sign(&note.Note{Text: text}, s.note)
	check(err)
	t.askBytes(t.sameNote(s, fromGo), "checkpoint", t.size, hexOf(root))
	t.openCheckpoint(s, fromGo, fmt.Sprintf("%d %s", t.size, hexOf(root)))
	bad := append([]byte{}, fromGo...)
	bad[len(s.name)+1] ^= 1
	t.openCheckpoint(s, bad, refused)
	t.cosignatures(s, text)
}

func (t *tree) openCheckpoint(s *signer, msg []byte, want string) {
	t.ask(func(got string) {
		if got != want {
			fatalf("checkpoint: %q, not %q", got, want)
		}
		t.checks["checkpoints"]++
	}, "check-checkpoint", s.vkey, hex.EncodeToString(msg))
}
