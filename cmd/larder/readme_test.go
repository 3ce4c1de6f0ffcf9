package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// TestReadme executes every "$" line of the README's console blocks, in one
// shell, and compares what it prints with what the README shows.
func TestReadme(t *testing.T) {
	if missing := readmeNeeds(); missing != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the examples cannot run under CI=true: %v", missing)
		}
		t.Skipf("the examples cannot run here: %v", missing)
	}
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := consoleLines(string(text))
	if len(examples) < 8 {
		t.Fatalf("found %d examples in the README, expected at least 8", len(examples))
	}
	checkExamples(t, "the README", examples)
}

// TestUsingPage does the same for docs/using.md, whose examples need nothing.
func TestUsingPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/using.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := consoleLines(string(text))
	if len(examples) < 12 {
		t.Fatalf("found %d examples, expected at least 12", len(examples))
	}
	checkExamples(t, "docs/using.md", examples)
}

func checkExamples(t *testing.T, page string, examples []example) {
	t.Helper()
	work := t.TempDir()
	printed := runExamples(t, buildLarder(t), work, examples)
	for i, example := range examples {
		if !matches(example.shown, printed[i]) {
			t.Errorf("$ %s\nprinted:\n%s\n%s shows:\n%s", example.command, printed[i], page, example.shown)
		}
	}
}

// readmeNeeds says what the machine lacks for the examples. It looks once.
var readmeNeeds = sync.OnceValue(func() error {
	if machine().sandbox != nil {
		return machine().sandbox
	}
	try := exec.Command("sh", "-c", "cd $(mktemp -d) && python3 -m venv v && v/bin/pip download -q --no-deps mypy")
	if output, err := try.CombinedOutput(); err != nil {
		return fmt.Errorf("python3 with venv, pip and a package index: %w: %s", err, output)
	}
	return nil
})

type example struct{ command, shown string }

func consoleLines(text string) []example {
	var examples []example
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(block[1]) {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				examples = append(examples, example{command: strings.TrimSpace(command)})
				continue
			}
			examples[len(examples)-1].shown += line
		}
	}
	return examples
}

func runExamples(t *testing.T, larder, work string, examples []example) []string {
	const mark = "@@ end of an example @@"
	var script strings.Builder
	script.WriteString("exec 2>&1\n")
	for _, example := range examples {
		fmt.Fprintf(&script, "%s\n__code=$?; echo '%s'; (exit $__code)\n", example.command, mark)
	}
	command := exec.Command("bash", "-c", script.String())
	command.Dir = work
	// A make that runs the tests is not to be seen by one in an example.
	command.Env = append(os.Environ(), "MAKEFLAGS=", "MFLAGS=", "MAKELEVEL=0", "LARDER_STORE="+filepath.Join(work, "store"), "PIP_DISABLE_PIP_VERSION_CHECK=1", "PATH="+filepath.Dir(larder)+":"+os.Getenv("PATH"))
	output, _ := command.Output()
	printed := strings.Split(string(output), mark+"\n")
	if len(printed) < len(examples) {
		t.Fatalf("%d of %d examples ran:\n%s", len(printed), len(examples), output)
	}
	return printed
}

// matches compares line by line; "..." in the README stands for anything.
func matches(shown, printed string) bool {
	parts := strings.Split(regexp.QuoteMeta(strings.TrimSpace(shown)), `\.\.\.`)
	pattern := strings.Join(parts, ".*")
	pattern = regexp.MustCompile(` +`).ReplaceAllString(pattern, " +")
	return regexp.MustCompile("^" + pattern + "$").MatchString(strings.TrimSpace(printed))
}

func buildLarder(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "larder")
	build := exec.Command("go", "build", "-ldflags="+entryOption(), "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build larder: %v\n%s", err, output)
	}
	return path
}

// entryOption is what the Makefile has the linker do where there is an entry.
func entryOption() string {
	if _, err := os.Stat("entry_" + runtime.GOOS + "_" + runtime.GOARCH + ".s"); err != nil {
		return ""
	}
	return "-E=main.entry"
}
