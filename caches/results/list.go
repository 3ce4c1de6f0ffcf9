package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"larder/caches"
	"larder/digest"
)

// ErrUseless marks a record that can never be an answer: damaged, or of another
// format.
var ErrUseless = errors.New("not a record of this version")

// Kept is one record of the store.
type Kept struct {
	Function digest.Function
	Hash     string // of the key; its size is not known
	Path     string // absolute
	Record   *Record
}

// All calls visit for every record, in no order, until visit returns an error. A
// record that cannot be read comes with an error, which wraps [ErrUseless] when
// reading it again would not help. Records may come and go meanwhile, and are
// without Action and Command. It does not count as a use.
func (f Files) All(visit func(Kept, error) error) error {
	for _, fn := range []digest.Function{digest.BLAKE3, digest.SHA256} {
		top := filepath.Join(f.layout.Results(), fn.String())
		err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) || err == nil && entry.IsDir() {
				return nil
			}
			hash, _ := strings.CutSuffix(filepath.Base(path), ".json")
			kept := Kept{Function: fn, Hash: hash, Path: path}
			if err == nil {
				kept.Record, err = readAnswer(path)
			}
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return visit(kept, err)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// readWhole reads a record with all that is in it.
func readWhole(path string) (*Record, error) {
	line, _, err := readLine(path)
	if err != nil {
		return nil, err
	}
	return parse(path, line)
}

// readAnswer reads a record without its messages, which are the greater part of
// it: thousands are read for their answers alone, and none of them is unpacked. Of
// one that nothing vouches for, all is read.
func readAnswer(path string) (*Record, error) {
	line, isSealed, err := readLine(path)
	if err != nil {
		return nil, err
	}
	if isSealed {
		line = withoutMessages(line)
		if record, ok := parsePlain(line); ok && record.Format == Format {
			return record, nil
		}
	}
	return parse(path, line)
}

// readLine reads the line of a record, and finds out whether it has a seal.
func readLine(path string) (line []byte, isSealed bool, err error) {
	data, err := caches.ReadUnnoted(path)
	if err != nil {
		return nil, false, fmt.Errorf("read a result: %w", err)
	}
	if line, err = caches.Unseal(data); err != nil {
		return nil, false, useless(path)
	}
	return line, len(line)+1 < len(data), nil
}

func parse(path string, line []byte) (*Record, error) {
	var record Record
	if err := json.Unmarshal(line, &record); err != nil || record.Format != Format {
		return nil, useless(path)
	}
	return &record, nil
}

func useless(path string) error { return fmt.Errorf("result %s: %w", filepath.Base(path), ErrUseless) }

// withoutMessages cuts the members of the messages out of the line of a record, as
// [Files.Save] writes them, and overwrites it. Their values are base64, without
// anything escaped; and in the text of another member the quote would be.
func withoutMessages(line []byte) []byte {
	for _, member := range []string{`,"action":"`, `,"command":"`} {
		before, rest, found := bytes.Cut(line, []byte(member))
		_, after, ended := bytes.Cut(rest, []byte{'"'})
		if found && ended {
			line = append(before, after...)
		}
	}
	return line
}

// Needs lists what the record needs: single blobs, and trees that are needed
// with all that is in them. An error says that the record is [ErrUseless].
func (r *Record) Needs(fn digest.Function) (single, trees []digest.Digest, err error) {
	texts, roots := []string{r.Stdout}, []string{}
	if r.Stderr != r.Stdout { // mostly both are empty
		texts = append(texts, r.Stderr)
	}
	for _, output := range r.Outputs {
		switch output.Kind {
		case "file":
			texts = append(texts, output.Digest)
		case "directory":
			roots = append(roots, output.Digest)
		}
	}
	if r.OutputTree != "" {
		texts = append(texts, r.OutputTree)
	}
	if single, err = parseAll(fn, texts); err == nil {
		trees, err = parseAll(fn, roots)
	}
	return single, trees, err
}

func parseAll(fn digest.Function, texts []string) ([]digest.Digest, error) {
	all := make([]digest.Digest, 0, len(texts))
	for _, text := range texts {
		d, err := digest.Parse(fn, text)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUseless, err)
		}
		all = append(all, d)
	}
	return all, nil
}
