package cas

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"larder/caches"
	"larder/digest"
)

// ErrChanged says that a file is no longer what its digest was taken from.
var ErrChanged = errors.New("changed while it was read")

// Add puts data into the store and returns its digest.
func (s *Store) Add(ctx context.Context, data []byte) (digest.Digest, error) {
	d := digest.Of(s.fn, data)
	if s.Has(d) {
		return d, nil
	}
	return d, s.addFrom(ctx, bytes.NewReader(data), d, plain)
}

// AddFile copies the host file at path into the store. It fails with
// [ErrChanged] when the file is not what want says.
func (s *Store) AddFile(ctx context.Context, path string, want digest.Digest, f Form) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read input: %w", err)
	}
	defer file.Close()
	if err := s.addFrom(ctx, file, want, f); err != nil {
		return fmt.Errorf("take %s into the store: %w", path, err)
	}
	return nil
}

func (s *Store) addFrom(ctx context.Context, r io.Reader, want digest.Digest, f Form) error {
	w := s.NewWriter()
	defer w.Abort()
	if _, err := io.CopyBuffer(w, contextReader{ctx, r}, make([]byte, bufferSize(want.Size()))); err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	if got := w.hasher.Digest(); got != want {
		return fmt.Errorf("%w: expected %s, found %s; run again", ErrChanged, want, got)
	}
	_, err := w.commit(f)
	return err
}

// bufferSize keeps small files from paying for a large buffer.
func bufferSize(size int64) int64 { return max(4<<10, min(size+1, 1<<20)) }

// contextReader stops a long copy when its context ends, and hides shortcuts
// such as WriteTo that would bypass the hasher.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// Writer takes a blob whose digest is not known yet, such as the output of a
// process. Up to 64 KiB it stays in memory, so that a small blob which the store
// has already costs no file. Exactly one of Commit and Abort takes effect. It is
// not safe for use by several goroutines.
type Writer struct {
	store  *Store
	start  []byte   // what came so far, while there is no file
	file   *os.File // nil until start is too long
	hasher *digest.Hasher
}

const smallBlob = 64 << 10

// NewWriter begins a blob.
func (s *Store) NewWriter() *Writer { return &Writer{store: s, hasher: digest.NewHasher(s.fn)} }

// Write adds bytes to the blob.
func (w *Writer) Write(p []byte) (int, error) {
	if w.file == nil && len(w.start)+len(p) <= smallBlob {
		w.start = append(w.start, p...)
		return w.hasher.Write(p)
	}
	if err := w.spill(); err != nil {
		return 0, err
	}
	n, err := w.file.Write(p)
	w.hasher.Write(p[:n])
	if err != nil {
		return n, fmt.Errorf("write a blob: %w", err)
	}
	return n, nil
}

// spill goes on in a file.
func (w *Writer) spill() error {
	if w.file != nil {
		return nil
	}
	file, err := os.CreateTemp(w.store.layout.Temp(), "blob-*")
	if err != nil {
		return fmt.Errorf("begin a blob: %w", err)
	}
	w.file = file
	if _, err := file.Write(w.start); err != nil {
		return fmt.Errorf("write a blob: %w", err)
	}
	w.start = nil
	return nil
}

// Commit gives the blob its name and returns it.
func (w *Writer) Commit() (digest.Digest, error) { return w.commit(plain) }

func (w *Writer) commit(f Form) (digest.Digest, error) {
	defer w.Abort()
	d := w.hasher.Digest()
	if w.store.hasLength(w.store.path(d, f), d) {
		return d, nil
	}
	if err := w.spill(); err != nil {
		return d, err
	}
	file := w.file
	w.file = nil
	if err := file.Close(); err != nil {
		os.Remove(file.Name())
		return d, fmt.Errorf("close blob %s: %w", d, err)
	}
	if err := w.store.place(file.Name(), d, f); err != nil {
		os.Remove(file.Name())
		return d, err
	}
	return d, nil
}

// Abort drops the blob when it was not committed.
func (w *Writer) Abort() {
	if w.file != nil {
		w.file.Close()
		os.Remove(w.file.Name())
		w.file = nil
	}
}

// place makes a finished private file the blob d. The file is gone afterwards,
// unless there is an error: it may be the only copy of an output. A blob that is
// there stays, unless its length is wrong.
func (s *Store) place(from string, d digest.Digest, f Form) error {
	to := s.path(d, f)
	err := s.finish(from, d, f)
	if err == nil {
		err = caches.Settle(from, to)
	}
	if errors.Is(err, fs.ErrExist) {
		if s.hasLength(to, d) {
			return os.Remove(from)
		}
		err = caches.Replace(from, to)
	}
	if err != nil {
		return fmt.Errorf("add blob %s: %w", d, err)
	}
	return nil
}

// finish gives a file the mode and the time of its content, and notes its use.
func (s *Store) finish(path string, d digest.Digest, f Form) error {
	if err := os.Chmod(path, f.mode()); err != nil {
		return err
	}
	return os.Chtimes(path, s.layout.Now(), ModTime(d))
}

// Adopt moves a file out of a private layer into the store, without a copy
// where that is safe, and returns its digest. Nobody may have the file open for
// writing: the processes of the layer must be gone.
func (s *Store) Adopt(ctx context.Context, path string, f Form) (digest.Digest, error) {
	file, err := openPrivate(path)
	if err != nil {
		return digest.Digest{}, fmt.Errorf("read output: %w", err)
	}
	defer file.Close()
	d, err := digest.OfReader(s.fn, contextReader{ctx, file})
	if err != nil {
		return digest.Digest{}, fmt.Errorf("read output %s: %w", path, err)
	}
	if s.hasLength(s.path(d, f), d) {
		return d, nil
	}
	if info, err := file.Stat(); err == nil && info.Sys().(*syscall.Stat_t).Nlink > 1 {
		return d, s.AddFile(ctx, path, d, f)
	}
	if err := dropAttributes(file); err != nil {
		return d, fmt.Errorf("read output %s: %w", path, err)
	}
	if err := s.place(path, d, f); !errors.Is(err, syscall.EXDEV) {
		return d, err
	}
	return d, s.AddFile(ctx, path, d, f)
}

// openPrivate opens a file of ours even when its process left it unreadable.
func openPrivate(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrPermission) {
		if err = os.Chmod(path, 0o600); err == nil {
			file, err = os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
		}
	}
	return file, err
}
