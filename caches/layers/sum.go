package layers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"larder/caches"
	"larder/digest"
)

// SumSuffix ends the name of a listing, which lies beside its layer: see
// [WriteSum].
const SumSuffix = ".sum"

const (
	sumHeader = "larder layer listing 1 blake3"
	sumEnd    = "end"
)

// SumPath is where the listing of the layer is.
func (l Layer) SumPath() string { return l.Path + SumSuffix }

// WriteSum writes the listing of a committed layer, which is what [CheckSum]
// holds the layer against: a first line that names the form, a line for each
// entry in the order of [digest.ComparePaths], and a last line with the counts
// of the layer and the BLAKE3 of all lines before it. A line is
//
//	KIND MODE SIZE HASH "PATH" ["TARGET"]
//
// where KIND is f for a plain file, d for a directory, o for one that hides
// what lies below, x for one that holds whiteouts in the form of files, l for a
// link, w for a whiteout and s for anything else; MODE is octal; SIZE and HASH
// are those of a plain file, else 0 and -; PATH and TARGET are quoted as in Go.
//
// A layer that has its listing already is left alone. Every file of the layer is
// read, with memory that does not grow with any of them. The layer need not be
// leased: one that is removed meanwhile is an error that wraps fs.ErrNotExist.
// Any number of processes may write the same listing. A crash leaves the
// listing whole or not there; a power cut may leave a torn one, which the last
// line tells.
func WriteSum(ctx context.Context, layout caches.Layout, layer Layer) error {
	if layer.HasSum() {
		return nil
	}
	temp, err := os.CreateTemp(layout.Temp(), "sum-*")
	if err != nil {
		return fmt.Errorf("list layer %s: %w", layer.ID, err)
	}
	err = writeSum(ctx, temp, layer)
	err = errors.Join(err, temp.Chmod(0o644), temp.Close())
	if err == nil {
		err = caches.Replace(temp.Name(), layer.SumPath())
	}
	if err != nil {
		os.Remove(temp.Name())
		return fmt.Errorf("list layer %s: %w", layer.ID, err)
	}
	return nil
}

func writeSum(ctx context.Context, to io.Writer, layer Layer) error {
	buffered, hasher := bufio.NewWriterSize(to, 64<<10), digest.NewHasher(digest.BLAKE3)
	out := io.MultiWriter(buffered, hasher)
	fmt.Fprintln(out, sumHeader)
	w := walker{ctx: ctx, failed: func(_ string, err error) error { return err }}
	w.visit = func(at sumEntry) (err error) {
		if at.hash, err = hashEntry(at); err == nil {
			_, err = fmt.Fprintln(out, at)
		}
		return err
	}
	if err := w.layer(layer.Path); err != nil {
		return err
	}
	fmt.Fprintln(buffered, lastLine(layer, hasher))
	return buffered.Flush()
}

func lastLine(layer Layer, lines *digest.Hasher) string {
	return fmt.Sprintf("%s %d %d %s", sumEnd, layer.Entries, layer.Bytes, lines.Digest().Hash())
}

// HasSum reports whether the layer has a listing with a last line that is for
// it: one look at the end of a file.
func (l Layer) HasSum() bool {
	file, err := os.Open(l.SumPath())
	if err != nil {
		return false
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return false
	}
	tail := make([]byte, min(info.Size(), 128))
	if _, err := file.ReadAt(tail, info.Size()-int64(len(tail))); err != nil {
		return false
	}
	text, whole := strings.CutSuffix(string(tail), "\n")
	last := text[strings.LastIndexByte(text, '\n')+1:]
	return whole && strings.HasPrefix(last, fmt.Sprintf("%s %d %d ", sumEnd, l.Entries, l.Bytes))
}

// sumEntry is one line of a listing.
type sumEntry struct {
	kind         string
	mode         uint32
	size         int64
	hash         string
	path, target string
	real         string // where the entry is; not in the listing
}

// String is the line, without its end.
func (e sumEntry) String() string {
	text := fmt.Sprintf("%s %o %d %s %q", e.kind, e.mode, e.size, e.hash, e.path)
	if e.kind == "l" {
		text += fmt.Sprintf(" %q", e.target)
	}
	return text
}

// noHash stands where there is no content to hash.
const noHash = "-"

// hashEntry reads a plain file; what is none has no hash.
func hashEntry(at sumEntry) (string, error) {
	if at.kind != "f" {
		return noHash, nil
	}
	file, err := openFile(at.real)
	if err != nil {
		return "", err
	}
	defer file.Close()
	d, err := digest.OfReader(digest.BLAKE3, file)
	if err == nil && d.Size() != at.size {
		err = fmt.Errorf("%s: %d bytes were read and not %d: %w", at.path, d.Size(), at.size, ErrDamaged)
	}
	return d.Hash(), err
}

// walker goes through the files of one layer as they are, marks and whiteouts
// too. What cannot be looked at goes to failed, which decides whether that is
// the end.
type walker struct {
	ctx    context.Context
	visit  func(sumEntry) error
	failed func(path string, err error) error
}

func (w walker) layer(root string) error {
	dir, err := openDir(root)
	if err != nil {
		return err
	}
	return w.directory(dir, ".")
}

func (w walker) directory(dir realDir, path string) error {
	names, err := caches.ReadNames(dir.path)
	if err != nil {
		return w.failed(path, err)
	}
	slices.Sort(names)
	for _, name := range names {
		if w.ctx.Err() != nil {
			return context.Cause(w.ctx)
		}
		if err := w.name(dir, join(path, name), name); err != nil {
			return err
		}
	}
	return nil
}

func (w walker) name(dir realDir, path, name string) error {
	at, mark, err := look(dir, name)
	if err != nil {
		return w.failed(path, err)
	}
	at.path = path
	if err := w.visit(at); err != nil {
		return err
	}
	if kind := at.kind; kind != "d" && kind != "o" && kind != "x" {
		return nil
	}
	return w.directory(realDir{path: at.real, opaque: mark}, path)
}

// look describes one name of a layer, all but its hash.
func look(dir realDir, name string) (at sumEntry, mark byte, err error) {
	found, err := inspect(dir, name)
	if err != nil {
		return sumEntry{}, 0, err
	}
	at = sumEntry{mode: found.bits, size: found.Size, hash: noHash, real: found.Real}
	switch found.Kind {
	case File:
		at.kind = "f"
	case Directory:
		mark, err = opaqueMark(found.Real)
		at.kind = map[byte]string{0: "d", 'y': "o", 'x': "x"}[mark]
	case Symlink:
		at.kind = "l"
		at.target, err = os.Readlink(found.Real)
	case Whiteout:
		at.kind = "w"
	default:
		at.kind = "s"
	}
	return at, mark, err
}
