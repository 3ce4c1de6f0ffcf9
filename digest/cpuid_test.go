package digest_test

import (
	"bytes"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/cpuid/v2"

	"larder/digest"
)

// TestTheProcessorIsKnown holds what BLAKE3 is told of the processor against what
// the kernel says. A feature that is denied would cost half of its speed, and one
// that is not there the process.
func TestTheProcessorIsKnown(t *testing.T) {
	var flags []string
	if runtime.GOARCH == "amd64" {
		text, err := os.ReadFile("/proc/cpuinfo")
		if err != nil {
			t.Skipf("nobody else knows the processor here: %v", err)
		}
		_, line, _ := strings.Cut(string(text), "\nflags")
		line, _, _ = strings.Cut(line, "\n")
		flags = strings.Fields(line)
	}
	for feature, flag := range map[cpuid.Feature]string{cpuid.AVX2: "avx2", cpuid.SSE4: "sse4_1"} {
		if got, want := cpuid.CPU.Has(feature), slices.Contains(flags, flag); got != want {
			t.Errorf("has %s: %v; the kernel says %v", flag, got, want)
		}
	}
	if unknown := cpuid.Feature(-1); cpuid.CPU.Has(unknown) {
		t.Error("a feature that nobody knows is there")
	}
}

// TestBLAKE3IsTheSameWithoutAssembly hashes every kind of length in another
// process, which does without what this processor has.
func TestBLAKE3IsTheSameWithoutAssembly(t *testing.T) {
	const variable = "BLAKE3_PUREGO"
	var sums []string
	for _, size := range []int{0, 1, 63, 64, 65, 1023, 1024, 1025, 8 << 10, 8<<10 + 1, 16<<10 - 1, 31 << 10, 1<<20 + 7} {
		sums = append(sums, digest.Of(digest.BLAKE3, bytes.Repeat([]byte("0123456789a"), size/11+1)[:size]).Hash())
	}
	all := strings.Join(sums, "\n") + "\n"
	if os.Getenv(variable) != "" {
		_, _ = os.Stdout.WriteString("sums:\n" + all)
		return
	}
	again := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	again.Env = append(os.Environ(), variable+"=1")
	out, err := again.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "sums:\n"+all) {
		t.Errorf("without assembly (%v):\n%s\nwith:\n%s", err, out, all)
	}
	if empty := "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"; sums[0] != empty {
		t.Errorf("of nothing: %s, want %s", sums[0], empty)
	}
}
