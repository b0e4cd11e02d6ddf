// Reads a log as a stranger does: with Go's own packages for signed notes and transparency logs,
// golang.org/x/mod/sumdb/note and tlog, which verify Go's checksum database. Usage: see stock.sh.
//
//	stock VKEY LOG CHECKPOINT EARLIER-CHECKPOINT PROOF...
package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8 // of tlog-tiles, whose paths leave it out

func check(err error, what string) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}

func read(path string) []byte {
	data, err := os.ReadFile(path)
	check(err, path)
	return data
}

// tree returns what a checkpoint says, once one of the verifiers has its signature.
func tree(text []byte, keys note.Verifiers) tlog.Tree {
	opened, err := note.Open(text, keys)
	check(err, "checkpoint")
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err, "size")
	hash, err := tlog.ParseHash(lines[2])
	check(err, "root")
	return tlog.Tree{N: size, Hash: hash}
}

// tiles reads full tiles from the folder, and makes those at the edge, which it does not have.
type tiles struct {
	folder string
	stored []tlog.Hash // of all that the lines of the log give
	full   int
}

func (t *tiles) Height() int                     { return height }
func (t *tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (t *tiles) hashes(at []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(at))
	for i, index := range at {
		if index >= int64(len(t.stored)) {
			return nil, errors.New("there is no such hash")
		}
		found[i] = t.stored[index]
	}
	return found, nil
}

func (t *tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(wanted))
	for i, tile := range wanted {
		var err error
		if tile.W == 1<<height {
			path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
			found[i], err = os.ReadFile(filepath.Join(t.folder, path))
			t.full++
		} else {
			found[i], err = tlog.ReadTileData(tile, tlog.HashReaderFunc(t.hashes))
		}
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

func main() {
	verifier, err := note.NewVerifier(os.Args[1])
	check(err, "vkey")
	keys := note.VerifierList(verifier)
	log, newest := os.Args[2], tree(read(os.Args[3]), keys)
	earlier := tree(read(os.Args[4]), keys)
	lines := bytes.Split(bytes.TrimSuffix(read(log), []byte("\n")), []byte("\n"))
	all := &tiles{folder: log + ".tiles"}
	for number, line := range lines[:newest.N] {
		hashes, err := tlog.StoredHashes(int64(number), line, tlog.HashReaderFunc(all.hashes))
		check(err, "leaf")
		all.stored = append(all.stored, hashes...)
	}
	reader := tlog.TileHashReader(newest, all)
	at := make([]int64, newest.N)
	for number := range at {
		at[number] = tlog.StoredHashIndex(0, int64(number))
	}
	leaves, err := reader.ReadHashes(at) // authenticated against the root
	check(err, "tiles")
	for number, leaf := range leaves { // each: version 0.7 of x/mod leaves some tiles out of that
		if leaf != tlog.RecordHash(lines[number]) {
			check(fmt.Errorf("entry %d is another", number+1), "tiles")
		}
	}
	grown, err := tlog.ProveTree(newest.N, earlier.N, reader)
	check(err, "consistency")
	check(tlog.CheckTree(grown, newest.N, newest.Hash, earlier.N, earlier.Hash), "consistency")
	for _, path := range os.Args[5:] {
		head, signed, _ := strings.Cut(string(read(path)), "\n\n")
		fields := strings.Split(head, "\n") // c2sp.org/tlog-proof
		extra, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(fields[1], "extra "))
		line, _, _ := bytes.Cut(extra, []byte("\n")) // what follows is of the camera's key
		check(err, path)
		index, err := strconv.ParseInt(strings.TrimPrefix(fields[2], "index "), 10, 64)
		check(err, path)
		var proof tlog.RecordProof
		for _, text := range fields[3:] {
			hash, err := tlog.ParseHash(text)
			check(err, path)
			proof = append(proof, hash)
		}
		of := tree([]byte(signed), keys)
		check(tlog.CheckRecord(proof, of.N, of.Hash, index, tlog.RecordHash(line)), path)
	}
	fmt.Printf("%d entries, %d full tiles, %d proofs, and %d entries before\n",
		newest.N, all.full, len(os.Args)-5, earlier.N)
}
