// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

// writeLog appends entries to a log that tessera keeps in a folder, under a key
// that is always the same, and says what its vkey is.
func writeLog(ctx context.Context, s Settings) {
	secret, public, err := note.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{9}, 64)), s.Origin)
	if !accepts("tessera: a key", err) {
		return
	}
	signer, err := note.NewSigner(secret)
	if !accepts("tessera: a signer", err) {
		return
	}
	say(map[string]any{"vkey": public})
	accepts("tessera: entries are written", appendTo(ctx, s, signer))
}

func appendTo(ctx context.Context, s Settings, signer note.Signer) error {
	driver, err := posix.New(ctx, posix.Config{Path: s.Folder})
	if err != nil {
		return err
	}
	options := tessera.NewAppendOptions().WithCheckpointSigner(signer).
		WithBatching(256, 50*time.Millisecond).WithCheckpointInterval(100 * time.Millisecond)
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, options)
	if err != nil {
		return err
	}
	awaiter := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 50*time.Millisecond)
	var futures []tessera.IndexFuture
	for i := s.First; i < s.First+s.Entries; i++ {
		futures = append(futures, appender.Add(ctx, tessera.NewEntry(fmt.Appendf(nil, "entry %d", i))))
	}
	for _, future := range futures {
		if _, _, err := awaiter.Await(ctx, future); err != nil {
			return err
		}
	}
	return shutdown(ctx)
}
