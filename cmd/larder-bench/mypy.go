package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"larder/sandbox"
)

// warmMypy compares mypy through a warm mutable cache with bare warm mypy over
// Django. With nothing changed larder answers from its results and mypy does
// not run at all; those rows, with results off, tell what a sandbox costs.
func warmMypy(ctx context.Context, b *bench) ([]row, error) {
	if err := installDjango(ctx, b); err != nil {
		return nil, err
	}
	for _, repository := range []string{"ours", "bare"} {
		if err := os.RemoveAll(b.path(repository)); err != nil {
			return nil, fmt.Errorf("clear: %w", err)
		}
		copyDjango := program{argv: []string{"cp", "-r", b.path("django"), b.path(repository)}}
		if _, err := copyDjango.once(ctx); err != nil {
			return nil, err
		}
		if err := os.Mkdir(b.path(repository, ".git"), 0o755); err != nil {
			return nil, fmt.Errorf("make a repository: %w", err)
		}
	}
	bare := program{argv: []string{b.path("venv", "bin", "mypy"), "django"}, dir: b.path("bare"), code: 1}
	nothing := []comparison{
		{"warm mypy over Django through a mutable cache, results off, `-i '*.py'`, nothing changed, against bare mypy", throughCache(b, "*.py", "off"), bare, 0},
		{"the same, `-i .`, against bare mypy", throughCache(b, ".", "off"), bare, 0},
		{"the same, `-i .`, against mypy in a fresh overlay mounted by hand", throughCache(b, ".", "off"), inFreshOverlay(b), 0},
	}
	edited := []comparison{
		{"warm mypy after a function was added to django/utils/text.py, `-i .`, results kept, against bare mypy", throughCache(b, ".", "read-write"), bare, 1.10},
		{"the same, results off", throughCache(b, ".", "off"), bare, 1.10},
	}
	for i := range edited {
		edited[i].ours.before, edited[i].peer.before = editing(b.path("ours")), editing(b.path("bare"))
	}
	var rows []row
	for _, c := range append(nothing, edited...) {
		r, err := c.measure(ctx)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// comparison is larder beside a peer, with the ratio that it may reach; 0 for
// a row that only informs.
type comparison struct {
	what       string
	ours, peer program
	bar        float64
}

func (c comparison) measure(ctx context.Context) (row, error) {
	left, right, ratio, err := pair(ctx, c.ours, c.peer, 11)
	if err != nil {
		return row{}, err
	}
	r := row{what: c.what, ours: ms(left), peer: ms(right), figure: fmt.Sprintf("%.2f times", ratio), met: true}
	if c.bar > 0 {
		r.bar, r.met = fmt.Sprintf("%.2f times", c.bar), ratio <= c.bar
	}
	return r, nil
}

// inFreshOverlay is bare mypy on an overlay over the bare repository, mounted
// by hand for each run: what the kernel's part costs, without scan and publish.
func inFreshOverlay(b *bench) program {
	script := fmt.Sprintf(`cd %q && mount -t overlay overlay -o lowerdir=bare,upperdir=overlay/upper,workdir=overlay/work,userxattr,volatile bare && cd bare && exec ../venv/bin/mypy django`, b.dir)
	return program{
		argv: []string{"unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script}, code: 1,
		before: func() error {
			if err := sandbox.Remove(b.path("overlay")); err != nil {
				return err
			}
			return errors.Join(os.MkdirAll(b.path("overlay", "upper"), 0o755), os.Mkdir(b.path("overlay", "work"), 0o755))
		},
	}
}

// throughCache is mypy through larder with the given input files and results.
func throughCache(b *bench, inputs, results string) program {
	return program{
		argv: []string{b.larder, "run", "--results", results, "-i", inputs, "--tool", b.path("venv"), "--mutable", "mypy=.mypy_cache,publish=0,1", "--", "mypy", "django"},
		dir:  b.path("ours"), env: []string{"LARDER_STORE=" + b.path("store-mypy")}, code: 1,
	}
}

// editing returns a function that makes the next edit, one that no earlier
// bench has made: the results of those are kept.
func editing(repository string) func() error {
	return func() error {
		file, err := os.OpenFile(filepath.Join(repository, "django/utils/text.py"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return fmt.Errorf("edit: %w", err)
		}
		defer file.Close()
		if _, err := fmt.Fprintf(file, "\n\ndef bench_edit_%d(text: str) -> int:\n    return len(text)\n", time.Now().UnixNano()); err != nil {
			return fmt.Errorf("edit: %w", err)
		}
		return nil
	}
}

func installDjango(ctx context.Context, b *bench) error {
	if _, err := os.Stat(b.path("django", "django")); err == nil {
		return nil
	}
	for _, argv := range []string{
		"python3 -m venv venv",
		"venv/bin/python -m pip install --quiet mypy",
		"venv/bin/python -m pip install --quiet --no-deps --no-compile --target django django",
	} {
		if _, err := (program{argv: strings.Fields(argv), dir: b.dir}).once(ctx); err != nil {
			return err
		}
	}
	return nil
}
