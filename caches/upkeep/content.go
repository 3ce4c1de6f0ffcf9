package upkeep

import (
	"errors"
	"os"

	"larder/caches"
	"larder/caches/cas"
	"larder/caches/layers"
	"larder/caches/results"
	"larder/digest"
)

// results lists the kept results and counts what they need.
func (p *pruning) results() []candidate {
	var found []candidate
	err := results.NewFiles(p.layout).All(func(kept results.Kept, err error) error {
		if err != nil {
			p.unusable(kept, err)
			return p.ctx.Err()
		}
		single, trees, err := kept.Record.Needs(kept.Function)
		if err != nil {
			p.unusable(kept, err)
			return p.ctx.Err()
		}
		for _, d := range single {
			p.needs.add(d)
		}
		for _, d := range trees {
			p.needs.addTree(d)
		}
		found = append(found, p.result(kept))
		return p.ctx.Err()
	})
	p.problem(p.layout.Results(), err)
	return found
}

// unusable notes a record that is damaged or cannot be read.
func (p *pruning) unusable(kept results.Kept, err error) {
	if errors.Is(err, results.ErrUseless) {
		p.damaged = append(p.damaged, p.plain(Results, kept.Path, func() error { return os.Remove(kept.Path) }))
		return
	}
	p.problem(kept.Path, err)
}

// result makes a candidate of a record, which takes along the blobs that only it
// needs.
func (p *pruning) result(kept results.Kept) candidate {
	c := p.plain(Results, kept.Path, func() error { return p.reap(kept.Path, os.Remove) })
	c.Name = kept.Hash
	c.Used, _ = caches.LastUsed(kept.Path)
	c.inUse = func() bool { return !c.Used.Before(p.unused) }
	single, trees, _ := kept.Record.Needs(kept.Function)
	c.after = func() { p.free(append(single, trees...)) }
	return c
}

// reap removes a file or a directory unless somebody uses it.
func (p *pruning) reap(path string, remove func(string) error) error {
	return p.layout.Reap(func() error {
		used, err := caches.LastUsed(path)
		if err != nil {
			return err
		}
		if !used.Before(p.unused) {
			return errInUse
		}
		return remove(path)
	})
}

// free takes away one need of each blob, and the blobs that nothing needs then.
func (p *pruning) free(blobs []digest.Digest) {
	for _, d := range blobs {
		p.needs.drop(d, func(free digest.Digest) {
			for _, file := range p.blobs[free.Function()].FilesOf(free) {
				p.one(p.blob(file))
			}
		})
	}
}

// largeBlob is from how many bytes on it takes long to delete a file.
const largeBlob = 1 << 20

// blob makes a candidate of one file of a blob.
func (p *pruning) blob(file cas.File) candidate {
	c := candidate{paths: []string{file.Path}}
	c.Kind, c.Name = Blobs, file.Digest.String()
	c.Used, _ = caches.LastUsed(file.Path)
	c.inUse = func() bool { return !c.Used.Before(p.unused) }
	if file.Digest.Size() < largeBlob {
		c.remove = func() error { return p.reap(file.Path, os.Remove) }
		return c
	}
	c.remove = func() error { return p.reapLarge(file.Path) }
	return c
}

// reapLarge is reap for what takes long to delete: under the lock it only gets
// out of sight.
func (p *pruning) reapLarge(path string) error {
	var trash string
	err := p.reap(path, func(path string) (err error) {
		trash, err = layers.Trash(p.layout, path)
		return err
	})
	if err != nil || trash == "" {
		return err
	}
	return layers.RemoveTree(trash)
}

// looseBlobs lists the blobs that nothing needs.
func (p *pruning) looseBlobs() []candidate {
	var found []candidate
	for _, store := range p.blobs {
		err := store.Files(func(file cas.File, err error) error {
			switch {
			case errors.Is(err, cas.ErrCorrupt):
				// Not a blob: for verify to tell, as nobody knows whose it is.
			case err != nil:
				p.problem(file.Path, err)
			case !p.needs.has(file.Digest):
				found = append(found, p.blob(file))
			}
			return p.ctx.Err()
		})
		p.problem(p.layout.CAS(), err)
	}
	return found
}

// trees lists the input trees that are laid out, and counts what they need: a
// tree is links to blobs, so those take no room as long as it is there.
func (p *pruning) trees() []candidate {
	var found []candidate
	for _, store := range p.blobs {
		rows, err := store.Trees()
		p.problem(p.layout.Layers(), err)
		for _, row := range rows {
			c := p.plain(Trees, row.Path, func() error { return p.reapLarge(row.Path) })
			c.Used = row.LastUse
			c.inUse = func() bool { return !c.Used.Before(p.unused) }
			if !row.Root.IsZero() {
				p.needs.addTree(row.Root)
				c.after = func() { p.free([]digest.Digest{row.Root}) }
			}
			found = append(found, c)
		}
	}
	return found
}
