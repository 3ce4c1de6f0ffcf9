package payload

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFarMountsAreReadFromTheList(t *testing.T) {
	mounts := farMounts(`22 1 254:0 / / rw,relatime - ext4 /dev/root rw
50 22 0:44 / /mnt/sdk rw,nosuid - fuse.sshfs host:/sdk rw,user_id=0
51 22 0:45 / /mnt/with\040space rw shared:3 - nfs4 host:/a rw
52 22 0:46 / /mnt/hidden rw - nfs host:/b rw
53 22 0:47 / /mnt/hidden rw - tmpfs none rw
54 22 0:48 / /mnt/fused rw - fusectl none rw
a line that is none
`)
	want := map[string]string{"/mnt/sdk": "fuse.sshfs", "/mnt/with space": "nfs4"}
	if len(mounts) != len(want) {
		t.Errorf("found %v", mounts)
	}
	for place, kind := range want {
		if mounts[place] != kind {
			t.Errorf("%s is %q, want %q", place, mounts[place], kind)
		}
	}
}

// TestAfarFollowsLinks: only up to the first mount of another machine.
func TestAfarFollowsLinks(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	share := filepath.Join(dir, "share")
	mounts := map[string]string{share: "nfs"}
	for name, target := range map[string]string{"absolute": share, "relative": "share/deep", "two": "relative", "up": "here/../share", "near": "here", "loop": "loop"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "here"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"share": "nfs", "share/deep/down": "nfs", "absolute": "nfs", "relative": "nfs", "two/x": "nfs", "up": "nfs",
		"near": "", "near/../share": "nfs", "here/share": "", "loop/x": "", "missing/share": "", "share-2": "",
	} {
		if got := afar(dir+"/"+name, mounts); got != want {
			t.Errorf("%s is on %q, want %q", name, got, want)
		}
	}
	if got := afar(dir, map[string]string{"/": "nfs"}); got != "nfs" {
		t.Errorf("below a root from another machine it is on %q", got)
	}
	if got := afar(filepath.Join(dir, "share"), nil); got != "" {
		t.Errorf("without such mounts it is on %q", got)
	}
}
