// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

// witnessed is a log of tessera's, which publishes nothing that the witness has
// not cosigned.
func witnessed(ctx context.Context, s Settings) {
	signer, err := note.NewSigner(s.Key)
	if !accepts("the log's key", err) {
		return
	}
	at, err := url.Parse(s.URL)
	if !accepts("the witness's URL", err) {
		return
	}
	witness, err := tessera.NewWitness(s.Vkey, at)
	if !accepts("the witness's vkey", err) {
		return
	}
	driver, err := posix.New(ctx, posix.Config{Path: s.Folder})
	if !accepts("a log in files", err) {
		return
	}
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver,
		tessera.NewAppendOptions().
			WithCheckpointSigner(signer).
			WithCheckpointInterval(200*time.Millisecond).
			WithBatching(5, 50*time.Millisecond).
			WithWitnesses(tessera.NewWitnessGroup(1, witness),
				&tessera.WitnessOptions{FailOpen: false, Timeout: 5 * time.Second}))
	if !accepts("an appender", err) {
		return
	}
	awaiter := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint,
		50*time.Millisecond)
	for i := 0; i < 12; i++ {
		future := appender.Add(ctx, tessera.NewEntry(fmt.Appendf(nil, "%d", i)))
		index, checkpoint, err := awaiter.Await(ctx, future)
		if accepts("a cosigned checkpoint", err) {
			say(map[string]any{"index": index.Index,
				"checkpoint": string(checkpoint)})
		}
	}
	accepts("the end", shutdown(ctx))
}
