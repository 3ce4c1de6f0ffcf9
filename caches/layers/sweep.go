package layers

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"larder/caches"
)

// staleTemp is how long a file under Temp must be unchanged before Sweep takes
// it for a leftover. Such files have no lock: they are written and renamed
// within moments. Should a writer really be stopped for so long, its rename
// fails and it reports that; nothing is torn.
const staleTemp = 24 * time.Hour

// Swept says what a [Sweep] removed.
type Swept struct {
	Runs  int // run folders of processes that died
	Temps int // trash, and leftover files under Temp
}

// Sweep removes what crashed processes left: run folders whose lock nobody
// holds, trash, and files under Temp that nobody has written to for a day. Any
// number of processes may sweep while others start, run and end.
func Sweep(layout caches.Layout) (Swept, error) {
	var swept Swept
	var failed []error
	for _, path := range list(layout.Runs()) {
		done, err := sweepRun(layout, path)
		failed = append(failed, err)
		if done {
			swept.Runs++
		}
	}
	for _, path := range list(layout.Temp()) {
		if !leftover(path) {
			continue
		}
		err := RemoveTree(path)
		if ofOther(layout, err) {
			continue
		}
		failed = append(failed, err)
		if err == nil {
			swept.Temps++
		}
	}
	if err := errors.Join(failed...); err != nil {
		return swept, fmt.Errorf("sweep the store: %w", err)
	}
	return swept, nil
}

// list gives the paths of what is in a folder; a folder that is missing is empty.
func list(folder string) []string {
	entries, _ := os.ReadDir(folder)
	paths := make([]string, len(entries))
	for i, entry := range entries {
		paths[i] = filepath.Join(folder, entry.Name())
	}
	return paths
}

// ofOther says that what was refused belongs to another user of a shared store.
func ofOther(layout caches.Layout, err error) bool {
	return layout.Shared() && errors.Is(err, fs.ErrPermission)
}

func sweepRun(layout caches.Layout, path string) (bool, error) {
	lock, err := claim(path)
	if err != nil {
		if errors.Is(err, ErrLocked) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || ofOther(layout, err) {
			return false, nil // alive, swept by another, no run, or another user's
		}
		return false, err
	}
	trash, err := Trash(layout, path)
	lock.Close()
	if err != nil || trash == "" {
		return false, err
	}
	return true, RemoveTree(trash)
}

func leftover(path string) bool {
	if IsTrash(path) {
		return true
	}
	// A blob on its way has the modification time of its content already, which
	// is long ago; its access time says that it is new.
	used, err := caches.LastUsed(path)
	if err != nil || time.Since(used) <= staleTemp {
		return false
	}
	info, err := os.Lstat(path)
	return err == nil && time.Since(info.ModTime()) > staleTemp
}
