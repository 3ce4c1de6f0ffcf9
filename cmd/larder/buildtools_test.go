package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestBuildToolsPage runs the examples of docs/build-tools.md, each tool that is
// installed, or comes from a package index, in a folder with the files that its
// part of the page shows.
func TestBuildToolsPage(t *testing.T) {
	needSandbox(t)
	installTools(t)
	text, err := os.ReadFile("../../docs/build-tools.md")
	if err != nil {
		t.Fatal(err)
	}
	larder := buildLarder(t)
	tools := map[string][]string{"Make": {"make", "cc"}, "Ninja": {"ninja", "cc"}, "just": {"just"}, "nox": {"nox"}, "tox": {"tox"}}
	for _, part := range strings.Split(string(text), "\n## ")[1:] {
		name, _, _ := strings.Cut(part, "\n")
		examples := consoleLines(part)
		if len(examples) == 0 {
			continue
		}
		if tools[name] == nil {
			t.Errorf("what do the examples of %q need?", name)
		}
		t.Run(name, func(t *testing.T) {
			needPrograms(t, tools[name]...)
			work := t.TempDir()
			writeShown(t, part, work)
			for i, printed := range runExamples(t, larder, work, examples) {
				if i < len(examples) && !matches(examples[i].shown, printed) {
					t.Errorf("$ %s\nprinted:\n%s\ndocs/build-tools.md shows:\n%s", examples[i].command, printed, examples[i].shown)
				}
			}
		})
		delete(tools, name)
	}
	if len(tools) > 0 {
		t.Errorf("the page has no examples of %v", tools)
	}
}

// installTools puts those tools that pip can install behind those that are there.
// Where that fails, the tests that need them say what is missing.
func installTools(t *testing.T) {
	t.Helper()
	if !slices.ContainsFunc([]string{"just", "nox", "tox"}, func(name string) bool { return exec.Command(name, "--version").Run() != nil }) {
		return
	}
	if missing := readmeNeeds(); missing != nil {
		t.Logf("no tools are installed: %v", missing)
		return
	}
	environment := filepath.Join(t.TempDir(), "tools")
	install := exec.Command("sh", "-c", `python3 -m venv "$0" && "$0/bin/pip" install -q rust-just nox tox`, environment)
	if output, err := install.CombinedOutput(); err != nil {
		t.Logf("no tools are installed: %v\n%s", err, output)
	}
	t.Setenv("PATH", os.Getenv("PATH")+string(filepath.ListSeparator)+filepath.Join(environment, "bin"))
}

// needPrograms skips a test for which a program is missing. Shims of version
// managers are there without the program, so each is asked for its version.
func needPrograms(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if said, err := exec.Command(name, "--version").CombinedOutput(); err != nil {
			t.Skipf("%s is not installed: %v: %s", name, err, said)
		}
	}
}

// shownFile is a block of a page that is the content of a file.
const shownFile = "(?s)\n```[a-z]* file=([^\n]+)\n(.*?)```\n"

// writeShown writes the files that a page shows.
func writeShown(t *testing.T, page, folder string) {
	t.Helper()
	for _, match := range regexp.MustCompile(shownFile).FindAllStringSubmatch(page, -1) {
		if err := os.WriteFile(filepath.Join(folder, match[1]), []byte(match[2]), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWorkerPage runs the examples of docs/worker.md and its two clients.
func TestWorkerPage(t *testing.T) {
	needSandbox(t)
	needPrograms(t, "python3")
	text, err := os.ReadFile("../../docs/worker.md")
	if err != nil {
		t.Fatal(err)
	}
	work, examples := t.TempDir(), consoleLines(string(text))
	writeShown(t, string(text), work)
	for _, client := range []string{"larder_worker.py", "check.sh"} {
		code, err := os.ReadFile(filepath.Join(work, client))
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(string(code), "\n"); lines > 30 {
			t.Errorf("%s has %d lines; 30 are enough", client, lines)
		}
	}
	for i, printed := range runExamples(t, buildLarder(t), work, examples) {
		if i < len(examples) && !matches(examples[i].shown, printed) {
			t.Errorf("$ %s\nprinted:\n%s\ndocs/worker.md shows:\n%s", examples[i].command, printed, examples[i].shown)
		}
	}
}
