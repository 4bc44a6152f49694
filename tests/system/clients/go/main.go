// SPDX-License-Identifier: Apache-2.0

// Clients has stock clients in Go talk to a log: tessera's reads it, and
// sigstore-go signs, logs and verifies; tessera keeps a log of its own, which
// may ask a witness of ours. What it prints is read by clients_common.py.
//
// usage: clients tiles|sigstore|log|witnessed SETTINGS.json
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

// Settings says where the log and the stand-ins are, and what they are called.
type Settings struct {
	URL           string `json:"url"`
	Origin        string `json:"origin"`
	Vkey          string `json:"vkey"`
	LogRoot       string `json:"logRoot"`
	TrustedRoot   string `json:"trustedRoot"`
	SigningConfig string `json:"signingConfig"`
	Identity      string `json:"identity"`
	Issuer        string `json:"issuer"`
	Token         string `json:"token"`
	// Checkpoint is an earlier one, to be consistent with.
	Checkpoint string `json:"checkpoint"`
	// Folder is that of a log to write; Entries come from number First on.
	Folder  string `json:"folder"`
	First   int    `json:"first"`
	Entries int    `json:"entries"`
	// Key is that log's own, where it wants the witness at URL.
	Key string `json:"key"`
}

func say(line any) {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
}

func check(what string, ok bool, detail any) {
	say(map[string]any{"check": what, "ok": ok, "detail": fmt.Sprint(detail)})
}

func accepts(what string, err error) bool {
	check(what, err == nil, err)
	return err == nil
}

func refuses(what string, err error) {
	check(what, err != nil, "it was accepted")
}

func told(what string, bundle *protobundle.Bundle, artifact []byte) {
	text, err := protojson.Marshal(bundle)
	if err != nil {
		check(what, false, err)
		return
	}
	say(map[string]any{"what": what, "bundle": json.RawMessage(text),
		"artifact": base64.StdEncoding.EncodeToString(artifact)})
}

func main() {
	parts := map[string]func(context.Context, Settings){"tiles": tiles,
		"sigstore": signAndVerify, "log": writeLog, "witnessed": witnessed}
	if len(os.Args) != 3 || parts[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: clients tiles|sigstore|log|witnessed SETTINGS.json")
		os.Exit(2)
	}
	var settings Settings
	text, err := os.ReadFile(os.Args[2])
	if err == nil {
		err = json.Unmarshal(text, &settings)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	parts[os.Args[1]](ctx, settings)
}
