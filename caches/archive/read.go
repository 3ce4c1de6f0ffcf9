package archive

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"larder/caches/layers"
	"larder/digest"
)

// longestDescription bounds ref.json, longestPath a path in the store: it leaves
// room for what becomes of it in a layer and in the trash.
const (
	longestDescription = 64 << 10
	longestPath        = unix.PathMax - 128
)

// Reader reads one archive. It is for one goroutine.
type Reader struct {
	// Description says which cache the archive calls itself.
	Description Description
	sealed      *unsealing
	packed      io.ReadCloser
	tar         *tar.Reader
}

// Open reads the description of an archive. Nothing else is checked yet.
func (c Codec) Open(from io.Reader) (*Reader, error) {
	sealed := &unsealing{from: from, sum: digest.NewHasher(digest.BLAKE3)}
	packed, err := c.Unpack(sealed)
	if err != nil {
		return nil, fmt.Errorf("start to decompress: %w", err)
	}
	r := &Reader{sealed: sealed, packed: packed, tar: tar.NewReader(packed)}
	if err := r.describe(); err != nil {
		_ = packed.Close() // it has said already what is wrong
		if !errors.Is(err, ErrBrokenOff) {
			err = fmt.Errorf("this is no exported cache, or a damaged one: %w", err)
		}
		return nil, err
	}
	return r, nil
}

// Close gives back what reading takes. Whether all was read is not its matter.
func (r *Reader) Close() { _ = r.packed.Close() }

func (r *Reader) describe() error {
	h, err := r.tar.Next()
	if err != nil {
		return damaged(err)
	}
	if h.Name != refName || h.Size > longestDescription {
		return fmt.Errorf("it begins with %q and not with a description: %w", h.Name, layers.ErrDamaged)
	}
	text, err := io.ReadAll(r.tar)
	if err == nil {
		err = json.Unmarshal(text, &r.Description)
	}
	if err != nil {
		return damaged(err)
	}
	if r.Description.Format != formatVersion {
		return fmt.Errorf("its format %d is not known to this version of larder: %w", r.Description.Format, layers.ErrDamaged)
	}
	return nil
}

// damaged marks what a decoder says of the archive.
func damaged(err error) error {
	if errors.Is(err, ErrBrokenOff) {
		return err
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // an end where none belongs
	}
	return fmt.Errorf("%w: %w", layers.ErrDamaged, err)
}

// Extract fills the existing empty directory dir, which nobody else may write
// to, and checks everything to the last byte. Modes and modification times are
// kept, owners are not. scratch is as for [Write]. When it fails, dir has a part
// that is not to be used; an error that wraps [layers.ErrDamaged] is about the
// archive and names the entry.
func (r *Reader) Extract(ctx context.Context, dir, scratch string) (Totals, error) {
	list, err := newListing(scratch)
	if err != nil {
		return Totals{}, err
	}
	defer list.close()
	x := &extraction{ctx: ctx, tar: r.tar, list: list, dir: dir, open: []folder{{}}, buffer: make([]byte, 128<<10)}
	if err := x.all(); err != nil {
		return Totals{}, err
	}
	return list.totals, r.end(ctx)
}

// end reads on behind the end of the archive: there is the end of the
// compressor, with its checksum, the seal, and nothing else.
func (r *Reader) end(ctx context.Context) error {
	n, err := io.Copy(io.Discard, reading{ctx, r.packed})
	switch {
	case err != nil:
		return fmt.Errorf("its end: %w", damaged(err))
	case n > 0:
		return fmt.Errorf("something follows its end: %w", layers.ErrDamaged)
	}
	return r.sealed.check()
}

// extraction is one archive on its way to a directory.
type extraction struct {
	ctx    context.Context
	tar    *tar.Reader
	list   *listing
	dir    string
	open   []folder // from the root to the present one
	before string   // the entry before, for messages
	buffer []byte
}

// folder is a directory that more may come into. Its mode and time are set when
// it is left: the one could forbid to write, the other would change.
type folder struct {
	listed
	last string // the latest name in it
}

func (x *extraction) all() error {
	for {
		h, err := x.tar.Next()
		if err != nil {
			return fmt.Errorf("after %q: %w", x.before, damaged(err))
		}
		if h.Name == listingName {
			return x.finish()
		}
		if err := x.entry(h); err != nil {
			return err
		}
	}
}

func (x *extraction) finish() error {
	if err := x.leave(0); err != nil {
		return err
	}
	if err := x.list.compare(reading{x.ctx, x.tar}); err != nil {
		return err
	}
	if h, err := x.tar.Next(); err == nil {
		return refuse(h.Name, "it comes after the listing")
	} else if !errors.Is(err, io.EOF) {
		return fmt.Errorf("after the listing: %w", damaged(err))
	}
	return nil
}

func (x *extraction) entry(h *tar.Header) error {
	e, err := describe(h)
	if err != nil {
		return err
	}
	x.before = e.path
	if err := x.enter(e); err != nil {
		return err
	}
	full := filepath.Join(x.dir, e.path)
	if len(full) > longestPath {
		return refuse(e.path, "the path is too long for this store")
	}
	switch e.kind {
	case 'd':
		err = os.Mkdir(full, 0o700)
		x.open = append(x.open, folder{listed: e})
	case 'l':
		if err = os.Symlink(e.target, full); err == nil {
			err = setTime(full, e.time)
		}
	default:
		e.sum, err = x.file(full, e)
	}
	if err != nil {
		return fmt.Errorf("%q: %w", e.path, err)
	}
	return x.list.add(e)
}

// enter finds the directory of an entry among those that are open, and leaves
// those below it. The order of names makes sure that none comes twice.
func (x *extraction) enter(e listed) error {
	parent, name := "", e.path
	if cut := strings.LastIndexByte(e.path, '/'); cut >= 0 {
		parent, name = e.path[:cut], e.path[cut+1:]
	}
	at := len(x.open) - 1
	for x.open[at].path != parent {
		if at--; at < 0 {
			return refuse(e.path, "it does not come in the directory that it is in, which is missing, or is a file or a link")
		}
	}
	if err := x.leave(at); err != nil {
		return err
	}
	if name <= x.open[at].last {
		return refuse(e.path, "it comes twice, or out of order")
	}
	x.open[at].last = name
	return nil
}

// leave finishes every directory deeper than depth.
func (x *extraction) leave(depth int) error {
	for len(x.open) > depth+1 {
		done := x.open[len(x.open)-1]
		full := filepath.Join(x.dir, done.path)
		err := unix.Chmod(full, uint32(done.mode))
		if err == nil {
			err = setTime(full, done.time)
		}
		if err != nil {
			return fmt.Errorf("finish the directory %q: %w", done.path, err)
		}
		x.open = x.open[:len(x.open)-1]
	}
	return nil
}

// file writes one plain file. It must not be there: no directory that others
// write to is ever filled.
func (x *extraction) file(full string, e listed) (string, error) {
	file, err := os.OpenFile(full, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := digest.NewHasher(digest.BLAKE3)
	from := &source{from: reading{x.ctx, x.tar}}
	if _, err := io.CopyBuffer(io.MultiWriter(file, hash), from, x.buffer); err != nil {
		if from.failed != nil && x.ctx.Err() == nil {
			err = damaged(err)
		}
		return "", err
	}
	if err := errors.Join(unix.Fchmod(int(file.Fd()), uint32(e.mode)), file.Close(), setTime(full, e.time)); err != nil {
		return "", err
	}
	return hash.Digest().Hash(), nil
}

// source notes whether it was reading that failed: a full disk is no damage of
// the archive.
type source struct {
	from   io.Reader
	failed error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if err != nil && err != io.EOF {
		s.failed = err
	}
	return n, err
}

// setTime sets the modification time of a file, a directory or a link.
func setTime(path string, to time.Time) error {
	at, err := unix.TimeToTimespec(to)
	if err != nil {
		return fmt.Errorf("the time %v: %w", to, err)
	}
	now := unix.NsecToTimespec(time.Now().UnixNano())
	return unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{now, at}, unix.AT_SYMLINK_NOFOLLOW)
}
