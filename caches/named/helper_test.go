package named_test

import (
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

func shell(t testing.TB, dir, script string) string {
	t.Helper()
	command := exec.Command("sh", "-euc", script)
	command.Dir = dir
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

func setMark(t testing.TB, path, name, value string) {
	t.Helper()
	if err := unix.Lsetxattr(path, name, []byte(value), 0); err != nil {
		t.Skipf("no user attributes here: %v", err)
	}
}

func getMark(path, name string) string {
	value := make([]byte, 16)
	n, err := unix.Lgetxattr(path, name, value)
	if err != nil {
		return ""
	}
	return string(value[:n])
}
