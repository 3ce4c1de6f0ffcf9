package layers

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"larder/caches"
)

// Between the commit of a layer and its listing nothing is known of its bytes.
// What has been written to since can still be told: the kernel moves the change
// time of a file to its own clock at each write, rename and change of attributes,
// and no process can set it back.

// Stamped notes the moment of a commit in the layer: the change time that the
// last rename of its directory has left. Call it when the layer has just got its
// last private name, and nothing of ours will change a file in it before it is
// listed. A hard link does, and its removal; who makes one calls [Settle] first. What
// is in the layer has that time or an earlier one. It takes two looks at one
// directory; when they fail there is no stamp.
//
// The kernel's clock for files moves in ticks of some milliseconds. Since Linux
// 6.13 it moves on at once for a file whose time somebody has looked at, and then
// for all files: so the directory is changed once more. Before, what is written in
// the same tick cannot be told (see the kernel's multigrain-ts.rst).
func Stamped(layer Layer) Layer {
	var stat unix.Stat_t
	if unix.Lstat(layer.Path, &stat) != nil {
		return layer
	}
	if unix.Chmod(layer.Path, uint32(stat.Mode)&permissionBits) != nil {
		return layer
	}
	layer.Stamp = unixTime(stat.Ctim).UnixNano()
	return layer
}

// hasStamp reports whether the stamp says something of the layer that is at its
// path now. It does not of a copy of a store, which is younger, nor of a layer that was
// listed before, or never may be: files of it may have got other names since.
func (l Layer) hasStamp() bool {
	if l.Stamp == 0 {
		return false
	}
	if _, err := os.Lstat(l.SumPath()); !os.IsNotExist(err) {
		return false
	}
	born, known := bornAt(l.Path)
	return known && !born.After(unixTime(unix.NsecToTimespec(l.Stamp)))
}

// Void makes the listing at this path empty, which counts as none: the next one
// takes the layer as it is then, whatever its stamp says. It is for a listing that is
// damaged, and for a layer that gets links and cannot be listed. A crash leaves
// what was there, or the empty listing.
func Void(layout caches.Layout, listing string) error {
	if err := layout.WriteFile(listing, nil, 0o644); err != nil {
		return fmt.Errorf("give up a listing: %w", err)
	}
	return nil
}
