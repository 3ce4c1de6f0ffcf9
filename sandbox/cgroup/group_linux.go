package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Limits says what a group is for. Zero is no limit.
type Limits struct {
	// Memory is in bytes: memory of the processes, the page cache that they fill,
	// memory file systems and kernel memory that they take. Swap counts too.
	Memory uint64
	// Processes is how many processes and threads there may be at one time.
	Processes uint64
	// CPUTime asks for the processor time to be measured.
	CPUTime bool
}

func (l Limits) kinds() []Kind {
	var kinds []Kind
	if l.Memory > 0 {
		kinds = append(kinds, Memory)
	}
	if l.Processes > 0 {
		kinds = append(kinds, Processes)
	}
	if l.CPUTime {
		kinds = append(kinds, CPUTime)
	}
	return kinds
}

// Group is a control group for one run, which may be one directory in each of
// several hierarchies. Its methods may be called by many goroutines, but not
// after Close.
type Group struct {
	parts []part
	held  [3]bool // by kind
}

// part is the directory of a group in one hierarchy.
type part struct {
	place
	path string
	lock *os.File // the directory, locked
	task *os.File // of version 1: where a process writes to enter
}

// New makes a group for what can be had of limits; see [Group.Holds] for what
// that is. An error means that nothing was made.
func New(limits Limits) (*Group, error) {
	g := &Group{}
	for _, p := range places(limits.kinds()) {
		if err := g.add(p, limits); err != nil {
			return nil, errors.Join(err, g.Close())
		}
	}
	return g, nil
}

// add makes the part of g at a place.
func (g *Group) add(p place, limits Limits) error {
	sweep(p.dir)
	made, err := make1(p)
	if err != nil {
		return err
	}
	g.parts = append(g.parts, made)
	for _, kind := range p.kinds {
		if err := made.limit(kind, limits); err != nil {
			return err
		}
		g.held[kind] = true
	}
	return nil
}

// attempts is how often a directory is made again that a sweep of another process
// took before it was locked.
const attempts = 10

// make1 makes one directory and locks it.
func make1(p place) (part, error) {
	for range attempts {
		path, err := os.MkdirTemp(p.dir, fmt.Sprintf("%s%d-*", prefix, os.Getpid()))
		if err != nil {
			return part{}, fmt.Errorf("make a control group: %w", err)
		}
		made, err := hold(part{place: p, path: path})
		if err == nil {
			return made, nil
		}
		_ = os.Remove(path)
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.EWOULDBLOCK) {
			return part{}, fmt.Errorf("open the control group %s: %w", path, err)
		}
	}
	return part{}, fmt.Errorf("make a control group in %s: something removes each one at once: %w", p.dir, fs.ErrNotExist)
}

// hold opens and locks the directory of p. A sweep may have removed it before it
// was locked, so what is needed of it is opened afterwards.
func hold(p part) (part, error) {
	lock, err := os.Open(p.path)
	if err != nil {
		return p, err
	}
	p.lock = lock
	if err = unix.Flock(int(lock.Fd()), unix.LOCK_SH|unix.LOCK_NB); err == nil {
		_, err = os.Stat(p.path)
	}
	if err == nil && p.version == V1 {
		p.task, err = os.OpenFile(filepath.Join(p.path, "tasks"), os.O_WRONLY, 0)
	}
	if err != nil {
		lock.Close()
	}
	return p, err
}

// limit sets one limit.
func (p *part) limit(kind Kind, limits Limits) error {
	switch {
	case kind == Processes:
		return set(p.path, "pids.max", strconv.FormatUint(limits.Processes, 10))
	case kind == Memory && p.version == V1:
		bytes := strconv.FormatUint(limits.Memory, 10)
		return errors.Join(set(p.path, "memory.limit_in_bytes", bytes), optional(set(p.path, "memory.memsw.limit_in_bytes", bytes)))
	case kind == Memory:
		return errors.Join(
			set(p.path, "memory.max", strconv.FormatUint(limits.Memory, 10)),
			optional(set(p.path, "memory.swap.max", "0")), set(p.path, "memory.oom.group", "1"))
	}
	return nil
}

// optional forgives a file that a kernel without swap accounting does not have.
func optional(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// set writes one value, in one write, to a file that is there.
func set(dir, name, value string) error {
	file, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("control group: %w", err)
	}
	defer file.Close()
	if _, err := file.WriteString(value); err != nil {
		return fmt.Errorf("control group: set to %s: %w", value, err)
	}
	return nil
}

// Holds reports whether the group serves a kind.
func (g *Group) Holds(kind Kind) bool { return g != nil && g.held[kind] }

// Tasks gives the files of version 1 to which a process with one thread writes
// "0" to enter, each in one write. They are closed by Close.
func (g *Group) Tasks() []*os.File {
	var files []*os.File
	for _, p := range g.all() {
		if p.task != nil {
			files = append(files, p.task)
		}
	}
	return files
}

// Directory gives the directory of version 2 to clone processes into, or nil. It
// is closed by Close.
func (g *Group) Directory() *os.File {
	for _, p := range g.all() {
		if p.version == V2 {
			return p.lock
		}
	}
	return nil
}

func (g *Group) all() []part {
	if g == nil {
		return nil
	}
	return g.parts
}

// patience is how long Close waits for processes that have ended to be gone.
const patience = 200 * time.Millisecond

// Close removes the group, whose processes must have ended. What cannot be
// removed, as there is still a process in it, is left to the next New.
func (g *Group) Close() error {
	var problems []error
	for _, p := range g.all() {
		problems = append(problems, p.remove())
		p.lock.Close()
		if p.task != nil {
			p.task.Close()
		}
	}
	return errors.Join(problems...)
}

func (p *part) remove() error {
	for began, pause := time.Now(), time.Millisecond; ; pause *= 2 {
		err := unix.Rmdir(p.path)
		if err == nil || errors.Is(err, unix.ENOENT) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) || time.Since(began) > patience {
			return fmt.Errorf("remove the control group %s: %w", p.path, err)
		}
		time.Sleep(pause)
	}
}

// prefix begins the names of all groups that are made here; the id of the process
// that made it follows, for people who look.
const prefix = "larder-"

// sweep removes groups in dir that a process left when it was killed: those that
// nobody has locked, and that are empty, since the kernel removes no others.
func sweep(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if entry.IsDir() && strings.HasPrefix(entry.Name(), prefix) {
			removeUnused(filepath.Join(dir, entry.Name()))
		}
	}
}

func removeUnused(path string) {
	directory, err := os.Open(path)
	if err != nil {
		return
	}
	defer directory.Close()
	if unix.Flock(int(directory.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		_ = unix.Rmdir(path) // one that is in use stays
	}
}
