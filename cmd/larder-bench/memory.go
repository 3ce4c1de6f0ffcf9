package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// peakMemory runs an action with an input of 2 GiB and an output of 2 GiB.
func peakMemory(ctx context.Context, b *bench) ([]row, error) {
	repository := b.path("big")
	if err := os.MkdirAll(repository, 0o755); err != nil {
		return nil, fmt.Errorf("make a repository: %w", err)
	}
	if err := os.WriteFile(b.path("big", "seed"), []byte("larder"), 0o644); err != nil {
		return nil, fmt.Errorf("make a repository: %w", err)
	}
	make2GiB := program{argv: []string{"sh", "-c", "openssl enc -aes-128-ctr -nosalt -pass file:seed </dev/zero 2>/dev/null | head -c 2147483648 >input || head -c 2147483648 /dev/urandom >input"}, dir: repository}
	if _, err := make2GiB.once(ctx); err != nil {
		return nil, err
	}
	defer os.RemoveAll(repository)
	defer os.RemoveAll(b.path("store-big"))
	command := exec.CommandContext(ctx, b.larder, "run", "-i", "input", "-o", "output", "--", "sh", "-c", "cp input output && echo more >>output")
	command.Dir, command.Env = repository, append(os.Environ(), "LARDER_STORE="+b.path("store-big"), "LARDER_BACKGROUND=off")
	peak, err := highWater(command)
	if err != nil {
		return nil, fmt.Errorf("run the action: %w", err)
	}
	written, err := os.Stat(b.path("big", "output"))
	if err != nil || written.Size() != 2147483648+5 {
		return nil, errors.Join(err, errors.New("the output has not the size that it should have"))
	}
	return []row{{"peak memory with an input of 2 GiB and an output of 2 GiB", fmt.Sprintf("%d MiB", peak), "", fmt.Sprintf("%d MiB", peak), "64 MiB", peak < 64}}, nil
}

// highWater runs a command and returns the largest resident memory of its own
// process, in MiB. The figure that comes with the end of a process will not do:
// it is never below what its parent had when it started it. The kernel's mark
// only rises, so looking at it often misses no more than the last moment.
func highWater(command *exec.Cmd) (int64, error) {
	if err := command.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	var peak int64
	for {
		select {
		case err := <-ended:
			return peak >> 10, err
		case <-time.After(5 * time.Millisecond):
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", command.Process.Pid))
			for line := range strings.Lines(string(status)) {
				if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
					var kib int64
					if _, err := fmt.Sscan(value, &kib); err == nil {
						peak = max(peak, kib)
					}
				}
			}
		}
	}
}
