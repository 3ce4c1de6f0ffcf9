//go:build amd64 || arm64

package sandbox

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// makeOverlay gives the layers one by one: a list in one option is cut off
// without a word when it is long.
func (t *table) makeOverlay(o *Overlay) {
	t.tryAttribute(o)
	t.call(unix.SYS_FSOPEN, t.text("overlay"), num(unix.FSOPEN_CLOEXEC)).into(regContext)
	for _, lower := range o.Lowers {
		t.layer("lowerdir+", lower)
	}
	if o.Upper != "" {
		t.layer("upperdir", o.Upper)
		t.layer("workdir", o.Work)
		t.flag("volatile")
	}
	t.flag("userxattr")
	// A layer may still be the upper one of a sandbox that is just going.
	t.option("index", "off")
	t.at(stageOverlay, t.path)
	t.create(unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV)
}

// tryAttribute sets an attribute on the work directory, which goes after the run.
// Where the upper file system has no user attributes the kernel mounts all the
// same, and fails later, when a directory is made again where one was.
func (t *table) tryAttribute(o *Overlay) {
	if o.Upper != "" {
		t.call(unix.SYS_SETXATTR, t.text(o.Work), t.text("user.larder"), t.text("1"), num(1), num(0))
	}
}

func (t *table) flag(name string) {
	t.call(unix.SYS_FSCONFIG, regContext.operand(), num(unix.FSCONFIG_SET_FLAG), t.text(name), num(0), num(0))
}

// longestOption is what fsconfig takes as a string, without its end.
const longestOption = 255

// layer names one directory of an overlay: by its path, or, when that is too
// long for the kernel, by a link to it that /proc has for an open file.
func (t *table) layer(option, directory string) {
	name := directory
	if option != "lowerdir+" {
		name = strings.ReplaceAll(name, `\`, `\\`) // these two options are unescaped once
	}
	if len(name) <= longestOption {
		t.option(option, name)
		return
	}
	t.hold(directory, firstLayer)
	t.option(option, heldAs(firstLayer))
	t.call(unix.SYS_CLOSE, num(firstLayer))
}

// firstLayer is a descriptor number from which on nothing else uses any.
const firstLayer = 99

// hold opens a directory under a number.
func (t *table) hold(directory string, number int) {
	t.call(unix.SYS_OPENAT, atCWD, t.text(directory), num(unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC)).into(regFile)
	t.call(unix.SYS_DUP3, regFile.operand(), num(number), num(unix.O_CLOEXEC))
	t.close(regFile)
}

// heldAs is the path of what is held under a number.
func heldAs(number int) string { return "/proc/self/fd/" + strconv.Itoa(number) }

// longestList is what mount takes as options: a page, without the end. More it cuts
// off.
const longestList = 4095

// overlayKind is mountListedOverlay for a kernel that takes layers in a list only.
func (f facts) overlayKind(o *Overlay) mountKind {
	if f.isListed && len(listOf(o)) <= longestList {
		return mountListedOverlay
	}
	return mountOverlay
}

// listOf is the options of an overlay whose directories are held from firstLayer on:
// the lower ones, then the upper one and the one for work. By these names none of
// them has a character that would end it.
func listOf(o *Overlay) string {
	var lowers []string
	for i := range o.Lowers {
		lowers = append(lowers, heldAs(firstLayer+i))
	}
	options := "lowerdir=" + strings.Join(lowers, ":") + ",userxattr,index=off"
	if o.Upper == "" {
		return options
	}
	next := firstLayer + len(o.Lowers)
	return options + ",volatile,upperdir=" + heldAs(next) + ",workdir=" + heldAs(next+1)
}

// makeListedOverlay is makeOverlay for Linux before 6.7. Such an overlay is mounted at a
// place: on its lowest directory, in the namespace of process 1, where it is only
// until a copy of the mount is there, which has no place.
func (t *table) makeListedOverlay(o *Overlay) {
	t.tryAttribute(o)
	directories := o.Lowers
	if o.Upper != "" {
		directories = append(slices.Clip(directories), o.Upper, o.Work)
	}
	for i, directory := range directories {
		t.hold(directory, firstLayer+i)
	}
	place := o.Lowers[len(o.Lowers)-1]
	t.call(unix.SYS_MOUNT, t.text("overlay"), t.text(place), t.text("overlay"), num(unix.MS_NOSUID|unix.MS_NODEV), t.text(listOf(o)))
	t.openTree(place, 0)
	t.call(unix.SYS_UMOUNT2, t.text(place), num(unix.MNT_DETACH))
	t.call(unix.SYS_CLOSE_RANGE, num(firstLayer), num(firstLayer+len(directories)-1), num(0))
}
