package named

import (
	"errors"
	"os"
	"path/filepath"
	"slices"

	"larder/caches/layers"
)

// collect drops generations that are no longer needed, and moves layers that
// no remaining generation names out of sight; it returns where they are, for
// empty. The newest generations of the history stay, as many as the head says;
// so does the newest durable one, and every generation that somebody has leased.
// The caller holds the lock of the instance, so what a crashed publisher left
// goes as well. What cannot be dropped now is left for the next time.
func (i instance) collect(head manifest) (trash []string) {
	remaining := i.staying(head, depthOf(head))
	ids, err := i.manifests()
	if err == nil {
		err = i.forgo(head, remaining)
	}
	if err != nil {
		return nil
	}
	for _, id := range ids {
		if slices.ContainsFunc(remaining, func(m manifest) bool { return m.ID == id }) || i.drop(id) {
			continue
		}
		leased, err := i.read(id)
		if err != nil {
			return nil // its layers are not known, so none may go
		}
		remaining = append(remaining, leased)
	}
	i.dropMarks()
	return i.dropLayers(remaining)
}

// all keeps the whole history.
const all = 1 << 30

// history follows parents from a head, newest first, as far as they can be
// trusted to be whole.
func (i instance) history(head manifest, most int) []manifest {
	found := []manifest{head}
	for len(found) < most && head.Parent != "" {
		next, err := i.read(head.Parent)
		if err != nil || !i.survived(next) || slices.ContainsFunc(found, func(m manifest) bool { return m.ID == next.ID }) {
			break
		}
		found, head = append(found, next), next
	}
	return found
}

// manifests lists the ids of all manifests. Who removes layers has to know them
// all: any could be leased.
func (i instance) manifests() ([]string, error) { return i.named(manifestSuffix) }

// generations lists the ids of the manifests that can be found.
func (i instance) generations() []string {
	ids, _ := i.manifests()
	return ids
}

// drop removes a manifest unless somebody holds a lease on it.
func (i instance) drop(id string) bool {
	lease, err := layers.TryAcquire(i.manifest(id))
	if err != nil {
		return errors.Is(err, os.ErrNotExist)
	}
	defer lease.Close()
	return os.Remove(i.manifest(id)) == nil
}

func (i instance) dropLayers(remaining []manifest) (trash []string) {
	named := map[string]bool{}
	for _, m := range remaining {
		for _, layer := range m.Layers {
			named[layer.ID] = true
		}
	}
	entries, _ := os.ReadDir(i.layers())
	for _, entry := range entries {
		if named[layerOf(entry.Name())] {
			continue
		}
		path, err := layers.Trash(i.store.layout, filepath.Join(i.layers(), entry.Name()))
		if err != nil {
			i.store.journal.Warn("not-removed", "what", "layer", "cache", i.ref.String(), "problem", err)
			continue
		}
		trash = append(trash, path)
	}
	return trash
}

// empty deletes what collect moved out of sight. A failure costs space only.
func (i instance) empty(trash []string) {
	for _, path := range trash {
		if err := layers.RemoveTree(path); err != nil {
			i.store.journal.Warn("not-removed", "what", "trash", "cache", i.ref.String(), "problem", err)
		}
	}
}
