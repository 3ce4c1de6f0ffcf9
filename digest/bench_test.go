package digest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// makeTree makes count small files, twenty to a directory, in a repository.
func makeTree(b *testing.B, count int) string {
	b.Helper()
	root := b.TempDir()
	for i := range count {
		dir := filepath.Join(root, fmt.Sprintf("pkg%03d", i/400), fmt.Sprintf("mod%02d", i/20%20))
		if i%20 == 0 {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				b.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file_%02d.py", i%20)), fmt.Appendf(nil, "x = %d\n", i), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, ".gitignore"), []byte("__pycache__/\n*.pyc\n/build\n.venv\n*.egg-info\n"), 0o644); err != nil {
		b.Fatal(err)
	}
	return root
}

// cpu returns a function that reports the processor time per operation since,
// children included: on a busy machine it says more than the wall clock.
func cpu(b *testing.B) func() {
	total := func() (sum int64) {
		for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
			var usage unix.Rusage
			if err := unix.Getrusage(who, &usage); err != nil {
				b.Fatal(err)
			}
			sum += usage.Utime.Nano() + usage.Stime.Nano()
		}
		return sum
	}
	before := total()
	return func() { b.ReportMetric(float64(total()-before)/1e6/float64(b.N), "cpu-ms/op") }
}

// BenchmarkScan scans a tree of which every file is in the index, the index
// being loaded each time, as one process does. git status does it for scale.
func BenchmarkScan(b *testing.B) {
	for _, count := range []int{3_000, 100_000} {
		root := makeTree(b, count)
		file := filepath.Join(b.TempDir(), "index")
		x := later(NewIndex(BLAKE3))
		scanWith(b, root, x)
		save(b, x, file)
		b.Run(fmt.Sprint(count, "/cold"), func(b *testing.B) {
			defer cpu(b)()
			for b.Loop() {
				scanWith(b, root, NewIndex(BLAKE3))
			}
		})
		b.Run(fmt.Sprint(count, "/warm"), func(b *testing.B) {
			defer cpu(b)()
			for b.Loop() {
				if tree := scanWith(b, root, LoadIndex(file, BLAKE3)); tree.Stats.HashedFiles != 0 {
					b.Fatalf("not warm: %+v", tree.Stats)
				}
			}
		})
		b.Run(fmt.Sprint(count, "/load"), func(b *testing.B) {
			defer cpu(b)()
			for b.Loop() {
				LoadIndex(file, BLAKE3)
			}
		})
		b.Run(fmt.Sprint(count, "/git-status"), func(b *testing.B) {
			if _, err := exec.LookPath("git"); err != nil {
				b.Skip("git is not installed")
			}
			git(b, root, "", "init", "-q")
			git(b, root, "", "add", ".")
			git(b, root, "", "status", "--porcelain")
			defer cpu(b)()
			for b.Loop() {
				git(b, root, "", "status", "--porcelain")
			}
		})
	}
}

func BenchmarkStateFingerprint(b *testing.B) {
	root := makeTree(b, 10_000)
	defer cpu(b)()
	for b.Loop() {
		if _, err := StateFingerprint(context.Background(), root, BLAKE3); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMerge merges a hundred trees of a thousand files, half of which all
// of them have.
func BenchmarkMerge(b *testing.B) {
	var trees []*Tree
	for tree := range 100 {
		var entries []Entry
		for n := range 500 {
			common, own := fmt.Sprintf("d%d/common-%d", n%10, n), fmt.Sprintf("d%d/tree-%d-%d", n%10, tree, n)
			entries = append(entries, Entry{Path: common, Kind: KindFile, Digest: Of(BLAKE3, []byte(common))}, Entry{Path: own, Kind: KindFile, Digest: Of(BLAKE3, []byte(own))})
		}
		made, err := FromEntries(BLAKE3, entries)
		if err != nil {
			b.Fatal(err)
		}
		trees = append(trees, made)
	}
	s := newShelf(trees...)
	for b.Loop() {
		if _, err := Merge(b.Context(), s.Directories, s.Sink(BLAKE3), named(trees), nil); err != nil {
			b.Fatal(err)
		}
	}
}
