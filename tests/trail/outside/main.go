// Checks a log and its proofs with code that is none of ours: golang.org/x/mod/sumdb (the Go checksum database's
// tlog and note packages, vendored in every Go toolchain) and Go's own crypto/mldsa. Nothing is downloaded.
//
// Standard input is one JSON document, see Question. It prints "ok" and a count, or stops with the first thing that is wrong.
package main

import (
	"bytes"
	"crypto/mldsa"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type Question struct {
	VKey        string            // the log's Ed25519 key
	MLDSA       string            // base64 of the log's ML-DSA-44 public key
	MLDSAID     string            // base64 of its four-byte key id
	Checkpoints []string          // oldest first
	Leaves      []string          // base64 of every entry
	Inclusions  []Inclusion       // proofs
	Consistency []Consistency     // proofs
	Tiles       map[string]string // path → base64
}

type Inclusion struct {
	Index      int64
	Checkpoint int
	Hashes     []string
}

type Consistency struct {
	Old, New int
	Hashes   []string
}

func check(err error, what string) {
	if err != nil {
		fmt.Printf("%s: %v\n", what, err)
		os.Exit(1)
	}
}

func decode(s string) []byte {
	b, err := base64.StdEncoding.DecodeString(s)
	check(err, "base64")
	return b
}

func hashes(list []string) []tlog.Hash {
	var out []tlog.Hash
	for _, s := range list {
		var h tlog.Hash
		copy(h[:], decode(s))
		out = append(out, h)
	}
	return out
}

// tree opens a checkpoint: any name may sign, so golang.org/x/mod's own tree format ("go.sum database tree") is not used.
func tree(q *Question, text string) tlog.Tree {
	verifier, err := note.NewVerifier(q.VKey)
	check(err, "vkey")
	opened, err := note.Open([]byte(text), note.VerifierList(verifier))
	check(err, "note")
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err, "size")
	var root tlog.Hash
	copy(root[:], decode(lines[2]))
	quantum(q, text, lines[0], size, root)
	return tlog.Tree{N: size, Hash: root}
}

// quantum checks the ML-DSA-44 line as C2SP tlog-cosignature says.
func quantum(q *Question, text, origin string, size int64, root tlog.Hash) {
	key, err := mldsa.NewPublicKey(mldsa.MLDSA44(), decode(q.MLDSA))
	check(err, "ML-DSA-44 key")
	for _, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "— "+origin+" ") {
			continue
		}
		data := decode(line[strings.LastIndex(line, " ")+1:])
		if !bytes.Equal(data[:4], decode(q.MLDSAID)) {
			continue
		}
		var m bytes.Buffer
		m.WriteString("subtree/v1\n\x00")
		m.WriteByte(byte(len(origin)))
		m.WriteString(origin)
		m.Write(data[4:12])
		m.WriteByte(byte(len(origin)))
		m.WriteString(origin)
		binary.Write(&m, binary.BigEndian, uint64(0))
		binary.Write(&m, binary.BigEndian, uint64(size))
		m.Write(root[:])
		check(mldsa.Verify(key, m.Bytes(), data[12:], nil), "ML-DSA-44 signature")
		return
	}
	check(fmt.Errorf("no line"), "ML-DSA-44 signature")
}

type reader struct{ tiles map[string]string }

func (r reader) Height() int                   { return 8 }
func (r reader) SaveTiles([]tlog.Tile, [][]byte) {}
func (r reader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, t := range tiles {
		path := strings.Replace(t.Path(), "tile/8/", "tile/", 1) // the checksum database writes the height, tlog-tiles does not
		data, ok := r.tiles[path]
		if !ok {
			return nil, fmt.Errorf("no %s", path)
		}
		out = append(out, decode(data))
	}
	return out, nil
}

func main() {
	var q Question
	check(json.NewDecoder(os.Stdin).Decode(&q), "question")
	var trees []tlog.Tree
	for _, text := range q.Checkpoints {
		trees = append(trees, tree(&q, text))
	}
	var leaves []tlog.Hash
	var stored []tlog.Hash
	for i, entry := range q.Leaves {
		data := decode(entry)
		leaves = append(leaves, tlog.RecordHash(data))
		more, err := tlog.StoredHashes(int64(i), data, tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
			var out []tlog.Hash
			for _, x := range at {
				out = append(out, stored[x])
			}
			return out, nil
		}))
		check(err, "stored hashes")
		stored = append(stored, more...)
	}
	all := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, x := range at {
			out = append(out, stored[x])
		}
		return out, nil
	})
	for _, t := range trees {
		root, err := tlog.TreeHash(t.N, all)
		check(err, "tree hash")
		if root != t.Hash {
			check(fmt.Errorf("at %d", t.N), "root")
		}
	}
	for _, p := range q.Inclusions {
		t := trees[p.Checkpoint]
		check(tlog.CheckRecord(hashes(p.Hashes), t.N, t.Hash, p.Index, leaves[p.Index]), "inclusion")
	}
	for _, p := range q.Consistency {
		old, new := trees[p.Old], trees[p.New]
		check(tlog.CheckTree(hashes(p.Hashes), new.N, new.Hash, old.N, old.Hash), "consistency")
	}
	newest := trees[len(trees)-1]
	if len(q.Tiles) > 0 { // a client that has nothing but tiles and the newest checkpoint
		through := tlog.TileHashReader(newest, reader{q.Tiles})
		for i := range leaves {
			proof, err := tlog.ProveRecord(newest.N, int64(i), through)
			check(err, "proof from tiles")
			check(tlog.CheckRecord(proof, newest.N, newest.Hash, int64(i), leaves[i]), "inclusion from tiles")
		}
	}
	fmt.Printf("ok %d checkpoints, %d leaves, %d inclusions, %d consistencies, %d tiles\n", len(trees), len(leaves), len(q.Inclusions), len(q.Consistency), len(q.Tiles))
}
