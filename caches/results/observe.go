package results

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"larder/digest"
)

// Observation is the state that a host path had when an answer was made.
type Observation struct {
	Path  string `json:"path"`
	State string `json:"state"`
}

// Observe takes the state of path: the content of a file, the target of a
// symbolic link with the state behind it, the names, times and sizes of a
// directory and all below it, or that nothing is there.
func Observe(ctx context.Context, path string, fn digest.Function) (Observation, error) {
	state, err := observe(ctx, path, fn)
	if err != nil {
		return Observation{}, fmt.Errorf("observe %s: %w", path, err)
	}
	return Observation{path, state}, nil
}

func observe(ctx context.Context, path string, fn digest.Function) (string, error) {
	link, _ := os.Readlink(path)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return "absent " + link, nil
	case err != nil:
		return "", err
	case info.IsDir():
		d, err := digest.StateFingerprint(ctx, path, fn)
		return fmt.Sprintf("directory %s %s", d, link), err
	case info.Mode().IsRegular():
		d, err := digest.FileDigest(path, digest.NewIndex(fn))
		return fmt.Sprintf("file %s %s %s", d, info.Mode().Perm(), link), err
	}
	return fmt.Sprintf("special %s %s", info.Mode(), link), nil
}

// Holds reports whether the path is still in the observed state. One that can
// no longer be looked at does not hold.
func (o Observation) Holds(ctx context.Context, fn digest.Function) bool {
	now, err := observe(ctx, o.Path, fn)
	return err == nil && now == o.State
}
