// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8
	goPrefix   = "tile/8/"
)

// pathOf is a tile's path as c2sp.org/tlog-tiles writes it: sumdb puts the
// height first and calls the level of entries "data".
func pathOf(t tlog.Tile) string {
	path := strings.TrimPrefix(t.Path(), goPrefix)
	if t.L == -1 {
		path = "entries" + strings.TrimPrefix(path, "data")
	}
	return path
}

func (t *tree) bundle(tile tlog.Tile) []byte {
	var data bytes.Buffer
	for i := int64(0); i < int64(tile.W); i++ {
		entry := t.entry(tile.N<<tileHeight + i)
		check(binary.Write(&data, binary.BigEndian, uint16(len(entry))))
		data.Write(entry)
	}
	return data.Bytes()
}

func (t *tree) compareTile(tile tlog.Tile) {
	var want []byte
	var err error
	if tile.L == -1 {
		want = t.bundle(tile)
	} else {
		want, err = tlog.ReadTileData(tile, t)
		check(err)
	}
	path := pathOf(tile)
	t.askBytes(func(got []byte) {
		if !bytes.Equal(got, want) {
			fatalf("tile %s of %d: %x, not %x", path, t.size, got,
				want)
		}
		t.checks["tiles"]++
	}, "tile", path, t.size)
}

// tiles compares some of the tree's tiles and asks for ones it has not.
func (t *tree) tiles() {
	list := tlog.NewTiles(tileHeight, 0, t.size)
	for i := 0; i < 3; i++ {
		tile := list[t.Intn(len(list))]
		if i == 0 {
			tile = list[len(list)-1]
		}
		if tile.L == 0 && t.Intn(3) == 0 {
			tile.L = -1
		}
		if t.Intn(3) == 0 {
			tile.W = 1 + t.Intn(tile.W)
		}
		t.compareTile(tile)
	}
	t.noTile(tlog.Tile{H: tileHeight, L: 0, N: t.size >> tileHeight,
		W: int(t.size&255) + 1})
	t.noTile(tlog.Tile{H: tileHeight, L: 1, N: t.size >> 16,
		W: int(t.size>>tileHeight&255) + 1})
	t.path(list[t.Intn(len(list))])
}

func (t *tree) noTile(tile tlog.Tile) {
	t.ask(func(got string) {
		if got != refused {
			fatalf("tile %s of %d exists", pathOf(tile), t.size)
		}
		t.checks["absent tiles"]++
	}, "tile", pathOf(tile), t.size)
}

// path compares the two parsers on a path, good or damaged.
func (t *tree) path(tile tlog.Tile) {
	tile.N = t.Int63() >> t.Intn(56) >> 7
	if t.Intn(2) == 0 {
		tile.W = 1 + t.Intn(1<<tileHeight)
	}
	tile.L = t.Intn(65) - 1
	path := []byte(pathOf(tile))
	want := string(path)
	if t.Intn(3) > 0 {
		const letters = "0129x/.p-+ d\x00"
		at := t.Intn(len(path))
		switch t.Intn(3) {
		case 0:
			path[at] = letters[t.Intn(len(letters))]
		case 1:
			path = append(path[:at], path[at+1:]...)
		case 2:
			path = []byte(fmt.Sprintf("%s%c%s", path[:at],
				letters[t.Intn(len(letters))], path[at:]))
		}
		want = goVerdict(string(path))
	}
	t.ask(func(got string) {
		if got != want {
			fatalf("path %q: %q, not %q", path, got, want)
		}
		t.checks["paths"]++
	}, "path", hex.EncodeToString(path))
}

func goVerdict(path string) string {
	name := path
	if strings.HasPrefix(path, "entries/") {
		name = "data" + strings.TrimPrefix(path, "entries")
	} else if strings.HasPrefix(path, "data/") {
		return refused
	}
	tile, err := tlog.ParseTilePath(goPrefix + name)
	// sumdb sets no limit to the level, tlog-tiles does.
	if err != nil || tile.L > 63 {
		return refused
	}
	return pathOf(tile)
}
