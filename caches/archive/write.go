package archive

import (
	"archive/tar"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"larder/caches"
	"larder/caches/layers"
	"larder/digest"
)

// Parts of an archive.
const (
	refName       = "ref.json"
	contentPrefix = "content/"
	listingName   = "listing"
)

// formatVersion is the version of the form. A reader refuses others.
const formatVersion = 1

// Description says which cache an archive carries.
type Description struct {
	Format     int        `json:"format"`
	Cache      caches.Ref `json:"cache"`
	Generation string     `json:"generation"` // in the store that it comes from
	Exported   time.Time  `json:"exported"`
}

// Write writes the view of a stack as one file. scratch is a folder for a file
// of its own, whose size goes with the number of entries. Nothing may change the
// stack meanwhile, which a lease sees to. An entry that [Reader.Extract] would
// refuse is an error that names it. When Write fails, to has a part of a file,
// which no reader takes.
func (c Codec) Write(ctx context.Context, to io.Writer, what Description, stack layers.Stack, scratch string) (Totals, error) {
	list, err := newListing(scratch)
	if err != nil {
		return Totals{}, err
	}
	defer list.close()
	sealed := &sealing{to, digest.NewHasher(digest.BLAKE3)}
	packed, err := c.Pack(sealed)
	if err != nil {
		return Totals{}, fmt.Errorf("start to compress: %w", err)
	}
	w := &writer{ctx: ctx, tar: tar.NewWriter(packed), list: list, buffer: make([]byte, 128<<10)}
	err = w.all(what, stack)
	if err == nil {
		err = w.tar.Close()
	}
	// What went wrong first is the reason; what the compressor says then follows from it.
	if closed := packed.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = sealed.seal()
	}
	if err != nil {
		return Totals{}, fmt.Errorf("write %s: %w", what.Cache, err)
	}
	return list.totals, nil
}

type writer struct {
	ctx    context.Context
	tar    *tar.Writer
	list   *listing
	buffer []byte
}

func (w *writer) all(what Description, stack layers.Stack) error {
	what.Format = formatVersion
	text, err := json.Marshal(what)
	if err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	if err := w.header(&tar.Header{Typeflag: tar.TypeReg, Name: refName, Mode: 0o644, Size: int64(len(text))}); err != nil {
		return err
	}
	if _, err := w.tar.Write(text); err != nil {
		return err
	}
	if err := stack.Walk(w.entry); err != nil {
		return err
	}
	size, err := w.list.finish()
	if err != nil {
		return err
	}
	if err := w.header(&tar.Header{Typeflag: tar.TypeReg, Name: listingName, Mode: 0o644, Size: size}); err != nil {
		return err
	}
	_, err = io.CopyBuffer(w.tar, struct{ io.Reader }{w.list.file}, w.buffer)
	return err
}

// header writes one header in the form that keeps all of a name and of a time.
func (w *writer) header(h *tar.Header) error {
	h.Format = tar.FormatPAX
	return w.tar.WriteHeader(h)
}

func (w *writer) entry(e layers.Entry) error {
	if w.ctx.Err() != nil {
		return brokenOff(w.ctx)
	}
	h := &tar.Header{Name: contentPrefix + e.Path, Mode: tarMode(e.Mode), ModTime: e.ModTime}
	switch e.Kind {
	case layers.Directory:
		h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
	case layers.Symlink:
		target, err := os.Readlink(e.Real)
		if err != nil {
			return fmt.Errorf("read the link %s: %w", e.Path, err)
		}
		h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, target, linkMode
	case layers.File:
		h.Typeflag, h.Size = tar.TypeReg, e.Size
	default:
		return fmt.Errorf("%q: it is neither file, directory nor link: %w", e.Path, layers.ErrDamaged)
	}
	described, err := describe(h)
	if err != nil {
		return err
	}
	if err := w.header(h); err != nil {
		return fmt.Errorf("%q: %w", e.Path, err)
	}
	if e.Kind == layers.File {
		if described.sum, err = w.content(e); err != nil {
			return fmt.Errorf("read %s: %w", e.Path, err)
		}
	}
	return w.list.add(described)
}

func (w *writer) content(e layers.Entry) (string, error) {
	file, err := os.Open(e.Real)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := digest.NewHasher(digest.BLAKE3)
	n, err := io.CopyBuffer(io.MultiWriter(w.tar, hash), reading{w.ctx, file}, w.buffer)
	if err == nil && n != e.Size {
		err = fmt.Errorf("it has %d bytes and had %d: %w", n, e.Size, layers.ErrDamaged)
	}
	return hash.Digest().Hash(), err
}

// brokenOff says why ctx has ended, in the words of a codec that was made to end by it:
// which of them notices first is chance.
func brokenOff(ctx context.Context) error {
	return fmt.Errorf("%w: %w", ErrBrokenOff, context.Cause(ctx))
}

// reading is a reader that ends with its context. It also hides the ways of a
// file to copy itself, which bring buffers of their own.
type reading struct {
	ctx  context.Context
	from io.Reader
}

func (r reading) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, brokenOff(r.ctx)
	}
	return r.from.Read(p)
}

// linkMode is the mode of every link: that of a link means nothing.
const linkMode = 0o777

func tarMode(mode fs.FileMode) int64 {
	bits := int64(mode.Perm())
	for _, special := range [...]struct {
		flag fs.FileMode
		bit  int64
	}{{fs.ModeSetuid, 0o4000}, {fs.ModeSetgid, 0o2000}, {fs.ModeSticky, 0o1000}} {
		if mode&special.flag != 0 {
			bits |= special.bit
		}
	}
	return bits
}
