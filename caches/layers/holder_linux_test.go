package layers

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheHolderOfALockIsFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if pid := Holder(path); pid != 0 {
		t.Errorf("a lock that is not there is held by %d", pid)
	}
	lock, err := TryMake(path)
	if err != nil {
		t.Fatal(err)
	}
	// Some file systems have another number for a file in the list.
	if pid := Holder(path); pid != os.Getpid() && pid != 0 {
		t.Errorf("held by %d, not by %d", pid, os.Getpid())
	}
	lock.Close()
	if pid := Holder(path); pid != 0 {
		t.Errorf("a lock that is free is held by %d", pid)
	}
}

func TestTheListOfLocksIsRead(t *testing.T) {
	list := `1: -> FLOCK  ADVISORY  WRITE 11 fe:00:7 0 EOF
2: FLOCK  ADVISORY  READ 12 fe:00:7 0 EOF
3: POSIX  ADVISORY  WRITE 13 fe:00:7 0 EOF
4: FLOCK  ADVISORY  WRITE 14 fe:00:77 0 EOF
5: FLOCK  ADVISORY  WRITE -1 fe:00:8 0 EOF
6: FLOCK  ADVISORY  WRITE 15 fe:00:7 0 EOF
short
`
	for file, want := range map[string]int{"fe:00:7": 15, "fe:00:77": 14, "fe:00:8": 0, "fe:00:9": 0} {
		if pid := holderIn(list, file); pid != want {
			t.Errorf("%s is held by %d, want %d", file, pid, want)
		}
	}
}
