package archive

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"larder/caches/layers"
	"larder/digest"
)

// Totals counts what a file holds: entries of every kind, and bytes of plain
// files.
type Totals struct{ Entries, Bytes int64 }

// longestLine bounds a line of a listing: two paths in which every byte is
// quoted, and the rest.
const longestLine = 64 << 10

// listing is the list of entries that passed by, in a file without a name.
type listing struct {
	file   *os.File
	out    *bufio.Writer
	sum    *digest.Hasher
	totals Totals
}

// newListing makes an empty listing. Its file has no name from the start, so a
// crash leaves nothing.
func newListing(folder string) (*listing, error) {
	file, err := os.CreateTemp(folder, "listing-*")
	if err != nil {
		return nil, fmt.Errorf("make a scratch file: %w", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		file.Close()
		return nil, fmt.Errorf("make a scratch file: %w", err)
	}
	return &listing{file: file, out: bufio.NewWriter(file), sum: digest.NewHasher(digest.BLAKE3)}, nil
}

func (l *listing) close() { l.file.Close() }

// listed is one entry as the listing has it.
type listed struct {
	kind   byte // f, d or l
	mode   int64
	size   int64
	time   time.Time
	sum    string // BLAKE3 of a plain file
	path   string
	target string
}

// add writes the line of an entry. A quoted path is one word, whatever is in it.
func (l *listing) add(e listed) error {
	l.totals.Entries++
	l.totals.Bytes += e.size
	line := fmt.Sprintf("%c %04o %d %d.%09d %s %s", e.kind, e.mode, e.size, e.time.Unix(), e.time.Nanosecond(), orDash(e.sum), strconv.Quote(e.path))
	if e.kind == 'l' {
		line += " " + strconv.Quote(e.target)
	}
	return l.line(line)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func (l *listing) line(text string) error {
	l.sum.Write([]byte(text + "\n"))
	if _, err := l.out.WriteString(text + "\n"); err != nil {
		return fmt.Errorf("write the listing: %w", err)
	}
	return nil
}

// finish writes the last line, and returns the length of the whole. The file is
// then at its beginning, for reading.
func (l *listing) finish() (int64, error) {
	err := l.line(fmt.Sprintf("total %d %d %s", l.totals.Entries, l.totals.Bytes, l.sum.Digest().Hash()))
	if err = errors.Join(err, l.out.Flush()); err != nil {
		return 0, fmt.Errorf("write the listing: %w", err)
	}
	info, err := l.file.Stat()
	if err != nil {
		return 0, fmt.Errorf("write the listing: %w", err)
	}
	_, err = l.file.Seek(0, io.SeekStart)
	return info.Size(), err
}

// compare holds what passed by against the listing that came with it, and names
// the first entry that differs.
func (l *listing) compare(came io.Reader) error {
	if _, err := l.finish(); err != nil {
		return err
	}
	said, seen := lines(came), lines(l.file)
	for {
		moreSaid, moreSeen := said.Scan(), seen.Scan()
		if err := errors.Join(said.Err(), seen.Err()); err != nil {
			return fmt.Errorf("read the listing: %w", err)
		}
		if !moreSaid && !moreSeen {
			return nil
		}
		if !bytes.Equal(said.Bytes(), seen.Bytes()) || moreSaid != moreSeen {
			return differs(said.Text(), seen.Text())
		}
	}
}

func lines(r io.Reader) *bufio.Scanner {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, longestLine)
	return scanner
}

// differs says which entry is not as it should be.
func differs(said, seen string) error {
	path, ok := pathOf(seen)
	other, expected := pathOf(said)
	switch {
	case ok && expected && path == other:
		return fmt.Errorf("%q is not what the listing says: %w", path, layers.ErrDamaged)
	case expected:
		return fmt.Errorf("%q is in the listing and not among the files: %w", other, layers.ErrDamaged)
	case ok:
		return fmt.Errorf("%q is not in the listing: %w", path, layers.ErrDamaged)
	}
	return fmt.Errorf("the totals are not what the listing says: %w", layers.ErrDamaged)
}

// pathOf reads the path of a line; false for the last line.
func pathOf(line string) (string, bool) {
	fields := strings.SplitN(line, " ", 6)
	if len(fields) < 6 {
		return "", false
	}
	quoted, err := strconv.QuotedPrefix(fields[5])
	if err != nil {
		return "", false
	}
	path, err := strconv.Unquote(quoted)
	return path, err == nil
}
