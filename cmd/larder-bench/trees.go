package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"larder/caches/layers"
)

const (
	manyFiles = 100_000
	fewFiles  = 10_000
	perFolder = 100
)

// inputTrees measures large input trees: looking at one that is as it was, setting
// up an action with it, with and without an edit.
func inputTrees(ctx context.Context, b *bench) ([]row, error) {
	root := b.path("files-100000")
	if err := makeSmallFiles(root, manyFiles); err != nil {
		return nil, err
	}
	if err := makeGit(ctx, root); err != nil {
		return nil, err
	}
	actions := treeActions{b.larder, root, "LARDER_STORE=" + b.path("store-trees")}
	defer layers.RemoveTree(b.path("store-trees")) // what stays costs space only
	if _, err := actions.program().once(ctx); err != nil {
		return nil, err
	}
	time.Sleep(50 * time.Millisecond) // past the racy time stamps of fresh files
	var rows []row
	for _, take := range []func(context.Context) (row, error){actions.scan, actions.verb, actions.again, actions.afterEdit, actions.memory} {
		one, err := take(ctx)
		if err != nil {
			return nil, err
		}
		rows = append(rows, one)
	}
	return rows, nil
}

// treeActions runs empty actions with all of root as their input.
type treeActions struct{ larder, root, store string }

func (t treeActions) program(more ...string) program {
	argv := append(append([]string{t.larder, "run", "--results", "off"}, more...), "-i", ".", "--", "true")
	return program{argv: argv, dir: t.root, env: []string{t.store, "LARDER_BACKGROUND=off"}}
}

// status is what git does with the same tree.
func (t treeActions) status() program {
	return program{argv: []string{"git", "status", "--porcelain"}, dir: t.root, env: []string{"GIT_CONFIG_GLOBAL=/dev/null"}}
}

// verb measures the scan alone, as the command that stores a tree and prints its
// digest. The first ones add the blobs and find all at rest.
func (t treeActions) verb(ctx context.Context) (row, error) {
	scan := program{argv: []string{t.larder, "digest", "scan", t.root}, dir: t.root, env: []string{t.store, "LARDER_BACKGROUND=off"}}
	for range 2 {
		if _, err := scan.once(ctx); err != nil {
			return row{}, err
		}
		time.Sleep(100 * time.Millisecond)
	}
	ours, peer, ratio, err := pair(ctx, scan, t.status(), 15)
	return row{fmt.Sprintf("`larder digest scan` of %d unchanged files, whole process, against `git status`", manyFiles),
		ms(ours), ms(peer), fmt.Sprintf("%.2f times", ratio), "1 times", ratio < 1}, err
}

func (t treeActions) scan(ctx context.Context) (row, error) {
	ours, peer, ratio, err := pair(ctx, t.program(), t.status(), 15)
	return row{fmt.Sprintf("an action over %d unchanged input files, results off, whole process, against `git status`", manyFiles),
		ms(ours), ms(peer), fmt.Sprintf("%.2f times", ratio), "1 times", ratio < 1}, err
}

func (t treeActions) again(ctx context.Context) (row, error) {
	took, err := t.setUps(ctx, func(int) error { return nil })
	return row{fmt.Sprintf("set-up of a second action with the same %d files: inputs and sandbox", manyFiles),
		ms(took), "", ms(took), "5 ms", took <= 5*time.Millisecond}, err
}

func (t treeActions) afterEdit(ctx context.Context) (row, error) {
	edited := filepath.Join(t.root, smallFile(manyFiles/2))
	content, err := os.ReadFile(edited)
	if err != nil {
		return row{}, fmt.Errorf("edit: %w", err)
	}
	defer os.WriteFile(edited, content, 0o644) // git add saw this
	took, err := t.setUps(ctx, func(round int) error {
		return os.WriteFile(edited, fmt.Appendf(nil, "edit %d at %s\n", round, time.Now()), 0o644)
	})
	return row{fmt.Sprintf("the same after an edit of one of %d files", manyFiles), ms(took), "", ms(took), "20 ms", took <= 20*time.Millisecond}, err
}

// setUps returns the median of what the set-up of actions took.
func (t treeActions) setUps(ctx context.Context, before func(round int) error) (time.Duration, error) {
	var all []time.Duration
	for round := range 11 {
		if err := before(round); err != nil {
			return 0, fmt.Errorf("prepare: %w", err)
		}
		took, err := t.setUp(ctx)
		if err != nil {
			return 0, err
		}
		all = append(all, took)
	}
	return median(all), nil
}

// setUp runs one action and reads from its record what came between the scan and
// the command.
func (t treeActions) setUp(ctx context.Context) (time.Duration, error) {
	p := t.program("--json", "-")
	command := exec.CommandContext(ctx, p.argv[0], p.argv[1:]...)
	var stderr bytes.Buffer
	command.Dir, command.Env, command.Stderr = p.dir, append(os.Environ(), p.env...), &stderr
	output, err := command.Output()
	if err != nil {
		return 0, fmt.Errorf("%v: %w: %.2000s", p.argv, err, stderr.String())
	}
	var record struct {
		Timings map[string]float64 `json:"timings_ms"`
	}
	if err := json.Unmarshal(output, &record); err != nil {
		return 0, fmt.Errorf("read the record: %w", err)
	}
	return time.Duration((record.Timings["checkout"] + record.Timings["setup_sandbox"]) * float64(time.Millisecond)), nil
}

func (t treeActions) memory(ctx context.Context) (row, error) {
	p := t.program()
	command := exec.CommandContext(ctx, p.argv[0], p.argv[1:]...)
	command.Dir, command.Env = p.dir, append(os.Environ(), p.env...)
	peak, err := highWater(command)
	return row{fmt.Sprintf("peak memory with %d unchanged input files", manyFiles), fmt.Sprintf("%d MiB", peak), "", fmt.Sprintf("%d MiB", peak), "", true}, err
}

// firstLayout measures an action whose inputs nothing knows yet, from a host folder
// to the end of the process. Each has a store of its own, and none is removed
// before the end: for minutes ext4 passes over each inode that was just freed.
func firstLayout(ctx context.Context, b *bench) ([]row, error) {
	root := b.path("files-10000")
	if err := makeSmallFiles(root, fewFiles); err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(b.dir, "first-*")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	b.leave(work)
	var left, right []time.Duration
	for n := range 5 {
		place := filepath.Join(work, fmt.Sprint(n))
		ours, err := treeActions{b.larder, root, "LARDER_STORE=" + place}.program().once(ctx)
		if err != nil {
			return nil, err
		}
		peer, err := program{argv: []string{"cp", "-r", root, place + "-copy"}}.once(ctx)
		if err != nil {
			return nil, err
		}
		left, right = append(left, ours), append(right, peer)
	}
	took := median(left)
	return []row{{fmt.Sprintf("first action over %d files of 100 bytes in an empty store, whole process, against `cp -r`", fewFiles),
		ms(took), ms(median(right)), ms(took), "500 ms", took < 500*time.Millisecond}}, nil
}

func smallFile(number int) string {
	folder := number / perFolder
	return fmt.Sprintf("part-%02d/folder-%04d/file-%06d.txt", folder/30, folder, number)
}

// makeSmallFiles makes files of 100 bytes, a hundred to a folder, unless they are
// there from the last time.
func makeSmallFiles(root string, count int) error {
	if _, err := os.Stat(filepath.Join(root, smallFile(count-1))); err == nil {
		return nil
	}
	for number := range count {
		path := filepath.Join(root, smallFile(number))
		if number%perFolder == 0 {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return fmt.Errorf("make files: %w", err)
			}
		}
		if err := os.WriteFile(path, fmt.Appendf(nil, "%099d\n", number), 0o644); err != nil {
			return fmt.Errorf("make files: %w", err)
		}
	}
	return nil
}
