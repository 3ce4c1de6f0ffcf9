package cas

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"larder/caches"
	"larder/digest"
)

// Export writes one entry of a tree to the host path dest: a file or symbolic
// link by one rename, a directory by putting every entry of it into its place.
// What stands in the way of the same kind is replaced; a file in the way of a
// directory, or the reverse, is an error. Other files in a directory that is
// there already stay: nothing of a user's is removed. Symbolic links are
// written as they are and never followed below dest. An error that wraps
// [caches.ErrUnreadable] is about the store and not about dest.
func (s *Store) Export(ctx context.Context, entry digest.Entry, dest string) error {
	if err := os.MkdirAll(filepath.Dir(dest), 0o777); err != nil {
		return fmt.Errorf("make a folder for %s: %w", dest, err)
	}
	switch entry.Kind {
	case digest.KindSymlink:
		return exportLink(entry.Target, dest)
	case digest.KindFile:
		return s.exportFile(entry, dest)
	}
	if err := exportFolder(dest); err != nil {
		return err
	}
	return digest.Walk(ctx, exported{s}, entry.Digest, func(path string, entry digest.Entry) error {
		at := filepath.Join(dest, path)
		switch entry.Kind {
		case digest.KindDirectory:
			return exportFolder(at)
		case digest.KindSymlink:
			return exportLink(entry.Target, at)
		}
		return s.exportFile(entry, at)
	})
}

// exported reads directories and says when it is the store that fails.
type exported struct{ *Store }

// Blob reads a directory.
func (e exported) Blob(ctx context.Context, d digest.Digest) ([]byte, error) {
	data, err := e.Store.Blob(ctx, d)
	return data, unreadable(err)
}

// unreadable marks what the disk of the store is to blame for, as opposed to the
// place that is written to. A blob that is not there was removed.
func unreadable(err error) error {
	if err == nil || err == io.EOF || errors.Is(err, ErrMissing) {
		return err
	}
	return fmt.Errorf("%w: %w", caches.ErrUnreadable, err)
}

// sourceReader marks the errors of a blob that is read.
type sourceReader struct{ io.Reader }

func (r sourceReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	return n, unreadable(err)
}

// exportFolder makes a directory, or keeps the real one that is there. A link
// in its place is refused: following it would write somewhere else.
func exportFolder(at string) error {
	err := os.Mkdir(at, 0o777)
	if errors.Is(err, fs.ErrExist) {
		info, statErr := os.Lstat(at)
		if statErr == nil && info.IsDir() {
			return nil
		}
		return fmt.Errorf("write directory %s: something that is not a directory is in its place; remove it or choose another place", at)
	}
	if err != nil {
		return fmt.Errorf("write directory %s: %w", at, err)
	}
	return nil
}

func exportLink(target, at string) error {
	temp := besides(at)
	defer os.Remove(temp)
	if err := os.Symlink(target, temp); err != nil {
		return fmt.Errorf("write link %s: %w", at, err)
	}
	return moveOver(temp, at)
}

// besides names a file of ours beside at, so that a rename can follow.
func besides(at string) string {
	return filepath.Join(filepath.Dir(at), ".larder-"+rand.Text()[:12])
}

func moveOver(temp, at string) error {
	if err := os.Rename(temp, at); err != nil {
		if errors.Is(err, syscall.EISDIR) || errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("write %s: a directory is in its place; remove it or choose another place", at)
		}
		return fmt.Errorf("write %s: %w", at, err)
	}
	return nil
}

// exportFile writes a file with the mode that the caller's umask leaves, as the
// tool itself would have.
func (s *Store) exportFile(entry digest.Entry, at string) error {
	if s.upToDate(entry, at) {
		return nil
	}
	temp := besides(at)
	file, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, wantedMode(entry))
	if err != nil {
		return fmt.Errorf("write %s: %w", at, err)
	}
	defer os.Remove(temp)
	if err := s.fill(file, entry.Digest); err != nil {
		return fmt.Errorf("write %s: %w", at, err)
	}
	return moveOver(temp, at)
}

func wantedMode(entry digest.Entry) os.FileMode {
	if entry.Executable {
		return 0o777
	}
	return 0o666
}

// upToDate spares a file that has the bytes already: its time stays, and so do
// the conclusions that other tools draw from it.
func (s *Store) upToDate(entry digest.Entry, at string) bool {
	info, err := os.Lstat(at)
	if err != nil || !info.Mode().IsRegular() || info.Size() != entry.Digest.Size() || info.Mode().Perm()&0o100 != wantedMode(entry)&0o100 {
		return false
	}
	file, err := os.Open(at)
	if err != nil {
		return false
	}
	defer file.Close()
	have, err := digest.OfReader(s.fn, file)
	return err == nil && have == entry.Digest
}

// fill copies a blob into a file, which it closes, and checks the bytes on the
// way.
func (s *Store) fill(file *os.File, d digest.Digest) error {
	defer file.Close()
	blob, err := s.Open(d)
	if err != nil {
		return unreadable(err)
	}
	defer blob.Close()
	hasher := digest.NewHasher(s.fn)
	_, err = io.CopyBuffer(io.MultiWriter(file, hasher), sourceReader{blob}, make([]byte, bufferSize(d.Size())))
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if hasher.Digest() != d {
		return unreadable(fmt.Errorf("blob %s: %w", d, ErrCorrupt))
	}
	return nil
}
