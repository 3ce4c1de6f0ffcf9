package upkeep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"larder/caches"
)

// Room is what something takes on the disk: blocks, not lengths. A file with
// several names counts once, for the first that is found.
type Room struct {
	Files int64 // and links; no directories
	Bytes int64
}

func (r *Room) add(other Room) {
	r.Files += other.Files
	r.Bytes += other.Bytes
}

// Part is one folder of the store.
type Part struct {
	Folder string
	Known  bool // whether this version reads and writes it
	Room
}

// Usage says what takes how much room.
type Usage struct {
	Total    Room
	Kinds    map[Kind]Room
	Caches   map[string]Room // named caches by their id
	Parts    []Part          // by name
	Problems []Problem       // what could not be looked at, and is not counted
}

// Usage measures the store as du(1) does. It looks at every file, and goes on
// past what it cannot look at. An error means that the store itself cannot be
// read, or that ctx ended.
func (s *Store) Usage(ctx context.Context) (Usage, error) {
	usage := Usage{Kinds: map[Kind]Room{}, Caches: map[string]Room{}}
	entries, err := os.ReadDir(s.layout.Root())
	if err != nil {
		return usage, fmt.Errorf("read the store: %w", err)
	}
	m := &meter{idle: s.layout.Idle(), ctx: ctx, seen: map[inode]bool{}, usage: &usage}
	usage.count(Rest, m.one(s.layout.Root()))
	for _, entry := range entries {
		m.part(s.layout, entry)
	}
	return usage, context.Cause(ctx)
}

// Measure measures one file or folder, as far as it can be looked at.
func Measure(path string) Room {
	m := &meter{ctx: context.Background(), seen: map[inode]bool{}, usage: &Usage{}}
	return m.tree(path)
}

func (u *Usage) count(kind Kind, room Room) {
	sum := u.Kinds[kind]
	sum.add(room)
	u.Kinds[kind] = sum
	u.Total.add(room)
}

// meter measures trees of files.
type meter struct {
	ctx   context.Context
	idle  string         // where folders of runs wait, each for its user alone
	seen  map[inode]bool // files with several names
	usage *Usage
}

type inode struct{ device, number uint64 }

// part measures one entry of the root of the store.
func (m *meter) part(layout caches.Layout, entry fs.DirEntry) {
	path := filepath.Join(layout.Root(), entry.Name())
	if !entry.IsDir() {
		m.usage.count(Rest, m.one(path))
		return
	}
	part := Part{Folder: entry.Name(), Known: slices.Contains(caches.KnownFolders(), entry.Name())}
	kind := kindOf(layout, path)
	if path == layout.Layers() || path == layout.Named() {
		part.Room = m.byCache(path)
	} else {
		part.Room = m.tree(path)
		m.usage.count(kind, part.Room)
	}
	m.usage.Parts = append(m.usage.Parts, part)
}

func kindOf(layout caches.Layout, path string) Kind {
	switch path {
	case layout.CAS():
		return Blobs
	case layout.Results():
		return Results
	case layout.Payloads():
		return Payloads
	case layout.Log(), layout.Tally():
		return Logs
	case layout.Index():
		return Indexes
	case layout.Kept():
		return Kept
	case layout.Runs(), layout.Idle(), layout.Temp():
		return Temporary
	}
	if slices.Contains(caches.KnownFolders(), filepath.Base(path)) {
		return Rest
	}
	return OldFormats
}

// treesFolder is the folder among the layers that holds input trees.
const treesFolder = "trees"

// byCache measures a folder that has a folder for each cache.
func (m *meter) byCache(path string) Room {
	sum := m.one(path)
	m.usage.count(Rest, sum)
	for _, name := range m.names(path) {
		room := m.tree(filepath.Join(path, name))
		sum.add(room)
		switch {
		case name == treesFolder:
			m.usage.count(Trees, room)
		case isCacheID(name):
			cache := m.usage.Caches[name]
			cache.add(room)
			m.usage.Caches[name] = cache
			m.usage.count(Caches, room)
		default:
			m.usage.count(Rest, room)
		}
	}
	return sum
}

func isCacheID(name string) bool {
	return len(name) == 32 && strings.Trim(name, "0123456789abcdef") == ""
}

func (m *meter) names(folder string) []string {
	entries, err := os.ReadDir(folder)
	m.problem(folder, err)
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry.Name()
	}
	return names
}

// problem notes what could not be looked at. What vanished meanwhile is none, nor
// is an empty folder that waits for a run of another user, or one that overlayfs
// has made for itself.
func (m *meter) problem(path string, err error) {
	if errors.Is(err, fs.ErrPermission) && (filepath.Dir(path) == m.idle || isOfOverlayfs(path)) {
		return
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && m.ctx.Err() == nil {
		m.usage.Problems = append(m.usage.Problems, Problem{path, err})
	}
}

// isOfOverlayfs reports whether path is the folder in a work directory that the
// kernel makes for an overlay. Root alone may look into it, and what it holds is
// there for moments.
func isOfOverlayfs(path string) bool {
	const work = "work"
	return filepath.Base(path) == work && filepath.Base(filepath.Dir(path)) == work
}

// tree measures path and all below it.
func (m *meter) tree(path string) (sum Room) {
	walk(path, func(at string, err error) bool {
		if err == nil {
			sum.add(m.one(at))
		} else {
			m.problem(at, err)
		}
		return m.ctx.Err() == nil
	})
	return sum
}

// one measures a single file or directory.
func (m *meter) one(path string) Room {
	var stat unix.Stat_t
	if err := unix.Lstat(path, &stat); err != nil {
		m.problem(path, err)
		return Room{}
	}
	if stat.Mode&unix.S_IFMT == unix.S_IFDIR {
		return Room{0, stat.Blocks * 512}
	}
	if stat.Nlink > 1 {
		node := inode{uint64(stat.Dev), stat.Ino}
		if m.seen[node] {
			return Room{}
		}
		m.seen[node] = true
	}
	return Room{1, stat.Blocks * 512}
}

// Largest lists the keys of rooms, those that take most first.
func Largest[K cmp.Ordered](rooms map[K]Room) []K {
	var keys []K
	for key := range rooms {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b K) int {
		return cmp.Or(cmp.Compare(rooms[b].Bytes, rooms[a].Bytes), cmp.Compare(a, b))
	})
	return keys
}
