package local

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"larder/executor/action"
)

// ProgramState identifies the file behind argv[0] as it is now: its path, the
// file that links lead to, and that file's inode, size and times. Installing
// another version changes it. It costs a few system calls, where the state that
// is part of an action's key looks at the whole tree of a tool. It is empty for
// a program that is no file of the host.
func (r *Runner) ProgramState(a *action.Action) (string, error) {
	seen, err := r.caller(a).find(a.Argv[0], a.Tools)
	if err != nil || seen.program == "" {
		return "", err
	}
	real, err := filepath.EvalSymlinks(seen.program)
	if err != nil {
		return "", fmt.Errorf("look at the program: %w", err)
	}
	var stat unix.Stat_t
	if err := unix.Stat(real, &stat); err != nil {
		return "", fmt.Errorf("look at the program %s: %w", real, err)
	}
	return fmt.Sprintf("%s %s %d:%d %d %d %d", seen.program, real, stat.Dev, stat.Ino, stat.Size, stat.Mtim.Nano(), stat.Ctim.Nano()), nil
}
