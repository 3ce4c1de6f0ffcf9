package payload

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// maxLinks bounds the symbolic links on the way to a path, as the kernel does.
const maxLinks = 40

// Afar says on which kind of file system of another machine the absolute path
// lies or may lie ("nfs4", "fuse.sshfs"), and "" for one that is here as a whole.
// It asks the list of mounts and looks at nothing of the other machine: whoever
// does that may have to wait for as long as the other one does not answer, and
// cannot be ended meanwhile, not even by SIGKILL.
func Afar(path string) string {
	list, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	return afar(path, farMounts(string(list)))
}

// afar follows path, link by link, up to the first mount of another machine.
func afar(path string, mounts map[string]string) string {
	if len(mounts) == 0 || mounts["/"] != "" {
		return mounts["/"]
	}
	at, rest := "/", strings.Split(path, "/")
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		next := filepath.Join(at, name) // .. of a place without links
		if kind := mounts[next]; kind != "" {
			return kind
		}
		target, err := os.Readlink(next)
		if err != nil {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return ""
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return ""
}

// farMounts gives the kind of each mount of another machine by its place. A
// mount over another hides it.
func farMounts(list string) map[string]string {
	mounts := map[string]string{}
	for line := range strings.Lines(list) {
		before, after, found := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		kind, _, _ := strings.Cut(after, " ")
		if !found || len(fields) < 5 {
			continue
		}
		place := unescape(fields[4])
		delete(mounts, place)
		if isFar(kind) {
			mounts[place] = kind
		}
	}
	return mounts
}

// isFar knows the kinds by their names in the list of mounts. autofs mounts on
// the way what nobody has looked at yet.
func isFar(kind string) bool {
	kind, _, _ = strings.Cut(kind, ".")
	switch kind {
	case "nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse", "fuseblk", "9p", "virtiofs", "ceph", "afs", "coda", "lustre", "beegfs", "gpfs", "autofs":
		return true
	}
	return false
}

// unescape reads a place of the list, in which spaces and their like are octal.
func unescape(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+3 < len(text) {
			if code, err := strconv.ParseUint(text[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(code))
				i += 3
				continue
			}
		}
		out.WriteByte(text[i])
	}
	return out.String()
}
