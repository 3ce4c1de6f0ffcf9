package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestImportIsKilled kills imports at random moments, 20 of them or 1,000 in the
// long form: the cache is the old one or the new one, whole.
func TestImportIsKilled(t *testing.T) {
	needSandbox(t)
	kills := 20
	if os.Getenv("LARDER_STRESS") != "" {
		kills = 1000
	}
	s := &storm{t: t, larder: buildBoth(t), place: t.TempDir()}
	s.must(s.publication()...)
	s.must("cache", "export", "m", "m.tar.zst")
	bringIn := deed{"import", func(s *storm) { s.must(s.publication()...) }, func(*storm) []string { return []string{"cache", "import", "m.tar.zst"} }, (*storm).readerSeesOneGeneration}
	whole := map[string]int{}
	typical := s.time(bringIn)
	for range kills {
		bringIn.prepare(s)
		s.kill(bringIn, time.Duration(rand.Int64N(int64(typical))))
		s.readerSeesOneGeneration()
		whole[s.heads()]++
	}
	t.Logf("how the heads came about: %v", whole)
	if whole["imported"] == kills {
		t.Error("every kill came too late")
	}
	bringIn.prepare(s)
	s.must("cache", "import", "m.tar.zst")
	if how := s.heads(); how != "imported" {
		t.Errorf("after an import that nobody killed, the head was %s", how)
	}
	s.nothingIsLeft()
}

// buildBoth builds larder and, beside it, the program that compresses.
func buildBoth(t *testing.T) string {
	t.Helper()
	larder := buildLarder(t)
	build := exec.Command("go", "build", "-o", filepath.Join(filepath.Dir(larder), compressorName), "../larder-zstd")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", compressorName, err, output)
	}
	return larder
}

// heads says how the head of the cache came about.
func (s *storm) heads() string {
	first, _, _ := strings.Cut(s.must("cache", "history", "--format", "tab", "m"), "\n")
	return strings.Split(first, "\t")[1]
}

// TestCarryingTakesNoMemory exports and imports a file ten times as large as
// another, and compares the memory of the two.
func TestCarryingTakesNoMemory(t *testing.T) {
	needSandbox(t)
	if testing.Short() {
		t.Skip("writes 700 MB")
	}
	s := &storm{t: t, larder: buildBoth(t), place: t.TempDir()}
	peaks := map[string][]int64{}
	for _, size := range []string{"30M", "300M"} {
		s.must("run", "--results", "off", "--mutable", "m=m", "--", "truncate", "-s", size, "m/big")
		peaks["export"] = append(peaks["export"], s.peak("cache", "export", "m", "m.tar.zst"))
		peaks["import"] = append(peaks["import"], s.peak("cache", "import", "--name", "copy", "m.tar.zst"))
	}
	for verb, kib := range peaks {
		t.Logf("%s: %d KiB for 30 MB, %d KiB for 300 MB", verb, kib[0], kib[1])
		if kib[0] == 0 || float64(kib[1]) > 1.5*float64(kib[0]) || kib[1] > 100<<10 {
			t.Errorf("%s: memory grows with the file: %d and %d KiB", verb, kib[0], kib[1])
		}
	}
	if size, err := os.Stat(filepath.Join(s.place, "m.tar.zst")); err != nil || size.Size() > 1<<20 {
		t.Errorf("zeros are not compressed: %v, %v", size, err)
	}
}

// peak runs a command and returns the most memory that it had, in KiB, with the
// compressor's: the marks of the kernel, which only rise, as they were shortly
// before the end.
func (s *storm) peak(argv ...string) (kib int64) {
	command := s.command(argv...)
	if err := command.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				s.t.Fatalf("larder %s: %v", strings.Join(argv, " "), err)
			}
			return kib
		case <-time.After(time.Millisecond):
			now := mark(command.Process.Pid)
			for _, child := range childrenOf(command.Process.Pid) {
				now += mark(child)
			}
			kib = max(kib, now)
		}
	}
}

// mark is the most memory that a process had, in KiB; 0 when it has gone.
func mark(pid int) (kib int64) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if _, after, found := strings.Cut(string(status), "VmHWM:"); found {
		_, _ = fmt.Sscan(after, &kib)
	}
	return kib
}

// childrenOf lists the processes that a process has started.
func childrenOf(pid int) (children []int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, field := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				children = append(children, child)
			}
		}
	}
	return children
}
