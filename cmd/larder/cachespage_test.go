package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"larder/executor/preset"
)

// cachesPage is docs/caches.md, which is made from the table of presets and from
// the examples in testdata/examples.
const cachesPage = "../../docs/caches.md"

// TestTheCachesPageIsCurrent compares the page with what it is made from. With
// LARDER_UPDATE=1, as in make docs, it writes the page.
func TestTheCachesPageIsCurrent(t *testing.T) {
	want := renderCachesPage(t)
	if os.Getenv("LARDER_UPDATE") != "" {
		if err := os.WriteFile(cachesPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(cachesPage)
	if err != nil || string(got) != want {
		t.Errorf("docs/caches.md is not what the presets say (%v); run: make docs", err)
	}
}

func renderCachesPage(t *testing.T) string {
	known, err := preset.All(nil)
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(known))
	var page strings.Builder
	page.WriteString(cachesIntroduction)
	page.WriteString("\n| tool | cache | mode | shared by | at | published after exit code |\n|---|---|---|---|---|---|\n")
	for _, name := range names {
		for _, cache := range slices.Sorted(maps.Keys(known[name].Caches)) {
			page.WriteString(cacheLine(name, cache, known[name].Caches[cache]))
		}
	}
	for _, name := range names {
		fmt.Fprintf(&page, "\n## %s\n\n%s\n\n```sh\nlarder run --preset %s -- %s\n```\n\nwhich stands for these flags:\n\n```\n%s```\n\n%s",
			name, known[name].Why, name, known[name].Command, presetText(known[name]), exampleText(t, name))
	}
	return page.String()
}

const cachesIntroduction = `# Caches of known tools

<!-- Made by "make docs" from executor/preset/presets and cmd/larder/testdata/examples. -->

Which mode suits the cache of which tool, and why; ` + "`larder run --preset NAME`" + ` applies it. What flags add to a preset or
override, and how to make one of your own, is in [using.md](using.md). The rule of thumb: a tool that only ever *adds* files
to its cache, each named by its content or version, gets an append-only cache for all repositories; a tool that writes a file
anew gets a mutable one, for its repository or, when nothing in it belongs to a project, for all. A tool that writes anew in
an append-only cache loses nothing but what it wrote anew, and larder reports each file: that is how the modes below were found.

Lines after ` + "`$`" + ` were run, and ` + "`...`" + ` stands for text that differs. The examples of mypy, pytest, ruff and Go are run by
a test each time, the others when the tool is there and the test is asked (` + "`LARDER_EXAMPLES=all`" + `).
`

func cacheLine(tool, name string, cache preset.Cache) string {
	shared := "the repository"
	if cache.Scope == "global" || cache.Scope == "" && cache.Mode == "append-only" {
		shared = "all on the store"
	}
	publish := cache.Publish
	if publish == "" {
		publish = "0"
	}
	return fmt.Sprintf("| %s | `%s` | %s | %s | `%s` | %s |\n", tool, name, cache.Mode, shared, cache.Path, publish)
}

func exampleText(t *testing.T, name string) string {
	text, err := os.ReadFile(exampleFile(name))
	if errors.Is(err, fs.ErrNotExist) {
		return "There is no example: this preset has not been run.\n"
	}
	if err != nil {
		t.Fatal(err)
	}
	return "```console\n" + string(text) + "```\n"
}

func exampleFile(name string) string {
	return filepath.Join("testdata", "examples", name+".txt")
}

// TestExamplesOfCaches runs the examples of the page for tools that any machine
// with a package index has, and with LARDER_EXAMPLES=all those of every tool.
func TestExamplesOfCaches(t *testing.T) {
	if missing := readmeNeeds(); missing != nil {
		gate(t, "what the examples need", missing)
	}
	names := strings.Fields("go mypy pytest ruff")
	if os.Getenv("LARDER_EXAMPLES") == "all" {
		files, err := filepath.Glob(exampleFile("*"))
		if err != nil || len(files) < 8 {
			t.Fatalf("%d examples were found, %v", len(files), err)
		}
		names = nil
		for _, file := range files {
			names = append(names, strings.TrimSuffix(filepath.Base(file), ".txt"))
		}
	}
	larder := buildLarder(t)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(exampleFile(name))
			if err != nil {
				t.Fatal(err)
			}
			examples := consoleLines("```console\n" + string(text) + "```")
			printed := runExamples(t, larder, t.TempDir(), examples)
			for i, example := range examples {
				if !matches(example.shown, printed[i]) {
					t.Errorf("$ %s\nprinted:\n%s\nthe page shows:\n%s", example.command, printed[i], example.shown)
				}
			}
		})
	}
}
