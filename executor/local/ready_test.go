package local_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"larder/digest"
	"larder/executor"
	"larder/executor/action"
	"larder/executor/local"
)

// begunHere counts the processes 1 that this process has begun.
func begunHere(t *testing.T) int {
	t.Helper()
	children, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/children", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, child := range strings.Fields(string(children)) {
		if name, _ := os.ReadFile(filepath.Join("/proc", child, "comm")); strings.TrimSpace(string(name)) == "larder-init" {
			count++
		}
	}
	return count
}

func TestManyActionsHaveTheirSandboxesReady(t *testing.T) {
	b := newTestBench(t)
	b.config.Ahead, b.config.Indexes = 2, digest.NewIndexes()
	runner := local.New(b.config)
	b.line = b.lineOf(runner)
	put(t, filepath.Join(b.root, "input"), "text")
	var all sync.WaitGroup
	for user := range 3 {
		all.Go(func() {
			for turn := range 4 {
				spec := action.Spec{Argv: []string{"sh", "-c", fmt.Sprintf("test ! -e /tmp/seen && >/tmp/seen && cat input && ls /proc/self/net/dev >out%d", user)}, Inputs: []string{"input"}, Outputs: []string{fmt.Sprintf("out%d", user)}}
				if turn%2 == 1 {
					spec.Network, spec.Pids = "host", 100
				}
				checked, err := spec.Validate(b.root)
				if err != nil {
					t.Error(err)
					return
				}
				var out strings.Builder
				result, err := b.line.Run(t.Context(), executor.Request{Action: checked, Streams: executor.Streams{Stdout: &out, Stderr: &out}})
				if err != nil || result.ExitCode != 0 || out.String() != "text" {
					t.Errorf("%+v, %v, %q", result, err, out.String())
				}
			}
		})
	}
	all.Wait()
	runner.Close()
	for deadline := time.Now().Add(10 * time.Second); begunHere(t) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("sandboxes are left")
		}
	}
	b.wantNothingLeft(t)
}
