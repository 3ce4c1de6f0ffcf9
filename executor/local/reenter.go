package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"larder/caches"
	"larder/caches/layers"
	"larder/executor/action"
	"larder/sandbox"
)

// Kept is a kept sandbox that this process has to itself until Close.
type Kept struct {
	folder string
	record kept
	lock   *layers.Lock
}

// OpenKept opens the kept sandbox in folder. The error wraps [layers.ErrLocked]
// while another shell is in it, or while it is being removed, and
// [caches.ErrInvalid] when folder holds none.
func OpenKept(folder string) (*Kept, error) {
	data, err := caches.ReadFile(filepath.Join(folder, keptRecord))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w folder %s: it holds no kept sandbox; cache prune removes those that are older than a day", caches.ErrInvalid, folder)
	}
	if err != nil {
		return nil, fmt.Errorf("open a kept sandbox: %w", err)
	}
	k := &Kept{folder: folder}
	if err := json.Unmarshal(data, &k.record); err != nil {
		return nil, fmt.Errorf("%w kept sandbox %s: %w; remove it", caches.ErrInvalid, folder, err)
	}
	k.lock, err = layers.TryMake(filepath.Join(folder, keptLock))
	if errors.Is(err, layers.ErrLocked) {
		return nil, fmt.Errorf("another shell is in the kept sandbox %s; leave that one first: %w", folder, layers.ErrLocked)
	}
	if err != nil {
		return nil, fmt.Errorf("open a kept sandbox: %w", err)
	}
	now := time.Now()
	if err := os.Chtimes(folder, now, now); err != nil { // another day
		k.Close()
		return nil, fmt.Errorf("open a kept sandbox: %w", err)
	}
	return k, nil
}

// Close lets others in.
func (k *Kept) Close() { k.lock.Close() }

// Command is what had run in it.
func (k *Kept) Command() []string { return k.record.Command }

// Host is what of the host is visible in it.
func (k *Kept) Host() action.Host { return k.record.Host }

// Run runs a command on the standard files of cfg, with Args, Signals, Terminal
// and further Env of it, in what the run and later shells left. Limits of the run
// do not apply. What of the host has gone since is an error that names it.
func (k *Kept) Run(ctx context.Context, cfg sandbox.Config) (sandbox.Status, error) {
	r := k.record
	cfg.View, cfg.Network, cfg.AllowUserns = viewOf(r.Host)(), networkOf(r.Network), r.Userns
	cfg.Env, cfg.Private = slices.Concat(cfg.Env, r.Env), filepath.Join(k.folder, "private")
	for _, bind := range r.Binds {
		if bind.Source == "" {
			bind.Source = filepath.Join(k.folder, "empty")
			if err := os.MkdirAll(bind.Source, 0o755); err != nil {
				return sandbox.Status{}, fmt.Errorf("enter a kept sandbox: %w", err)
			}
		}
		cfg.Binds = append(cfg.Binds, bind)
	}
	for _, place := range r.Places {
		if err := k.mount(&cfg, place); err != nil {
			return sandbox.Status{}, fmt.Errorf("enter a kept sandbox: %w", err)
		}
	}
	if r.Sandbox == string(KindDirectory) {
		return runInDirectory(ctx, cfg, k.folder)
	}
	return sandbox.Run(ctx, cfg)
}

// mount shows one place as the run left it. The work folder of an overlay serves
// one mount.
func (k *Kept) mount(cfg *sandbox.Config, place keptPlace) error {
	at := filepath.Join(k.folder, place.Folder)
	below, work := filepath.Join(at, "below"), filepath.Join(at, "work")
	if k.record.IsCopied {
		cfg.Binds = append(cfg.Binds, sandbox.Bind{Source: below, Target: place.Target, Writable: true})
		return nil
	}
	cfg.Overlays = append(cfg.Overlays, sandbox.Overlay{Target: place.Target, Lowers: []string{below}, Upper: filepath.Join(at, "upper"), Work: work})
	if err := layers.RemoveTree(work); err != nil {
		return err
	}
	return os.Mkdir(work, 0o755)
}
