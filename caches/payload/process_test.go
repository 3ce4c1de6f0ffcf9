package payload_test

import (
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"larder/caches"
	"larder/caches/layers"
	"larder/caches/payload"
)

// copier starts a process that copies the source; stop makes it stop itself, as
// by SIGSTOP, at its first progress.
func (b *bench) copier(source payload.Source, settings ...string) *exec.Cmd {
	b.Helper()
	program, err := os.Executable()
	b.must(err)
	process := exec.Command(program, source.ID())
	process.Env = append(os.Environ(), append(settings, copierVariable+"="+b.layout.Root())...)
	process.Stderr = os.Stderr
	b.must(process.Start())
	b.Cleanup(func() { _ = process.Process.Kill() })
	return process
}

const stop = stopVariable + "=yes"

// stopped starts a copier and waits until it has stopped with the lock in hand.
func (b *bench) stopped(source payload.Source) *exec.Cmd {
	b.Helper()
	process := b.copier(source, stop)
	var status syscall.WaitStatus
	_, err := syscall.Wait4(process.Process.Pid, &status, syscall.WUNTRACED, nil)
	b.must(err)
	if !status.Stopped() {
		b.Fatalf("the copier did not stop: %v", status)
	}
	return process
}

// copies counts what the journal says was copied.
func (b *bench) copies() int {
	b.Helper()
	logs, err := filepath.Glob(filepath.Join(b.layout.Root(), "log-v*", "*"))
	b.must(err)
	n := 0
	for _, path := range logs {
		data, err := os.ReadFile(path)
		b.must(err)
		n += strings.Count(string(data), `"payload-copied"`)
	}
	return n
}

// sdk is enough to be killed in the middle of.
func sdk() map[string]string {
	files := map[string]string{"large": strings.Repeat("large ", 1<<20)}
	for i := range 200 {
		files[fmt.Sprintf("lib/%d/file-%d", i%7, i)] = strings.Repeat(fmt.Sprint(i), 1000)
	}
	return files
}

func TestOfManyCopiersOneCopies(t *testing.T) {
	b := newBench(t, sdk())
	source := b.want()
	var processes []*exec.Cmd
	for range 8 {
		processes = append(processes, b.copier(source))
	}
	for _, process := range processes {
		_ = process.Wait() // one that waited for long ends with ErrLocked
	}
	b.is(payload.Cached)
	if n := b.copies(); n != 1 {
		t.Errorf("8 processes made %d copies", n)
	}
}

func TestAStoppedCopierKeepsItsCopy(t *testing.T) {
	b := newBench(t, sdk())
	source := b.want()
	process := b.stopped(source)
	past := time.Now().Add(-365 * 24 * time.Hour)
	for _, name := range []string{"lock", "partial", "progress"} {
		b.must(os.Chtimes(filepath.Join(b.folder(source), name), past, past))
	}
	if row := b.is(payload.Copying); row.Copied == 0 || row.Copied > row.Bytes {
		t.Errorf("it is at %d of %d bytes", row.Copied, row.Bytes)
	}
	if view := b.use(source, caches.CopyAlways); view.Begin || view.Dir != b.source {
		t.Errorf("seen as %+v", view)
	}
	if err := b.Copy(t.Context(), source.ID(), nil); !errors.Is(err, layers.ErrLocked) {
		t.Errorf("a second copier ended with %v", err)
	}
	b.must(b.Sweep())
	if removal, err := b.Remove(t.Context(), ""); err != nil || len(removal.Skipped) != 1 {
		t.Errorf("removal: %+v, %v", removal, err)
	}
	b.must(process.Process.Signal(syscall.SIGCONT))
	b.must(process.Wait())
	b.is(payload.Cached)
	b.sameTree(b.use(source, caches.CopyNever).Dir)
}

func TestWarmWaitsForAnother(t *testing.T) {
	for name, end := range map[string]syscall.Signal{"that goes on": syscall.SIGCONT, "that dies": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, sdk())
			source := b.want()
			process := b.stopped(source)
			waited := false
			b.must(b.Warm(t.Context(), source, func(p payload.Progress) {
				if p.Waiting && !waited {
					waited = true
					if p.Copied == 0 || p.Total != source.State.Bytes {
						t.Errorf("the other one is at %+v", p)
					}
					_ = process.Process.Signal(end)
				}
			}))
			if err := process.Wait(); (err == nil) != (end == syscall.SIGCONT) || !waited {
				t.Errorf("the other one ended with %v; somebody waited for it: %t", err, waited)
			}
			b.is(payload.Cached)
			b.sameTree(b.use(source, caches.CopyNever).Dir)
			if n := b.copies(); n != 1 && end == syscall.SIGCONT || n > 1 {
				t.Errorf("there were %d copies", n)
			}
		})
	}
}

// A copier that was killed between its copy and the listing of it leaves the
// listing to the next one.
func TestACopyWithoutItsListingGetsIt(t *testing.T) {
	b := newBench(t, sdk())
	source := b.want()
	b.must(b.Copy(t.Context(), source.ID(), nil))
	b.must(os.Remove(filepath.Join(b.folder(source), "tree.sum")))
	b.must(b.Copy(t.Context(), source.ID(), nil))
	if flaws := b.Verify(t.Context(), source.ID(), payload.Contents); len(flaws) > 0 {
		t.Errorf("the copy has %+v", flaws)
	}
}

// TestKilledCopiersLeaveNothingThatCounts kills copiers at random moments, 100
// of them in the long form.
func TestKilledCopiersLeaveNothingThatCounts(t *testing.T) {
	rounds := 20
	if os.Getenv("LARDER_STRESS") != "" {
		rounds = 100
	}
	b := newBench(t, sdk())
	source := b.want()
	begin := time.Now()
	b.must(b.copier(source).Wait())
	usual := time.Since(begin)
	seen := map[payload.Status]int{}
	for range rounds {
		_, err := b.Remove(t.Context(), "")
		b.must(err)
		b.want()
		process := b.copier(source)
		time.Sleep(time.Duration(rand.Int63n(int64(usual + usual/10))))
		_ = process.Process.Kill()
		_ = process.Wait()
		seen[b.afterKill(source)]++
		if rand.Intn(2) == 0 {
			b.must(b.Sweep())
		}
		b.must(b.Copy(t.Context(), source.ID(), nil))
		b.is(payload.Cached)
	}
	t.Logf("%d copiers were killed within %v and left %v", rounds, usual, seen)
	b.sameTree(b.use(source, caches.CopyNever).Dir)
	b.tidy(source)
}

// afterKill looks what a run would get.
func (b *bench) afterKill(source payload.Source) payload.Status {
	b.Helper()
	rows, err := b.List("")
	b.must(err)
	if len(rows) != 1 {
		b.Fatalf("the rows are %+v", rows)
	}
	view := b.Use(b.Context(), source, caches.CopyAlways)
	defer view.Close()
	switch rows[0].Status {
	case payload.Cached:
		b.sameTree(view.Dir)
	case payload.Pending, payload.Stalled:
		if view.Dir != b.source || !view.Begin {
			b.Errorf("a copy that is %s is seen as %+v", rows[0].Status, view)
		}
	default:
		b.Errorf("a killed copier leaves a copy that is %s", rows[0].Status)
	}
	return rows[0].Status
}

// tidy checks that the store holds the copy and nothing else.
func (b *bench) tidy(source payload.Source) {
	b.Helper()
	left, err := filepath.Glob(filepath.Join(b.layout.Payloads(), "*", "*"))
	b.must(err)
	names := make([]string, len(left))
	for i, path := range left {
		names[i] = filepath.Base(path)
	}
	if got := strings.Join(names, " "); got != "lock payload.json tree tree.sum use" {
		b.Errorf("the folder %s holds %s", b.folder(source), got)
	}
	_, err = layers.Sweep(b.layout)
	b.must(err)
	// A listing on its way has no lock: pruning knows when its process is dead.
	left, err = filepath.Glob(filepath.Join(b.layout.Temp(), "[^s]*"))
	b.must(err)
	if len(left) > 0 {
		b.Errorf("temporary files are left: %v", left)
	}
}
