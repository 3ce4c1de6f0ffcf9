package layers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"larder/caches"
)

// trashPrefix marks what nobody needs any more. Whoever finds it may delete it.
const trashPrefix = "trash-"

// IsTrash reports whether path, in the temporary folder of a store, is something
// that nobody needs any more.
func IsTrash(path string) bool { return strings.HasPrefix(filepath.Base(path), trashPrefix) }

// RemoveEach calls remove for one row after the other, and says which of them are
// gone and which were skipped, as somebody holds a lock on them. It goes on after
// what cannot be removed, until ctx ends.
func RemoveEach[Row any](ctx context.Context, rows []Row, remove func(Row) error) (removed, skipped []Row, err error) {
	var failed []error
	for _, row := range rows {
		if ctx.Err() != nil {
			return removed, skipped, context.Cause(ctx)
		}
		switch err := remove(row); {
		case err == nil:
			removed = append(removed, row)
		case errors.Is(err, ErrLocked):
			skipped = append(skipped, row)
		default:
			failed = append(failed, err)
		}
	}
	return removed, skipped, errors.Join(failed...)
}

// EmptyTrash deletes what was moved out of sight by anybody, and goes on after
// what cannot be deleted. Any number may do it at once.
func EmptyTrash(ctx context.Context, layout caches.Layout) error {
	var failed []error
	for _, path := range list(layout.Temp()) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !IsTrash(path) {
			continue
		}
		if err := RemoveTree(path); err != nil && !ofOther(layout, err) {
			failed = append(failed, fmt.Errorf("delete what nobody needs: %w", err))
		}
	}
	return errors.Join(failed...)
}

// Discard makes the file or directory at path disappear by one rename and then
// deletes it, which may take long. A path that is missing is no error. A crash
// leaves a trash folder that [Sweep] deletes.
func Discard(layout caches.Layout, path string) error {
	trash, err := Trash(layout, path)
	if err != nil || trash == "" {
		return err
	}
	return RemoveTree(trash)
}

// Trash makes the file or directory at path disappear by one rename, and
// returns where it is now, for [RemoveTree]. It returns "" when there was
// nothing at path.
func Trash(layout caches.Layout, path string) (string, error) {
	folder, err := makeTemp(layout.Temp(), trashPrefix+"*")
	if err != nil {
		return "", fmt.Errorf("remove %s: %w", path, err)
	}
	err = caches.Replace(path, filepath.Join(folder, "old"))
	if errors.Is(err, fs.ErrPermission) {
		// Moving a directory rewrites its "..", which takes write permission.
		if err = grant(unix.AT_FDCWD, path); err == nil {
			err = caches.Replace(path, filepath.Join(folder, "old"))
		}
	}
	if err == nil {
		return folder, nil
	}
	os.Remove(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return "", fmt.Errorf("remove %s: %w", path, err)
}
