package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"larder/caches"
)

// Kind says what a subject is.
type Kind string

// The kinds of subjects.
const (
	KindCache   Kind = "cache"   // a named cache; its ID is that of its Ref
	KindResults Kind = "results" // a place where results are kept, by its name
	KindPayload Kind = "payload" // a payload
)

// Subject is what is counted for. Kind and ID identify it; ID must be safe as a
// part of a file name. Name is for people.
type Subject struct {
	Kind Kind   `json:"kind"`
	ID   string `json:"id"`
	Name string `json:"name"`
}

// CacheSubject is the subject of a named cache.
func CacheSubject(ref caches.Ref) Subject {
	name := ref.String()
	return Subject{KindCache, ref.ID(), name[:min(len(name), longestName)]}
}

// longestName bounds the bytes of a name, however it has to be escaped.
const longestName = 400

// ResultsSubject is the subject of a place where results are kept, such as
// "local".
func ResultsSubject(backend string) Subject { return Subject{KindResults, backend, backend} }

// Counter names one count of a tally.
type Counter string

// Counters of a named cache. Each checkout that was ended counts once among
// publishes, merges, replacements, unchanged, discards and failures.
const (
	Checkouts    Counter = "checkouts"
	Publishes    Counter = "publishes"    // the head had not moved
	Merges       Counter = "merges"       // it had, and both changes were kept
	Replacements Counter = "replacements" // it had, and the whole snapshot took its place
	Unchanged    Counter = "unchanged"    // there was nothing to publish
	Discards     Counter = "discards"     // the private layer was given up
	Failures     Counter = "failures"     // publishing broke off
	Violations   Counter = "violations"   // changes that were dropped
	Duplicates   Counter = "duplicates"   // paths written with what was there
	Conflicts    Counter = "conflicts"    // paths that another run changed first
	Bytes        Counter = "bytes"        // that publishes added, before hard links are counted once
)

// Counters of a place where results are kept.
const (
	Hits   Counter = "hits"
	Misses Counter = "misses"
)

// Counts are numbers by counter. A counter that is missing is zero.
type Counts map[Counter]int64

// Tally is what was counted for one subject since a moment.
type Tally struct {
	Subject
	Since  time.Time `json:"since"`
	Counts Counts    `json:"counts"`
}

// tallyFormat is the version of the line, and its first word.
const tallyFormat = "1"

// Count adds to the tally of a subject, which begins with its first count.
func (j *Journal) Count(subject Subject, add Counts) {
	if j == nil {
		return
	}
	j.note(j.change(subject, func(tally *Tally) {
		tally.Subject = subject
		for counter, n := range add {
			tally.Counts[counter] += n
		}
	}))
}

// Zero sets every count of every tally to zero; from now on is since when they
// count. Counts that others add meanwhile fall before it or after it, whole.
func (j *Journal) Zero() error {
	tallies, err := j.Tallies()
	if err != nil {
		return err
	}
	var failed []error
	for _, tally := range tallies {
		failed = append(failed, j.change(tally.Subject, func(tally *Tally) { *tally = newTally(tally.Subject) }))
	}
	return errors.Join(failed...)
}

// Forget removes the tally of a subject that is no more.
func (j *Journal) Forget(subject Subject) {
	if j == nil {
		return
	}
	file, err := lockedFile(j.tallyPath(subject), os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = os.Remove(file.Name())
		file.Close()
	}
	j.note(err)
}

// Tallies lists what was counted, in the order of kind and ID. One that cannot
// be read is left out: the next count begins it anew.
func (j *Journal) Tallies() ([]Tally, error) {
	if j == nil {
		return nil, nil
	}
	entries, err := os.ReadDir(j.layout.Tally())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the tallies: %w", err)
	}
	var tallies []Tally
	for _, entry := range entries {
		data, err := caches.ReadFile(filepath.Join(j.layout.Tally(), entry.Name()))
		if err != nil {
			continue
		}
		if tally, err := parseTally(data); err == nil {
			tallies = append(tallies, tally)
		}
	}
	return tallies, nil
}

func newTally(subject Subject) Tally {
	return Tally{subject, time.Now().UTC(), Counts{}}
}

func (j *Journal) tallyPath(subject Subject) string {
	return filepath.Join(j.layout.Tally(), string(subject.Kind)+"-"+subject.ID)
}

// change reads the tally of a subject, lets work change it, and writes it back,
// all under its lock.
func (j *Journal) change(subject Subject, work func(*Tally)) error {
	// Who finds it taken does not wait for the other goroutine, and opens the file
	// anew: the lock keeps both apart.
	counting := &j.counting
	if counting.mutex.TryLock() {
		defer counting.mutex.Unlock()
	} else {
		counting = &openTally{}
		defer counting.shut()
	}
	if err := counting.change(j.tallyPath(subject), subject, work); err != nil {
		return fmt.Errorf("count: %w", err)
	}
	return nil
}

// maxTally bounds a line, so that writing it is one step for the kernel.
const maxTally = 4096

// formatTally writes a line. What an earlier, longer one leaves behind its end
// is never read.
func formatTally(tally Tally) ([]byte, error) {
	text, err := json.Marshal(tally)
	if err != nil {
		return nil, fmt.Errorf("encode the tally: %w", err)
	}
	line := fmt.Appendf(nil, "%s %08x %s\n", tallyFormat, crc32.ChecksumIEEE(text), text)
	if len(line) > maxTally {
		return nil, fmt.Errorf("the tally of %s is too long", tally.Subject.Kind)
	}
	return line, nil
}

// errTally says that the bytes are no tally.
var errTally = errors.New("no tally")

// parseTally reads a line.
func parseTally(data []byte) (Tally, error) {
	line, _, whole := bytes.Cut(data, []byte("\n"))
	fields := bytes.SplitN(line, []byte(" "), 3)
	if !whole || len(fields) != 3 || string(fields[0]) != tallyFormat ||
		string(fields[1]) != fmt.Sprintf("%08x", crc32.ChecksumIEEE(fields[2])) {
		return Tally{}, errTally
	}
	var tally Tally
	if err := json.Unmarshal(fields[2], &tally); err != nil {
		return Tally{}, fmt.Errorf("%w: %w", errTally, err)
	}
	if tally.Counts == nil {
		tally.Counts = Counts{}
	}
	return tally, nil
}
