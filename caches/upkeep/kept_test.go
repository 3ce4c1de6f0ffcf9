package upkeep

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"larder/caches/layers"
)

// makeKept puts a made-up kept sandbox into the store.
func (b bench) makeKept(name string, age time.Duration) string {
	b.t.Helper()
	path := filepath.Join(b.layout.Kept(), name)
	check(b.t, os.MkdirAll(filepath.Join(path, "0"), 0o755))
	check(b.t, os.WriteFile(filepath.Join(path, "0", "file"), make([]byte, 10000), 0o644))
	at := time.Now().Add(-age)
	check(b.t, os.Chtimes(path, at, at))
	return path
}

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestKeptSandboxesGoAfterADay(t *testing.T) {
	b := open(t)
	young, old, used := b.makeKept("young", 23*time.Hour), b.makeKept("old", 25*time.Hour), b.makeKept("used", 25*time.Hour)
	lock, err := layers.TryMake(filepath.Join(used, "lock"))
	check(t, err)
	at := time.Now().Add(-25 * time.Hour)
	check(t, os.Chtimes(used, at, at))
	usage, err := b.Usage(t.Context())
	check(t, err)
	if room := usage.Kinds[Kept]; room.Bytes < 30000 || room.Files != 4 {
		t.Errorf("they take %+v", room)
	}
	report, err := b.Prune(t.Context(), NoLimits(), nil)
	check(t, err)
	if !isThere(young) || isThere(old) || !isThere(used) || report.Removed[Kept] != 1 || report.InUse != 1 {
		t.Errorf("young %v, old %v, in use %v, %+v", isThere(young), isThere(old), isThere(used), report)
	}
	lock.Close()
	limits := NoLimits()
	limits.MaxSize = 0
	_, err = b.Prune(t.Context(), limits, nil)
	check(t, err)
	if isThere(young) || isThere(used) {
		t.Errorf("with no room allowed: young %v, used before %v", isThere(young), isThere(used))
	}
}
