package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
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
	s := &storm{t: t, larder: buildLarder(t), place: t.TempDir()}
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
	s := &storm{t: t, larder: buildLarder(t), place: t.TempDir()}
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

// peak runs a command and returns the most memory that it had, in KiB: the mark
// of the kernel, which only rises, as it was shortly before the end.
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
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", command.Process.Pid))
			if _, mark, found := strings.Cut(string(status), "VmHWM:"); found {
				var now int64
				if _, err := fmt.Sscan(mark, &now); err == nil {
					kib = max(kib, now)
				}
			}
		}
	}
}
