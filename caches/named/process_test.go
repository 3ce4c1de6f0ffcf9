package named_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"larder/caches"
	"larder/caches/layers"
	"larder/caches/layers/layertest"
	"larder/caches/named"
	"larder/caches/named/namedtest"
)

// childVariable tells the test binary to be a process that uses a cache.
const childVariable = "LARDER_NAMED_CHILD"

// job is what a child does: check out, wait for Gate to go away, write
// files, publish and compact, Times over.
type job struct {
	Root   string
	Mode   caches.Mode
	Gate   string
	Files  layertest.Tree
	Times  int
	Marked bool // each time, all files get the same fresh content
	Full   bool // fill a small file system first: see fullDisk
}

// child is the whole life of such a process.
func child() int {
	var j job
	if err := json.Unmarshal([]byte(os.Getenv(childVariable)), &j); err != nil {
		panic(err)
	}
	t := &childTB{}
	if j.Full {
		return fullDisk(t, j.Root)
	}
	c := namedtest.At(t, j.Root, j.Mode, namedtest.Copied)
	defer c.Run.Close()
	if j.Gate != "" {
		lock, _ := os.Open(j.Gate)
		unix.Flock(int(lock.Fd()), unix.LOCK_SH)
	}
	for n := range max(j.Times, 1) {
		checkout := c.Checkout()
		j.write(t, checkout.Upper(), n)
		outcome, err := checkout.Publish(context.Background(), named.PublishOptions{})
		fmt.Println(outcome.Result, outcome.Added, outcome.Duplicates, len(outcome.Conflicts), err)
		if err := c.Store.Compact(context.Background(), c.Ref); err != nil {
			fmt.Println("compact:", err)
			return 1
		}
	}
	return 0
}

func (j job) write(t testing.TB, dir string, n int) {
	files := j.Files
	if j.Marked {
		files = layertest.Tree{}
		for path := range j.Files {
			files[path] = fmt.Sprint(os.Getpid(), " ", n)
		}
	}
	files.Write(t, dir)
}

// childTB stands in for a test in a child process.
type childTB struct{ testing.TB }

func (*childTB) Helper()           {}
func (*childTB) Cleanup(func())    {}
func (*childTB) Fatal(args ...any) { fmt.Println(args...); os.Exit(1) }
func (*childTB) Fatalf(format string, args ...any) {
	fmt.Printf(format, args...)
	os.Exit(1)
}

func (j job) command(t testing.TB) *exec.Cmd {
	text, err := json.Marshal(j)
	namedtest.Check(t, err)
	command := exec.Command("/proc/self/exe")
	command.Env = append(os.Environ(), childVariable+"="+string(text))
	return command
}

// together starts jobs, lets them go at the same moment, and returns all lines
// that they print.
func together(t *testing.T, jobs []job) []string {
	t.Helper()
	gate := filepath.Join(t.TempDir(), "gate")
	file, err := os.Create(gate)
	namedtest.Check(t, err)
	namedtest.Check(t, unix.Flock(int(file.Fd()), unix.LOCK_EX))
	var wait sync.WaitGroup
	lines := make([]string, len(jobs))
	for i := range jobs {
		jobs[i].Gate = gate
		command := jobs[i].command(t)
		wait.Go(func() {
			out, err := command.CombinedOutput()
			lines[i] = string(out)
			if err != nil {
				t.Errorf("job %d: %v\n%s", i, err, out)
			}
		})
	}
	file.Close()
	wait.Wait()
	return strings.Split(strings.TrimSpace(strings.Join(lines, "")), "\n")
}

// wholeGeneration checks that all files of a tree have one content.
func wholeGeneration(t *testing.T, tree layertest.Tree) {
	t.Helper()
	for path := range tree {
		if tree[path] != tree["a"] {
			t.Fatalf("a mixed generation: %v", tree)
		}
	}
}

// Killed at any moment, a publisher leaves a whole generation, and the next
// one works and cleans up.
func TestKilledWhilePublishing(t *testing.T) {
	for _, mode := range []caches.Mode{caches.Mutable, caches.AppendOnly} {
		t.Run(mode.String(), func(t *testing.T) {
			c := namedtest.New(t, mode, namedtest.Copied)
			files := layertest.Tree{"a": "", "b": "", "d/c": "", "d/e/f": ""}
			if mode == caches.AppendOnly {
				files = layertest.Tree{"a": "1", "b": "1", "d/c": "1", "d/e/f": "1"}
			}
			for range 40 {
				killOne(t, job{Root: c.Layout.Root(), Mode: mode, Times: 1000, Marked: mode == caches.Mutable, Files: files})
				wholeGeneration(t, c.Content())
			}
			if outcome := c.Do("echo n >n"); outcome.Result != named.Published || outcome.Added != 1 {
				t.Errorf("the next publish: %+v", outcome)
			}
			onlyNamedLayers(t, c)
			// A merge takes longer than most of the killed lived: one that is let be
			// makes up for all of theirs.
			namedtest.Check(t, c.Store.Compact(t.Context(), c.Ref))
			if depth := onlyNamedLayers(t, c); depth > layers.MaxDepth {
				t.Errorf("the stack has %d layers after a merge", depth)
			}
			if swept, err := layers.Sweep(c.Layout); err != nil || swept.Runs == 0 {
				t.Errorf("swept %+v, %v", swept, err)
			}
			if left := glob(t, c.Layout.Runs()+"/*"); len(left) != 1 {
				t.Errorf("runs are left beside this one: %v", left)
			}
		})
	}
}

// onlyNamedLayers checks that no layer is there but those of the history, and
// returns how many the newest generation has.
func onlyNamedLayers(t *testing.T, c *namedtest.Cache) (depth int) {
	t.Helper()
	history, err := c.Store.History(c.Ref)
	namedtest.Check(t, err)
	named := map[string]bool{}
	for _, generation := range history {
		for _, layer := range generation.Layers {
			named[layer.ID] = true
		}
	}
	for _, path := range glob(t, c.Layout.Layers()+"/*/*[0-9a-f]") {
		if !named[filepath.Base(path)] {
			t.Errorf("%s is left, which no generation names", path)
		}
		delete(named, filepath.Base(path))
	}
	if len(named) > 0 {
		t.Errorf("layers of the history are not there: %v", named)
	}
	return len(history[0].Layers)
}

func killOne(t *testing.T, j job) {
	t.Helper()
	command := j.command(t)
	out, err := command.StdoutPipe()
	namedtest.Check(t, err)
	namedtest.Check(t, command.Start())
	if rand.Intn(4) > 0 {
		out.Read(make([]byte, 64)) // past the first publish
	}
	time.Sleep(time.Duration(rand.Intn(8000)) * time.Microsecond)
	command.Process.Signal(syscall.SIGKILL)
	var exit *exec.ExitError
	if err := command.Wait(); !errors.As(err, &exit) {
		t.Fatalf("a killed child: %v", err)
	}
}
