package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"larder/digest"
)

// lines writes many lines to standard output without a system call for each. An
// error of one stays, and comes back from end.
type lines struct {
	to      *bufio.Writer
	encoder *json.Encoder
}

func newLines() *lines {
	to := bufio.NewWriterSize(os.Stdout, 64<<10)
	encoder := json.NewEncoder(to)
	encoder.SetEscapeHTML(false)
	return &lines{to, encoder}
}

func (l *lines) json(value any) error { return l.encoder.Encode(value) }

func (l *lines) text(words ...string) error {
	_, err := fmt.Fprintln(l.to, strings.Join(words, " "))
	return err
}

// change writes what was there with a minus, and then what is there with a plus.
func (l *lines) change(c digest.Change) error {
	if c.Before.Kind != 0 {
		if err := l.text("-", listLine(c.Path, c.Before)); err != nil {
			return err
		}
	}
	if c.After.Kind == 0 {
		return nil
	}
	return l.text("+", listLine(c.Path, c.After))
}

// end writes what is left, also after the error err, which it returns.
func (l *lines) end(err error) error {
	if flushed := l.to.Flush(); err == nil && flushed != nil {
		err = fmt.Errorf("print: %w", flushed)
	}
	return err
}
