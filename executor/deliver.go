package executor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"larder/digest"
	"larder/executor/action"
)

// deliver writes the outputs of an action that succeeded under the root, or
// where the request says.
func (r *run) deliver(ctx context.Context, result *action.Result, outputs []digest.Entry) error {
	if result.Status != action.StatusOK || r.request.OutputTo == OutputNone {
		return nil
	}
	root := r.request.OutputTo
	if root == "" {
		root = r.request.Action.Root
	}
	for _, output := range outputs {
		dest := filepath.Join(root, output.Path)
		if !staysInside(root, dest) {
			return fmt.Errorf("hand over output %s: a symbolic link on its way leads out of %s; remove the link, or choose another place with --output-to", output.Path, root)
		}
		if err := r.blobs.Export(ctx, output, dest); err != nil {
			return fmt.Errorf("hand over output %s: %w", output.Path, err)
		}
	}
	return nil
}

// staysInside reports whether what is written to path, which is below root, ends
// up below root: an earlier output may have been a link that leads elsewhere.
func staysInside(root, path string) bool {
	top, err := filepath.EvalSymlinks(root)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist) // nothing is there that could lead away
	}
	for parent := filepath.Dir(path); len(parent) > len(root); parent = filepath.Dir(parent) {
		real, err := filepath.EvalSymlinks(parent)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		relative, relErr := filepath.Rel(top, real)
		return err == nil && relErr == nil && filepath.IsLocal(relative)
	}
	return true
}
