package upkeep

import (
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"larder/caches/layers"
)

// keptFor is how long a kept sandbox stays, whatever room there is.
const keptFor = 24 * time.Hour

// kept lists the kept sandboxes. They need nothing else of the store.
func (p *pruning) kept() []candidate {
	var found []candidate
	for _, path := range p.list(p.layout.Kept()) {
		found = append(found, p.plain(Kept, path, func() error { return p.removeKept(path) }))
	}
	return found
}

// isOver reports whether nobody has begun to look at a kept sandbox for a day.
func (p *pruning) isOver(item Item) bool { return p.now.Sub(item.Used) > keptFor }

// removeKept removes a kept sandbox, unless a shell is in it.
func (p *pruning) removeKept(path string) error {
	lock, err := layers.TryMake(filepath.Join(path, "lock"))
	if errors.Is(err, fs.ErrPermission) && p.layout.Shared() {
		return errInUse // another user's
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	return layers.Discard(p.layout, path)
}
