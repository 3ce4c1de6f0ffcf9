package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// warmMypy compares warm mypy through a mutable cache, results off, with bare
// warm mypy over Django, both with nothing changed and after an edit each time.
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
	var rows []row
	for _, inputs := range []string{"*.py", "."} {
		ours := throughCache(b, inputs)
		same, err := compareMypy(ctx, fmt.Sprintf("warm mypy over Django through a mutable cache, `-i '%s'`, nothing changed, against bare mypy", inputs), ours, bare)
		if err != nil {
			return nil, err
		}
		rows = append(rows, same...)
	}
	ours := throughCache(b, ".")
	ours.before, bare.before = editing(b.path("ours")), editing(b.path("bare"))
	edited, err := compareMypy(ctx, "the same, `-i .`, with a function added to django/utils/text.py before each run", ours, bare)
	return append(rows, edited...), err
}

// throughCache is mypy through larder with the given input files, results off.
func throughCache(b *bench, inputs string) program {
	return program{
		argv: []string{b.larder, "run", "--results", "off", "-i", inputs, "--tool", b.path("venv"), "--mutable", "mypy=.mypy_cache,publish=0,1", "--", "mypy", "django"},
		dir:  b.path("ours"), env: []string{"LARDER_STORE=" + b.path("store-mypy")}, code: 1,
	}
}

func compareMypy(ctx context.Context, what string, ours, bare program) ([]row, error) {
	left, right, ratio, err := pair(ctx, ours, bare, 11)
	if err != nil {
		return nil, err
	}
	return []row{{what, ms(left), ms(right), fmt.Sprintf("%.2f times", ratio), "1.10 times", ratio <= 1.10}}, nil
}

// editing returns a function that makes the next edit.
func editing(repository string) func() error {
	count := 0
	return func() error {
		count++
		file, err := os.OpenFile(filepath.Join(repository, "django/utils/text.py"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return fmt.Errorf("edit: %w", err)
		}
		defer file.Close()
		if _, err := fmt.Fprintf(file, "\n\ndef bench_edit_%d(text: str) -> int:\n    return len(text)\n", count); err != nil {
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
