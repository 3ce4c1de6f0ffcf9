package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"larder/sandbox"
)

// actions is one way to run actions that do nothing, each in a sandbox with one
// overlay.
type actions struct {
	floor  string // the program in C, which does nothing without arguments
	folder string // for private layers
	lower  string
	view   sandbox.View
}

// inProcess compares sandboxes that one process makes, one after the other, with
// a program in C that makes the same namespaces and mounts and nothing else. Both
// run the same program in them, and neither keeps anything.
func inProcess(ctx context.Context, b *bench) ([]row, error) {
	a, err := newActions(ctx, b)
	if err != nil {
		return nil, err
	}
	const rounds, each = 9, 60
	var ours, least []time.Duration
	var ratios []float64
	for range rounds {
		one, err := a.sandboxes(ctx, each)
		if err != nil {
			return nil, err
		}
		other, err := a.floors(ctx, each)
		if err != nil {
			return nil, err
		}
		ours, least, ratios = append(ours, one), append(least, other), append(ratios, float64(one)/float64(other))
	}
	ratio := median(ratios)
	rate, err := a.rate(ctx, 2, 2*time.Second)
	if err != nil {
		return nil, err
	}
	return []row{
		{"an action that does nothing, in process, one overlay, against a C program that makes the same namespaces and mounts", ms(median(ours)), ms(median(least)), fmt.Sprintf("%.2f times", ratio), "1.25 times", ratio <= 1.25},
		{"the same, two at a time", "", "", fmt.Sprintf("%.0f a second", rate), "600 a second", rate >= 600},
	}, nil
}

func newActions(ctx context.Context, b *bench) (*actions, error) {
	a := &actions{floor: b.path("floor"), folder: b.path("floor-layers"), lower: b.path("floor-lower"), view: sandbox.SystemView()}
	if err := os.RemoveAll(a.folder); err != nil {
		return nil, fmt.Errorf("remove the layers of the last time: %w", err)
	}
	for _, folder := range []string{a.folder, a.lower} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return nil, fmt.Errorf("make a layer: %w", err)
		}
	}
	source := filepath.Join("cmd", "larder-bench", "floor", "floor.c")
	if out, err := exec.CommandContext(ctx, "cc", "-O2", "-static", "-o", a.floor, source).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compile %s: %w: %s", source, err, out)
	}
	return a, nil
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
	status, err := sandbox.Run(ctx, sandbox.Config{
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

// floors has the C program make count sandboxes.
func (a *actions) floors(ctx context.Context, count int) (time.Duration, error) {
	args := append([]string{strconv.Itoa(count), "/opt/floor"}, a.mounts()...)
	out, err := exec.CommandContext(ctx, a.floor, args...).Output()
	if err != nil {
		return 0, fmt.Errorf("the floor program: %w", err)
	}
	nanoseconds, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the floor program: %w", err)
	}
	return time.Duration(nanoseconds), nil
}

// mounts are those that larder makes for the same action.
func (a *actions) mounts() []string {
	list := []string{"proc:proc", "devpts:dev/pts", "tmpfs:dev/shm", "tmpfs:tmp", "tmpfs:home/larder", "file:" + a.floor + ":opt/floor"}
	for _, device := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		list = append(list, "file:/dev/"+device+":dev/"+device)
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
