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
	links   chan link
	entries int64
	bytes   int64 // sizes of the files
}

// fillLayer lets feed put entries into dir, parents before what is in them, and
// counts them. The feed makes directories and symbolic links itself and leaves
// the files to a few goroutines.
func (s *Store) fillLayer(ctx context.Context, dir string, origin Origin, feed func(*filler) error) (entries, bytes int64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f := &filler{store: s, ctx: ctx, dir: dir, folders: []string{dir}, links: make(chan link, 256)}
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for l := range f.links {
				if err := s.link(ctx, l, origin); err != nil {
					cancel(err)
				}
			}
		})
	}
	err = feed(f)
	close(f.links)
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
	f.links <- link{at, entry.Digest, formOf(entry.Executable)}
	return context.Cause(f.ctx)
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

// link is one file of a tree to be put at a path.
type link struct {
	at     string
	digest digest.Digest
	form   form
}

func (s *Store) link(ctx context.Context, l link, origin Origin) error {
	if ctx.Err() != nil {
		return nil
	}
	blob := s.path(l.digest, l.form)
	if !s.hasLength(blob, l.digest) {
		if err := s.supply(ctx, l, origin); err != nil {
			return err
		}
	}
	err := s.linkOwn(blob, l.at)
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
func (s *Store) linkOwn(blob, at string) error {
	if s.layout.Shared() {
		info, err := os.Lstat(blob)
		if err == nil && !layers.IsOwn(info) {
			return syscall.EPERM
		}
	}
	return os.Link(blob, at)
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

// supply makes one form of a blob from its other form or from its origin.
func (s *Store) supply(ctx context.Context, l link, origin Origin) error {
	isExecutable := l.form == executable
	if other := s.path(l.digest, l.form.other()); s.hasLength(other, l.digest) {
		if err := s.AddFile(ctx, other, l.digest, isExecutable); !errors.Is(err, ErrChanged) {
			return err
		}
	}
	if path, ok := origin.find(l.digest); ok {
		return s.AddFile(ctx, path, l.digest, isExecutable)
	}
	if s.behind != nil {
		if path, err := s.behind.find(l.digest); err == nil {
			return s.AddFile(ctx, path, l.digest, isExecutable)
		}
	}
	return fmt.Errorf("blob %s: %w", l.digest, ErrMissing)
}

// copyBlob is for a blob that has as many links as its file system allows, or
// that is another user's. The bytes are checked.
func (s *Store) copyBlob(from string, l link) error {
	data, err := os.Open(from)
	if err != nil {
		return err
	}
	defer data.Close()
	file, err := os.OpenFile(l.at, os.O_CREATE|os.O_EXCL|os.O_WRONLY, l.form.mode())
	if err != nil {
		return err
	}
	hasher := digest.NewHasher(s.fn)
	_, err = io.Copy(io.MultiWriter(file, hasher), data)
	if err = errors.Join(err, file.Close()); err == nil && hasher.Digest() != l.digest {
		err = fmt.Errorf("blob %s: %w", l.digest, ErrCorrupt)
	}
	if err != nil {
		return errors.Join(err, os.Remove(l.at))
	}
	return s.finish(l.at, l.digest, l.form)
}
