package named

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"syscall"

	"larder/caches"
	"larder/caches/layers"
)

// A manifest names the generations that were kept below it when it was made, so
// that one that is missing is not taken for one that was let go. Those of them
// that are let go later, by a trim, a repair or after a restart, get a mark first,
// an empty file that takes no room.

// droppedSuffix ends the name of that file.
const droppedSuffix = ".dropped"

// depthOf is how many generations stay for a rollback while m is the head.
func depthOf(m manifest) int { return cmp.Or(max(m.Keep, 0), caches.DefaultKeep) }

// keptBelow lists the generations that stay below m, whose parent is known.
func (i instance) keptBelow(m manifest) (ids []string) {
	if m.Parent == "" || depthOf(m) < 2 {
		return nil
	}
	parent, err := i.read(m.Parent)
	if err != nil || !i.survived(parent) {
		return nil
	}
	for _, older := range i.history(parent, depthOf(m)-1) {
		ids = append(ids, older.ID)
	}
	return ids
}

// staying lists what stays when keep generations do: the newest of the history,
// the newest durable one, and one that a restart has cost the head, until another
// one is published: without it, the head would seem damaged.
func (i instance) staying(head manifest, keep int) (stay []manifest) {
	if head.ID != "" {
		stay = i.history(head, keep)
	}
	if last := i.durable().manifest; last.ID != "" {
		stay = append(stay, last)
	}
	if id, err := i.readHead(); err == nil && id != "" && id != head.ID {
		if lost, err := i.read(id); err == nil {
			stay = append(stay, lost)
		}
	}
	return stay
}

// forgo marks those of the generations that the head counts on that do not stay,
// and takes marks away that nobody asks for any more. The lock of the instance is
// held.
func (i instance) forgo(head manifest, stay []manifest) error {
	marked, err := i.named(droppedSuffix)
	if err != nil {
		return err
	}
	for _, id := range marked {
		if !slices.Contains(head.Kept, id) {
			os.Remove(i.droppedMark(id))
		}
	}
	for _, id := range head.Kept {
		if slices.Contains(marked, id) || slices.ContainsFunc(stay, func(m manifest) bool { return m.ID == id }) {
			continue
		}
		file, err := os.OpenFile(i.droppedMark(id), os.O_CREATE|os.O_WRONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o644)
		if err != nil {
			return fmt.Errorf("mark generation %s as dropped: %w", id, err)
		}
		file.Close()
	}
	return nil
}

func (i instance) droppedMark(id string) string {
	return i.path(generationsFolder) + "/" + id + droppedSuffix
}

// verifyHistory reports the generations that the head counts on and that are
// missing. Marks are looked for after them, as they are made before they go.
func (i instance) verifyHistory(report func(Flaw)) {
	id, err := i.readHead()
	if err != nil || id == "" {
		return // which was reported
	}
	head, err := i.read(id)
	if err != nil || !i.survived(head) {
		return
	}
	lost := slices.DeleteFunc(slices.Clone(head.Kept), func(older string) bool {
		_, err := os.Lstat(i.manifest(older))
		return !missing(err)
	})
	lost = slices.DeleteFunc(lost, func(older string) bool {
		_, err := os.Lstat(i.droppedMark(older))
		return err == nil
	})
	if again, _ := i.readHead(); again != id {
		return
	}
	for _, older := range lost {
		report(Flaw{Path: i.manifest(older), Problem: fmt.Sprintf(
			"it is missing, and generation %s has it in its history: %v", id, layers.ErrDamaged)})
	}
}
