package cas

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"larder/caches"
	"larder/digest"
)

// What a power cut can have torn.
//
// Nothing is flushed to the disk when it is added; a process in the background
// does so later, with one syncfs for all. The file use-v1/boot.json says when the
// last one began, and in which boot of the machine. In that boot nothing is in
// doubt. In another one, what was written since the sync is: a blob in doubt is
// read before it is used, a tree in doubt is laid out again, until all has been
// read and synced once more.
//
// When a blob was written is told by the time of the last change to its inode,
// which nobody can set, and which only ever gets later.
const bootFile = "boot.json"

const bootFormat = 1

// bootRecord is the content of boot.json. A record that is torn or lost puts
// everything in doubt.
type bootRecord struct {
	Format int       `json:"format"`
	BootID string    `json:"boot_id"`
	Synced time.Time `json:"synced"` // what was written before is on the disk
}

// syncSlack is how far a time stamp may lie behind the clock: the kernel's tick,
// and the whole seconds of some file systems.
const syncSlack = 2 * time.Second

func bootPath(layout caches.Layout) string { return filepath.Join(layout.Uses(), bootFile) }

func readBoot(layout caches.Layout) bootRecord {
	var record bootRecord
	data, err := caches.ReadFile(bootPath(layout))
	if err != nil || json.Unmarshal(data, &record) != nil || record.Format != bootFormat {
		return bootRecord{}
	}
	return record
}

func (r bootRecord) write(layout caches.Layout) error {
	r.Format = bootFormat
	data, err := json.Marshal(r)
	if err == nil {
		err = layout.WriteFile(bootPath(layout), append(data, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("note what is on the disk: %w", err)
	}
	return nil
}

// doubt is what of a store one process cannot rely on.
type doubt struct {
	all       bool // false: nothing is in doubt
	since     time.Time
	confirmed *sync.Map // paths of blobs that this process has read
}

// newDoubt looks at a store as the boot with this id. A store without any blob
// notes that boot, as nothing can be torn yet.
func newDoubt(layout caches.Layout, boot string) doubt {
	record := readBoot(layout)
	if record.Format == bootFormat && caches.SameBoot(record.BootID, boot) {
		return doubt{}
	}
	if record.Format == 0 && LastChange(layout).IsZero() {
		_ = bootRecord{BootID: boot}.write(layout)
		return doubt{}
	}
	return doubt{all: true, since: record.Synced, confirmed: &sync.Map{}}
}

// covers reports whether what was written at a moment may be torn.
func (d doubt) covers(written time.Time) bool { return d.all && written.After(d.since) }

// OnBoot returns the same blobs as a boot of the machine sees them that has this
// id; "" is one that has none. Otherwise it is what the kernel says.
func (s *Store) OnBoot(id string) *Store {
	other := *s
	other.setBoot(func() string { return id })
	return &other
}

// isWhole looks at one file of a blob: it must be there, with its length, and
// with its content where that is in doubt. The file is then held.
func (s *Store) isWhole(path string, d digest.Digest) (bool, error) {
	if d.Size() > 0 && !s.isSure(path, d.Hash()) { // nothing can be torn in an empty one
		return false, nil
	}
	size, err := s.layout.Hold(path)
	return err == nil && size == d.Size(), err
}

// isSure reports whether the content of a file is beyond doubt. One whose content
// is wrong is removed.
func (s *Store) isSure(path, hash string) bool {
	doubt := s.doubt()
	if !doubt.all {
		return true // the usual case, at no cost
	}
	var stat unix.Stat_t
	if unix.Lstat(path, &stat) != nil || !doubt.covers(changed(&stat)) {
		return true // what is missing is told by who looks next
	}
	if _, done := doubt.confirmed.Load(path); done {
		return true
	}
	if !s.confirm(path, hash, stat) {
		return false
	}
	doubt.confirmed.Store(path, nil)
	return true
}

func changed(stat *unix.Stat_t) time.Time { return time.Unix(stat.Ctim.Unix()) }

// confirm reads a file in doubt. Another process may do the same, and may put the
// right content in its place.
func (s *Store) confirm(path, hash string, seen unix.Stat_t) bool {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	got, err := digest.OfReader(s.fn, file)
	if err != nil || got.Hash() == hash {
		return err == nil
	}
	var now unix.Stat_t
	if unix.Lstat(path, &now) == nil && now.Ino == seen.Ino {
		os.Remove(path)
	}
	return false
}

// Confirm reads every blob in doubt and removes those that are torn. It is for a
// process that has time, before [Store.MarkSynced] ends all doubt. Others may add and
// read meanwhile. A crash leaves everything in doubt, and whole.
func (s *Store) Confirm(ctx context.Context) error {
	folders, err := os.ReadDir(s.folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("confirm blobs: %w", err)
	}
	for _, folder := range folders {
		at := filepath.Join(s.folder, folder.Name())
		files, _ := os.ReadDir(at)
		for _, file := range files {
			if ctx.Err() != nil {
				return fmt.Errorf("confirm blobs: %w", context.Cause(ctx))
			}
			s.isSure(filepath.Join(at, file.Name()), strings.TrimSuffix(file.Name(), string(executable)))
		}
	}
	return nil
}

// MarkSynced notes that blobs and trees written before moment are on the disk, as
// after [caches.Layout.Sync], which must have been called after moment, and after
// [Store.Confirm] under every digest function.
func (s *Store) MarkSynced(moment time.Time) error {
	return bootRecord{BootID: s.bootID(), Synced: moment.Add(-syncSlack)}.write(s.layout)
}

// LastSync is the moment of the last [Store.MarkSynced], with some allowance, or the
// zero time.
func LastSync(layout caches.Layout) time.Time { return readBoot(layout).Synced }

// LastChange is when a blob or a tree was last added or removed, in any digest
// function. It looks at folders only.
func LastChange(layout caches.Layout) (last time.Time) {
	for _, pattern := range []string{layout.CAS() + "/*/[0-9a-f][0-9a-f]", layout.Layers() + "/trees/*"} {
		folders, _ := filepath.Glob(pattern)
		for _, folder := range folders {
			if info, err := os.Lstat(folder); err == nil && info.ModTime().After(last) {
				last = info.ModTime()
			}
		}
	}
	return last
}
