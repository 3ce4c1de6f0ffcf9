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
	"larder/caches/layers"
)

// Status says in which condition a cache is.
type Status string

const (
	// Cached says that the cache is whole and nobody has its head checked out.
	Cached Status = "cached"
	// InUse says that somebody holds a lease on the head, or has a live cache.
	InUse Status = "in-use"
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
	slices.SortFunc(rows, func(a, b Row) int { return strings.Compare(a.Ref.String()+a.ID, b.Ref.String()+b.ID) })
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
	row := Row{ID: id, Generations: len(i.generations()), Status: Cached}
	if data, err := caches.ReadFile(i.path(refFile)); err == nil {
		row.Ref, row.Problem = parseRef(data)
	} else if !missing(err) || row.Generations > 0 {
		row.Problem = fmt.Errorf("read which cache it is: %w", err)
	}
	i.ref = row.Ref
	if row.Ref.Live && row.Problem == nil {
		return row, row.describeLive(i)
	}
	head := i.load()
	if row.Problem = errors.Join(row.Problem, head.problem); row.Problem != nil {
		row.Status = Corrupt
		return row, true
	}
	if head.manifest.ID == "" {
		return row, false
	}
	row.describe(i, head.manifest)
	return row, true
}

func (r *Row) describe(i instance, head manifest) {
	generation := i.generation(head)
	r.Head, r.Layers, r.Entries, r.Bytes = head.ID, len(generation.Layers), generation.Entries, generation.Bytes
	r.Durable = generation.Durable
	if info, err := os.Stat(i.manifest(head.ID)); err == nil {
		r.LastUsed = info.ModTime()
	}
	lease, err := layers.TryAcquire(i.manifest(head.ID))
	if errors.Is(err, layers.ErrLocked) {
		r.Status = InUse
	}
	lease.Close()
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
