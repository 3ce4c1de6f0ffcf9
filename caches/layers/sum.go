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

	"golang.org/x/sys/unix"

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

// Standing says what a listing is worth.
type Standing uint8

const (
	// Known says that there was a listing already.
	Known Standing = iota + 1
	// Vouched says that the listing was made by the stamp of the layer: what was
	// written to after the commit is noted in it as changed.
	Vouched
	// AsFound says that the layer was listed as it is now.
	AsFound
)

// Listed says what [WriteSum] did.
type Listed struct {
	Standing Standing
	Changed  []Flaw // what it noted as changed, if the layer has a stamp
}

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
// HASH is "changed" for what was changed after the commit, as the stamp of the layer
// tells (see [Stamped]): CheckSum reports it from then on.
//
// A layer that has its listing already is left alone. Every file of the layer is
// read, with memory that does not grow with any of them. The layer need not be
// leased: one that is removed meanwhile is an error that wraps fs.ErrNotExist.
// Any number of processes may write the same listing. A crash leaves the
// listing whole or not there; a power cut may leave a torn one, which the last
// line tells.
func WriteSum(ctx context.Context, layout caches.Layout, layer Layer) (Listed, error) {
	if layer.HasSum() {
		return Listed{Standing: Known}, nil
	}
	s := summing{Listed{Standing: AsFound}, layer}
	if layer.hasStamp() {
		s.Standing = Vouched
	}
	err := atomically(layout, layer, func(to io.Writer) error {
		if err := s.write(ctx, to); err != nil {
			return err
		}
		if len(s.Changed) > 0 && !layer.hasStamp() {
			return errSettled
		}
		return nil
	})
	if errors.Is(err, errSettled) {
		return WriteSum(ctx, layout, layer)
	}
	if err != nil {
		return Listed{}, fmt.Errorf("list layer %s: %w", layer.ID, err)
	}
	return s.Listed, nil
}

// errSettled says that somebody else has listed the layer, or given that up, and may
// have made the links since by which it seems changed.
var errSettled = errors.New("it was settled meanwhile")

// atomically writes the listing of the layer beside its place, and then puts it there.
func atomically(layout caches.Layout, layer Layer, write func(io.Writer) error) error {
	temp, err := os.CreateTemp(layout.Temp(), "sum-*")
	if err != nil {
		return err
	}
	err = write(temp)
	err = errors.Join(err, temp.Chmod(0o644), temp.Close())
	if err == nil {
		err = caches.Replace(temp.Name(), layer.SumPath())
	}
	if err != nil {
		os.Remove(temp.Name())
	}
	return err
}

// summing makes one listing of a layer.
type summing struct {
	Listed
	layer Layer
}

func (s *summing) write(ctx context.Context, to io.Writer) error {
	l := newLister(to)
	w := walker{ctx: ctx, failed: func(_ string, err error) error { return err }}
	w.visit = func(at sumEntry) (err error) {
		if at.hash, err = hashEntry(&at); err == nil {
			s.judge(&at)
			err = l.line(at)
		}
		return err
	}
	if err := w.layer(s.layer.Path); err != nil {
		return err
	}
	return l.end(s.layer)
}

// changedHash stands where the content that was committed is not known.
const changedHash = "changed"

// judge notes an entry that was changed after the commit. Whiteouts are none:
// overlayfs makes links to one, and drops its own name of it later.
func (s *summing) judge(at *sumEntry) {
	if s.Standing == Vouched && at.kind != "w" && at.changed > s.layer.Stamp {
		at.hash = changedHash
		s.Changed = append(s.Changed, Flaw{at.path, changedProblem})
	}
}

const changedProblem = "it was changed after its publish, before it was listed"

// lister writes the lines of a listing.
type lister struct {
	buffered *bufio.Writer
	hasher   *digest.Hasher
	out      io.Writer
}

func newLister(to io.Writer) *lister {
	l := &lister{buffered: bufio.NewWriterSize(to, 64<<10), hasher: digest.NewHasher(digest.BLAKE3)}
	l.out = io.MultiWriter(l.buffered, l.hasher)
	fmt.Fprintln(l.out, sumHeader)
	return l
}

func (l *lister) line(at sumEntry) error {
	_, err := fmt.Fprintln(l.out, at)
	return err
}

func (l *lister) end(layer Layer) error {
	fmt.Fprintln(l.buffered, lastLine(layer, l.hasher))
	return l.buffered.Flush()
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
	changed      int64  // as in [node]; not in the listing
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

// hashEntry reads a plain file, and says then when it was changed last; what is
// none has no hash.
func hashEntry(at *sumEntry) (string, error) {
	if at.kind != "f" {
		return noHash, nil
	}
	file, err := openFile(at.real)
	if err != nil {
		return "", err
	}
	defer file.Close()
	d, err := digest.OfReader(digest.BLAKE3, file)
	var stat unix.Stat_t
	if err == nil {
		err = unix.Fstat(int(file.Fd()), &stat)
		at.changed = stat.Ctim.Nano()
	}
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
	at = sumEntry{mode: found.bits, size: found.Size, hash: noHash, real: found.Real, changed: found.changed}
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
