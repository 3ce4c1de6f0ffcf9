package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
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
	command.Dir, command.Env = repository, append(os.Environ(), "LARDER_STORE="+b.path("store-big"))
	if output, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("run the action: %w: %s", err, output)
	}
	written, err := os.Stat(b.path("big", "output"))
	if err != nil || written.Size() != 2147483648+5 {
		return nil, errors.Join(err, errors.New("the output has not the size that it should have"))
	}
	peak := command.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10
	return []row{{"peak memory with an input of 2 GiB and an output of 2 GiB", fmt.Sprintf("%d MiB", peak), "", fmt.Sprintf("%d MiB", peak), "64 MiB", peak < 64}}, nil
}
