// Command larder-bench measures larder against its peers on this machine, in
// one run, and prints a table in Markdown. Two commands that are compared run
// in turn, A B A B, and what counts is the median of the ratios pair by pair,
// so that a machine whose speed drifts does not decide.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"larder/caches/layers"
)

func main() {
	larder := flag.String("larder", "bin/larder", "the larder to measure")
	dir := flag.String("dir", ".bench", "folder to work in, kept for the next time")
	only := flag.String("only", "", "run only the measures whose name holds this text")
	flag.Parse()
	if err := run(context.Background(), *larder, *dir, *only); err != nil {
		fmt.Fprintln(os.Stderr, "larder-bench:", err)
		os.Exit(1)
	}
}

// bench is one run of all measures.
type bench struct {
	larder string
	dir    string
	left   []string // see [bench.leave]
}

// leave has a folder removed when all measures are over. An ext4 without a journal
// passes over each inode that was freed in the last minutes whenever it makes one, so to
// remove it earlier would slow down what is measured next.
func (b *bench) leave(folder string) { b.left = append(b.left, folder) }

// clear removes what was left. What cannot be removed costs space only.
func (b *bench) clear() {
	for _, folder := range b.left {
		_ = layers.RemoveTree(folder)
	}
}

// row is a line of the table.
type row struct {
	what   string
	ours   string
	peer   string
	figure string
	bar    string
	met    bool
}

// measure is one figure, or a few that belong together.
type measure struct {
	name string
	take func(context.Context, *bench) ([]row, error)
}

func measures() []measure {
	return []measure{
		{"first", firstLayout}, // before others remove many files
		{"sandbox", sandboxAgainstBubblewrap},
		{"in process", inProcess},
		{"actions", memoryOfActions},
		{"unchanged", unchangedAction},
		{"mypy", warmMypy},
		{"mypy plan", mypyInParts},
		{"publish", checkoutAndPublish},
		{"flat", flatPublish},
		{"walk", walkInSteadyState},
		{"trees", inputTrees},
		{"list", listOfCaches},
		{"merge", mergeAgainstLinks},
		{"build", graphs},
		{"worker", throughWorker},
		{"memory", peakMemory}, // last: the disk is busy for a while after it
	}
}

func run(ctx context.Context, larder, dir, only string) error {
	b := &bench{}
	var err error
	if b.larder, err = filepath.Abs(larder); err != nil {
		return fmt.Errorf("find larder: %w", err)
	}
	if b.dir, err = filepath.Abs(dir); err != nil {
		return fmt.Errorf("find the folder: %w", err)
	}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	defer b.clear()
	fmt.Printf("%s\n\n", machine())
	fmt.Println("| measure | larder | peer | figure | bar | met |\n|---|---|---|---|---|---|")
	for _, m := range measures() {
		if !strings.Contains(m.name, only) {
			continue
		}
		unix.Sync() // or the disk would write what the last one made beside this one
		rows, err := m.take(ctx, b)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		for _, r := range rows {
			fmt.Printf("| %s | %s | %s | %s | %s | %s |\n", r.what, r.ours, r.peer, r.figure, r.bar, answer(r.met))
		}
	}
	return nil
}

// answer is whether a bar was met.
type answer bool

func (met answer) String() string {
	if met {
		return "yes"
	}
	return "**no**"
}

// machine names what the figures were taken on.
func machine() string {
	var name unix.Utsname
	_ = unix.Uname(&name)
	model := "unknown processor"
	cpus, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(cpus)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	return fmt.Sprintf("%s, %d cores, Linux %s, %s", model, runtime.NumCPU(), unix.ByteSliceToString(name.Release[:]), runtime.Version())
}

func (b *bench) path(parts ...string) string {
	return filepath.Join(append([]string{b.dir}, parts...)...)
}
