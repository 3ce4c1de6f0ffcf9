package local

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"larder/caches"
	"larder/caches/cas"
	"larder/caches/layers"
	"larder/caches/named"
	"larder/digest"
	"larder/executor/action"
	"larder/sandbox"
)

// checkout is a cache of the action with its lease.
type checkout struct {
	*named.Checkout
	cache action.Cache
	ref   caches.Ref
}

// checkOut leases every cache, in the order of their paths, and stacks the
// input tree.
func (a *attempt) checkOut(ctx context.Context) error {
	return a.step(action.StepCheckout, func() error {
		repository := RepositoryOf(a.job.Action.Root)
		for _, cache := range a.job.Action.Caches {
			ref := cache.Ref(repository)
			leased, err := a.runner.config.Named.Checkout(ctx, ref, a.folder, named.CheckoutOptions{Copy: a.copied})
			if err != nil {
				return fmt.Errorf("cache %s: %w", cache.Name, err)
			}
			a.checkouts = append(a.checkouts, checkout{leased, cache, ref})
			if problem := leased.Warning(); problem != nil {
				a.warn("cache %s starts empty: %v", cache.Name, problem)
			}
		}
		return a.stackInputs(ctx)
	})
}

// stackInputs makes the workspace. Without any input there is nothing to put a
// layer on, and the private folder itself is the workspace. That would not do
// for a cache: a process could write the marks of overlayfs into its folder.
// Outputs lose all extended attributes on their way into the store.
func (a *attempt) stackInputs(ctx context.Context) (err error) {
	blobs := a.runner.config.Blobs
	if len(a.job.Inputs.Entries) == 0 && len(a.job.Inputs.Directories) <= 1 {
		if a.work.upper, err = a.folder.Dir("build"); err != nil {
			return err
		}
		return os.Chmod(a.work.upper, 0o755) // as with inputs, whatever the umask
	}
	a.work.tree, err = blobs.Tree(ctx, a.job.Inputs, a.origin())
	if err != nil {
		return err
	}
	private, err := a.folder.Private("build")
	if err != nil {
		return fmt.Errorf("make a private layer: %w", err)
	}
	a.work.upper, a.work.work = private.Upper, private.Work
	if a.copied {
		return layers.CopyStack(layers.Stack{{ID: "inputs", Path: a.work.tree}}, a.work.upper)
	}
	return nil
}

// origin finds scanned files by their digest. The map is made at the first
// question: a tree that is laid out already asks none.
func (a *attempt) origin() cas.Origin {
	paths := sync.OnceValue(func() map[digest.Digest]string {
		byDigest := make(map[digest.Digest]string, len(a.job.Inputs.Entries))
		for _, entry := range a.job.Inputs.Entries {
			if entry.Kind == digest.KindFile {
				byDigest[entry.Digest] = entry.Path
			}
		}
		return byDigest
	})
	return func(d digest.Digest) (string, bool) {
		path, ok := paths()[d]
		return filepath.Join(a.job.Action.Root, path), ok
	}
}

// mounts returns where the workspace and the caches appear.
func (a *attempt) mounts() (overlays []sandbox.Overlay, binds []sandbox.Bind) {
	if a.copied || a.work.tree == "" {
		binds = append(binds, sandbox.Bind{Source: a.work.upper, Target: sandbox.WorkDir, Writable: true})
	} else {
		overlays = append(overlays, sandbox.Overlay{
			Target: sandbox.WorkDir, Lowers: []string{a.work.tree}, Upper: a.work.upper, Work: a.work.work,
		})
	}
	for _, c := range a.checkouts {
		target := filepath.Join(sandbox.WorkDir, c.cache.Path.String())
		if c.Copied() {
			binds = append(binds, sandbox.Bind{Source: c.Upper(), Target: target, Writable: true})
			continue
		}
		overlays = append(overlays, sandbox.Overlay{Target: target, Lowers: c.Lowers(), Upper: c.Upper(), Work: c.Work()})
	}
	return overlays, binds
}
