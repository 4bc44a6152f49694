// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand"

	"golang.org/x/mod/sumdb/tlog"
)

// A tree as sumdb keeps it, and its twin in the C program.
type tree struct {
	*peer
	*rand.Rand
	seed   string
	size   int64
	leaves []tlog.Hash
	stored []tlog.Hash
	checks map[string]int
}

func (t *tree) entry(i int64) []byte {
	return []byte(fmt.Sprintf("%s.%d", t.seed, i))
}

// ReadHashes implements tlog.HashReader.
func (t *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	list := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		list[i] = t.stored[x]
	}
	return list, nil
}

// grow builds both trees and compares their roots.
func (t *tree) grow() {
	for i := int64(0); i < t.size; i++ {
		leaf := tlog.RecordHash(t.entry(i))
		hashes, err := tlog.StoredHashesForRecordHash(i, leaf, t)
		check(err)
		t.stored = append(t.stored, hashes...)
		t.leaves = append(t.leaves, leaf)
	}
	want := hexOf(t.root(t.size))
	t.ask(func(got string) {
		if got != want {
			fatalf("root of %d: %s, not %s", t.size, got, want)
		}
		t.checks["roots"]++
	}, "tree", t.seed, t.size)
}

func (t *tree) root(size int64) tlog.Hash {
	root, err := tlog.TreeHash(size, t)
	check(err)
	return root
}

// pick is a number in [low, high], often one of the two.
func (t *tree) pick(low, high int64) int64 {
	switch t.Intn(8) {
	case 0:
		return low
	case 1:
		return high
	}
	return low + t.Int63n(high-low+1)
}

// A claim is a proof and all that it is checked with.
type claim struct {
	a, b        int64
	first, root tlog.Hash
	proof       []tlog.Hash
}

func (t *tree) inclusion() {
	size := t.pick(1, t.size)
	index := t.pick(0, size-1)
	proof, err := tlog.ProveRecord(size, index, t)
	check(err)
	t.proof("inclusion", claim{index, size, t.leaves[index],
		t.root(size), proof}, func(c claim) error {
		return tlog.CheckRecord(c.proof, c.b, c.root, c.a, c.first)
	})
}

func (t *tree) consistency() {
	size := t.pick(1, t.size)
	old := t.pick(1, size)
	proof, err := tlog.ProveTree(size, old, t)
	check(err)
	t.proof("consistency", claim{old, size, t.root(old),
		t.root(size), proof}, func(c claim) error {
		return tlog.CheckTree(c.proof, c.b, c.root, c.a, c.first)
	})
}

// proof compares one proof in both directions, then changed ones.
func (t *tree) proof(kind string, good claim, checkGo func(claim) error) {
	t.askProof(func(proof []tlog.Hash) {
		fromC := good
		fromC.proof = proof
		if err := checkGo(fromC); err != nil {
			fatalf("%s %+v built in C: %v", kind, fromC, err)
		}
		if fmt.Sprint(proof) != fmt.Sprint(good.proof) {
			fatalf("%s %+v: C has %v", kind, good, proof)
		}
	}, kind, good.a, good.b)
	t.checkInC(kind, good, "ok")
	t.checks[kind]++
	for i := 0; i < 2; i++ {
		bad := t.change(kind, good)
		if checkGo(bad) == nil {
			fatalf("Go takes %s %+v, changed from %+v", kind, bad,
				good)
		}
		t.checkInC(kind, bad, refused)
		t.checks["changed "+kind]++
	}
}

func (t *tree) checkInC(kind string, c claim, want string) {
	first := []interface{}{"check-" + kind, c.a, c.b, hexOf(c.first),
		hexOf(c.root)}
	t.ask(func(got string) {
		if got != want {
			fatalf("%s %+v: C says %s", kind, c, got)
		}
	}, words(first, c.proof)...)
}

// change makes a claim false in one of several ways.
func (t *tree) change(kind string, c claim) claim {
	c.proof = append([]tlog.Hash{}, c.proof...)
	way := t.Intn(7)
	if len(c.proof) == 0 {
		way = t.Intn(3)
	}
	at := t.Intn(len(c.proof) + 1)
	switch way {
	case 0:
		c.first = t.flip(c.first)
	case 1:
		c.root = t.flip(c.root)
	case 2:
		c.proof = append(c.proof[:at],
			append([]tlog.Hash{c.root}, c.proof[at:]...)...)
	case 3:
		at %= len(c.proof)
		c.proof = append(c.proof[:at], c.proof[at+1:]...)
	case 4:
		if other := t.pick(0, c.b-1); kind == "inclusion" && other != c.a {
			c.a = other
			break
		}
		fallthrough
	default:
		at %= len(c.proof)
		c.proof[at] = t.flip(c.proof[at])
	}
	return c
}

func (t *tree) flip(h tlog.Hash) tlog.Hash {
	h[t.Intn(len(h))] ^= 1 << t.Intn(8)
	return h
}
