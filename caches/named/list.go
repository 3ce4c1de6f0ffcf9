package named

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"larder/caches"
)

// Status says in which condition a cache is.
type Status string

const (
	// Cached says that the cache is whole and nobody has its head checked out.
	Cached Status = "cached"
	// InUse says that somebody holds a lease on the head, or has a live cache.
	InUse Status = "in-use"
	// Removing says that the head is gone and that the rest goes now, or, when the
	// process that removes was killed, with the next pruning. It counts as empty.
	Removing Status = "removing"
	// Corrupt says that the cache is damaged and counts as empty.
	Corrupt Status = "corrupt"
)

// Row describes one cache of the store. Of a corrupt cache only ID, Status and
// Problem are certain; Ref is the zero value when that is lost too.
type Row struct {
	ID          string
	Ref         caches.Ref
	Head        string
	Generations int // manifests, those kept by a lease too
	Layers      int // of the head
	Entries     int64
	Bytes       int64
	LastUsed    time.Time // of the head: when it was last checked out or made
	Durable     bool      // the head was seen on the disk
	Status      Status
	Problem     error
	order       string // by which rows are sorted
}

// List describes the caches whose name matches pattern, a glob as in
// [path.Match], or whose ID is the pattern; "" is all. It reads manifests only,
// whatever the size of the caches, but for live ones, which it walks. A cache that cannot be read is a row with
// status [Corrupt], not an error. Rows are sorted by name, then by the rest of
// the Ref.
func (s *Store) List(pattern string) ([]Row, error) {
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, fmt.Errorf("%w cache pattern %q: %w", caches.ErrInvalid, pattern, err)
	}
	entries, err := os.ReadDir(s.layout.Named())
	if err != nil && !missing(err) {
		return nil, fmt.Errorf("list the caches: %w", err)
	}
	rows := slices.DeleteFunc(s.rows(entries), func(row Row) bool { return row.Status == "" || !row.matches(pattern) })
	slices.SortFunc(rows, func(a, b Row) int { return strings.Compare(a.order, b.order) })
	return rows, nil
}

// rows describes every folder, as many at a time as there are processors: each
// takes a few dozen looks at the disk. A folder that holds no generation has no
// status.
func (s *Store) rows(folders []fs.DirEntry) []Row {
	rows := make([]Row, len(folders))
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(folders)) {
		wait.Go(func() {
			for n := int(next.Add(1)) - 1; n < len(folders); n = int(next.Add(1)) - 1 {
				if row, exists := s.row(folders[n].Name()); exists {
					row.order = row.Ref.String() + row.ID
					rows[n] = row
				}
			}
		})
	}
	wait.Wait()
	return rows
}

func (r Row) matches(pattern string) bool {
	named, _ := path.Match(pattern, r.Ref.Name.String())
	return pattern == "" || named || pattern == r.ID
}

// row describes one folder; false says that it holds no generation yet.
func (s *Store) row(id string) (Row, bool) {
	i := instance{store: s, id: id}
	names, _ := caches.ReadNames(i.path(generationsFolder))
	row := Row{ID: id, Generations: len(idsOf(names, manifestSuffix)), Status: Cached}
	if data, err := caches.ReadFile(i.path(refFile)); err == nil {
		row.Ref, row.Problem = parseRef(data)
	} else if !missing(err) || row.Generations > 0 {
		row.Problem = fmt.Errorf("read which cache it is: %w", err)
	}
	i.ref = row.Ref
	if row.Ref.Live && row.Problem == nil {
		return row, row.describeLive(i)
	}
	head, seen := i.glance()
	if row.Problem = errors.Join(row.Problem, head.problem); row.Problem != nil {
		row.Status = Corrupt
		return row, true
	}
	if head.manifest.ID == "" {
		_, err := os.Lstat(i.path(goneFile))
		row.Status = Removing
		return row, err == nil
	}
	row.Durable = slices.Contains(names, head.manifest.ID+markSuffix)
	row.describe(head, seen)
	return row, true
}

// glance is load, and what the file of the head tells beside: in most cases with
// one opening of it.
func (i instance) glance() (state, caches.Glance) {
	if id, err := i.readHead(); err == nil && id != "" {
		if at, seen := i.glanceAt(id); at.problem == nil {
			return at, seen
		}
	}
	head := i.load()
	seen, _ := caches.ReadGlance(i.manifest(head.manifest.ID)) // one that is gone by now was last used long ago
	return head, seen
}

func (i instance) glanceAt(id string) (state, caches.Glance) {
	seen, err := caches.ReadGlance(i.manifest(id))
	if err != nil {
		return state{problem: err}, seen
	}
	m, err := parseGeneration(id, seen.Data)
	switch {
	case err != nil:
		return state{problem: err}, seen
	case !i.survived(m):
		return state{problem: errLost}, seen
	}
	return i.check(m), seen
}

func (r *Row) describe(head state, seen caches.Glance) {
	r.Head, r.Layers, r.LastUsed = head.manifest.ID, len(head.stack), seen.Changed
	for _, layer := range head.stack {
		r.Entries += layer.Entries
		r.Bytes += layer.Bytes
	}
	if seen.Locked {
		r.Status = InUse
	}
}

// Inspection is all that is known about one cache.
type Inspection struct {
	Row
	History []Generation // the head first
	Folder  string       // where its head and manifests are
}

// Inspect describes one cache. An error that wraps fs.ErrNotExist says that the
// cache does not exist.
func (s *Store) Inspect(ref caches.Ref) (Inspection, error) {
	i := s.instance(ref)
	row, exists := s.row(i.id)
	if !exists {
		return Inspection{}, fmt.Errorf("inspect %s: %w", ref, os.ErrNotExist)
	}
	history, err := s.History(ref)
	if err != nil && row.Problem == nil {
		return Inspection{}, err
	}
	return Inspection{row, history, i.folder()}, nil
}
