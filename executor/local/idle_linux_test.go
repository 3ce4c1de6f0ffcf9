package local_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"larder/executor/action"
)

// idleInodes are the directories that wait for the next run.
func (b *bench) idleInodes(t testing.TB) map[string]uint64 {
	t.Helper()
	inodes := map[string]uint64{}
	for _, name := range []string{"build", "private/tmp", "private/home"} {
		if info, err := os.Lstat(filepath.Join(b.layout.Idle(), "0", name)); err == nil {
			inodes[name] = info.Sys().(*syscall.Stat_t).Ino
		}
	}
	return inodes
}

const emptyPlaces = `for d in /build /tmp "$HOME"; do stat -c '%a %U' $d; ls -A $d; done`

const asNew = "755 larder\n1777 larder\n755 larder"

func TestARunHasTheDirectoriesOfTheOneBefore(t *testing.T) {
	b := newTestBench(t)
	b.sh(t, emptyPlaces).want(t, 0, asNew)
	first := b.idleInodes(t)
	if len(first) != 3 {
		t.Fatalf("idle are %v", first)
	}
	b.sh(t, emptyPlaces+`; mkdir -p a/b; touch a/b/c /tmp/x "$HOME/.rc"; chmod 0 a; exit 3`).want(t, 3, asNew)
	b.sh(t, emptyPlaces).want(t, 0, asNew)
	for name, inode := range b.idleInodes(t) {
		if first[name] != inode {
			t.Errorf("%s was made anew", name)
		}
	}
	b.wantNothingLeft(t)
}

// TestWhatACommandDoesToItsDirectoriesIsNotPassedOn: the next run has new ones.
func TestWhatACommandDoesToItsDirectoriesIsNotPassedOn(t *testing.T) {
	for _, script := range []string{"chmod 700 .", "chmod 777 /tmp", "chmod 0 $HOME", "chmod g+s /tmp"} {
		b := newTestBench(t)
		b.sh(t, script).want(t, 0, "")
		if left := b.idleInodes(t); len(left) > 0 {
			t.Errorf("%s: idle are %v", script, left)
		}
		b.sh(t, emptyPlaces).want(t, 0, asNew)
		b.wantNothingLeft(t)
	}
}

// TestACommandThatWasKilledLeavesItsDirectories: nothing of it is left that could
// reach them.
func TestACommandThatWasKilledLeavesItsDirectories(t *testing.T) {
	b := newTestBench(t)
	b.sh(t, "(while :; do touch /tmp/x x; done) & sleep 60", func(s *action.Spec) { s.Timeout = "100ms" }).want(t, 124, "")
	b.sh(t, emptyPlaces).want(t, 0, asNew)
	b.wantNothingLeft(t)
}

func TestSandboxesThatWereNotMadeLeaveNothing(t *testing.T) {
	b := newTestBench(t)
	r := b.sh(t, "true", func(s *action.Spec) { s.Argv = []string{"there-is-no-such-program"} })
	if r.err == nil || !strings.Contains(r.err.Error(), "there-is-no-such-program") {
		t.Errorf("error %v", r.err)
	}
	b.wantNothingLeft(t)
}
