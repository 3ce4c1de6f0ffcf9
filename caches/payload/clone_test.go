package payload

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// cloning mounts a file system whose files can share data, and skips the test
// where that is not to be had: it takes root, a loop device and a mkfs.
func cloning(t *testing.T) string {
	t.Helper()
	image, place := filepath.Join(t.TempDir(), "image"), t.TempDir()
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 512<<20); err != nil {
		t.Fatal(err)
	}
	makers := [][]string{{"mkfs.btrfs", "-q", image}, {"mkfs.xfs", "-q", image}}
	for _, maker := range makers {
		if _, err := exec.LookPath(maker[0]); err != nil {
			continue
		}
		for _, line := range [][]string{maker, {"mount", "-o", "loop", image, place}} {
			if out, err := exec.Command(line[0], line[1:]...).CombinedOutput(); err != nil {
				t.Skipf("%q: %v: %s", line, err, out)
			}
		}
		t.Cleanup(func() {
			if out, err := exec.Command("umount", place).CombinedOutput(); err != nil {
				t.Errorf("umount: %v: %s", err, out)
			}
		})
		return place
	}
	t.Skip("there is neither mkfs.btrfs nor mkfs.xfs")
	return ""
}

func TestCopiesShareDataWhereTheyCan(t *testing.T) {
	dir := cloning(t)
	data := bytes.Repeat([]byte("shared "), 10<<20)
	from := filepath.Join(dir, "from")
	if err := os.Mkdir(from, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(from, "file"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	unix.Sync()
	var before, after unix.Statfs_t
	if err := unix.Statfs(dir, &before); err != nil {
		t.Fatal(err)
	}
	var moved int64
	c := (&copier{}).counting(t.Context(), &moved)
	if err := c.tree(from, filepath.Join(dir, "to")); err != nil {
		t.Fatal(err)
	}
	unix.Sync()
	if err := unix.Statfs(dir, &after); err != nil {
		t.Fatal(err)
	}
	if used := int64(before.Bfree-after.Bfree) * int64(before.Bsize); c.noClone || used > 8<<20 || moved != int64(len(data)) {
		t.Errorf("a copy of %d bytes takes %d more; %d were counted", len(data), used, moved)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "to", "file")); err != nil || !bytes.Equal(got, data) {
		t.Errorf("the copy is another: %d bytes, %v", len(got), err)
	}
}
