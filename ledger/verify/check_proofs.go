// Checks the proofs of an evidence bundle with Go's own packages for transparency logs (Debian: golang-go
// golang-golang-x-mod-dev), which nobody of Need-to-Know wrote:
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run check_proofs.go BUNDLE TRUST [twins]
//
// BUNDLE is the folder with bagit.txt, TRUST the trust file that came another way. Where it announces a restore, each size
// counts under the log to which it belongs, and the collector's notes under the key of their leaf. The chain of practice
// keys, signatures, cosignatures, inclusion,
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
	"time"
	"unicode"

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

// trust is what the trust file says of the log: today's keys, and the logs that were closed when a copy was put back.
type trust struct {
	name           string
	log, collector string
	made           time.Time
	closed         []closed
	witnesses      []note.Verifier
}

type closed struct {
	size           int64
	root           tlog.Hash
	log, collector string
	made           time.Time
}

func readTrust(text string) (t trust, err error) {
	lines := strings.Split(text, "\n")
	t.name = strings.TrimSuffix(lines[0], "/trust")
	for _, line := range lines[1:] {
		if line == "" {
			break
		}
		words := strings.SplitN(line, " ", 2)
		if len(words) != 2 {
			return t, fmt.Errorf("not a line of a trust file: %s", line)
		}
		switch words[0] {
		case "log":
			t.log = words[1]
		case "collector":
			t.collector = words[1]
		case "made":
			// Other spellings than RFC 3339 matter only beside a restore.
			t.made, _ = time.Parse(time.RFC3339, words[1])
		case "restored":
			one, err := readClosed(words[1], t.name)
			if err != nil {
				return t, err
			}
			t.closed = append(t.closed, one)
		case "committee", "outside":
			key, err := verifier(words[1])
			if err != nil {
				return t, err
			}
			t.witnesses = append(t.witnesses, key)
		}
	}
	if err := replaced(lines, t.made); err != nil {
		return t, err
	}
	seen, before := map[string]bool{}, time.Time{}
	for _, one := range append(append([]closed{}, t.closed...), closed{log: t.log, collector: t.collector, made: t.made}) {
		for _, key := range []string{one.log, one.collector} {
			// The bytes are compared, in base64 at the end: names differ.
			raw := key
			if len(key) > 44 {
				raw = key[len(key)-44:]
			}
			if len(t.closed) > 0 && (key == "" || seen[raw]) {
				return t, fmt.Errorf("a key that was closed comes back")
			}
			seen[raw] = true
		}
		if len(t.closed) > 0 && one.made.Before(before) || len(t.closed) > 32 {
			return t, fmt.Errorf("the announced restores are out of order, or too many")
		}
		before = one.made
	}
	return t, nil
}

// replaced checks the lines about recovery keys that were replaced: in order, and none comes back.
func replaced(lines []string, made time.Time) error {
	seen, before, n := map[string]bool{}, time.Time{}, 0
	for _, line := range lines {
		words := strings.SplitN(line, " ", 4)
		if words[0] == "recovery" && len(words) == 2 {
			seen[words[1]] = true
		}
		if words[0] != "retired" {
			continue
		}
		if len(words) != 4 || words[3] == "" || len(words[3]) > 300 || len(words[2]) != 62 || !strings.HasPrefix(words[2], "age1") {
			return fmt.Errorf("a line about a recovery key that was replaced is not in form")
		}
		at, err := time.Parse(time.RFC3339, words[1])
		n++
		if err != nil || at.Before(before) || at.After(made) || seen[words[2]] || n > 16 {
			return fmt.Errorf("the recovery keys that were replaced are out of order or too many, or one comes back")
		}
		seen[words[2]], before = true, at
	}
	return nil
}

func readClosed(text, name string) (c closed, err error) {
	wrong := fmt.Errorf("an announced restore is not in form: %s", text)
	words := strings.SplitN(text, " ", 6)
	if len(words) != 6 {
		return c, wrong
	}
	c.log, c.collector = words[3], words[4]
	for _, key := range [][2]string{{c.log, name + "/log"}, {c.collector, name + "/collector"}} {
		ours, err := note.NewVerifier(key[0])
		if err != nil || ours.Name() != key[1] {
			return c, wrong
		}
	}
	if c.size, err = strconv.ParseInt(words[1], 10, 64); err != nil || c.size < 1 || strconv.FormatInt(c.size, 10) != words[1] {
		return c, wrong
	}
	if c.root, err = tlog.ParseHash(words[2]); err != nil || c.root.String() != words[2] {
		return c, wrong
	}
	if c.made, err = time.Parse(time.RFC3339, words[0]); err != nil {
		return c, wrong
	}
	why := words[5]
	hidden := strings.IndexFunc(why, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == 0x3164 || r == 0x2028 || r == 0x2029
	}) >= 0
	if why == "" || len(why) > 300 || hidden || strings.TrimSpace(why) != why {
		return c, wrong
	}
	return c, nil
}

// generation says how many logs were closed before the one in which a tree of this size stands.
func (t trust) generation(size int64) (found int) {
	for n, one := range t.closed {
		if size > one.size {
			found = n + 1
		}
	}
	return found
}

// within gives the restores that bound a tree of this size.
func (t trust) within(size int64) (bounds []closed) {
	for n, one := range t.closed {
		if one.size < size && t.generation(one.size) <= n {
			bounds = append(bounds, one)
		}
	}
	return bounds
}

// logOf gives the key of the log to which the size in a checkpoint belongs; open then checks that it signed.
func (t trust) logOf(text []byte) note.Verifier {
	key, lines := t.log, strings.SplitN(string(text), "\n", 3)
	if len(lines) == 3 {
		size, _ := strconv.ParseInt(lines[1], 10, 64)
		if n := t.generation(size); n < len(t.closed) {
			key = t.closed[n].log
		}
	}
	log, err := note.NewVerifier(key)
	if err != nil {
		fatal("the key of the log", err)
	}
	return log
}

// openLog is open for a checkpoint of the log, with all witnesses.
func (t trust) openLog(text []byte) (checkpoint, error) {
	c, err := open(text, append([]note.Verifier{t.logOf(text)}, t.witnesses...)...)
	for _, one := range t.within(c.size + 1) {
		if err == nil && one.size == c.size && one.root != c.root {
			err = fmt.Errorf("the log was closed at %d with another root", c.size)
		}
	}
	return c, err
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

// succession follows the practice keys of a trust file: each former one signed for the next, the practice's name belongs
// to the first, and none comes back. How many former ones there were.
func succession(text string) (former int, err error) {
	slug := strings.SplitN(text, "/trust\n", 2)[0]
	type link struct{ made, key, why string; sig []byte }
	var links []link
	var newest string
	for _, line := range strings.Split(text, "\n") {
		words := strings.SplitN(line, " ", 5)
		switch {
		case words[0] == "practice-key" && len(words) == 2:
			newest = words[1]
		case words[0] == "succeeded" && len(words) == 5:
			sig, err := base64.StdEncoding.DecodeString(words[3])
			if err != nil {
				return 0, err
			}
			links = append(links, link{words[1], words[2], words[4], sig})
		case words[0] == "succeeded":
			return 0, fmt.Errorf("a line about a former practice key is cut")
		}
	}
	var raws [][]byte
	for _, key := range append(links, link{key: newest}) {
		parts := strings.SplitN(key.key, "+", 3)
		raw, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
		if err != nil || len(parts) != 3 || len(raw) != 33 || raw[0] != 1 || parts[0] != slug+"/practice" {
			return 0, fmt.Errorf("%q is no practice key of %s", key.key, slug)
		}
		for _, other := range raws {
			if bytes.Equal(other, raw) {
				return 0, fmt.Errorf("a practice key comes back")
			}
		}
		raws = append(raws, raw)
	}
	for n, l := range links {
		next := newest
		if n+1 < len(links) {
			next = links[n+1].key
		}
		said := fmt.Sprintf("%s/succession\nmade %s\nformer %s\nnext %s\nwhy %s\n", slug, l.made, l.key, next, l.why)
		if !ed25519.Verify(ed25519.PublicKey(raws[n][1:]), []byte(said), l.sig) {
			return 0, fmt.Errorf("a former practice key did not sign for the next one")
		}
	}
	sum := sha256.Sum256(raws[0][1:])
	if !strings.HasSuffix(slug, "."+hex.EncodeToString(sum[:4])) {
		return 0, fmt.Errorf("the name %s does not belong to the first practice key", slug)
	}
	return len(links), nil
}

func main() {
	if len(os.Args) < 3 {
		fatal("usage", "check_proofs.go BUNDLE TRUST [twins]")
	}
	proofs := filepath.Join(os.Args[1], "data/proofs")
	if _, err := succession(string(read(os.Args[2]))); err != nil {
		fatal(os.Args[2], err)
	}
	trust, err := readTrust(string(read(os.Args[2])))
	if err != nil {
		fatal("trust file", err)
	}
	final := read(filepath.Join(proofs, "checkpoint.txt"))
	last, err := trust.openLog(final)
	if err != nil {
		fatal("checkpoint.txt", err)
	}
	holds("checkpoint.txt", func(in ...[]byte) error {
		c, err := trust.openLog(in[0])
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
			return included(in[0], in[1], trust.logOf(final))
		}, read(path), leaf)
	}
	older, _ := filepath.Glob(filepath.Join(proofs, "*/*.consistency"))
	for _, one := range trust.within(last.size) {
		older = append(older, filepath.Join(proofs, fmt.Sprintf("restored/%d.consistency", one.size)))
	}
	for _, path := range older {
		var c checkpoint
		if filepath.Base(filepath.Dir(path)) == "restored" {
			// The practice key named size and root of the log that was closed.
			for _, one := range trust.within(last.size) {
				if filepath.Base(path) == fmt.Sprintf("%d.consistency", one.size) {
					c = checkpoint{size: one.size, root: one.root}
				}
			}
		} else if c, err = trust.openLog(read(strings.TrimSuffix(path, ".consistency") + ".txt")); err != nil {
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
		Proof        string
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
	// The collector's keys are the trust file's, one an announced restore and today's.
	for _, k := range listed {
		known := trust.collector
		if k.Epoch >= 0 && k.Epoch < len(trust.closed) {
			known = trust.closed[k.Epoch].collector
		}
		if k.Author == "collector" && (k.Key != known || k.Epoch > len(trust.closed)) {
			fatal("keys.json", fmt.Sprintf("the collector's key in epoch %d is not the one of the trust file", k.Epoch))
		}
	}
	for _, r := range ranges {
		if r.Author == "collector" {
			head := strings.SplitN(string(read(filepath.Join(os.Args[1], r.Proof)))+"\n", "\n", 3)
			index, err := strconv.ParseInt(strings.TrimPrefix(head[1], "index "), 10, 64)
			if err != nil || trust.generation(index+1) != r.Epoch {
				fatal(r.Note, "it stands at a leaf of another epoch, as the trust file announces its restores")
			}
		}
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
