// Package cas keeps blobs under their digests, and trees of such blobs as
// directories that a sandbox can mount.
//
// A blob is one file, complete and never modified once it has its name. It is
// kept in up to two forms, plain (mode 0644) and executable (mode 0755),
// because trees are made of hard links to blobs and a link shares its mode.
// Every process of the store's user may read and add at the same time without a
// lock: adding is a temporary file and one rename, and two that add the same
// blob add the same bytes. A crash leaves at most files under the store's
// temporary folder.
//
// The modification time of a blob is made from its digest, see [ModTime]; its
// access time is when it was last used, see [caches.Layout.Hold].
//
// # Trees
//
// A tree is laid out once, and then used by any number of runs, as one layer or
// two: a whole tree, or a delta on a whole tree that it is near. The delta holds
// what differs, and whiteouts for what is gone; see [Store.Tree]. A delta never
// lies on another one.
//
//	layers-v1/trees/FUNCTION/HASH.whole/   a whole tree
//	layers-v1/trees/FUNCTION/HASH.delta/   a delta; tree.json names its base
//	    layer/                             what is mounted
//	    tree.json                          root, entries, bytes, and the base of a delta
//	index-v1/trees-FUNCTION-SERIES         the whole tree that a series was last on
//
// Such a folder comes into its place by one rename and is never changed. Its
// access time is when it was last used: a run notes the use of each folder that
// it mounts, of the base of a delta too, so none of them is pruned from under
// it; see [caches.Layout.Hold] and [Store.Trees]. A delta whose base is gone
// counts as missing, as does a folder whose tree.json is damaged. The file of a
// series is advice: without it a tree is made whole.
package cas

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"larder/caches"
	"larder/digest"
)

// ErrMissing says that a blob is not in the store.
var ErrMissing = errors.New("not in the store")

// ErrCorrupt says that the bytes of a blob are not those that its digest names.
var ErrCorrupt = errors.New("content does not match its digest")

// maxWhole is the largest blob that [Store.Blob] reads into memory: a Directory
// message of a million entries is below it.
const maxWhole = 256 << 20

// Store is the blobs of one store in one digest function. It is safe for use by
// many goroutines and processes.
type Store struct {
	layout caches.Layout
	fn     digest.Function
	folder string
	behind *Store // read where this one has no blob; nil for none
	bootID func() string
	doubt  func() doubt // looks once
}

// Open returns the blobs of the store at layout under fn.
func Open(layout caches.Layout, fn digest.Function) *Store {
	s := &Store{layout: layout, fn: fn, folder: filepath.Join(layout.CAS(), fn.String())}
	s.setBoot(caches.BootID)
	return s
}

func (s *Store) setBoot(id func() string) {
	layout := s.layout
	s.bootID = sync.OnceValue(id)
	s.doubt = sync.OnceValue(func() doubt { return newDoubt(layout, s.bootID()) })
}

// InFrontOf returns the blobs of the store at layout, in which those of behind
// can be read as well. What is added goes to layout only: this is for a disk
// that still can be read and takes nothing more.
func InFrontOf(layout caches.Layout, behind *Store) *Store {
	front := Open(layout, behind.fn)
	front.behind = behind
	return front
}

// Function returns the digest function that names the blobs.
func (s *Store) Function() digest.Function { return s.fn }

// Form is which of the two files of a blob is meant.
type Form string

const (
	plain      Form = ""
	executable Form = ".x"
)

// FormOf returns the form that keeps what of a file's mode is kept: whether its
// owner may execute it.
func FormOf(mode fs.FileMode) Form {
	if mode&0o100 != 0 {
		return executable
	}
	return plain
}

// formOf returns the form of a file in a tree.
func formOf(entry digest.Entry) Form {
	if entry.Executable {
		return executable
	}
	return plain
}

func (f Form) other() Form {
	if f == plain {
		return executable
	}
	return plain
}

func (f Form) mode() os.FileMode {
	if f == executable {
		return 0o755
	}
	return 0o644
}

func (s *Store) path(d digest.Digest, f Form) string {
	hash := d.Hash()
	return s.folder + "/" + hash[:2] + "/" + hash + string(f)
}

// Has reports whether the blob is there, in either form and with its length. One
// that is there then stays for as long as this process lives; so it is with all
// that this package finds or adds, see [caches.Layout.Hold]. One that a power cut
// may have torn is read first.
func (s *Store) Has(d digest.Digest) bool {
	_, err := s.find(d)
	return err == nil
}

func (s *Store) find(d digest.Digest) (string, error) {
	for _, f := range []Form{plain, executable} {
		path := s.path(d, f)
		whole, err := s.isWhole(path, d)
		if whole {
			return path, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("look for blob %s: %w", d, err)
		}
	}
	if s.behind != nil {
		return s.behind.find(d)
	}
	return "", fmt.Errorf("blob %s: %w", d, ErrMissing)
}

// Open opens the blob for reading. The bytes are not verified.
func (s *Store) Open(d digest.Digest) (*os.File, error) {
	path, err := s.find(d)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open blob %s: %w", d, err)
	}
	return file, nil
}

// Blob reads a whole blob and verifies it. It is for small blobs, such as
// directories; one above 256 MiB is refused.
func (s *Store) Blob(_ context.Context, d digest.Digest) ([]byte, error) {
	if d.Size() > maxWhole {
		return nil, fmt.Errorf("blob %s: too large to be read whole", d)
	}
	path, err := s.find(d)
	if err != nil {
		return nil, err
	}
	data, err := caches.ReadAtMost(path, d.Size())
	if errors.Is(err, syscall.EFBIG) {
		err = ErrCorrupt
	}
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", d, err)
	}
	if digest.Of(s.fn, data) != d {
		return nil, fmt.Errorf("blob %s: %w", d, ErrCorrupt)
	}
	return data, nil
}

// CopyTo writes the bytes of a blob to w, with memory that does not grow with
// the blob.
func (s *Store) CopyTo(w io.Writer, d digest.Digest) error {
	file, err := s.Open(d)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := io.Copy(w, file); err != nil {
		return fmt.Errorf("copy blob %s: %w", d, err)
	}
	return nil
}

// ModTime is the modification time of every file with this digest in a tree:
// a whole second between 1980 and 2014, chosen by the digest. Tools that tell
// an edit by time and size alone (mypy, pytest's compiled files, ruff, eslint)
// would take one fixed time for "unchanged" after an edit that keeps the
// length, and answer wrongly from their cache; with a time that follows the
// content they are right, and an unchanged file has the same time everywhere.
// The range is what zip files can hold, whole seconds because mypy cuts there.
func ModTime(d digest.Digest) time.Time {
	var bits int64
	for _, c := range []byte(d.Hash()[:8]) {
		bits = bits<<4 | int64(nibble(c))
	}
	const firstOf1980 = 315532800
	return time.Unix(firstOf1980+bits&(1<<30-1), 0)
}

func nibble(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	}
	return c - '0'
}
