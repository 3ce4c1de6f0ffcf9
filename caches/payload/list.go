package payload

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"larder/caches"
	"larder/caches/layers"
)

// Row describes the copy of one source. Of a corrupt one only ID, Status and
// Problem are certain.
type Row struct {
	ID       string
	Path     string // of the source
	State    string // of the source, a digest
	Status   Status
	Files    int64
	Bytes    int64 // of the source, holes included
	Copied   int64 // of them, so far
	LastUsed time.Time
	Problem  error // why the last attempt failed, or what is corrupt
}

// List describes the sources that a pattern matches: their id, their path, or a
// glob as in [path.Match] for the whole path or for its last name; "" is all.
// Rows are sorted by path, then by ID. It reads a record each, whatever the size
// of the copies.
func (s *Store) List(pattern string) ([]Row, error) {
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, fmt.Errorf("%w payload pattern %q: %w", caches.ErrInvalid, pattern, err)
	}
	entries, err := os.ReadDir(s.layout.Payloads())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the payloads: %w", err)
	}
	var rows []Row
	for _, one := range entries {
		e := s.entry(one.Name())
		if row := e.row(); row.matches(pattern) && !e.isNothing() {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b Row) int { return strings.Compare(a.Path+"\x00"+a.ID, b.Path+"\x00"+b.ID) })
	return rows, nil
}

func (r Row) matches(pattern string) bool {
	whole, _ := path.Match(pattern, r.Path)
	last, _ := path.Match(pattern, path.Base(r.Path))
	return pattern == "" || whole || last || pattern == r.ID || pattern == r.Path
}

func (e entry) row() Row {
	r, err := e.read()
	row := Row{ID: e.id, Path: r.Path, State: r.State, Status: e.status(), Files: r.Files, Bytes: r.Bytes, LastUsed: e.lastUsed()}
	_, row.Problem = e.problem()
	switch {
	case err != nil && row.Status != Removing:
		row.Status, row.Problem = Corrupt, err
	case row.Status == Cached:
		row.Copied = row.Bytes
		if e.isLeased() {
			row.Status = InUse
		}
	case row.Status == Copying || row.Status == Stalled:
		row.Copied = e.progress()
	}
	return row
}

func (e entry) isLeased() bool {
	lock, err := layers.TryAcquire(e.path(useFile))
	lock.Close()
	return errors.Is(err, layers.ErrLocked)
}
