package caches

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// ErrStore marks a store that cannot be used: not a directory, not writable,
// or on a full or broken disk.
var ErrStore = errors.New("store unusable")

// Layout is where the parts of a store are. Every part carries the version of
// its format in its folder name; a folder of an unknown version is left alone.
//
// Any number of processes may share one store. What a crash leaves behind is
// at most a file under Temp or a folder under Runs, both of which the next use
// may remove once nobody holds its lock.
type Layout struct {
	root     string
	use      *use
	isShared bool // by the users of a group
}

// Folders of the store. A new format version is a new name.
const (
	casFolder     = "cas-v1"
	resultsFolder = "results-v1"
	layersFolder  = "layers-v1"
	namedFolder   = "named-v1"
	payloadFolder = "payload-v1"
	indexFolder   = "index-v1"
	logFolder     = "log-v1"
	tallyFolder   = "tally-v1"
	runsFolder    = "runs-v1"
	idleFolder    = "idle-v1"
	tempFolder    = "tmp-v1"
	usesFolder    = "use-v1"
	keptFolder    = "kept-v1"
)

// Root returns the directory of the store, an absolute path.
func (l Layout) Root() string { return l.root }

// CAS is where blobs are.
func (l Layout) CAS() string { return filepath.Join(l.root, casFolder) }

// Results is where the results of actions are, by key.
func (l Layout) Results() string { return filepath.Join(l.root, resultsFolder) }

// Layers is where immutable layers are.
func (l Layout) Layers() string { return filepath.Join(l.root, layersFolder) }

// Named is where the heads and generations of named caches are.
func (l Layout) Named() string { return filepath.Join(l.root, namedFolder) }

// Payloads is where local copies of payloads are.
func (l Layout) Payloads() string { return filepath.Join(l.root, payloadFolder) }

// Index is where stat indexes are: advice that can be rebuilt, never truth.
func (l Layout) Index() string { return filepath.Join(l.root, indexFolder) }

// Log is where the events are, by day.
func (l Layout) Log() string { return filepath.Join(l.root, logFolder) }

// Tally is where events are counted.
func (l Layout) Tally() string { return filepath.Join(l.root, tallyFolder) }

// Runs is where the private layers of running actions are.
func (l Layout) Runs() string { return filepath.Join(l.root, runsFolder) }

// Idle is where empty folders wait for actions that will run, see layers.TakeRun.
func (l Layout) Idle() string { return filepath.Join(l.root, idleFolder) }

// Temp is where files are written before they are renamed to their place. It
// is on the file system of the store, so that a rename is possible.
func (l Layout) Temp() string { return filepath.Join(l.root, tempFolder) }

// Uses is where processes hold locks that tell cleaners what is in use.
func (l Layout) Uses() string { return filepath.Join(l.root, usesFolder) }

// Kept is where sandboxes are that were kept for a look after their run.
func (l Layout) Kept() string { return filepath.Join(l.root, keptFolder) }

// KnownFolders lists the folder names that this version reads and writes.
func KnownFolders() []string {
	return []string{casFolder, resultsFolder, layersFolder, namedFolder, payloadFolder, indexFolder, logFolder, tallyFolder, runsFolder, idleFolder, tempFolder, usesFolder, keptFolder}
}

const (
	cacheDirTag = "Signature: 8a477f597d28d172789f06886806bc55\n" +
		"# This directory is a cache of larder; see https://bford.info/cachedir/\n"
	storeReadme = "This directory is a store of larder: results, named caches and blobs.\n" +
		"Nothing in it is the only copy of anything: it can be deleted at any time when\n" +
		"no larder is running, at the cost of doing work again. Look at it with\n" +
		"`larder cache info`. Do not edit files in it.\n"
)

// OpenLayout returns the layout of the store at root, made when it is not
// there yet. It is cheap when the store exists: one look at its marker and one
// lock. Until it ends, the process counts as a user of the store: cleaning leaves
// alone what it has looked up, see [Layout.Hold] and [Layout.Leave]. With an
// error that [IsFault] knows the layout says where the store would be.
func OpenLayout(root string) (Layout, error) {
	absolute, err := filepath.Abs(root)
	if err != nil {
		return Layout{}, fmt.Errorf("%w: %s: %w", ErrStore, root, err)
	}
	layout := Layout{root: absolute}
	if err := layout.inspectRoot(); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		return layout, fmt.Errorf("%w: %w", ErrStore, err)
	}
	if !layout.isWhole() {
		if err := layout.create(); err != nil {
			return layout, fmt.Errorf("%w: %w", ErrStore, err)
		}
	}
	layout.use = layout.enter()
	return layout, nil
}

// isWhole reports whether the marker and the last folder are there.
func (l Layout) isWhole() bool {
	for _, path := range []string{filepath.Join(l.root, "CACHEDIR.TAG"), l.Temp()} {
		if _, err := os.Lstat(path); err != nil {
			return false
		}
	}
	return true
}

// refuseForeign keeps a store from being made among somebody's files: --store .
// in a repository would tell git to ignore all of it.
func (l Layout) refuseForeign() error {
	entries, err := os.ReadDir(l.root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at %s: %w; name another place with --store DIR", l.root, err)
	}
	for _, entry := range entries {
		if name := entry.Name(); !belongs(name) {
			return fmt.Errorf("%s holds %s and is no store of larder; name an empty or a new folder with --store DIR", l.root, name)
		}
	}
	return nil
}

// belongs reports whether a store may have this name in its root: a part of any
// version, one of its files, or what file systems put there.
func belongs(name string) bool {
	part, version, isPart := strings.Cut(name, "-v")
	if isPart && part != "" && version != "" && strings.Trim(version, "0123456789") == "" {
		return true
	}
	return slices.Contains([]string{"README", ".gitignore", "CACHEDIR.TAG", "lost+found"}, name)
}

// makeRoot makes the directory of the store for its owner alone: it gets copies
// of inputs and outputs, readable whatever the modes of the originals say. One
// that is there already keeps its mode.
func (l Layout) makeRoot() error {
	if err := os.MkdirAll(filepath.Dir(l.root), 0o755); err != nil {
		return err
	}
	err := os.Mkdir(l.root, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		err = os.Chmod(l.root, 0o700) // not setgid, as a directory above may have made it
	}
	return err
}

// notMade leaves the advice about a fault to whoever goes on without the store.
func notMade(err error) error {
	if IsFault(err) {
		return fmt.Errorf("make the store: %w", err)
	}
	return fmt.Errorf("make the store: %w; name another place with --store DIR", err)
}

// create makes the folders first and the marker last, so that a marker means a
// whole store. Two processes may do it at the same time.
func (l Layout) create() error {
	if info, err := os.Stat(l.root); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is not a directory; name another place with --store DIR", l.root)
	}
	if err := l.refuseForeign(); err != nil {
		return err
	}
	if err := l.makeRoot(); err != nil {
		return notMade(err)
	}
	for _, folder := range KnownFolders() {
		if err := MakeFolder(filepath.Join(l.root, folder), kindOf(folder)); err != nil {
			return notMade(err)
		}
	}
	for _, file := range [][2]string{{"README", storeReadme}, {".gitignore", "*\n"}, {"CACHEDIR.TAG", cacheDirTag}} {
		path := filepath.Join(l.root, file[0])
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			if err := l.WriteFile(path, []byte(file[1]), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
