package archive

import (
	"archive/tar"
	"fmt"
	"strings"

	"larder/caches/layers"
)

// describe turns a header into a listed entry, and refuses what no cache holds.
// The writer goes through it as well, so that nothing is written that cannot be
// read back.
func describe(h *tar.Header) (listed, error) {
	path, err := pathIn(h)
	if err != nil {
		return listed{}, err
	}
	e := listed{mode: h.Mode, time: h.ModTime, path: path}
	if e.kind, err = kindOf(h); err != nil {
		return listed{}, refuse(path, err.Error())
	}
	for name := range h.PAXRecords {
		if strings.Contains(name, ".xattr.") || strings.HasPrefix(name, "GNU.sparse.") {
			return listed{}, refuse(path, "it has extended attributes or holes, and larder writes neither")
		}
	}
	if e.kind == 'f' {
		e.size = h.Size
	}
	if e.kind == 'l' {
		e.target = h.Linkname
		return e, checkTarget(path, h.Linkname)
	}
	if !plausible(e.kind, h.Mode) {
		return listed{}, refuse(path, fmt.Sprintf("no cache has anything with the mode %04o", h.Mode))
	}
	return e, nil
}

func refuse(path, why string) error { return refusal{path, why} }

// refusal says of one entry why no file may hold it. In a file that is read it
// counts as damage; a cache that is written can have it without being damaged.
type refusal struct{ path, why string }

func (r refusal) Error() string { return fmt.Sprintf("%q: %s", r.path, r.why) }

func (r refusal) Unwrap() error { return layers.ErrDamaged }

// pathIn checks the name of an entry of the content: relative, clean, and one
// that leads nowhere but down.
func pathIn(h *tar.Header) (string, error) {
	path, ok := strings.CutPrefix(h.Name, contentPrefix)
	if !ok {
		return "", refuse(h.Name, "it is no part of such a file")
	}
	if h.Typeflag == tar.TypeDir {
		path = strings.TrimSuffix(path, "/")
	}
	for _, name := range strings.Split(path, "/") {
		if name == "" || name == "." || name == ".." || strings.ContainsRune(name, 0) {
			return "", refuse(h.Name, "the name is not a clean path inside the cache")
		}
	}
	return path, nil
}

// errKind is why a kind of entry is refused.
type errKind string

// Error gives the reason.
func (e errKind) Error() string { return string(e) }

func kindOf(h *tar.Header) (byte, error) {
	switch h.Typeflag {
	case tar.TypeReg:
		return 'f', nil
	case tar.TypeDir:
		return 'd', nil
	case tar.TypeSymlink:
		return 'l', nil
	case tar.TypeLink:
		return 0, errKind("it is a hard link; a cache is a tree of files of their own")
	case tar.TypeChar:
		if h.Devmajor == 0 && h.Devminor == 0 {
			return 0, errKind("it is a whiteout, which hides files; a cache holds only what is there")
		}
		return 0, errKind("it is a character device")
	case tar.TypeBlock:
		return 0, errKind("it is a block device")
	case tar.TypeFifo:
		return 0, errKind("it is a FIFO")
	}
	return 0, errKind(fmt.Sprintf("it is of the unknown type %q", h.Typeflag))
}

// plausible holds a mode against the rules by which larder publishes: readable
// by its owner, writable by nobody else than owner and group, and no set-user-ID
// or set-group-ID.
func plausible(kind byte, mode int64) bool {
	need := int64(0o400)
	if kind == 'd' {
		need = 0o500
	}
	return mode&^0o1775 == 0 && mode&need == need
}

// checkTarget accepts links that stay inside the cache. ".." may only come
// first: there it counts real directories, since the way to the link is made of
// such. Behind a name it could count from where another link leads.
func checkTarget(path, target string) error {
	if target == "" || strings.HasPrefix(target, "/") || strings.ContainsRune(target, 0) {
		return refuse(path, fmt.Sprintf("the link leads out of the cache, to %q", target))
	}
	depth, down := strings.Count(path, "/"), false
	for _, name := range strings.Split(target, "/") {
		switch {
		case name != "..":
			down = down || name != "." && name != ""
			continue
		case down:
			return refuse(path, fmt.Sprintf("the link to %q goes up again behind a name, where nobody can say what it leads to", target))
		}
		if depth--; depth < 0 {
			return refuse(path, fmt.Sprintf("the link leads out of the cache, to %q", target))
		}
	}
	return nil
}
