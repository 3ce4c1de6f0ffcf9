// Package results keeps the answer of an action under the action's key, and
// hands it out again only while it can be trusted: every blob of it is in the
// store, and every host path that it was declared to depend on is as it was.
//
// [Files] keeps records in the store, one small file a key; any number of
// processes may read and write it at the same time, the last writer of a key
// wins with a whole record, and a crash leaves the old record or the new one.
// [Checked] wraps a backend and applies the trust rules, so that no backend
// needs to know them.
package results

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"larder/caches"
	"larder/digest"
)

// Record is a kept answer. Digests are HASH/SIZE texts of the function that the
// key was made with.
type Record struct {
	Format     int           `json:"format"`
	ExitCode   int           `json:"exit_code"`
	Stdout     string        `json:"stdout"`
	Stderr     string        `json:"stderr"`
	OutputTree string        `json:"output_tree,omitempty"`
	Outputs    []Output      `json:"outputs,omitempty"`
	Observed   []Observation `json:"observed,omitempty"`
	// IgnoresInput says that the run left standard input unread although there
	// may have been some, so that the answer holds whatever the input is.
	IgnoresInput bool `json:"ignores_input,omitempty"`
	// Action and Command are the messages that the key covers, without secrets, so
	// that the action can be compared with others. An answer without them is as good:
	// only [Files.Peek] reads them.
	Action  []byte `json:"action,omitempty"`
	Command []byte `json:"command,omitempty"`

	Created     time.Time `json:"created"`
	RunMS       float64   `json:"run_ms"`
	MaxRSSBytes int64     `json:"max_rss_bytes"`
	UserMS      int64     `json:"user_ms"`
	SystemMS    int64     `json:"system_ms"`
}

// Output is one output of a kept answer.
type Output struct {
	Path       string `json:"path"`
	Digest     string `json:"digest,omitempty"`
	Kind       string `json:"kind"` // "file", "directory", "symlink"
	Executable bool   `json:"executable,omitempty"`
	Target     string `json:"target,omitempty"`
}

// Format is the version of the record; a record of another one is not used.
const Format = 1

// Backend keeps records by key. Load returns nil without an error when it has
// none. A record handed out must be whole but for Action and Command; whether it
// can be trusted is not the backend's matter.
type Backend interface {
	Load(ctx context.Context, key digest.Digest) (*Record, error)
	Save(ctx context.Context, key digest.Digest, record *Record) error
}

// Files is the backend in the store.
type Files struct {
	layout caches.Layout
	folder string
}

// NewFiles returns the records of the store at layout.
func NewFiles(layout caches.Layout) Files { return Files{layout, layout.Results()} }

func (f Files) path(key digest.Digest) string {
	hash := key.Hash()
	return f.folder + "/" + key.Function().String() + "/" + hash[:2] + "/" + hash + ".json"
}

// Load reads a record. One that cannot be understood counts as none: a result
// is only ever a saving. It counts as a use of the record.
func (f Files) Load(_ context.Context, key digest.Digest) (*Record, error) {
	path := f.path(key)
	_, err := f.layout.Hold(path)
	var record *Record
	if err == nil {
		record, err = readAnswer(path)
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrUseless) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the result of %s: %w", key, err)
	}
	return record, nil
}

// Save writes a record in the place of an earlier one.
func (f Files) Save(_ context.Context, key digest.Digest, record *Record) error {
	data, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("write the result of %s: %w", key, err)
	}
	if err := f.layout.WriteFile(f.path(key), caches.Seal(data), 0o644); err != nil {
		return fmt.Errorf("write the result of %s: %w", key, err)
	}
	return nil
}
