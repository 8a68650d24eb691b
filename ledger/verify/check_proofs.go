// Checks the proofs of an evidence bundle with Go's own packages for transparency logs (Debian: golang-go
// golang-golang-x-mod-dev), which nobody of Need-to-Know wrote:
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run check_proofs.go BUNDLE TRUST [twins]
//
// BUNDLE is the folder with bagit.txt, TRUST the trust file that came another way. Signatures, cosignatures, inclusion,
// consistency, the root over all rows of each range that begins at 0, and the imprints of RFC 3161 time-stamps (whose own
// signatures are left to `openssl ts -verify`). With "twins", each proof is also damaged in
// several ways and must be refused.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// cosigner is cosignature/v1: eight bytes of time, then Ed25519 over a header with that time and the text.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return c.hash }
func (c cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 72 {
		return false
	}
	head := fmt.Sprintf("cosignature/v1\ntime %d\n", binary.BigEndian.Uint64(sig))
	return ed25519.Verify(c.key, append([]byte(head), msg...), sig[8:])
}

func verifier(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	raw, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err == nil && len(parts) == 3 && len(raw) == 33 && raw[0] == 4 {
		sum := sha256.Sum256(append([]byte(parts[0]+"\n"), raw...))
		return cosigner{parts[0], binary.BigEndian.Uint32(sum[:4]), ed25519.PublicKey(raw[1:])}, nil
	}
	return note.NewVerifier(vkey)
}

type checkpoint struct {
	size int64
	root tlog.Hash
	sigs int
}

// open checks the note's signatures by all given keys; the first must have signed.
func open(text []byte, keys ...note.Verifier) (c checkpoint, err error) {
	n, err := note.Open(text, note.VerifierList(keys...))
	if err != nil {
		return c, err
	}
	first := false
	for _, sig := range n.Sigs {
		first = first || sig.Name == keys[0].Name() && sig.Hash == keys[0].KeyHash()
	}
	lines := strings.Split(n.Text, "\n")
	if !first || len(lines) != 4 || lines[0] != keys[0].Name() {
		return c, fmt.Errorf("not a checkpoint of %s", keys[0].Name())
	}
	if c.size, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return c, err
	}
	c.root, err = tlog.ParseHash(lines[2])
	c.sigs = len(n.Sigs)
	return c, err
}

func hashes(lines []string) (all []tlog.Hash, err error) {
	for _, line := range lines {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return nil, err
		}
		all = append(all, hash)
	}
	return all, nil
}

func included(proof, leaf []byte, keys ...note.Verifier) error {
	halves := strings.SplitN(string(proof), "\n\n", 2)
	head := strings.Split(halves[0], "\n")
	if len(halves) != 2 || len(head) < 2 || head[0] != "c2sp.org/tlog-proof@v1" {
		return fmt.Errorf("not a tlog-proof")
	}
	c, err := open([]byte(halves[1]), keys...)
	if err != nil {
		return err
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(head[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	path, err := hashes(head[2:])
	if err != nil {
		return err
	}
	return tlog.CheckRecord(path, c.size, c.root, index, tlog.RecordHash(leaf))
}

type row struct {
	Number int64
	Leaf   string
	Parts  []struct{ Salt, Commitment string; Text *string }
}

func unhex(text string) []byte {
	raw, err := hex.DecodeString(text)
	if err != nil {
		return nil
	}
	return raw
}

func (r row) hash() (leaf tlog.Hash) {
	if r.Leaf != "" {
		copy(leaf[:], unhex(r.Leaf))
		return leaf
	}
	var data []byte
	for _, part := range r.Parts {
		if part.Text == nil {
			data = append(data, unhex(part.Commitment)...)
			continue
		}
		sum := sha256.Sum256(append(unhex(part.Salt), *part.Text...))
		data = append(data, sum[:]...)
	}
	return tlog.RecordHash(data)
}

// rootOf gives the root over the rows of a file, numbers 0 to size-1.
func rootOf(lines []byte, size int64) (tlog.Hash, error) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (found []tlog.Hash, err error) {
		for _, index := range indexes {
			found = append(found, stored[index])
		}
		return found, nil
	})
	var next int64
	for _, line := range bytes.Split(bytes.TrimSuffix(lines, []byte("\n")), []byte("\n")) {
		var r row
		if err := json.Unmarshal(line, &r); err != nil {
			return tlog.Hash{}, err
		}
		if next == size {
			break
		}
		if r.Number != next {
			return tlog.Hash{}, fmt.Errorf("row %d is missing", next)
		}
		more, err := tlog.StoredHashesForRecordHash(next, r.hash(), reader)
		if err != nil {
			return tlog.Hash{}, err
		}
		stored, next = append(stored, more...), next+1
	}
	if next != size {
		return tlog.Hash{}, fmt.Errorf("row %d is missing", next)
	}
	return tlog.TreeHash(size, reader)
}

var good, refused, twins = 0, 0, len(os.Args) > 3

func fatal(what string, err interface{}) {
	fmt.Printf("%s: %v\n", what, err)
	os.Exit(1)
}

func read(path string) []byte {
	text, err := os.ReadFile(path)
	if err != nil {
		fatal(path, err)
	}
	return text
}

// holds runs a check that must pass, and with twins the same over damaged inputs, which must not.
func holds(what string, check func(inputs ...[]byte) error, inputs ...[]byte) {
	if err := check(inputs...); err != nil {
		fatal(what, err)
	}
	good++
	for n := 0; twins && n < len(inputs); n++ {
		for place := 0; place < 6; place++ {
			changed := append([][]byte{}, inputs...)
			changed[n] = append([]byte{}, inputs[n]...)
			at := (len(inputs[n]) - 2) * place / 5
			changed[n][at] ^= 1
			if check(changed...) == nil {
				fatal(what, fmt.Sprintf("a changed byte %d of input %d was accepted", at, n))
			}
			refused++
		}
	}
}

func main() {
	if len(os.Args) < 3 {
		fatal("usage", "check_proofs.go BUNDLE TRUST [twins]")
	}
	proofs := filepath.Join(os.Args[1], "data/proofs")
	var log note.Verifier
	var witnesses []note.Verifier
	for _, line := range strings.Split(string(read(os.Args[2])), "\n") {
		words := strings.SplitN(line, " ", 2)
		switch words[0] {
		case "log", "committee", "outside":
			key, err := verifier(words[1])
			if err != nil {
				fatal(line, err)
			}
			if words[0] == "log" {
				log = key
			} else {
				witnesses = append(witnesses, key)
			}
		}
	}
	keys := append([]note.Verifier{log}, witnesses...)
	final := read(filepath.Join(proofs, "checkpoint.txt"))
	last, err := open(final, keys...)
	if err != nil {
		fatal("checkpoint.txt", err)
	}
	holds("checkpoint.txt", func(in ...[]byte) error {
		c, err := open(in[0], keys...)
		if err == nil && c.sigs != last.sigs {
			return fmt.Errorf("a signature is missing")
		}
		return err
	}, final)
	found, _ := filepath.Glob(filepath.Join(proofs, "*.tlog-proof"))
	for _, path := range found {
		leaf := read(strings.TrimSuffix(path, ".tlog-proof") + ".note")
		holds(path, func(in ...[]byte) error {
			if !bytes.HasSuffix(in[0], append([]byte("\n\n"), final...)) {
				return fmt.Errorf("another checkpoint than the final one")
			}
			return included(in[0], in[1], log)
		}, read(path), leaf)
	}
	older, _ := filepath.Glob(filepath.Join(proofs, "*/*.consistency"))
	for _, path := range older {
		c, err := open(read(strings.TrimSuffix(path, ".consistency")+".txt"), keys...)
		if err != nil {
			fatal(path, err)
		}
		holds(path, func(in ...[]byte) error {
			path, err := hashes(strings.Fields(string(in[0])))
			if err != nil {
				return err
			}
			return tlog.CheckTree(path, last.size, last.root, c.size, c.root)
		}, read(path))
	}
	stamps, _ := filepath.Glob(filepath.Join(proofs, "timestamps/*.tsr"))
	for _, path := range stamps {
		response := read(path)
		holds(path, func(in ...[]byte) error {
			// An OCTET STRING of 32 bytes, as a TSTInfo has it.
			sum := sha256.Sum256(in[0])
			if !bytes.Contains(response, append([]byte{0x04, 0x20}, sum[:]...)) {
				return fmt.Errorf("the time-stamp is over another text")
			}
			return nil
		}, read(strings.TrimSuffix(path, ".tsr")+".txt"))
	}
	var ranges []struct {
		Author, Note string
		Epoch        int
		First, Size  int64
	}
	var listed []struct {
		Author, Key string
		Epoch       int
	}
	if err := json.Unmarshal(read(filepath.Join(proofs, "ranges.json")), &ranges); err != nil {
		fatal("ranges.json", err)
	}
	if err := json.Unmarshal(read(filepath.Join(proofs, "keys.json")), &listed); err != nil {
		fatal("keys.json", err)
	}
	for _, r := range ranges {
		for _, k := range listed {
			if k.Author != r.Author || k.Epoch != r.Epoch || r.First != 0 {
				continue
			}
			author, err := verifier(k.Key)
			if err != nil {
				fatal(k.Key, err)
			}
			file := strings.Replace(r.Author, "/", "-", 1) + ".jsonl"
			holds(file, func(in ...[]byte) error {
				signed, err := open(in[0], author)
				if err != nil {
					return err
				}
				root, err := rootOf(in[1], r.Size)
				if err == nil && (root != signed.root || signed.size != r.Size) {
					err = fmt.Errorf("the rows lead to another root")
				}
				return err
			}, read(filepath.Join(os.Args[1], r.Note)), read(filepath.Join(os.Args[1], "data/entries", file)))
		}
	}
	fmt.Printf("the log of %d batches: %d checks hold, %d twins refused\n", last.size, good, refused)
	if good < 3 || twins && refused < good {
		os.Exit(1)
	}
}
