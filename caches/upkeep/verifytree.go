package upkeep

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"larder/caches"
	"larder/caches/cas"
	"larder/caches/layers"
	"larder/digest"
)

// tree says what is wrong with an input tree, "" when nothing is.
func (v *verifying) tree(store *cas.Store, row cas.TreeRow) (problem string, state State) {
	switch {
	case row.Root.IsZero():
		return "it does not say what is in it", Damaged
	case row.LastUse.IsZero():
		return "", "" // its base is gone, so nobody can use it any more
	}
	check := treeCheck{verifying: v, fn: store.Function(), want: map[string]digest.Entry{}}
	err := digest.Walk(v.ctx, cas.Unnoted{Store: store}, row.Root, func(path string, entry digest.Entry) error {
		check.want[path] = entry
		return nil
	})
	if err != nil {
		return "the list of its files cannot be used: " + err.Error(), stateOf(err, cas.ErrMissing, cas.ErrCorrupt, digest.ErrTree)
	}
	if err := row.Stack().Walk(check.entry); err != nil {
		return err.Error(), stateOf(err, errDiffers)
	}
	for path := range check.want {
		return path + " is missing", Damaged
	}
	return "", ""
}

var errDiffers = errors.New("not what it should be")

// treeCheck compares a tree with the list of what it should hold.
type treeCheck struct {
	*verifying
	fn   digest.Function
	want map[string]digest.Entry // what was not seen yet
}

func (c treeCheck) entry(at layers.Entry) error {
	want, ok := c.want[at.Path]
	if !ok {
		return fmt.Errorf("%s does not belong there: %w", at.Path, errDiffers)
	}
	delete(c.want, at.Path)
	same := false
	switch want.Kind {
	case digest.KindDirectory:
		same = at.Kind == layers.Directory
	case digest.KindSymlink:
		target, err := os.Readlink(at.Real)
		same = err == nil && target == want.Target
	default:
		same = at.Kind == layers.File && at.Size == want.Digest.Size() && at.Mode&0o100 != 0 == want.Executable
	}
	if !same {
		return fmt.Errorf("%s is %w", at.Path, errDiffers)
	}
	if want.Kind == digest.KindFile && c.look.Contents && !c.sound[nodeOf(at.Real)] {
		return c.content(at, want.Digest)
	}
	return nil
}

// content reads a file that is no link to a blob that was read already.
func (c treeCheck) content(at layers.Entry, want digest.Digest) error {
	file, err := caches.OpenUnnoted(at.Real)
	if err != nil {
		return err
	}
	defer file.Close()
	got, err := digest.OfReader(c.fn, file)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("the content of %s is %w", at.Path, errDiffers)
	}
	return c.ctx.Err()
}

// nodeOf identifies a file whatever its name; a file that is not there has the
// zero value.
func nodeOf(path string) inode {
	var stat unix.Stat_t
	if unix.Lstat(path, &stat) != nil {
		return inode{}
	}
	return inode{uint64(stat.Dev), stat.Ino}
}
