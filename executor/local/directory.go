package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"larder/caches"
	"larder/caches/layers"
	"larder/sandbox"
)

// runInDirectory runs in a directory what config says for namespaces. Binds below
// the working directory are put into it and taken out again; others are left out,
// since a host path is at its own place already. own is the folder of the run:
// what lies in it is moved, and all else has a symbolic link to it.
//
// It needs the folder for itself, and the processes of the command are gone when
// it returns, as far as the system can tell. After a crash the folder goes.
func runInDirectory(ctx context.Context, config sandbox.Config, own string) (sandbox.Status, error) {
	r := &room{own: own}
	placed, err := r.furnish(config)
	status := sandbox.Status{ExitCode: -1}
	if err == nil {
		status, err = sandbox.Run(ctx, placed)
	}
	return status, errors.Join(err, r.clear())
}

// room is a working directory with what was put into it.
type room struct {
	own, dir string
	moved    []moved
}

// moved is a folder that was put at a path below the working directory, or that
// a link there leads to.
type moved struct {
	from, path string
	isLink     bool
}

// furnish makes the configuration of a directory.
func (r *room) furnish(config sandbox.Config) (sandbox.Config, error) {
	placed := config
	placed.Isolation, placed.View, placed.Binds, placed.Overlays = sandbox.Directory, sandbox.View{}, nil, nil
	for _, bind := range config.Binds {
		if bind.Target == sandbox.WorkDir {
			r.dir = bind.Source
		}
	}
	for _, bind := range config.Binds {
		if path, isInside := strings.CutPrefix(bind.Target, sandbox.WorkDir+"/"); isInside {
			if err := r.put(bind, path); err != nil {
				return placed, err
			}
		}
	}
	placed.Dir, placed.Env = r.dir, r.environment(config)
	return placed, nil
}

// environment names the places of the host in variables that name those of a
// sandbox, the way its own do.
func (r *room) environment(config sandbox.Config) []string {
	home := filepath.Join(config.Private, "home")
	var env []string
	for _, variable := range config.Env {
		name, value, _ := strings.Cut(variable, "=")
		if variable == "TMPDIR="+tempDir {
			value = filepath.Join(config.Private, "tmp")
		}
		parts := strings.Split(value, ":")
		for i, part := range parts {
			parts[i] = moveUnder(moveUnder(part, sandbox.WorkDir, r.dir), sandbox.HomeDir, home)
		}
		env = append(env, name+"="+strings.Join(parts, ":"))
	}
	return env
}

// moveUnder gives a path at or below one folder the place below another.
func moveUnder(path, from, to string) string {
	if path != from && !strings.HasPrefix(path, from+"/") {
		return path
	}
	return to + strings.TrimPrefix(path, from)
}

// put places one bind. What the inputs have at the place is covered by it, and so
// removed here, where nothing can be covered.
func (r *room) put(bind sandbox.Bind, path string) error {
	at, err := r.makeWay(bind, path)
	if err != nil {
		return err
	}
	one := moved{bind.Source, path, !bind.Writable || !within(bind.Source, r.own)}
	if !one.isLink && isPlainFolder(at) && !exists(bind.Source) {
		r.moved = append(r.moved, one) // it is there since a crash
		return nil
	}
	if err := layers.RemoveTree(at); err != nil {
		return fmt.Errorf("make room at %s: %w", bind.Target, err)
	}
	if one.isLink {
		err = os.Symlink(bind.Source, at)
	} else {
		err = caches.Replace(bind.Source, at)
	}
	if err != nil {
		return fmt.Errorf("put what belongs at %s there: %w", bind.Target, err)
	}
	r.moved = append(r.moved, one)
	return nil
}

// makeWay makes the directories above a place, and returns it. A symbolic link on
// the way is an error, as it is for a mount: it could lead anywhere.
func (r *room) makeWay(bind sandbox.Bind, path string) (string, error) {
	at := r.dir
	names := strings.Split(path, "/")
	for _, name := range names[:len(names)-1] {
		at = filepath.Join(at, name)
		if err := os.Mkdir(at, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("make room at %s: %w", bind.Target, err)
		}
		if info, err := os.Lstat(at); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return "", &sandbox.SetupError{Stage: sandbox.StageTarget, Path: bind.Target, Errno: syscall.ELOOP}
		}
		if !isPlainFolder(at) {
			return "", &sandbox.SetupError{Stage: sandbox.StageTarget, Path: bind.Target, Errno: syscall.ENOTDIR}
		}
	}
	return filepath.Join(at, names[len(names)-1]), nil
}

// clear takes out again what was put in, and leaves an empty directory in each
// place, as a mount would. A folder that the command has removed, or put something
// else in the place of, comes back empty: all of it was deleted.
func (r *room) clear() error {
	var failed []error
	for _, one := range slices.Backward(r.moved) {
		failed = append(failed, r.takeOut(one))
	}
	return errors.Join(failed...)
}

func (r *room) takeOut(one moved) error {
	at := filepath.Join(r.dir, one.path)
	isThere := r.reaches(one.path)
	switch {
	case one.isLink && isThere:
		if os.Remove(at) != nil { // the command may have put a directory there
			return nil
		}
	case one.isLink:
		return nil
	case isThere && isPlainFolder(at):
		if err := errors.Join(caches.Replace(at, one.from), layers.OwnFiles(one.from)); err != nil {
			return fmt.Errorf("take %s out of the working directory: %w", one.path, err)
		}
	default:
		return os.Mkdir(one.from, 0o755)
	}
	return os.Mkdir(at, 0o755)
}

// reaches reports whether the way to a path has directories only: through a link,
// something of the host would be taken.
func (r *room) reaches(path string) bool {
	for above := filepath.Dir(path); above != "."; above = filepath.Dir(above) {
		if !isPlainFolder(filepath.Join(r.dir, above)) {
			return false
		}
	}
	return exists(filepath.Join(r.dir, path))
}

func isPlainFolder(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
