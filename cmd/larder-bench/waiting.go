package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"larder/sandbox"
)

// memoryOfActions measures what sandboxes take of memory: those that wait for
// their command, and those whose command is running.
func memoryOfActions(ctx context.Context, _ *bench) ([]row, error) {
	const count = 300
	var rows []row
	for _, kind := range []struct {
		what string
		take func(context.Context, int) (func() error, error)
	}{
		{"memory of a sandbox that waits for its command", waiting},
		{"memory of a sandbox whose command, a shell, is running", running},
	} {
		debug.FreeOSMemory() // what the measure before left
		before, err := memoryNow()
		if err != nil {
			return nil, err
		}
		end, err := kind.take(ctx, count)
		if err != nil {
			return nil, err
		}
		time.Sleep(time.Second) // until all of them are where they wait
		after, err := memoryNow()
		if err = errors.Join(err, end()); err != nil {
			return nil, fmt.Errorf("%s: %w", kind.what, err)
		}
		rows = append(rows, row{
			fmt.Sprintf("%s, one of %d: of this process, and of the machine with what the kernel needs", kind.what, count),
			fmt.Sprintf("%d KiB", (after.own-before.own)/count), "", fmt.Sprintf("%d KiB", (before.left-after.left)/count), "", true,
		})
	}
	return rows, nil
}

// waiting starts sandboxes without a command. The function that it returns ends
// them.
func waiting(_ context.Context, count int) (func() error, error) {
	var all []*sandbox.Ahead
	end := func() error {
		for _, one := range all {
			one.Close()
		}
		return nil
	}
	for range count {
		one, err := sandbox.Start(sandbox.Config{}, sandbox.SystemView)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("start a sandbox: %w", err), end())
		}
		all = append(all, one)
	}
	return end, nil
}

// running starts sandboxes whose command waits for the end of its input.
func running(ctx context.Context, count int) (func() error, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	var all sync.WaitGroup
	failures := make([]error, count)
	for i := range count {
		all.Go(func() {
			status, err := sandbox.Run(ctx, sandbox.Config{View: sandbox.SystemView(), Args: []string{"/bin/sh", "-c", "read line; exit 0"}, Stdin: read})
			if err == nil && status.ExitCode != 0 {
				err = fmt.Errorf("exit code %d", status.ExitCode)
			}
			failures[i] = err
		})
	}
	return func() error {
		write.Close()
		all.Wait()
		read.Close()
		return errors.Join(failures...)
	}, nil
}

// memory is in KiB.
type memory struct {
	own  int64 // private memory of this process
	left int64 // what the machine has left
}

func memoryNow() (memory, error) {
	own, err := sumOf("/proc/self/smaps_rollup", "Private_Dirty:")
	if err != nil {
		return memory{}, err
	}
	left, err := sumOf("/proc/meminfo", "MemAvailable:")
	return memory{own, left}, err
}

// sumOf reads a figure of a file of /proc.
func sumOf(path, name string) (int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("read the use of memory: %w", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var figure int64
		if text, ok := strings.CutPrefix(lines.Text(), name); ok {
			if _, err := fmt.Sscan(text, &figure); err != nil {
				return 0, fmt.Errorf("%s in %s: %w", name, path, err)
			}
			return figure, nil
		}
	}
	return 0, errors.Join(fmt.Errorf("%s has no line %s", path, name), lines.Err())
}
