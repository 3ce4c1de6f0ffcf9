package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Follower reads the log from a moment on. It keeps its place in every file, so
// that a new day, a new file and a late line in an old one are nothing special.
// It is for one goroutine.
type Follower struct {
	folder string
	since  time.Time
	places map[string]int64
}

// Follow returns a Follower that begins with the first event at or after since;
// the zero time is the beginning of the log.
func (j *Journal) Follow(since time.Time) *Follower {
	return &Follower{j.layout.Log(), since, map[string]int64{}}
}

// Next hands over the lines that came since it was called last, as JSON without
// the end of the line. It does not wait for any. An error of each ends it.
func (f *Follower) Next(each func(line []byte) error) error {
	first := f.since.UTC().Format(dayForm)
	for _, name := range logFiles(f.folder) {
		if name < first {
			continue
		}
		if err := f.read(name, each); err != nil {
			return err
		}
	}
	return nil
}

// read goes on in one file. The last line stays for later until it is whole.
func (f *Follower) read(name string, each func(line []byte) error) error {
	file, err := os.Open(filepath.Join(f.folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed meanwhile
	}
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	defer file.Close()
	if _, err := file.Seek(f.places[name], io.SeekStart); err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	reader := bufio.NewReader(file)
	for {
		line, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		f.places[name] += int64(len(line))
		if line = event(line); line == nil || f.tooEarly(line) {
			continue
		}
		if err := each(line); err != nil {
			return err
		}
	}
}

// lineStart is how each line begins. Inside a line it cannot occur: quotes in
// values are escaped, and no value is an object with a time.
const lineStart = `{"time":"`

// event gives the event of a line, or nil when it has none. When a full disk cut
// a line short, the next one follows it without an end of line between them.
func event(line []byte) []byte {
	start := bytes.LastIndex(line, []byte(lineStart))
	line = bytes.TrimRight(line, "\n")
	if start < 0 || !bytes.HasSuffix(line, []byte("}")) {
		return nil
	}
	return line[start:]
}

// tooEarly compares the time of an event.
func (f *Follower) tooEarly(line []byte) bool {
	if f.since.IsZero() {
		return false
	}
	text, _, _ := bytes.Cut(line[len(lineStart):], []byte(`"`))
	at, err := time.Parse(time.RFC3339Nano, string(text))
	return err == nil && at.Before(f.since)
}
