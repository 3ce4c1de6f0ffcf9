package worker

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// errLine is wrapped by what is wrong with one line, after which others follow.
var errLine = errors.New("line")

// tooLong says that a line is longer than is kept.
type tooLong struct{ most int }

// Error says how long a line may be.
func (e *tooLong) Error() string {
	return fmt.Sprintf("the line has more than %d bytes, which is the most; the rest of it was not read", e.most)
}

// Unwrap returns errLine.
func (e *tooLong) Unwrap() error { return errLine }

// lines reads lines of a bounded length. It keeps one at a time.
type lines struct {
	from   *bufio.Reader
	most   int
	kept   []byte
	number int // of the last line, from 1
}

func newLines(from io.Reader, most int) *lines {
	return &lines{from: bufio.NewReaderSize(from, 64<<10), most: most}
}

// next returns the next line that is not blank, without its end, valid until the
// call after. Of one that is too long it returns the beginning, with an error
// that wraps errLine. The last line needs no end; after it comes io.EOF.
func (l *lines) next() ([]byte, error) {
	for {
		l.number++
		text, err := l.one()
		if len(bytes.TrimSpace(text)) > 0 || err != nil && !errors.Is(err, io.EOF) {
			if errors.Is(err, io.EOF) {
				err = nil // it comes again
			}
			return text, err
		}
		if err != nil {
			return nil, err
		}
	}
}

// one reads a line to its end, and keeps no more of it than it may have.
func (l *lines) one() ([]byte, error) {
	l.kept = l.kept[:0]
	isLong := false
	for {
		piece, err := l.from.ReadSlice('\n')
		if room := l.most - len(l.kept); len(bytes.TrimSuffix(piece, []byte("\n"))) > room {
			l.kept, isLong = append(l.kept, piece[:room]...), true
		} else if !isLong {
			l.kept = append(l.kept, piece...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if isLong && (err == nil || errors.Is(err, io.EOF)) {
			return l.kept, &tooLong{l.most}
		}
		return bytes.TrimSuffix(l.kept, []byte("\n")), err
	}
}
