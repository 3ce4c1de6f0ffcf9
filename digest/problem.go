package digest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

var (
	// ErrRoot marks a root that is missing or not a directory.
	ErrRoot = errors.New("not a directory that can be read")
	// ErrUnsupportedFile marks a socket, device or FIFO.
	ErrUnsupportedFile = errors.New("not a regular file, directory or symbolic link")
	// ErrUnreadable marks a file or directory that may not be read.
	ErrUnreadable = errors.New("cannot be read")
	// ErrName marks a file name or link target that is not UTF-8, which trees
	// cannot hold.
	ErrName = errors.New("is not UTF-8")
	// ErrChanged marks a file or directory that was changed or removed while
	// it was being read.
	ErrChanged = errors.New("changed while it was being read")
)

// Problem is what is wrong with one path.
type Problem struct {
	// Path is relative to the root of the scan, or as the caller gave it.
	Path string
	// Err says what is wrong. It wraps one of the errors of this package and,
	// where there is one, that of the system.
	Err error
}

// Error names the path, quoted where it is not plain text, and the problem.
func (p *Problem) Error() string {
	if strings.ToValidUTF8(p.Path, "") != p.Path || strings.ContainsAny(p.Path, "\n\r\t\x1b") {
		return fmt.Sprintf("%q %v", p.Path, p.Err)
	}
	return p.Path + " " + p.Err.Error()
}

// Unwrap returns Err.
func (p *Problem) Unwrap() error { return p.Err }

// maxProblems is how many problems a message lists.
const maxProblems = 10

// Problems is every problem that a scan met, the first ten with their paths.
type Problems struct {
	// First has the first problems in the order of their paths, ten at most.
	First []*Problem
	// Count is how many there were in all.
	Count int
}

// Error lists the first problems, one on a line, and how many more there are.
func (p *Problems) Error() string {
	var lines []string
	for _, one := range p.First {
		lines = append(lines, one.Error())
	}
	if more := p.Count - len(p.First); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the first problems.
func (p *Problems) Unwrap() []error {
	var all []error
	for _, one := range p.First {
		all = append(all, one)
	}
	return all
}

// collector gathers problems from several goroutines.
type collector struct {
	mu  sync.Mutex
	all []*Problem
}

func (c *collector) add(path string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, &Problem{path, err})
}

// err returns the problems as one error, or nil when there are none.
func (c *collector) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.all) == 0 {
		return nil
	}
	slices.SortStableFunc(c.all, func(a, b *Problem) int { return ComparePaths(a.Path, b.Path) })
	return &Problems{First: c.all[:min(len(c.all), maxProblems)], Count: len(c.all)}
}

// readProblem says what an error of a system call on an entry means: entries
// come from a listing, so one that is missing now, or of another type, changed.
func readProblem(err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, ErrChanged):
		return err
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ENXIO):
		return fmt.Errorf("%w: %w; run again when nothing writes to it", ErrChanged, err)
	}
	return fmt.Errorf("%w: %w; change its permissions or leave it out", ErrUnreadable, err)
}
