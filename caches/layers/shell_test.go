package layers_test

import (
	"os/exec"
	"testing"
)

// shell runs a script in a directory.
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
