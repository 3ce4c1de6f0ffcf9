package cas

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"larder/caches"
	"larder/digest"
)

// Origin finds the bytes of a blob that the store does not have yet, as a host
// file. It returns false for a digest that it does not know.
type Origin func(d digest.Digest) (path string, ok bool)

// Tree returns the directory that holds the tree, made when it is not there
// yet: an immutable layer of hard links to blobs, with the modes 0644, 0755 for
// executables and directories, and the times of [ModTime]. Blobs that are
// missing are taken from origin. The directory may be used by any number of
// sandboxes as a lower layer and must never be written to.
//
// Two processes that make the same tree at once both succeed; the second finds
// the first one's and drops its own.
func (s *Store) Tree(ctx context.Context, tree *digest.Tree, origin Origin) (string, error) {
	root := tree.Root
	final := filepath.Join(s.layout.Layers(), "trees", s.fn.String(), root.Hash())
	if _, err := s.layout.Hold(final); err == nil {
		return final, nil
	}
	if err := s.AddDirectories(ctx, tree.Directories); err != nil {
		return "", err
	}
	temp, err := os.MkdirTemp(s.layout.Temp(), "tree-*")
	if err != nil {
		return "", fmt.Errorf("lay out the input tree: %w", err)
	}
	defer os.RemoveAll(temp)
	if err := s.layOut(ctx, root, temp, origin); err != nil {
		return "", fmt.Errorf("lay out the input tree: %w", err)
	}
	if err := caches.Replace(temp, final); err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, syscall.ENOTEMPTY) {
		return "", err
	}
	return final, nil
}

// AddDirectories stores the messages of directories, those that it lacks.
func (s *Store) AddDirectories(ctx context.Context, directories digest.Directories) error {
	for d, message := range directories {
		if s.Has(d) {
			continue
		}
		if err := s.addFrom(ctx, bytes.NewReader(message), d, plain); err != nil {
			return fmt.Errorf("store directory %s: %w", d, err)
		}
	}
	return nil
}

// layOut makes the directories and symbolic links in the order of the tree, and
// leaves the files to a few goroutines.
func (s *Store) layOut(ctx context.Context, root digest.Digest, dir string, origin Origin) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	links := make(chan link, 256)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for l := range links {
				if err := s.link(ctx, l, origin); err != nil {
					cancel(err)
				}
			}
		})
	}
	folders := []string{dir}
	err := digest.Walk(ctx, s, root, func(path string, entry digest.Entry) error {
		at := filepath.Join(dir, path)
		switch entry.Kind {
		case digest.KindDirectory:
			folders = append(folders, at)
			return os.Mkdir(at, 0o755)
		case digest.KindSymlink:
			return os.Symlink(entry.Target, at)
		}
		links <- link{at, entry.Digest, formOf(entry.Executable)}
		return context.Cause(ctx)
	})
	close(links)
	workers.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err != nil {
		return err
	}
	return s.settle(folders)
}

// settle gives every directory its mode, whatever the umask, and one fixed time; it
// notes their use.
func (s *Store) settle(folders []string) error {
	stamp := time.Unix(946684800, 0) // the first second of 2000
	for _, folder := range folders {
		if err := errors.Join(os.Chmod(folder, 0o755), os.Chtimes(folder, s.layout.Now(), stamp)); err != nil {
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
	err := os.Link(blob, l.at)
	if errors.Is(err, syscall.EMLINK) || errors.Is(err, syscall.EPERM) {
		err = s.copyBlob(blob, l)
	}
	if err != nil {
		return fmt.Errorf("place blob %s: %w", l.digest, err)
	}
	return nil
}

// hasLength reports whether the file of a blob is there and not cut short, as a
// loss of power can leave it.
func (s *Store) hasLength(path string, d digest.Digest) bool {
	size, err := s.layout.Hold(path)
	return err == nil && size == d.Size()
}

// supply makes one form of a blob from its other form or from its origin.
func (s *Store) supply(ctx context.Context, l link, origin Origin) error {
	isExecutable := l.form == executable
	if other := s.path(l.digest, l.form.other()); s.hasLength(other, l.digest) {
		if err := s.AddFile(ctx, other, l.digest, isExecutable); !errors.Is(err, ErrChanged) {
			return err
		}
	}
	if origin != nil {
		if path, ok := origin(l.digest); ok {
			return s.AddFile(ctx, path, l.digest, isExecutable)
		}
	}
	if s.behind != nil {
		if path, err := s.behind.find(l.digest); err == nil {
			return s.AddFile(ctx, path, l.digest, isExecutable)
		}
	}
	return fmt.Errorf("blob %s: %w", l.digest, ErrMissing)
}

// copyBlob is for a blob that has as many links as its file system allows.
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
	_, err = file.ReadFrom(data)
	return errors.Join(err, file.Close(), s.finish(l.at, l.digest, l.form))
}
