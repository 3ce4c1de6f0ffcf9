package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"larder/sandbox"
)

// actions is one way to run actions that do nothing, each in a sandbox with one
// overlay.
type actions struct {
	floor  string // the program in C, which does nothing without arguments
	folder string // for private layers
	lower  string
	view   sandbox.View
	pool   *sandbox.Pool // nil to begin each sandbox when it is asked for
}

// inProcess compares sandboxes that one process makes, one after the other, with
// a program in C that makes the same namespaces and mounts and nothing else. Both
// run the same program in them, and neither keeps anything. The private layers are
// in memory, and then on the disk, where making a few folders costs much of the
// whole. Sandboxes come from a pool, as for everything that runs many actions, and
// then without one; the processor time of those that are begun ahead shows in how
// many there are a second.
func inProcess(ctx context.Context, b *bench) ([]row, error) {
	memory, err := os.MkdirTemp("/dev/shm", "larder-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a folder in memory: %w", err)
	}
	defer os.RemoveAll(memory)
	var rows []row
	for _, place := range [][2]string{{"in memory", memory}, {"on the disk", b.path("floor-layers")}} {
		a, err := newActions(ctx, b, place[1])
		if err != nil {
			return nil, err
		}
		pooled, err := a.rows(ctx, "an action that does nothing, in process, one overlay with its layers "+place[0]+", against a C program that makes the same namespaces and mounts")
		if err != nil {
			return nil, err
		}
		a.pool.Close()
		a.pool = nil
		single, err := a.rows(ctx, "the same, each sandbox begun when it is asked for")
		if err != nil {
			return nil, err
		}
		for i := range single { // for whoever runs one
			single[i].bar, single[i].met = "", true
		}
		rows = append(append(rows, pooled...), single...)
	}
	return rows, nil
}

// rows takes the figures of one way.
func (a *actions) rows(ctx context.Context, what string) ([]row, error) {
	ours, least, ratio, err := a.againstFloor(ctx)
	if err != nil {
		return nil, err
	}
	rate, err := a.rate(ctx, 2, 3*time.Second)
	if err != nil {
		return nil, err
	}
	bound, err := a.floorRate(ctx, 2, 800)
	if err != nil {
		return nil, err
	}
	return []row{
		{what, ms(ours), ms(least), fmt.Sprintf("%.2f times", ratio), "1.25 times", ratio <= 1.25},
		{"the same, two at a time", perSecond(rate), perSecond(bound), perSecond(rate), "600 a second", rate >= 600},
	}, nil
}

// againstFloor runs both in turn.
func (a *actions) againstFloor(ctx context.Context) (ours, least time.Duration, ratio float64, err error) {
	const rounds, each = 9, 60
	var left, right []time.Duration
	var ratios []float64
	for range rounds {
		one, err := a.sandboxes(ctx, each)
		if err != nil {
			return 0, 0, 0, err
		}
		other, err := a.floors(ctx, each)
		if err != nil {
			return 0, 0, 0, err
		}
		left, right, ratios = append(left, one), append(right, other), append(ratios, float64(one)/float64(other))
	}
	return median(left), median(right), median(ratios), nil
}

// newActions makes the layers in a folder.
func newActions(ctx context.Context, b *bench, folder string) (*actions, error) {
	a := &actions{floor: b.path("floor"), lower: filepath.Join(folder, "lower"), view: sandbox.SystemView(), pool: sandbox.NewPool(sandbox.Config{}, sandbox.SystemView, 2)}
	err := os.MkdirAll(a.lower, 0o755)
	if err == nil {
		a.folder, err = os.MkdirTemp(folder, "private-")
	}
	if err != nil {
		return nil, fmt.Errorf("make a layer: %w", err)
	}
	b.leave(a.folder)
	return a, compile(ctx, a.floor, "floor.c")
}

// compile makes one of the programs in C.
func compile(ctx context.Context, program, name string) error {
	source := filepath.Join("cmd", "larder-bench", "floor", name)
	if out, err := exec.CommandContext(ctx, "cc", "-O2", "-static", "-pthread", "-o", program, source).CombinedOutput(); err != nil {
		return fmt.Errorf("compile %s: %w: %s", source, err, out)
	}
	return nil
}

// sandboxes runs count actions and returns the median.
func (a *actions) sandboxes(ctx context.Context, count int) (time.Duration, error) {
	var took []time.Duration
	for range count {
		upper, work, err := a.private()
		if err != nil {
			return 0, err
		}
		begin := time.Now()
		if err := a.once(ctx, upper, work); err != nil {
			return 0, err
		}
		took = append(took, time.Since(begin))
	}
	return median(took), nil
}

// private makes fresh private layers.
func (a *actions) private() (upper, work string, err error) {
	folder, err := os.MkdirTemp(a.folder, "sandbox-")
	if err != nil {
		return "", "", fmt.Errorf("make a layer: %w", err)
	}
	upper, work = filepath.Join(folder, "upper"), filepath.Join(folder, "work")
	for _, path := range []string{upper, work} {
		if err := os.Mkdir(path, 0o755); err != nil {
			return "", "", fmt.Errorf("make a layer: %w", err)
		}
	}
	return upper, work, nil
}

func (a *actions) once(ctx context.Context, upper, work string) error {
	status, err := a.run(ctx, sandbox.Config{
		View: a.view, Args: []string{"/opt/floor"}, Binds: []sandbox.Bind{{Source: a.floor, Target: "/opt/floor"}},
		Overlays: []sandbox.Overlay{{Target: sandbox.WorkDir, Lowers: []string{a.lower}, Upper: upper, Work: work}},
	})
	if err == nil && status.ExitCode != 0 {
		err = fmt.Errorf("exit code %d", status.ExitCode)
	}
	if err != nil {
		return fmt.Errorf("a program that does nothing: %w", err)
	}
	return nil
}

// run runs in a sandbox of the pool, or in one of its own.
func (a *actions) run(ctx context.Context, config sandbox.Config) (sandbox.Status, error) {
	if a.pool == nil {
		return sandbox.Run(ctx, config)
	}
	ready, err := a.pool.Start(config.Limits)
	if err != nil {
		return sandbox.Status{}, err
	}
	return ready.Run(ctx, config)
}

// floors has the C program make count sandboxes.
func (a *actions) floors(ctx context.Context, count int) (time.Duration, error) {
	args := append([]string{strconv.Itoa(count), "/opt/floor"}, a.mounts()...)
	return printed(exec.CommandContext(ctx, a.floor, args...))
}

// printed runs a program that prints how many nanoseconds something took.
func printed(program *exec.Cmd) (time.Duration, error) {
	out, err := program.Output()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", program.Path, err)
	}
	nanoseconds, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", program.Path, err)
	}
	return time.Duration(nanoseconds), nil
}

// floorRate is how many sandboxes a second several of the C program make, count each.
func (a *actions) floorRate(ctx context.Context, at, count int) (float64, error) {
	var all sync.WaitGroup
	failures := make([]error, at)
	begin := time.Now()
	for i := range at {
		all.Go(func() { _, failures[i] = a.floors(ctx, count) })
	}
	all.Wait()
	return float64(at*count) / time.Since(begin).Seconds(), errors.Join(failures...)
}

func perSecond(rate float64) string { return fmt.Sprintf("%.0f a second", rate) }

// mounts are those that larder makes for the same action, what it hides of /proc
// included. The loopback that it brings up is no mount, and is left to it.
func (a *actions) mounts() []string {
	list := []string{"proc:proc", "devpts:dev/pts", "tmpfs:dev/shm", "tmpfs:tmp", "tmpfs:home/larder", "file:" + a.floor + ":opt/floor"}
	for _, device := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		list = append(list, "file:/dev/"+device+":dev/"+device)
	}
	for _, hidden := range []string{"keys", "timer_list", "latency_stats", "sched_debug"} {
		if unix.Access("/proc/"+hidden, unix.R_OK) == nil {
			list = append(list, "file:/dev/null:proc/"+hidden)
		}
	}
	for _, bind := range a.view.Binds {
		kind := "tree:"
		if info, err := os.Stat(bind.Source); err == nil && info.Mode()&fs.ModeType == 0 {
			kind = "file:"
		}
		list = append(list, kind+bind.Source+":"+strings.TrimPrefix(bind.Target, "/"))
	}
	return append(list, "overlay:build:"+a.folder+":"+a.lower)
}

// rate is how many actions a second several goroutines run, private layers and
// all.
func (a *actions) rate(ctx context.Context, at int, during time.Duration) (float64, error) {
	var all sync.WaitGroup
	counts, failures := make([]int, at), make([]error, at)
	begin := time.Now()
	for i := range at {
		all.Go(func() {
			for failures[i] == nil && time.Since(begin) < during {
				var upper, work string
				if upper, work, failures[i] = a.private(); failures[i] == nil {
					failures[i] = a.once(ctx, upper, work)
				}
				counts[i]++
			}
		})
	}
	all.Wait()
	total := 0
	for i := range at {
		if failures[i] != nil {
			return 0, failures[i]
		}
		total += counts[i]
	}
	return float64(total) / time.Since(begin).Seconds(), nil
}
