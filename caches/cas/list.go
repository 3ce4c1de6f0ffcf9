package cas

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"larder/caches"
	"larder/digest"
)

// File is one file that keeps a blob.
type File struct {
	Digest     digest.Digest // by its name and its length; the bytes are not verified
	Path       string        // absolute
	Executable bool          // which of the two forms it is
}

// Files calls visit for every file of the folder of blobs, in no order, until
// visit returns an error. What cannot be read, and a file that has not the name
// of a blob, comes with an error and a Path. Blobs may come and go meanwhile.
func (s *Store) Files(visit func(File, error) error) error {
	folders, err := os.ReadDir(s.folder)
	if err != nil {
		return s.unreadable(s.folder, err, visit)
	}
	for _, folder := range folders {
		path := filepath.Join(s.folder, folder.Name())
		files, err := os.ReadDir(path)
		if err := s.unreadable(path, err, visit); err != nil {
			return err
		}
		for _, file := range files {
			found, err := s.file(folder.Name(), file)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err := visit(found, err); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) unreadable(path string, err error, visit func(File, error) error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return visit(File{Path: path}, err)
}

func (s *Store) file(folder string, entry fs.DirEntry) (File, error) {
	name, isExecutable := strings.CutSuffix(entry.Name(), string(executable))
	found := File{Path: filepath.Join(s.folder, folder, entry.Name()), Executable: isExecutable}
	info, err := entry.Info()
	if err != nil {
		return found, err
	}
	if found.Digest, err = digest.New(s.fn, name, info.Size()); err != nil || !info.Mode().IsRegular() || !strings.HasPrefix(name, folder) {
		return found, fmt.Errorf("%s is no blob: %w", found.Path, ErrCorrupt)
	}
	return found, nil
}

// FilesOf lists the files that keep the blob, none to two. Like [Store.Files] it
// does not count as a use.
func (s *Store) FilesOf(d digest.Digest) []File {
	var files []File
	for _, f := range []Form{plain, executable} {
		path := s.path(d, f)
		if info, err := os.Lstat(path); err == nil && info.Size() == d.Size() {
			files = append(files, File{d, path, f == executable})
		}
	}
	return files
}

// Look says whether the blob is there, without reading it: the error wraps
// [ErrMissing] when it is not, and is another one when nobody can tell. It does
// not count as a use.
func (s *Store) Look(d digest.Digest) error {
	for _, f := range []Form{plain, executable} {
		info, err := os.Lstat(s.path(d, f))
		if err == nil && info.Size() == d.Size() {
			return nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("look for blob %s: %w", d, err)
		}
	}
	return fmt.Errorf("blob %s: %w", d, ErrMissing)
}

// VerifyFile reads the file of a blob and compares it with its digest. The error
// wraps [ErrCorrupt] when they differ. It does not count as a use of the blob.
func (s *Store) VerifyFile(f File) error {
	file, err := caches.OpenUnnoted(f.Path)
	if err != nil {
		return fmt.Errorf("verify blob %s: %w", f.Digest, err)
	}
	defer file.Close()
	got, err := digest.OfReader(s.fn, file)
	if err != nil {
		return fmt.Errorf("verify blob %s: %w", f.Digest, err)
	}
	if got != f.Digest {
		return fmt.Errorf("blob %s holds the bytes of %s: %w", f.Digest, got, ErrCorrupt)
	}
	return nil
}

// Unnoted reads blobs without that counting as a use of them, for looking after
// the store.
type Unnoted struct{ Store *Store }

// Blob reads a whole blob and verifies it, as [Store.Blob] does.
func (u Unnoted) Blob(_ context.Context, d digest.Digest) ([]byte, error) {
	for _, f := range []Form{plain, executable} {
		data, err := readUnnoted(u.Store.path(d, f), d.Size())
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read blob %s: %w", d, err)
		}
		if digest.Of(u.Store.fn, data) != d {
			return nil, fmt.Errorf("blob %s: %w", d, ErrCorrupt)
		}
		return data, nil
	}
	return nil, fmt.Errorf("blob %s: %w", d, ErrMissing)
}

func readUnnoted(path string, size int64) ([]byte, error) {
	file, err := caches.OpenUnnoted(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, min(size, maxWhole)+1))
}
