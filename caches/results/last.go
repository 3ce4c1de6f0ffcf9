package results

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"larder/caches"
	"larder/digest"
)

// Last is what is known of the last run of one command: what the action was made
// of, also when its result was not kept. It is advice, and may be gone at any
// time.
type Last struct {
	Line    string    `json:"line"` // see [LineOf]
	Key     string    `json:"key"`
	Action  []byte    `json:"action"` // as in a [Record]
	Command []byte    `json:"command"`
	NotKept string    `json:"not_kept,omitempty"` // why its result was not kept
	Ended   time.Time `json:"ended"`
}

// LineOf names a command: what is run in which root, whatever else its key holds.
func LineOf(root string, argv []string) string {
	return digest.Of(digest.BLAKE3, []byte(root+"\x00"+strings.Join(argv, "\x00"))).Hash()
}

const (
	// lastDigits is how much of the name of a command names the file that its last
	// run is in: so there are 4096 at most, and of two commands that share one the
	// later stays.
	lastDigits = 3
	// mostLast is how large one may be, in bytes. Of larger ones nothing is known.
	mostLast = 64 << 10

	lastPrefix = "last-"
)

func (f Files) lastPath(line string) string {
	return filepath.Join(f.layout.Index(), lastPrefix+line[:lastDigits]+f.layout.Owner())
}

// SaveLast writes down the last run of a command. The file is written in its
// place, which costs a quarter of the time of a new one: the checksum tells a
// reader of one that is torn, or that two processes wrote at once.
func (f Files) SaveLast(last Last) error {
	data, err := json.Marshal(last)
	if err != nil {
		return fmt.Errorf("write down the last run: %w", err)
	}
	data = caches.Seal(data)
	if len(data) > mostLast {
		return nil
	}
	file, err := os.OpenFile(f.lastPath(last.Line), os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("write down the last run: %w", err)
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Truncate(int64(len(data))), file.Close()); err != nil {
		return fmt.Errorf("write down the last run: %w", err)
	}
	return nil
}

// LoadLast returns the last run of a command; false when none is known.
func (f Files) LoadLast(line string) (Last, bool) {
	last, ok := readLast(f.lastPath(line))
	return last, ok && last.Line == line
}

// FindLast returns the last run with this key, of whatever command; false when
// none is known. It reads all of them.
func (f Files) FindLast(key string) (Last, bool) {
	paths, _ := filepath.Glob(filepath.Join(f.layout.Index(), lastPrefix+"*")) // fails for a wrong pattern only
	for _, path := range paths {
		if last, ok := readLast(path); ok && last.Key == key {
			return last, true
		}
	}
	return Last{}, false
}

func readLast(path string) (last Last, ok bool) {
	file, err := os.Open(path)
	if err != nil {
		return last, false
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, mostLast+1))
	if err != nil || len(data) > mostLast {
		return last, false
	}
	if data, err = caches.Unseal(data); err != nil {
		return last, false
	}
	return last, json.Unmarshal(data, &last) == nil && last.Line != ""
}
