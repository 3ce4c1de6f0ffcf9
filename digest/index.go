package digest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Index remembers the digests of host files with the stat that each had, so
// that a later scan reads only files whose stat is another. One index may serve
// several roots, and [FileDigest]: it goes by absolute paths.
//
// It is advice, never truth. An entry counts only when device, inode, ctime,
// mtime, size and executable bit are all the same, and a file is remembered
// only when its times are older than the look at it by more than the clock of
// its file system can blur (git calls younger ones racily clean), since a
// change that comes right after would leave the same stat. That trusts a file
// server's clock to agree with this machine's within two seconds.
//
// Of folders it remembers what is in them and what a scan made of that. A folder
// whose device, inode, ctime and mtime are the same, and were old enough in the
// same sense, has the same names in it: it is not read again, and when its files
// are as they were too, neither the rules nor its message are gone through again.
// This is believed of file systems that are known to keep such times, within the
// one of the root; see trustsListings.
//
// An Index may be used by several goroutines. Processes share its file by
// loading it whole and replacing it whole; the last one to save wins, and what
// the others learnt is learnt again.
type Index struct {
	fn Function
	// saved is what was loaded.
	saved savedIndex
	// now is the clock, which tests set.
	now func() time.Time

	mu sync.Mutex
	// seen has the directories that were found to be otherwise, by absolute path.
	seen    map[string]seenFolder
	changed bool
}

// record is what an index knows of one file.
type record struct {
	stamp
	content Digest
}

// seenFolder is what was learnt of one directory since the index was loaded.
type seenFolder struct {
	block block
	// listed is set when the block has every name in the directory.
	listed bool
}

// NewIndex returns an index that knows nothing.
func NewIndex(fn Function) *Index {
	return &Index{fn: fn, now: time.Now, seen: map[string]seenFolder{}}
}

// LoadIndex reads the index in file. One that is missing, damaged, of another
// version or of another hash function is as good as empty, and no error: the
// content is checked as a whole, so damage never gives a wrong digest.
func LoadIndex(file string, fn Function) *Index {
	x := NewIndex(fn)
	if data, err := os.ReadFile(file); err == nil {
		x.saved = openSaved(data, fn)
	}
	return x
}

// Function returns the hash function of the digests in the index.
func (x *Index) Function() Function { return x.fn }

// Save calls write with the whole index when it differs from what was loaded,
// and not at all otherwise. The caller has to replace the file in one step. An
// error of write is returned, and the index then still counts as changed.
//
// Files that were found to be gone are left out, and so is everything below a
// directory that is gone from its parent's listing, which bounds the growth.
func (x *Index) Save(write func([]byte) error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.changed {
		return nil
	}
	data := encodeIndex(x.fn, x.current())
	if err := write(data); err != nil {
		return fmt.Errorf("save the stat index: %w", err)
	}
	x.saved = openSaved(data, x.fn)
	clear(x.seen)
	x.changed = false
	return nil
}

// current returns what is known of all folders that are not known to be gone.
func (x *Index) current() []savedFolder {
	var folders []savedFolder
	for i := range x.saved.count {
		path := string(x.saved.path(i))
		if _, again := x.seen[path]; !again && !x.gone(path) {
			folders = append(folders, savedFolder{path, x.saved.block(i)})
		}
	}
	for path, seen := range x.seen {
		if !x.gone(path) {
			folders = append(folders, savedFolder{path, seen.block})
		}
	}
	slices.SortFunc(folders, func(a, b savedFolder) int { return strings.Compare(a.path, b.path) })
	return folders
}

// gone reports whether the nearest directory above path that was listed has no
// longer the directory that leads to it.
func (x *Index) gone(path string) bool {
	for child := path; ; {
		parent := filepath.Dir(child)
		if parent == child {
			return false
		}
		if seen := x.seen[parent]; seen.listed {
			i, found := seen.block.find(filepath.Base(child))
			return !found || seen.block.kind(i) != unix.DT_DIR
		}
		child = parent
	}
}

// clock returns the time by the clock of the index, if there is one.
func (x *Index) clock() time.Time {
	if x == nil {
		return time.Now()
	}
	return x.now()
}

// folder returns what is known of the directory at an absolute path.
func (x *Index) folder(path string) block {
	if x == nil {
		return block{}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.folderLocked(path)
}

func (x *Index) folderLocked(path string) block {
	if seen, ok := x.seen[path]; ok {
		return seen.block
	}
	return x.saved.find(path)
}

// lookup returns the digest of the file at path if its stat is the known one.
func (x *Index) lookup(path string, st *unix.Stat_t) (Digest, bool) {
	dir, name, err := splitAbsolute(path)
	if err != nil {
		return Digest{}, false
	}
	there := x.folder(dir)
	i, found := there.find(name)
	if !found || !there.isAs(i, st) {
		return Digest{}, false
	}
	return there.content(i, x.fn), true
}

// remember keeps one record.
func (x *Index) remember(path string, r record) {
	x.replace(path, func(name string) []folderItem { return []folderItem{{name: name, kind: unix.DT_REG, record: r}} })
}

// forget drops the record of a file, if there is one.
func (x *Index) forget(path string) {
	x.replace(path, func(string) []folderItem { return nil })
}

// replace puts what is made for the name of a file in the place of its record.
func (x *Index) replace(path string, with func(name string) []folderItem) {
	dir, name, err := splitAbsolute(path)
	if err != nil {
		return // only paths that can be found again are worth keeping
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	items := with(name)
	there := x.folderLocked(dir)
	for i := range there.len() {
		if string(there.name(i)) != name {
			items = append(items, there.at(i, x.fn))
		}
	}
	slices.SortFunc(items, func(a, b folderItem) int { return strings.Compare(a.name, b.name) })
	if made, ok := makeBlock(folderStamp{}, items); ok {
		x.seen[dir], x.changed = seenFolder{block: made}, true
	}
}

func splitAbsolute(path string) (dir, name string, err error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", "", fmt.Errorf("make %s absolute: %w", path, err)
	}
	return filepath.Dir(absolute), filepath.Base(absolute), nil
}

const (
	// fineBlur covers clocks that tick 100 times a second, twice over.
	fineBlur = 20 * time.Millisecond
	// coarseBlur covers file systems that keep times in steps of two seconds,
	// and file servers whose clock is not ours.
	coarseBlur = 2 * time.Second
)

// settled reports whether a stat that was taken after began, with the content
// read after it, will differ once the content does.
func settled(st *unix.Stat_t, began time.Time) bool {
	blur := fineBlur
	if st.Mtim.Nsec == 0 && st.Ctim.Nsec == 0 {
		blur = coarseBlur
	}
	return max(st.Mtim.Nano(), st.Ctim.Nano()) < began.Add(-blur).UnixNano()
}
