package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"larder/caches/cas"
	"larder/caches/layers"
	"larder/digest"
	"larder/executor/action"
)

// capture takes the logs and the declared outputs into the store. Every process
// of the action is gone, so a file can be moved without a copy.
func (a *attempt) capture(ctx context.Context) error {
	return a.step(action.StepCapture, func() error {
		if err := a.logs.commit(a.result); err != nil {
			a.trouble("the result was not kept", err)
		}
		view := a.stack()
		var all []digest.Entry
		for _, output := range a.job.Action.Outputs {
			below, err := a.captureOutput(ctx, view, output)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if errors.Is(err, unix.ENAMETOOLONG) {
				return fmt.Errorf("capture output %s: what is in it has paths that are too long for the store, with more than some 4,000 bytes; make them shorter: %w", output, unix.ENAMETOOLONG)
			}
			if err != nil {
				return fmt.Errorf("capture output %s: %w", output, err)
			}
			all = append(all, below...)
		}
		if a.status.Stuck {
			return nil // judge has said that the result is not kept
		}
		root, err := a.storeTree(ctx, "", all)
		if err != nil {
			a.trouble("the result was not kept", err)
			return nil
		}
		a.result.OutputDigest = root.String()
		return nil
	})
}

// captureOutput takes one output and returns all that is at and below it.
func (a *attempt) captureOutput(ctx context.Context, view layers.Stack, output action.Path) ([]digest.Entry, error) {
	var below []digest.Entry
	if err := unlock(a.work.upper, output.String()); err != nil {
		return nil, err
	}
	err := view.WalkAt(output.String(), func(entry layers.Entry) error {
		taken, err := a.take(ctx, entry)
		below = append(below, taken)
		return err
	})
	if err != nil {
		return nil, err
	}
	top := below[0]
	if top.Kind == digest.KindDirectory {
		if top.Digest, err = a.storeTree(ctx, output.String(), below[1:]); err != nil {
			return nil, err
		}
	}
	a.outputs = append(a.outputs, top)
	a.result.Outputs = append(a.result.Outputs, describeOutput(top))
	return below, nil
}

// unlock gives larder's user all permissions on the directories of the private
// layer on the way to an output and below it: an ordinary user is held to the
// modes that the command has left. They are no part of an output.
func unlock(upper, output string) error {
	at := upper
	for _, name := range append(strings.Split(output, "/"), "") {
		info, err := os.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
			return nil // it is in a lower layer, or no directory
		}
		if err == nil && info.Mode()&0o700 != 0o700 {
			err = os.Chmod(at, info.Mode().Perm()|0o700)
		}
		if err != nil {
			return fmt.Errorf("open directory: %w", err)
		}
		if name != "" {
			at += "/" + name
		}
	}
	return filepath.WalkDir(at, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode()&0o700 != 0o700 {
			err = os.Chmod(path, info.Mode().Perm()|0o700)
		}
		return err
	})
}

// take stores one file. A file of the input tree is in the store already, unless
// somebody deleted the blobs since, and only gets its digest.
func (a *attempt) take(ctx context.Context, entry layers.Entry) (digest.Entry, error) {
	taken := digest.Entry{Path: entry.Path, Executable: entry.Mode&0o100 != 0}
	var err error
	switch entry.Kind {
	case layers.Directory:
		taken.Kind, taken.Executable = digest.KindDirectory, false
	case layers.Symlink:
		taken.Kind, taken.Executable = digest.KindSymlink, false
		taken.Target, err = readLink(entry.Real)
	case layers.File:
		taken.Kind = digest.KindFile
		err = a.taking(func(blobs *cas.Store) error {
			taken.Digest, err = a.takeFile(ctx, blobs, entry)
			return err
		})
	default:
		err = &digest.Problem{Path: entry.Path, Err: errors.New("is a FIFO, a socket or a device; outputs are files, directories and symbolic links")}
	}
	return taken, err
}

func (a *attempt) takeFile(ctx context.Context, blobs *cas.Store, entry layers.Entry) (digest.Digest, error) {
	form := cas.FormOf(entry.Mode)
	if strings.HasPrefix(entry.Real, a.work.upper+"/") {
		return blobs.Adopt(ctx, entry.Real, form)
	}
	d, err := digest.FileDigest(entry.Real, digest.NewIndex(blobs.Function()))
	if err == nil && !blobs.Has(d) {
		err = blobs.AddFile(ctx, entry.Real, d, form)
	}
	return d, err
}

// storeTree stores the directories of a tree whose entries lie below prefix.
func (a *attempt) storeTree(ctx context.Context, prefix string, entries []digest.Entry) (digest.Digest, error) {
	relative := make([]digest.Entry, len(entries))
	for i, entry := range entries {
		relative[i] = entry
		if prefix != "" {
			relative[i].Path = strings.TrimPrefix(entry.Path, prefix+"/")
		}
	}
	tree, err := digest.FromEntries(a.runner.config.Blobs.Function(), relative)
	if err != nil {
		return digest.Digest{}, err
	}
	return tree.Root, a.taking(func(blobs *cas.Store) error { return blobs.AddDirectories(ctx, tree.Directories()) })
}

func describeOutput(entry digest.Entry) action.Output {
	output := action.Output{
		Path: entry.Path, Digest: entry.Digest.String(), Kind: action.KindFile,
		Executable: entry.Executable, Target: entry.Target,
	}
	switch entry.Kind {
	case digest.KindDirectory:
		output.Kind = action.KindDirectory
	case digest.KindSymlink:
		output.Kind = action.KindSymlink
	}
	return output
}
