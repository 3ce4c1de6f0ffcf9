package main

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// mypyInParts compares the plan of mypy over Django, written and built, with one
// mypy over everything: cold, and after an edit of a module that nobody imports,
// where mypy has its own warm cache.
func mypyInParts(ctx context.Context, b *bench) ([]row, error) {
	if err := installDjango(ctx, b); err != nil {
		return nil, err
	}
	for _, folder := range []string{"parts", "whole"} {
		if err := errors.Join(os.RemoveAll(b.path(folder)), os.MkdirAll(b.path(folder), 0o755)); err != nil {
			return nil, fmt.Errorf("make a copy of Django: %w", err)
		}
		if err := os.CopyFS(b.path(folder, "django"), os.DirFS(b.path("django", "django"))); err != nil {
			return nil, fmt.Errorf("make a copy of Django: %w", err)
		}
	}
	script := fmt.Sprintf("%q plan mypy --tool %q -o ../plan-mypy.json django 2>/dev/null && %q build ../plan-mypy.json", b.larder, b.path("venv"), b.larder)
	parts := program{argv: []string{"sh", "-c", script}, dir: b.path("parts"), env: []string{"LARDER_STORE=" + b.path("store-parts"), "LARDER_BACKGROUND=off"}, code: 1}
	whole := program{argv: []string{b.path("venv", "bin", "mypy"), "django"}, dir: b.path("whole"), code: 1}
	coldParts, coldWhole := parts, whole
	coldParts.before = func() error { return os.RemoveAll(b.path("store-parts")) }
	coldWhole.before = func() error { return os.RemoveAll(b.path("whole", ".mypy_cache")) }
	cold, err := comparedRow(ctx, "mypy over Django in parts (`larder plan mypy`, `larder build`), cold, against one cold mypy", coldParts, coldWhole)
	if err != nil {
		return nil, err
	}
	parts.before, whole.before = leafEdit(b.path("parts")), leafEdit(b.path("whole"))
	edited, err := comparedRow(ctx, "the same after an edit of a module that nobody imports, against warm mypy", parts, whole)
	return []row{cold, edited}, err
}

// comparedRow is a row that only informs, of three runs each.
func comparedRow(ctx context.Context, what string, ours, peer program) (row, error) {
	left, right, ratio, err := pair(ctx, ours, peer, 3)
	return row{what: what, ours: ms(left), peer: ms(right), figure: fmt.Sprintf("%.2f times", ratio), met: true}, err
}

// leafEdit returns a function that makes the next edit of a body.
func leafEdit(root string) func() error {
	count := 0
	file := root + "/django/contrib/humanize/templatetags/humanize.py"
	return func() error {
		count++
		data, err := os.ReadFile(root + "/../django/django/contrib/humanize/templatetags/humanize.py")
		if err != nil {
			return fmt.Errorf("edit: %w", err)
		}
		data = fmt.Appendf(data, "\n\ndef _bench_edit(text: str) -> int:\n    return len(text) + %d\n", count)
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return fmt.Errorf("edit: %w", err)
		}
		return nil
	}
}
