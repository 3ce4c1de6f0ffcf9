package layers

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"larder/digest"
)

// Flaw is one path of a layer that is not as its listing says.
type Flaw struct {
	Path    string // in the layer, slash-separated
	Problem string // for people: "content differs", "missing", an I/O error, …
}

// CheckSum reads every file of a layer and calls report for each path that is
// not what the listing of [WriteSum] says, or that cannot be read; it goes on
// after each. It returns nil when it got to the end, whatever it reported. An
// error that wraps fs.ErrNotExist says that there is no listing, or an empty one
// (see [Void]), one that wraps
// [ErrDamaged] that the listing itself is torn or changed, so that what was
// reported may be more or less than the truth. Memory does not grow with the
// layer, but for the names of single directories.
func CheckSum(ctx context.Context, layer Layer, report func(Flaw)) error {
	file, err := os.Open(layer.SumPath())
	if err != nil {
		return fmt.Errorf("check layer %s: %w", layer.ID, err)
	}
	defer file.Close()
	c := &checker{listing: newListing(file), report: report}
	if info, statErr := file.Stat(); statErr == nil && info.Size() == 0 {
		err = &fs.PathError{Op: "read", Path: layer.SumPath(), Err: fs.ErrNotExist}
	} else {
		err = c.check(ctx, layer)
	}
	if err != nil {
		return fmt.Errorf("check layer %s against its listing: %w", layer.ID, err)
	}
	return nil
}

// checker holds a walk through a layer against the lines of its listing; both
// are in the same order.
type checker struct {
	listing *listing
	next    sumEntry // the first line that the walk has not come to; "" at the end
	report  func(Flaw)
}

func (c *checker) check(ctx context.Context, layer Layer) error {
	if err := c.listing.header(); err != nil {
		return err
	}
	if err := c.advance(); err != nil {
		return err
	}
	w := walker{ctx: ctx, visit: c.visit, failed: func(path string, err error) error {
		c.report(Flaw{path, err.Error()})
		if c.next.path == path {
			return c.advance()
		}
		return nil
	}}
	if err := w.layer(layer.Path); err != nil {
		return err
	}
	for c.next.path != "" {
		if err := c.missing(); err != nil {
			return err
		}
	}
	return c.listing.end(layer)
}

func (c *checker) advance() (err error) {
	c.next, err = c.listing.entry()
	return err
}

func (c *checker) missing() error {
	c.report(Flaw{c.next.path, "missing"})
	return c.advance()
}

// visit compares one entry of the layer with its line.
func (c *checker) visit(at sumEntry) error {
	for c.next.path != "" && digest.ComparePaths(c.next.path, at.path) < 0 {
		if err := c.missing(); err != nil {
			return err
		}
	}
	if c.next.path != at.path {
		c.report(Flaw{at.path, "not in the listing"})
		return nil
	}
	if problem := c.next.differs(at); problem != "" {
		c.report(Flaw{at.path, problem})
	}
	return c.advance()
}

// differs says what is wrong with an entry, "" when nothing is.
func (e sumEntry) differs(at sumEntry) string {
	switch {
	case e.hash == changedHash:
		return changedProblem
	case at.kind != e.kind:
		return fmt.Sprintf("is of kind %s, was %s", at.kind, e.kind)
	case at.mode != e.mode:
		return fmt.Sprintf("has mode %o, had %o", at.mode, e.mode)
	case at.size != e.size:
		return fmt.Sprintf("has %d bytes, had %d", at.size, e.size)
	case at.target != e.target:
		return fmt.Sprintf("leads to %q, led to %q", at.target, e.target)
	}
	hash, err := hashEntry(&at)
	switch {
	case err != nil:
		return err.Error()
	case hash != e.hash:
		return "content differs"
	}
	return ""
}

// listing reads a listing line by line.
type listing struct {
	lines  *bufio.Reader
	hasher *digest.Hasher // of all lines but the last
	last   string         // once it was read
}

// newListing reads with a buffer that no line exceeds: a path and a link target
// have at most 4096 bytes each, quoted at most four times that.
func newListing(from io.Reader) *listing {
	return &listing{lines: bufio.NewReaderSize(from, 64<<10), hasher: digest.NewHasher(digest.BLAKE3)}
}

func (l *listing) line() (string, error) {
	line, err := l.lines.ReadSlice('\n')
	switch {
	case err == io.EOF:
		return "", fmt.Errorf("the listing ends early: %w", ErrDamaged)
	case err == bufio.ErrBufferFull:
		return "", fmt.Errorf("a line of the listing is too long: %w", ErrDamaged)
	case err != nil:
		return "", fmt.Errorf("read the listing: %w", err)
	}
	text := string(line)
	if !strings.HasPrefix(text, sumEnd+" ") {
		l.hasher.Write(line)
	}
	return strings.TrimSuffix(text, "\n"), nil
}

func (l *listing) header() error {
	text, err := l.line()
	if err == nil && text != sumHeader {
		err = fmt.Errorf("the listing is of no known form: %w", ErrDamaged)
	}
	return err
}

// entry reads the next entry; the zero value says that there are no more.
func (l *listing) entry() (sumEntry, error) {
	text, err := l.line()
	if err != nil {
		return sumEntry{}, err
	}
	if strings.HasPrefix(text, sumEnd+" ") {
		l.last = text
		return sumEntry{}, nil
	}
	entry, err := parseSumLine(text)
	if err != nil {
		return sumEntry{}, fmt.Errorf("line %.80q of the listing: %w", text, ErrDamaged)
	}
	return entry, nil
}

// end checks the last line.
func (l *listing) end(layer Layer) error {
	if l.last != lastLine(layer, l.hasher) {
		return fmt.Errorf("the listing was changed or is another layer's: %w", ErrDamaged)
	}
	return nil
}

func parseSumLine(text string) (e sumEntry, err error) {
	fields := strings.SplitN(text, " ", 5)
	if len(fields) != 5 || len(fields[0]) != 1 || !strings.Contains("fdoxlws", fields[0]) {
		return e, strconv.ErrSyntax
	}
	e.kind, e.hash = fields[0], fields[3]
	mode, err := strconv.ParseUint(fields[1], 8, 12)
	if err != nil {
		return e, err
	}
	if e.size, err = strconv.ParseInt(fields[2], 10, 64); err != nil {
		return e, err
	}
	e.mode = uint32(mode)
	rest := ""
	if e.path, rest, err = unquote(fields[4]); err == nil && e.kind == "l" {
		e.target, rest, err = unquote(strings.TrimPrefix(rest, " "))
	}
	if err == nil && (rest != "" || e.path == "") {
		err = strconv.ErrSyntax
	}
	return e, err
}

func unquote(text string) (value, rest string, err error) {
	quoted, err := strconv.QuotedPrefix(text)
	if err != nil {
		return "", "", err
	}
	value, err = strconv.Unquote(quoted)
	return value, text[len(quoted):], err
}
