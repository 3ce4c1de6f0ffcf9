package payload_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"larder/caches/layers/layertest"
	"larder/caches/payload"
)

// unmountVariable tells the test that it has namespaces of its own.
const unmountVariable = "LARDER_PAYLOAD_UNMOUNT"

// What is unmounted in the middle of a copy may come back: it is no other source.
func TestASourceThatIsUnmountedMeanwhileIsStillWanted(t *testing.T) {
	if os.Getenv(unmountVariable) != "" {
		unmountedMeanwhile(t)
		return
	}
	layertest.NeedOverlay(t) // needs the same namespaces
	command := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	command.Env = append(os.Environ(), unmountVariable+"=1")
	command.SysProcAttr = layertest.OwnNamespaces()
	if out, err := command.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
}

func unmountedMeanwhile(t *testing.T) {
	b := newBench(t, nil)
	b.must(unix.Mount("tmpfs", b.source, "tmpfs", 0, "size=16m"))
	b.put("a", strings.Repeat("a", 4<<20))
	source, mounted := b.look(), true
	err := b.Warm(t.Context(), source, func(payload.Progress) {
		if mounted {
			mounted = false
			b.must(unix.Unmount(b.source, unix.MNT_DETACH))
		}
	})
	if !errors.Is(err, payload.ErrUnmounted) || !strings.Contains(err.Error(), "copy payload "+b.source) {
		t.Errorf("the copy ended with %v", err)
	}
	if row := b.is(payload.Pending); row.Problem == nil || row.Problem.Error() != err.Error() {
		t.Errorf("the row is %+v", row)
	}
}
