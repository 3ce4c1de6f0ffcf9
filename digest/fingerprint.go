package digest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// StateFingerprint returns a digest of the state of a big host directory that
// is meant not to change, such as an installed tool, without reading files. It
// covers, for every name below dir in sorted order: the relative path, the
// kind, the permission bits; for all but directories the size, mtime and inode;
// for symbolic links the target. Links below dir are not followed; dir itself
// may be one.
//
// Left out are directories called __pycache__ and files called *.pyc, which
// running a tool writes; the times of directories, which that changes; and
// ctime everywhere, which package managers change on files they hard-link
// elsewhere. A directory that may not be read counts by its name alone, and
// names that go while it looks count as gone. A dir that is missing or not a
// directory is ErrRoot. Directories in leaveOut, as clean paths relative to dir,
// count by their name alone too.
func StateFingerprint(ctx context.Context, dir string, fn Function, leaveOut ...string) (Digest, error) {
	f := fingerprinter{ctx: ctx, leaveOut: leaveOut, crew: newCrew()}
	return f.walk(dir, fn)
}

type fingerprinter struct {
	ctx      context.Context
	leaveOut []string
	crew     *crew
	problems collector
	mu       sync.Mutex
	folders  []folderState
	tree     *TreeState // set for [StateOfTree]
}

func (f *fingerprinter) walk(dir string, fn Function) (Digest, error) {
	root, err := openRoot(dir)
	if err != nil {
		return Digest{}, err
	}
	f.crew.add(func() { f.visit(root, "") })
	f.crew.run()
	if err := f.ctx.Err(); err != nil {
		return Digest{}, fmt.Errorf("fingerprint %s: %w", dir, err)
	}
	if err := f.problems.err(); err != nil {
		return Digest{}, fmt.Errorf("fingerprint %s: %w", dir, err)
	}
	slices.SortFunc(f.folders, func(a, b folderState) int { return strings.Compare(a.path, b.path) })
	h := NewHasher(fn)
	for _, one := range f.folders {
		h.Write(one.state)
	}
	return h.Digest(), nil
}

// folderState is the state of what is directly in one directory.
type folderState struct {
	path  string
	state []byte
}

// visit writes down the state of the directory dir at path, and closes it.
func (f *fingerprinter) visit(dir *handle, path string) {
	defer dir.release()
	if f.ctx.Err() != nil {
		return
	}
	items, err := dir.list(path)
	if err != nil {
		f.problems.add(pathOrDot(path), readProblem(err))
		return
	}
	state := make([]byte, 0, 80*len(items))
	for i := range items {
		one := &items[i]
		if f.tree == nil && isCompiledPython(one) {
			continue
		}
		if state, err = f.look(dir, one, state); err != nil {
			f.problems.add(one.path, readProblem(err))
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.folders = append(f.folders, folderState{path, state})
}

// isCompiledPython reports whether an item is what Python writes by itself.
func isCompiledPython(i *item) bool {
	if i.kind == unix.DT_DIR {
		return i.name() == "__pycache__"
	}
	return strings.HasSuffix(i.name(), ".pyc")
}

// look adds the state of one item. Directories are opened later.
func (f *fingerprinter) look(dir *handle, i *item, state []byte) ([]byte, error) {
	st, err := dir.stat(i.name())
	if errors.Is(err, fs.ErrNotExist) {
		return state, nil
	}
	if err != nil {
		return state, err
	}
	if f.tree != nil {
		st = f.asCopied(st)
	}
	state = appendText(state, i.path)
	state = binary.LittleEndian.AppendUint32(state, uint32(st.Mode))
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		f.descend(dir, i)
		return state, nil
	}
	for _, number := range []uint64{uint64(st.Size), uint64(st.Mtim.Nano()), st.Ino} {
		state = binary.LittleEndian.AppendUint64(state, number)
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		target, err := dir.readlink(i.name())
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return state, err
		}
		state = appendText(state, target)
	}
	return state, nil
}

// descend adds the visit of a directory, if it can be read.
func (f *fingerprinter) descend(parent *handle, i *item) {
	if slices.Contains(f.leaveOut, i.path) {
		return
	}
	parent.hold(1)
	f.crew.add(func() {
		defer parent.release()
		dir, err := parent.open(i.name())
		switch {
		case err == nil:
			f.visit(dir, i.path)
		case !isHidden(err):
			f.problems.add(i.path, readProblem(err))
		}
	})
}

// isHidden reports whether a directory may not be read by this user, or has gone
// or become something else since its parent was read. All else is a fault.
func isHidden(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)
}

// appendText writes text so that where it ends is beyond doubt.
func appendText(out []byte, text string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(text))), text...)
}
