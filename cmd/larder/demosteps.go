package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"larder/executor/action"
)

// bareRun is the tool by itself, with its cache in the repository.
func (d *demonstration) bareRun(ctx context.Context, s *subject, repository string) (ran, error) {
	return d.start(ctx, d.path(repository), append(slices.Clone(s.mypy), s.target)...)
}

// larderRun is the same through larder, and reads what was reused.
func (d *demonstration) larderRun(ctx context.Context, s *subject, repository string) (ran, *action.Result, error) {
	record := d.path(repository + ".json")
	argv := []string{d.larder, "run", "-i", ".", "--mutable", "mypy=.mypy_cache,publish=0,1", "--json", record}
	argv = append(append(argv, s.tool...), "--", filepath.Base(s.mypy[0]), s.target)
	done, err := d.start(ctx, d.path(repository), argv...)
	if err != nil {
		return ran{}, nil, err
	}
	result, err := readRecord(record)
	return done, result, err
}

func readRecord(path string) (*action.Result, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the result record: %w", err)
	}
	var result action.Result
	if err := json.Unmarshal(data, &result); err != nil {
		return nil, fmt.Errorf("read the result record: %w", err)
	}
	return &result, nil
}

// reused says in words what a run did not have to do again.
func reused(result *action.Result) string {
	if result.Cached != "no" {
		return "the whole result (" + result.Cached + ")"
	}
	for _, cache := range result.Caches {
		if cache.GenerationBefore != "" {
			return fmt.Sprintf("cache %s (%s; %d added, %d changed)", cache.Name, cache.Outcome, cache.Added, cache.Changed)
		}
	}
	return "nothing"
}

// step runs one repository both ways and compares.
func (d *demonstration) step(ctx context.Context, s *subject, name string) (*action.Result, error) {
	before, err := d.fingerprint(ctx, "one")
	if err != nil {
		return nil, err
	}
	bare, err := d.bareRun(ctx, s, "bare")
	if err != nil {
		return nil, err
	}
	through, result, err := d.larderRun(ctx, s, "one")
	if err != nil {
		return nil, err
	}
	d.compare(demoRow{step: name, reused: reused(result)}, through, bare)
	if after, err := d.fingerprint(ctx, "one"); err != nil || after != before {
		d.fail("%s: the repository was touched (%v)", name, err)
	}
	return result, nil
}

// fingerprint is the tree of everything in a repository, ignored or not.
func (d *demonstration) fingerprint(ctx context.Context, repository string) (string, error) {
	scanned, err := d.start(ctx, d.dir, d.larder, "digest", "scan", d.path(repository))
	return scanned.output, err
}

func (d *demonstration) cold(ctx context.Context, s *subject) error {
	_, err := d.step(ctx, s, "cold run")
	return err
}

func (d *demonstration) unchanged(ctx context.Context, s *subject) error {
	result, err := d.step(ctx, s, "nothing changed")
	if err == nil && result.Cached != "local" {
		d.fail("nothing changed: the command ran again")
	}
	return err
}

func (d *demonstration) edited(ctx context.Context, s *subject) error {
	const line = "\n\ndef demo_edit(text: str) -> int:\n    return text\n"
	for _, repository := range []string{"one", "bare"} {
		if err := appendTo(d.path(repository, s.edit), line); err != nil {
			return err
		}
	}
	result, err := d.step(ctx, s, "one function added")
	if err == nil && (len(result.Caches) == 0 || result.Caches[0].GenerationBefore == "") {
		d.fail("one function added: the cache was not used")
	}
	return err
}

func appendTo(path, text string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("edit: %w", err)
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		return fmt.Errorf("edit: %w", err)
	}
	return nil
}

// twoCheckouts runs two repositories with the same file names and different
// content at the same time, each against its own bare run.
func (d *demonstration) twoCheckouts(ctx context.Context, s *subject) error {
	for repository, line := range map[string]string{
		"one": "\nDEMO: int = 'one'\n", "bare": "\nDEMO: int = 'one'\n",
		"two": "\nDEMO: str = 2\n", "bare-two": "\nDEMO: str = 2\n",
	} {
		if err := appendTo(d.path(repository, s.edit), line); err != nil {
			return err
		}
	}
	pairs := [][2]string{{"one", "bare"}, {"two", "bare-two"}}
	var work sync.WaitGroup
	var bare, through [2]ran
	var results [2]*action.Result
	var errs [2]error
	for i, pair := range pairs {
		if bare[i], errs[i] = d.bareRun(ctx, s, pair[1]); errs[i] != nil {
			return errs[i]
		}
	}
	for i, pair := range pairs {
		work.Go(func() { through[i], results[i], errs[i] = d.larderRun(ctx, s, pair[0]) })
	}
	work.Wait()
	for i, pair := range pairs {
		if errs[i] != nil {
			return errs[i]
		}
		d.compare(demoRow{step: "two checkouts at once: " + pair[0], reused: reused(results[i])}, through[i], bare[i])
	}
	return d.scopesApart(ctx)
}

// scopesApart checks that each checkout has a cache of its own.
func (d *demonstration) scopesApart(ctx context.Context) error {
	listed, err := d.start(ctx, d.dir, d.larder, "cache", "list", "--format", "tab", "mypy")
	if err != nil {
		return err
	}
	for _, repository := range []string{"one", "two"} {
		if !strings.Contains(listed.output, "repo "+d.path(repository)+"\t") {
			d.fail("two checkouts at once: %s has no cache of its own:\n%s", repository, listed.output)
		}
	}
	return nil
}
