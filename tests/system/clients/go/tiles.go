// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
)

// tiles reads the log below both of its prefixes.
func tiles(ctx context.Context, s Settings) {
	verifier, err := note.NewVerifier(s.Vkey)
	if !accepts("tessera: the vkey is understood", err) {
		return
	}
	for _, prefix := range []string{"/", "/api/v2/"} {
		address, err := url.Parse(s.URL + prefix)
		if !accepts("the log's address", err) {
			return
		}
		fetcher, err := client.NewHTTPFetcher(address, nil)
		if !accepts("tessera: fetcher", err) {
			return
		}
		what := "tessera below " + prefix + ": "
		cp, _, _, err := client.FetchCheckpoint(ctx, fetcher.ReadCheckpoint, verifier, s.Origin)
		if !accepts(what+"checkpoint", err) {
			return
		}
		accepts(what+"every entry is proven", inclusion(ctx, fetcher, cp))
		accepts(what+"sizes are consistent", consistency(ctx, fetcher, cp))
		accepts(what+"fsck", fsckOf(ctx, fetcher, verifier, s.Origin))
		_, err = fetcher.ReadTile(ctx, 0, cp.Size/256+1, 0)
		check(what+"a tile that is not there", errors.Is(err, os.ErrNotExist), err)
	}
	address, _ := url.Parse(s.URL)
	fetcher, _ := client.NewHTTPFetcher(address, nil)
	grown(ctx, s, fetcher, verifier)
	refusals(ctx, s, fetcher, verifier)
}

// inclusion builds the proof of each entry from tiles and verifies it with the
// entry's own bytes.
func inclusion(ctx context.Context, fetcher *client.HTTPFetcher, cp *log.Checkpoint) error {
	builder, err := client.NewProofBuilder(ctx, cp.Size, fetcher.ReadTile)
	if err != nil {
		return err
	}
	hashes, err := client.FetchLeafHashes(ctx, fetcher.ReadTile, 0, cp.Size, cp.Size)
	if err != nil {
		return err
	}
	for at := uint64(0); at < cp.Size; at += 256 {
		bundle, err := client.GetEntryBundle(ctx, fetcher.ReadEntryBundle, at/256, cp.Size)
		if err != nil {
			return err
		}
		if want := min(256, cp.Size-at); uint64(len(bundle.Entries)) != want {
			return fmt.Errorf("bundle %d has %d entries, not %d", at/256, len(bundle.Entries), want)
		}
		for i, entry := range bundle.Entries {
			index := at + uint64(i)
			hash := rfc6962.DefaultHasher.HashLeaf(entry)
			if !bytes.Equal(hash, hashes[index]) {
				return fmt.Errorf("entry %d is not what its tile says", index)
			}
			path, err := builder.InclusionProof(ctx, index)
			if err != nil {
				return err
			}
			if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, cp.Size, hash, path, cp.Hash); err != nil {
				return fmt.Errorf("entry %d: %w", index, err)
			}
		}
	}
	return nil
}

// rootAt is the root of the first size entries, from their hashes.
func rootAt(hashes [][]byte) []byte {
	if len(hashes) == 1 {
		return hashes[0]
	}
	k := 1
	for k*2 < len(hashes) {
		k *= 2
	}
	return rfc6962.DefaultHasher.HashChildren(rootAt(hashes[:k]), rootAt(hashes[k:]))
}

func consistency(ctx context.Context, fetcher *client.HTTPFetcher, cp *log.Checkpoint) error {
	builder, err := client.NewProofBuilder(ctx, cp.Size, fetcher.ReadTile)
	if err != nil {
		return err
	}
	hashes, err := client.FetchLeafHashes(ctx, fetcher.ReadTile, 0, cp.Size, cp.Size)
	if err != nil {
		return err
	}
	for _, size := range []uint64{1, 2, 3, 127, 255, 256, 257, 511, 512, 513, cp.Size - 1} {
		if size == 0 || size >= cp.Size {
			continue
		}
		path, err := builder.ConsistencyProof(ctx, size, cp.Size)
		if err != nil {
			return err
		}
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, size, cp.Size, path,
			rootAt(hashes[:size]), cp.Hash); err != nil {
			return fmt.Errorf("from %d: %w", size, err)
		}
	}
	return nil
}

func leafHashes(bundle []byte) ([][]byte, error) {
	var entries api.EntryBundle
	if err := entries.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	hashes := make([][]byte, 0, len(entries.Entries))
	for _, entry := range entries.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return hashes, nil
}

func fsckOf(ctx context.Context, fetcher fsck.Fetcher, verifier note.Verifier, origin string) error {
	return fsck.New(origin, verifier, fetcher, leafHashes, fsck.Opts{N: 2}).Check(ctx)
}

// grown follows the log from an earlier checkpoint.
func grown(ctx context.Context, s Settings, fetcher *client.HTTPFetcher, verifier note.Verifier) {
	tracker, err := client.NewLogStateTracker(ctx, fetcher.ReadTile, []byte(s.Checkpoint), verifier,
		s.Origin, client.UnilateralConsensus(fetcher.ReadCheckpoint))
	if !accepts("tessera: an earlier checkpoint", err) {
		return
	}
	before := tracker.Latest().Size
	_, path, _, err := tracker.Update(ctx)
	accepts("tessera: the log has grown consistently", err)
	check("tessera: by a proof", tracker.Latest().Size > before && len(path) > 0, before)
}

// altered gives other bytes than the log does.
type altered struct {
	fsck.Fetcher
	tile, bundle bool
}

func flipped(data []byte, err error) ([]byte, error) {
	if len(data) > 0 {
		data = bytes.Clone(data)
		data[len(data)/2] ^= 1
	}
	return data, err
}

func (a altered) ReadTile(ctx context.Context, l, i uint64, p uint8) ([]byte, error) {
	data, err := a.Fetcher.ReadTile(ctx, l, i, p)
	if a.tile && l == 0 && i == 0 {
		return flipped(data, err)
	}
	return data, err
}

func (a altered) ReadEntryBundle(ctx context.Context, i uint64, p uint8) ([]byte, error) {
	data, err := a.Fetcher.ReadEntryBundle(ctx, i, p)
	if a.bundle && p != 0 {
		return flipped(data, err)
	}
	return data, err
}

func refusals(ctx context.Context, s Settings, fetcher *client.HTTPFetcher, verifier note.Verifier) {
	refuses("tessera: fsck with a bit flipped in a tile",
		fsckOf(ctx, altered{Fetcher: fetcher, tile: true}, verifier, s.Origin))
	refuses("tessera: fsck with a bit flipped in an entry",
		fsckOf(ctx, altered{Fetcher: fetcher, bundle: true}, verifier, s.Origin))
	refuses("tessera: another origin", fsckOf(ctx, fetcher, verifier, "log.other.example"))
	_, other, err := note.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{7}, 64)), s.Origin)
	if !accepts("another key", err) {
		return
	}
	stranger, err := note.NewVerifier(other)
	if !accepts("another verifier", err) {
		return
	}
	refuses("tessera: another key", fsckOf(ctx, fetcher, stranger, s.Origin))
	tampered := func(ctx context.Context) ([]byte, error) {
		text, err := fetcher.ReadCheckpoint(ctx)
		lines := strings.SplitN(string(text), "\n", 3)
		return []byte(lines[0] + "\n" + lines[1] + "0\n" + lines[2]), err
	}
	_, _, _, err = client.FetchCheckpoint(ctx, tampered, verifier, s.Origin)
	refuses("tessera: a checkpoint with another size", err)
}
