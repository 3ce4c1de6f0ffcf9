package named

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"larder/caches"
	"larder/caches/layers"
)

// markSuffix ends the name of the empty file beside a manifest that says: this
// generation was on the disk, whole, before this file was made. It holds in any
// boot.
const markSuffix = ".durable"

// OnBoot returns the same caches as a boot of the machine sees them that has
// this id; "" is one that has none. Otherwise it is what the kernel says.
func (s *Store) OnBoot(id string) *Store {
	return &Store{s.layout, s.journal, func() string { return id }, s.patience}
}

func (i instance) mark(id string) string {
	return i.path(generationsFolder) + "/" + id + markSuffix
}

func (i instance) marked(id string) bool {
	_, err := os.Lstat(i.mark(id))
	return err == nil
}

// survived reports whether a generation can be trusted to be whole: it was made
// in this boot, or was seen on the disk.
func (i instance) survived(m manifest) bool {
	return caches.SameBoot(m.BootID, i.store.boot()) || i.marked(m.ID)
}

// errLost says why a generation is not used after a restart.
var errLost = errors.New("it was published shortly before the machine restarted and may not be whole on the disk")

// marks lists the ids of all marked generations, whether they are there or not.
func (i instance) marks() []string {
	ids, _ := i.named(markSuffix) // one that is missed is not known to be durable
	return ids
}

// durable finds the newest marked generation that is there with all its layers.
// The zero value says that there is none.
func (i instance) durable() (newest state) {
	for _, id := range i.marks() {
		m, err := i.read(id)
		if err != nil || newest.manifest.ID != "" && !m.Created.After(newest.manifest.Created) {
			continue
		}
		if at := i.check(m); at.problem == nil {
			newest = at
		}
	}
	return newest
}

// fallBack replaces a head that cannot be used by the last durable generation.
// Without one the cache counts as empty, with the problem of the head.
func (i instance) fallBack(head state) state {
	last := i.durable()
	if last.manifest.ID == "" {
		return head
	}
	last.lost = head.problem
	return last
}

// writeMark makes the mark of a generation, on the disk as well. A generation
// that was dropped meanwhile gets none, which is no error.
func (i instance) writeMark(id string) error {
	if _, err := os.Lstat(i.manifest(id)); missing(err) {
		return nil
	}
	file, err := os.OpenFile(i.mark(id), os.O_CREATE|os.O_WRONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o644)
	if missing(err) {
		return nil
	}
	if err == nil {
		err = errors.Join(file.Sync(), file.Close())
	}
	if err == nil {
		err = syncFolder(filepath.Dir(i.mark(id)))
	}
	if err != nil && !missing(err) {
		return fmt.Errorf("mark generation %s as durable: %w", id, err)
	}
	return nil
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// unmarked lists the generations of this boot that have no mark. A cache without
// a head has none: what a crash left there never was one.
func (i instance) unmarked() (ids []string) {
	if head, err := i.readHead(); err == nil && head == "" {
		return nil
	}
	marks := i.marks()
	for _, id := range i.generations() {
		if slices.Contains(marks, id) {
			continue
		}
		if m, err := i.read(id); err == nil && caches.SameBoot(m.BootID, i.store.boot()) {
			ids = append(ids, id)
		}
	}
	return ids
}

// dropMarks removes marks that are left of generations that are gone.
func (i instance) dropMarks() {
	for _, id := range i.marks() {
		if _, err := os.Lstat(i.manifest(id)); missing(err) {
			os.Remove(i.mark(id))
		}
	}
}

// named lists the ids in the folder of generations whose file name ends in
// suffix. A folder that is missing is empty.
func (i instance) named(suffix string) (ids []string, err error) {
	names, err := caches.ReadNames(i.path(generationsFolder))
	if err != nil && !missing(err) {
		return nil, fmt.Errorf("list the generations: %w", err)
	}
	return idsOf(names, suffix), nil
}

func idsOf(names []string, suffix string) (ids []string) {
	for _, name := range names {
		if id, ok := strings.CutSuffix(name, suffix); ok && validID(id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// layerOf names the layer that an entry of the layers folder belongs to: itself
// or, for a listing, the one that it lists.
func layerOf(name string) string { return strings.TrimSuffix(name, layers.SumSuffix) }
