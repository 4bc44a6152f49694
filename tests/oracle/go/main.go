// SPDX-License-Identifier: Apache-2.0

// Command oracle compares mtlog's trees, proofs, tiles and notes with those
// of golang.org/x/mod/sumdb, on random trees and in both directions: what one
// side builds the other verifies, and what is damaged both refuse.
package main

import (
	"flag"
	"fmt"
	"log"
	"math/rand"
	"sort"
	"time"
)

// batch is the number of trees between two exchanges with the C program.
const batch = 20

func main() {
	program := flag.String("program", "", "the C program")
	count := flag.Int("count", 10000, "number of trees")
	seed := flag.Int64("seed", 1, "seed of the random choices")
	noteEvery := flag.Int("notes", 3, "compare notes on every n-th tree")
	flag.Parse()
	log.SetFlags(0)
	fmt.Printf("oracle: %d trees, seed %d\n", *count, *seed)
	begin := time.Now()
	rng := rand.New(rand.NewSource(*seed))
	p := startPeer(*program)
	checks := map[string]int{}
	for i := 0; i < *count; i++ {
		t := &tree{peer: p, Rand: rng, checks: checks,
			seed: fmt.Sprintf("%d.%d", *seed, i), size: treeSize(rng, i)}
		log.SetPrefix(fmt.Sprintf("tree %d of size %d: ", i, t.size))
		t.grow()
		if i%batch == 0 {
			p.flush()
		}
		if t.size == 0 {
			continue
		}
		for k := 0; k < 3; k++ {
			t.inclusion()
			t.consistency()
		}
		t.tiles()
		if i%*noteEvery == 0 {
			t.notes()
		}
	}
	p.stop()
	report(checks, *count, time.Since(begin))
}

// treeSize is every small size once, then a mixture.
func treeSize(rng *rand.Rand, i int) int64 {
	if i < 100 {
		return int64(i)
	}
	switch rng.Intn(10) {
	case 0, 1, 2, 3:
		return 1 + rng.Int63n(64)
	case 4, 5, 6:
		return 1<<(1+rng.Intn(12)) - 1 + rng.Int63n(3)
	case 7, 8:
		return 1 + rng.Int63n(1000)
	}
	return 1 + rng.Int63n(5000)
}

// report prints the counts; a kind of check that never ran is a failure.
func report(checks map[string]int, count int, spent time.Duration) {
	kinds := []string{"roots", "inclusion", "changed inclusion",
		"consistency", "changed consistency", "tiles", "absent tiles",
		"paths", "notes", "changed notes", "notes by others",
		"checkpoints", "cosignatures"}
	sort.Strings(kinds)
	for _, kind := range kinds {
		fmt.Printf("oracle: %7d %s\n", checks[kind], kind)
		if checks[kind] == 0 && count >= 100 {
			fatalf("no %s were compared", kind)
		}
	}
	fmt.Printf("oracle: all agree, %.1f s\n", spent.Seconds())
}
