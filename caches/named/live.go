package named

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"larder/caches"
	"larder/caches/layers"
)

// A live cache (share=live) is one directory that all its actions write to at
// the same time. It has no generations, nothing is copied, merged, enforced or
// rolled back, and a crash leaves files as far as they were written.
//
// Its directory lies in a folder that only the owner of the store can enter: a
// process may give what it makes there any mode, a set-user-ID bit too, and
// other users of the machine must not come by it. It is bound raw, so a process
// can write the marks of overlayfs there; they mean nothing, because a live
// directory is never a layer and never copied into one.
const (
	liveFolder    = "live"
	sharedFolder  = "shared"
	liveEnclosure = 0o700
)

func (i instance) shared() string { return i.path(filepath.Join(liveFolder, sharedFolder)) }

// prepareLive takes the shared lock that says that the cache is in use, and
// makes the directory.
func (c *Checkout) prepareLive(ctx context.Context) (err error) {
	if c.lease, err = c.in.leaseLive(ctx); err != nil {
		return err
	}
	if err := c.in.makeShared(); err != nil {
		return err
	}
	c.copied, c.private.Upper = true, c.in.shared()
	now := time.Now()
	os.Chtimes(c.in.path(useFile), now, now) // last used, for List
	return c.in.describe()
}

func (i instance) leaseLive(ctx context.Context) (*layers.Lock, error) {
	for {
		if err := i.makeFolders(); err != nil {
			return nil, err
		}
		file, err := os.OpenFile(i.path(useFile), os.O_RDONLY|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o644)
		if err == nil {
			err = caches.ShareFile(file)
			file.Close()
		}
		if err == nil {
			var lease *layers.Lock
			if lease, err = layers.Lease(ctx, i.path(useFile)); err == nil {
				return lease, nil
			}
		}
		if !missing(err) { // else it was removed in between
			return nil, err
		}
	}
}

// makeShared makes the directory, and gives it back the mode that a process may
// have taken from it. In a store of a group somebody else may have made what is
// there, or put a link to a folder of this user in its place, which actions would
// then write to; so all of it has to be this user's own.
func (i instance) makeShared() error {
	for _, dir := range []string{i.folder(), i.path(liveFolder), i.shared()} {
		if err := os.Mkdir(dir, liveEnclosure); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := ownFolder(dir); err != nil {
			return err
		}
	}
	if i.store.layout.Shared() {
		for _, dir := range []string{i.store.layout.Root(), i.store.layout.Named()} {
			if err := keepsOwn(dir); err != nil {
				return err
			}
		}
	}
	return os.Chmod(i.shared(), 0o755)
}

// keepsOwn refuses a folder of the store in which another user could put something
// else in the place of what this user has made, between the look at it and the
// mount: its owner may, and where it is not sticky all who write to it.
func keepsOwn(folder string) error {
	info, err := os.Stat(folder)
	if err != nil {
		return err
	}
	owner := int(info.Sys().(*syscall.Stat_t).Uid)
	if owner != 0 && owner != os.Geteuid() {
		return fmt.Errorf("the live cache is not safe here: the user with the id %d owns %s and could put another folder in its place; have the administrator make the store (larder --store DIR cache dir, as root), or leave share=live out: %w", owner, folder, fs.ErrPermission)
	}
	if info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("the live cache is not safe here: others could put another folder in its place, since %s is not sticky (chmod +t): %w", folder, fs.ErrPermission)
	}
	return nil
}

// ownFolder refuses what is no directory of this user.
func ownFolder(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("the live cache cannot be used: %s is no directory; remove the cache: %w", path, layers.ErrDamaged)
	}
	if int(info.Sys().(*syscall.Stat_t).Uid) != os.Geteuid() {
		return fmt.Errorf("the live cache belongs to another user of the store (%s); give it a key or a scope of its own: %w", path, fs.ErrPermission)
	}
	return nil
}

// left is the outcome of a live cache. What the process wrote was there for all
// at once, whatever became of the action, and nobody has counted it.
func (c *Checkout) left() Outcome { return Outcome{Result: Published} }

// describeLive measures a live cache, in time that grows with it; false says
// that there is none.
func (r *Row) describeLive(i instance) bool {
	if _, err := os.Lstat(i.shared()); err != nil {
		return false
	}
	_ = filepath.WalkDir(i.shared(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == i.shared() {
			return nil
		}
		r.Entries++
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			r.Bytes += info.Size()
		}
		return nil
	})
	if info, err := os.Stat(i.path(useFile)); err == nil {
		r.LastUsed = info.ModTime()
	}
	use, err := layers.TryAcquire(i.path(useFile))
	if errors.Is(err, layers.ErrLocked) {
		r.Status = InUse
	}
	use.Close()
	return true
}
