package digest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func stateOfTree(t *testing.T, dir string) TreeState {
	t.Helper()
	state, err := StateOfTree(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func TestStateOfTreeIsThatOfACopy(t *testing.T) {
	at := time.Unix(1e9, 123456789)
	var states []TreeState
	for _, mode := range []os.FileMode{0o555, 0o055 | os.ModeSticky} {
		dir := t.TempDir()
		writeTree(t, dir, map[string]string{"sub/file": "content", "sub/link": "-> file", "x.pyc": "12"})
		for _, name := range []string{"sub/file", "x.pyc", "sub/link"} {
			times := []unix.Timespec{unix.NsecToTimespec(at.UnixNano()), unix.NsecToTimespec(at.UnixNano())}
			if err := unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(dir, name), times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
				t.Fatal(err)
			}
		}
		if os.Getuid() == 0 { // nobody else may look into a folder of mode 055
			if err := os.Chmod(filepath.Join(dir, "sub"), mode); err != nil {
				t.Fatal(err)
			}
		}
		states = append(states, stateOfTree(t, dir))
	}
	if states[0] != states[1] {
		t.Errorf("two equal trees have the states %+v and %+v", states[0], states[1])
	}
	if states[0].Files != 2 || states[0].Bytes != 9 {
		t.Errorf("2 files with 9 bytes were counted as %+v", states[0])
	}
}

func TestStateOfTreeSeesEveryName(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, map[string]string{"sub/file": "content"})
	before := stateOfTree(t, dir).Digest
	writeTree(t, dir, map[string]string{"sub/__pycache__/file.pyc": "x"})
	after := stateOfTree(t, dir).Digest
	if before == after {
		t.Error("a compiled Python file does not count, though it is copied")
	}
	if err := os.Chtimes(filepath.Join(dir, "sub/file"), time.Time{}, time.Unix(1, 1)); err != nil {
		t.Fatal(err)
	}
	if stateOfTree(t, dir).Digest == after {
		t.Error("a time does not count")
	}
}

func TestStateOfTreeCountsHolesAsBytesAndNotAsDisk(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "sparse")
	writeTree(t, dir, map[string]string{"sparse": ""})
	if err := os.Truncate(file, 1<<30); err != nil {
		t.Fatal(err)
	}
	if state := stateOfTree(t, dir); state.Bytes != 1<<30 || state.Disk > 1<<20 {
		t.Errorf("a hole of 1 GiB was counted as %+v", state)
	}
}

func TestAnEmptyDirectoryIsSeenAsOne(t *testing.T) {
	dir := t.TempDir()
	if !stateOfTree(t, dir).IsEmpty() {
		t.Error("an empty directory is not seen as one")
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	if stateOfTree(t, dir).IsEmpty() {
		t.Error("a directory with a folder is seen as empty")
	}
}

func TestOnlyWhatIsHiddenCountsByItsName(t *testing.T) {
	for err, want := range map[error]bool{
		unix.EACCES: true, unix.EPERM: true, unix.ENOENT: true, unix.ENOTDIR: true, unix.ELOOP: true,
		unix.EIO: false, unix.ENOTCONN: false, unix.ESTALE: false, unix.EMFILE: false, unix.ETIMEDOUT: false,
	} {
		if isHidden(err) != want {
			t.Errorf("%v is taken for a directory that is hidden: %t", err, !want)
		}
	}
}
