package cas

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"larder/caches/layers"
	"larder/digest"
)

// filler puts entries of a tree into a directory that is to be a layer.
type filler struct {
	store   *Store
	ctx     context.Context
	dir     string
	folders []string
	next    batch
	batches chan batch
	entries int64
	bytes   int64 // sizes of the files
}

// fillLayer lets feed put entries into dir, parents before what is in them, and
// counts them. The feed makes directories and symbolic links itself and leaves
// the files to a few goroutines.
func (s *Store) fillLayer(ctx context.Context, dir string, origin Origin, feed func(*filler) error) (entries, bytes int64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f := &filler{store: s, ctx: ctx, dir: dir, folders: []string{dir}, batches: make(chan batch, 8)}
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			buffer := make([]byte, smallBlob+1)
			for b := range f.batches {
				b.buffer = buffer
				if err := s.linkAll(ctx, b, origin); err != nil {
					cancel(err)
				}
			}
		})
	}
	err = feed(f)
	f.flush()
	close(f.batches)
	workers.Wait()
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if err == nil {
		err = settle(f.folders)
	}
	return f.entries, f.bytes, err
}

// put makes one entry. A directory is made empty.
func (f *filler) put(path string, entry digest.Entry) error {
	at := filepath.Join(f.dir, path)
	f.entries++
	switch entry.Kind {
	case digest.KindDirectory:
		f.folders = append(f.folders, at)
		return os.Mkdir(at, 0o755)
	case digest.KindSymlink:
		return f.symlink(at, entry.Target)
	}
	f.bytes += entry.Digest.Size()
	folder, name := filepath.Dir(at), filepath.Base(at)
	if folder != f.next.folder || len(f.next.links) == batchSize {
		f.flush()
		f.next.folder = folder
	}
	f.next.links = append(f.next.links, link{folder: folder, name: name, digest: entry.Digest, form: formOf(entry)})
	return context.Cause(f.ctx)
}

// batch is a few files of one folder.
type batch struct {
	folder string
	links  []link
	buffer []byte // for a small blob and one byte more
}

const batchSize = 64

// flush hands the files over that are waiting for more of their folder.
func (f *filler) flush() {
	if len(f.next.links) > 0 {
		f.batches <- f.next
	}
	f.next = batch{}
}

// symlink makes a symbolic link, whose time follows its content as that of a
// file does.
func (f *filler) symlink(at, target string) error {
	if err := os.Symlink(target, at); err != nil {
		return err
	}
	stamp := unix.NsecToTimespec(ModTime(digest.Of(f.store.fn, []byte(target))).UnixNano())
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, at, []unix.Timespec{stamp, stamp}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &os.PathError{Op: "utimensat", Path: at, Err: err}
	}
	return nil
}

// hide makes the name of a lower layer disappear.
func (f *filler) hide(path string) error {
	f.entries++
	return layers.MakeWhiteout(filepath.Join(f.dir, path))
}

// settle gives every directory its mode, whatever the umask, and one fixed time.
func settle(folders []string) error {
	stamp := time.Unix(946684800, 0) // the first second of 2000
	for _, folder := range folders {
		if err := errors.Join(os.Chmod(folder, 0o755), os.Chtimes(folder, stamp, stamp)); err != nil {
			return err
		}
	}
	return nil
}

// link is one file of a tree to be put into a folder, which is open as dir: each
// name is looked up from there, and not from the root of the machine.
type link struct {
	folder string
	dir    int
	buffer []byte
	name   string
	digest digest.Digest
	form   Form
}

func (l link) at() string { return filepath.Join(l.folder, l.name) }

func (s *Store) linkAll(ctx context.Context, b batch, origin Origin) error {
	dir, err := openRaw(unix.AT_FDCWD, b.folder, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	for _, l := range b.links {
		if ctx.Err() != nil {
			return nil
		}
		l.dir, l.buffer = dir, b.buffer
		if err := s.link(ctx, l, origin); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) link(ctx context.Context, l link, origin Origin) error {
	blob := s.path(l.digest, l.form)
	if !s.hasLength(blob, l.digest) {
		done, err := s.supply(ctx, l, origin)
		if done || err != nil {
			return err
		}
	}
	err := s.linkOwn(blob, l)
	if errors.Is(err, syscall.EMLINK) || errors.Is(err, syscall.EPERM) {
		err = s.copyBlob(blob, l)
	}
	if path, ok := origin.find(l.digest); ok && errors.Is(err, ErrCorrupt) {
		err = s.copyBlob(path, l)
	}
	if err != nil {
		return fmt.Errorf("place blob %s: %w", l.digest, err)
	}
	return nil
}

// linkOwn makes a link to a blob of this user. A tree of a shared store is made of
// files of its own user; a copy of another's blob is checked on the way.
func (s *Store) linkOwn(blob string, l link) error {
	if s.layout.Shared() {
		info, err := os.Lstat(blob)
		if err == nil && !layers.IsOwn(info) {
			return syscall.EPERM
		}
	}
	if err := unix.Linkat(unix.AT_FDCWD, blob, l.dir, l.name, 0); err != nil {
		return &os.LinkError{Op: "link", Old: blob, New: l.at(), Err: err}
	}
	return nil
}

// find is a call of an origin that may be nil.
func (o Origin) find(d digest.Digest) (path string, ok bool) {
	if o == nil {
		return "", false
	}
	return o(d)
}

// hasLength reports whether the file of a blob is there and not cut short or
// torn, as a loss of power can leave it.
func (s *Store) hasLength(path string, d digest.Digest) bool {
	whole, _ := s.isWhole(path, d)
	return whole
}

// supply makes one form of a blob from its origin or from its other form. It
// reports whether the file of the tree is made too.
func (s *Store) supply(ctx context.Context, l link, origin Origin) (done bool, err error) {
	path, known := origin.find(l.digest)
	if known && l.digest.Size() <= smallBlob {
		if done, err := s.putFirst(ctx, l, path); !errors.Is(err, ErrChanged) {
			return done, err
		}
	}
	if other := s.path(l.digest, l.form.other()); s.hasLength(other, l.digest) {
		if err := s.AddFile(ctx, other, l.digest, l.form); !errors.Is(err, ErrChanged) {
			return false, err
		}
	}
	if known {
		return false, s.AddFile(ctx, path, l.digest, l.form)
	}
	if s.behind != nil {
		if path, err := s.behind.find(l.digest); err == nil {
			return false, s.AddFile(ctx, path, l.digest, l.form)
		}
	}
	return false, fmt.Errorf("blob %s: %w", l.digest, ErrMissing)
}

// copyBlob is for a blob that has as many links as its file system allows, or
// that is another user's. The bytes are checked.
func (s *Store) copyBlob(from string, l link) error {
	data, err := os.Open(from)
	if err != nil {
		return err
	}
	defer data.Close()
	file, err := os.OpenFile(l.at(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, l.form.mode())
	if err != nil {
		return err
	}
	hasher := digest.NewHasher(s.fn)
	_, err = io.Copy(io.MultiWriter(file, hasher), data)
	if err = errors.Join(err, file.Close()); err == nil && hasher.Digest() != l.digest {
		err = fmt.Errorf("blob %s: %w", l.digest, ErrCorrupt)
	}
	if err != nil {
		return errors.Join(err, os.Remove(l.at()))
	}
	return s.finish(l.at(), l.digest, l.form)
}
