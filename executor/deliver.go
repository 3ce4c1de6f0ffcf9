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
		err := staysInside(root, dest)
		if err == nil {
			err = r.blobs.Export(ctx, output, dest)
		}
		if err != nil {
			return fmt.Errorf("hand over output %s: %w", output.Path, err)
		}
	}
	return nil
}

// staysInside returns nil when what is written to path, which is below root, ends
// up below root: an earlier output may have been a link that leads elsewhere.
func staysInside(root, path string) error {
	top, err := filepath.EvalSymlinks(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing is there that could lead away
	}
	if err != nil {
		return fmt.Errorf("look at %s: %w; choose another place with --output-to", root, err)
	}
	for parent := filepath.Dir(path); len(parent) > len(root); parent = filepath.Dir(parent) {
		real, err := filepath.EvalSymlinks(parent)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("look at %s: %w; choose another place with --output-to", parent, err)
		}
		if relative, err := filepath.Rel(top, real); err != nil || !filepath.IsLocal(relative) {
			return fmt.Errorf("a symbolic link on its way leads out of %s; remove the link, or choose another place with --output-to", root)
		}
		return nil
	}
	return nil
}
