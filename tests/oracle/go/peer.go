// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

const refused = "refused"

// A peer is the C program. Questions are collected and sent in batches,
// because waiting for each answer costs more than all the hashing.
type peer struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	lines   bytes.Buffer
	waiting []question
}

// A question waits for its answer; prefix says which tree it is about.
type question struct {
	line   string
	prefix string
	then   func(answer string)
}

func startPeer(path string) *peer {
	cmd := exec.Command(path)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	check(err)
	out, err := cmd.StdoutPipe()
	check(err)
	check(cmd.Start())
	return &peer{cmd: cmd, in: in, out: bufio.NewReaderSize(out, 1<<16)}
}

// stop ends the program and wants it to have ended well.
func (p *peer) stop() {
	p.flush()
	check(p.in.Close())
	check(p.cmd.Wait())
}

// ask notes a line to be sent, and what to do with the line that answers it.
func (p *peer) ask(then func(answer string), words ...interface{}) {
	line := fmt.Sprintln(words...)
	p.lines.WriteString(line)
	p.waiting = append(p.waiting, question{line, log.Prefix(), then})
}

// flush sends all that was asked and handles the answers, in order.
func (p *peer) flush() {
	sent := make(chan error, 1)
	p.lines.WriteString("\n")
	go func() {
		_, err := p.lines.WriteTo(p.in)
		sent <- err
	}()
	for _, q := range p.waiting {
		log.SetPrefix(q.prefix)
		answer, err := p.out.ReadString('\n')
		if err != nil {
			fatalf("no answer to %q: %v", q.line, err)
		}
		q.then(strings.TrimSuffix(answer, "\n"))
	}
	check(<-sent)
	p.lines.Reset()
	p.waiting = p.waiting[:0]
}

// askBytes is ask for an answer in hex; nil if refused.
func (p *peer) askBytes(then func([]byte), words ...interface{}) {
	p.ask(func(answer string) {
		switch answer {
		case refused:
			then(nil)
			return
		case "-":
			answer = ""
		}
		data, err := hex.DecodeString(answer)
		check(err)
		then(data)
	}, words...)
}

// askProof is ask for an answer of hashes.
func (p *peer) askProof(then func([]tlog.Hash), words ...interface{}) {
	p.ask(func(answer string) {
		var proof []tlog.Hash
		if answer != "-" {
			for _, word := range strings.Split(answer, " ") {
				proof = append(proof, hashOf(word))
			}
		}
		then(proof)
	}, words...)
}

func hashOf(word string) tlog.Hash {
	var h tlog.Hash
	data, err := hex.DecodeString(word)
	check(err)
	if copy(h[:], data) != len(h) || len(data) != len(h) {
		fatalf("not a hash: %q", word)
	}
	return h
}

func hexOf(h tlog.Hash) string { return hex.EncodeToString(h[:]) }

// words makes a list of hashes into words of a command.
func words(first []interface{}, proof []tlog.Hash) []interface{} {
	list := append([]interface{}{}, first...)
	for _, h := range proof {
		list = append(list, hexOf(h))
	}
	return list
}

func check(err error) {
	if err != nil {
		fatalf("%v", err)
	}
}

func fatalf(format string, args ...interface{}) {
	log.Fatalf("FAIL: "+format, args...)
}
