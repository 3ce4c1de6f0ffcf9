package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// sandboxAgainstBubblewrap compares an empty action, nothing kept and nothing
// read from results, with bubblewrap with everything unshared.
func sandboxAgainstBubblewrap(ctx context.Context, b *bench) ([]row, error) {
	ours, peer, ratio, err := pair(ctx, b.empty(),
		program{argv: []string{"bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"}, dir: b.dir}, 200)
	if err != nil {
		return nil, err
	}
	rows := []row{
		{"`larder run -- true`, results off, against bubblewrap with everything unshared", ms(ours), ms(peer), fmt.Sprintf("%.2f times", ratio), "2 times", ratio <= 2},
		{"the same", ms(ours), ms(peer), fmt.Sprintf("%.2f times", ratio), "not slower", ratio <= 1},
	}
	for name, argv := range map[string][]string{"Bazel's linux-sandbox, its network unshared": {bazelSandbox, "-N", "--", "/bin/true"}, "the bare command": {"/bin/true"}} {
		if _, err := os.Stat(argv[0]); err != nil {
			fmt.Fprintf(os.Stderr, "larder-bench: no row for %s: %v\n", name, err)
			continue
		}
		ours, peer, ratio, err := pair(ctx, b.empty(), program{argv: argv, dir: b.dir}, 60)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{"the same, against " + name, ms(ours), ms(peer), fmt.Sprintf("%.2f times", ratio), "", true})
	}
	return rows, nil
}

// bazelSandbox is where Debian's bazel-bootstrap has it.
const bazelSandbox = "/usr/share/bazel/linux-sandbox"

// empty is an action that does nothing.
func (b *bench) empty() program {
	return program{argv: []string{b.larder, "run", "--results", "off", "--", "true"}, dir: b.dir, env: []string{"LARDER_STORE=" + b.path("store-true")}}
}

// unchangedAction measures the answer to an action whose 3,000 input files are
// as they were.
func unchangedAction(ctx context.Context, b *bench) ([]row, error) {
	const files = 3000
	repository := b.path("files-3000")
	if err := makeFiles(repository, files); err != nil {
		return nil, err
	}
	action := program{
		argv: []string{b.larder, "run", "-i", ".", "--", "sh", "-c", "ls | wc -l"},
		dir:  repository, env: []string{"LARDER_STORE=" + b.path("store-unchanged")},
	}
	if _, err := action.once(ctx); err != nil {
		return nil, err
	}
	time.Sleep(20 * time.Millisecond) // past the racy time stamps of fresh files
	status := program{argv: []string{"git", "status", "--porcelain"}, dir: repository, env: []string{"GIT_CONFIG_GLOBAL=/dev/null"}}
	if err := makeGit(ctx, repository); err != nil {
		return nil, err
	}
	ours, peer, ratio, err := pair(ctx, action, status, 40)
	if err != nil {
		return nil, err
	}
	return []row{{fmt.Sprintf("unchanged action over %d input files, whole process, against `git status`", files), ms(ours), ms(peer), fmt.Sprintf("%s (%.2f times)", ms(ours), ratio), "30 ms", ours <= 30*time.Millisecond}}, nil
}

func makeFiles(folder string, count int) error {
	if _, err := os.Stat(filepath.Join(folder, "dir-000")); err == nil {
		return nil
	}
	for i := range count {
		path := filepath.Join(folder, fmt.Sprintf("dir-%03d", i/30), fmt.Sprintf("file-%05d.txt", i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("make files: %w", err)
		}
		content := make([]byte, 4096)
		copy(content, path)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return fmt.Errorf("make files: %w", err)
		}
	}
	return nil
}

func makeGit(ctx context.Context, folder string) error {
	if _, err := os.Stat(filepath.Join(folder, ".git")); err == nil {
		return nil
	}
	for _, argv := range [][]string{{"git", "init", "-q"}, {"git", "add", "-A"}} {
		if _, err := (program{argv: argv, dir: folder}).once(ctx); err != nil {
			return err
		}
	}
	return nil
}
