package named_test

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"larder/caches/named/namedtest"
)

func TestHostileOverOverlay(t *testing.T) { namedtest.Hostile(t, namedtest.Overlaid) }

func TestHostileOverCopy(t *testing.T) { namedtest.Hostile(t, namedtest.Copied) }

// Root has rights that an ordinary user has not, so both go every way.
func TestHostileAsAnOrdinaryUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("this is one already")
	}
	const user = 65534
	home, err := os.MkdirTemp("", "hostile-*") // others can't enter t.TempDir
	namedtest.Check(t, err)
	t.Cleanup(func() { os.RemoveAll(home) })
	namedtest.Check(t, os.Chown(home, user, user))
	command := exec.Command("/proc/self/exe", "-test.run", "^TestHostileOver", "-test.v")
	command.Dir, command.Env = home, append(os.Environ(), "TMPDIR="+home, "HOME="+home)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	out, err := command.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestHostileOverCopy") {
		t.Errorf("%v\n%s", err, out)
	}
}
