package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"larder/caches"
)

// How much the log keeps. The file of this moment always stays.
const (
	MostDays  = 30       // days, today among them
	MostBytes = 64 << 20 // in all files together
	fullFile  = 8 << 20  // bytes after which a day goes on in another file
)

const (
	dayForm   = "2006-01-02"
	logSuffix = ".log"
)

// logFile is the file that lines go to. It is opened at the first line, and
// again when the day ends or the file is full.
type logFile struct {
	folder string

	mutex sync.Mutex
	file  *os.File
	day   string
}

// write appends one line to the file of a day.
func (l *logFile) write(day string, line []byte) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if err := l.open(day); err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	if _, err := l.file.Write(line); err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	// After a write to its end, the position is the size of the file.
	if size, err := l.file.Seek(0, io.SeekCurrent); err != nil || size >= fullFile {
		l.shut()
	}
	return nil
}

// open makes the file of this day the open one.
func (l *logFile) open(day string) error {
	if l.file != nil && l.day == day {
		return nil
	}
	l.shut()
	name, err := currentFile(l.folder, day)
	if err != nil {
		return err
	}
	const appending = os.O_WRONLY | os.O_APPEND | syscall.O_NOFOLLOW | syscall.O_NONBLOCK // links and FIFOs are not ours
	path := filepath.Join(l.folder, name)
	file, err := os.OpenFile(path, appending, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if err = caches.MakeFolder(l.folder, 0); err != nil {
			return err
		}
		trim(l.folder, day)
		file, err = os.OpenFile(path, appending|os.O_CREATE, 0o644)
	}
	if err != nil {
		return err
	}
	if err := caches.ShareFile(file); err != nil {
		file.Close()
		return err
	}
	l.file, l.day = file, day
	return nil
}

func (l *logFile) shut() {
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}

func (l *logFile) close() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.shut()
}

// currentFile names the file that a line of day goes to: the last one of that
// day, or the one after it when that is full.
func currentFile(folder, day string) (string, error) {
	first := day + logSuffix
	last, part := first, 0
	for _, name := range logFiles(folder) {
		if n, ok := partOf(name, first); ok {
			last, part = name, n
		}
	}
	info, err := os.Stat(filepath.Join(folder, last))
	if errors.Is(err, fs.ErrNotExist) {
		return last, nil
	}
	if err != nil {
		return "", err
	}
	if info.Size() >= fullFile {
		return fmt.Sprintf("%s.%03d", first, part+1), nil
	}
	return last, nil
}

// partOf reads the number of a file of the day whose first file is given.
func partOf(name, first string) (int, bool) {
	rest, ok := strings.CutPrefix(name, first)
	if !ok || rest == "" {
		return 0, ok
	}
	n, err := strconv.Atoi(strings.TrimPrefix(rest, "."))
	return n, err == nil && n > 0
}

// logFiles lists the names of the log's files, oldest first: the order of the
// names is that of time.
func logFiles(folder string) []string {
	entries, _ := os.ReadDir(folder)
	var names []string
	for _, entry := range entries {
		name := entry.Name()
		if len(name) < len(dayForm)+len(logSuffix) {
			continue
		}
		day, rest := name[:len(dayForm)], name[len(dayForm):]
		if _, err := time.Parse(dayForm, day); err == nil && strings.HasPrefix(rest, logSuffix) {
			names = append(names, name)
		}
	}
	return names
}

// trim removes files that are older than [MostDays], and then the oldest until
// the rest leaves room for a file within [MostBytes]. Processes may do it at the
// same time. One that still has a removed file open writes a last line nowhere.
func trim(folder, today string) {
	day, err := time.Parse(dayForm, today)
	if err != nil {
		return
	}
	oldest := day.AddDate(0, 0, 1-MostDays).Format(dayForm)
	room := int64(MostBytes - fullFile)
	names := logFiles(folder)
	for i := len(names) - 1; i >= 0; i-- {
		path := filepath.Join(folder, names[i])
		if info, err := os.Stat(path); err == nil {
			room -= info.Size()
		}
		if room < 0 || names[i] < oldest {
			os.Remove(path)
		}
	}
}
