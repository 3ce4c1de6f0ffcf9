package journal

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"larder/caches"
)

// openTally is the file of the tally that was counted last. It stays open, without
// the lock, since a process that runs many actions counts thousands of times in
// one: a count is then five calls to the kernel instead of eleven, and what was
// written last is not taken apart again.
type openTally struct {
	mutex sync.Mutex
	path  string
	file  *os.File // or nil
	line  []byte   // as this process wrote it last
	tally Tally    // that it stands for
	read  []byte   // room for a line
}

// change lets work change the tally in the file at path, under its lock.
func (o *openTally) change(path string, subject Subject, work func(*Tally)) error {
	if err := o.lock(path); err != nil {
		return err
	}
	err := o.rewrite(subject, work)
	if unlocked := caches.Flock(o.file, unix.LOCK_UN); err != nil || unlocked != nil {
		o.shut()
		return errors.Join(err, unlocked)
	}
	return nil
}

// lock makes the file at path the open one and takes its lock. The file may have
// been removed meanwhile, and the one that has the name be another.
func (o *openTally) lock(path string) error {
	if o.file != nil && o.path == path && caches.Flock(o.file, unix.LOCK_EX|unix.LOCK_NB) == nil {
		var stat unix.Stat_t
		if err := unix.Fstat(int(o.file.Fd()), &stat); err == nil && stat.Nlink > 0 {
			return nil
		}
	}
	o.shut()
	file, err := lockedFile(path, os.O_RDWR|os.O_CREATE)
	if errors.Is(err, fs.ErrNotExist) {
		if err = caches.MakeFolder(filepath.Dir(path), 0); err == nil {
			file, err = lockedFile(path, os.O_RDWR|os.O_CREATE)
		}
	}
	if err == nil {
		o.path, o.file = path, file
	}
	return err
}

// rewrite reads the tally, lets work change it and writes it back.
func (o *openTally) rewrite(subject Subject, work func(*Tally)) error {
	if o.read == nil {
		o.read = make([]byte, maxTally)
	}
	n, err := unix.Pread(int(o.file.Fd()), o.read, 0)
	there := o.read[:max(n, 0)]
	if err != nil || len(o.line) == 0 || !bytes.HasPrefix(there, o.line) {
		if o.tally, err = parseTally(there); err != nil {
			o.tally = newTally(subject)
		}
	}
	work(&o.tally)
	if o.line, err = formatTally(o.tally); err != nil {
		return err
	}
	_, err = o.file.WriteAt(o.line, 0)
	return err
}

// shut closes the file, which gives the lock back.
func (o *openTally) shut() {
	if o.file != nil {
		o.file.Close()
	}
	o.path, o.file, o.line = "", nil, nil
}
