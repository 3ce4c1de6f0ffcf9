package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"larder/caches"
	"larder/caches/layers"
)

// KeptRow describes a kept sandbox. Of one whose record cannot be read only Folder,
// InUse and Problem are certain.
type KeptRow struct {
	Folder  string    // where it is
	Command []string  // what had run in it
	Used    time.Time // when it was kept, or last entered
	InUse   bool      // a shell is in it, or it is being removed
	Problem error
}

// ListKept describes the kept sandboxes of a store, in the order of their folders.
// It reads a record each, whatever their size, and disturbs nobody.
func ListKept(layout caches.Layout) ([]KeptRow, error) {
	entries, err := os.ReadDir(layout.Kept())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the kept sandboxes: %w", err)
	}
	var rows []KeptRow
	for _, entry := range entries {
		if row, isThere := describeKept(filepath.Join(layout.Kept(), entry.Name())); isThere {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// describeKept describes one; false says that it has gone meanwhile.
func describeKept(folder string) (KeptRow, bool) {
	info, err := os.Stat(folder)
	if err != nil {
		return KeptRow{}, false
	}
	row := KeptRow{Folder: folder, Used: info.ModTime()}
	var record kept
	data, err := caches.ReadFile(filepath.Join(folder, keptRecord))
	if err == nil {
		err = json.Unmarshal(data, &record)
	}
	if err != nil {
		row.Problem = fmt.Errorf("read how it is mounted: %w", err)
	}
	row.Command = record.Command
	// No shell has been in it for as long as there is no lock.
	lock, err := layers.TryAcquire(filepath.Join(folder, keptLock))
	row.InUse = errors.Is(err, layers.ErrLocked)
	lock.Close()
	return row, true
}
