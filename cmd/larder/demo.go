package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v3"

	"larder/caches/layers"
)

func demoCommand() *cli.Command {
	return &cli.Command{
		Name: "demo", Usage: "the main job on real input: mypy over Django, and a Go build",
		Description: "Installs mypy and Django with pip (or uses Debian's mypy over the standard library of\n" +
			"Python when no package index can be reached), runs each step bare and through larder,\n" +
			"and fails when output or exit code differ.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Value: ".demo", Usage: "`DIR` to work in, kept for the next time"},
			&cli.StringFlag{Name: "source", Value: ".", Usage: "source `DIR` of larder for the Go build; the step is left out elsewhere"},
		},
		OnUsageError: usageError, Action: demo,
	}
}

// demonstration is one run of larder demo.
type demonstration struct {
	dir    string // everything happens below it
	larder string // this program
	rows   []demoRow
	failed []string
	out    *outlet
}

// demoRow is a line of the table at the end.
type demoRow struct {
	step       string
	time, bare time.Duration
	reused     string
}

// ran is how a program ended.
type ran struct {
	output string
	code   int
	took   time.Duration
}

func demo(ctx context.Context, command *cli.Command) error {
	if err := needArgs(command, 0, 0); err != nil {
		return err
	}
	d, err := newDemonstration(command.String("dir"))
	if err != nil {
		return err
	}
	chosen, err := d.prepareSubject(ctx)
	if err != nil {
		return err
	}
	d.out.printf("subject: %s\n\n", chosen.title)
	steps := []func(context.Context, *subject) error{d.cold, d.unchanged, d.edited, d.twoCheckouts}
	for _, step := range steps {
		if err := step(ctx, chosen); err != nil {
			return err
		}
	}
	if err := d.goBuild(ctx, command.String("source")); err != nil {
		return err
	}
	return d.finish()
}

func newDemonstration(dir string) (*demonstration, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find the folder of the demo: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find larder itself: %w", err)
	}
	// A demonstration begins cold, so its store and its repositories go.
	for _, old := range []string{"store", "one", "two", "bare", "bare-two", "go", "go-bare"} {
		if err := layers.RemoveTree(filepath.Join(absolute, old)); err != nil {
			return nil, fmt.Errorf("clear the folder of the demo: %w", err)
		}
	}
	if err := os.MkdirAll(absolute, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of the demo: %w", err)
	}
	if err := os.WriteFile(filepath.Join(absolute, ".gitignore"), []byte("*\n"), 0o644); err != nil {
		return nil, fmt.Errorf("make the folder of the demo: %w", err)
	}
	return &demonstration{dir: absolute, larder: self, out: &outlet{to: os.Stdout}}, nil
}

func (d *demonstration) path(parts ...string) string {
	return filepath.Join(append([]string{d.dir}, parts...)...)
}

// start runs a program in a folder of the demonstration and measures it as a
// whole process. Output is standard output and standard error together.
func (d *demonstration) start(ctx context.Context, folder string, argv ...string) (ran, error) {
	command := exec.CommandContext(ctx, argv[0], argv[1:]...)
	command.Dir = folder
	command.Env = append(os.Environ(), "LARDER_STORE="+d.path("store"), "GOCACHE="+d.path("gocache"), "GOFLAGS=-mod=vendor", "CGO_ENABLED=0", "GOTOOLCHAIN=local")
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	begin := time.Now()
	err := command.Run()
	took := time.Since(begin)
	if command.ProcessState == nil {
		return ran{}, fmt.Errorf("start %s: %w", argv[0], err)
	}
	return ran{output.String(), command.ProcessState.ExitCode(), took}, nil
}

// compare notes a row, and a failure when larder and the bare tool differ.
func (d *demonstration) compare(row demoRow, through, bare ran) {
	row.time, row.bare = through.took, bare.took
	d.rows = append(d.rows, row)
	d.out.printf("%-34s %8s  (bare %s)\n", row.step, millis(row.time), millis(row.bare))
	switch {
	case through.code != bare.code:
		d.fail("%s: exit code %d, and %d of the bare tool; larder's output:\n%s", row.step, through.code, bare.code, tail(through.output))
	case through.output != bare.output:
		d.fail("%s: the output differs from the bare tool's:\n%s\n--- bare:\n%s", row.step, tail(through.output), tail(bare.output))
	}
}

func (d *demonstration) fail(format string, args ...any) {
	d.failed = append(d.failed, fmt.Sprintf(format, args...))
}

// finish prints the table; a mismatch fails the demonstration.
func (d *demonstration) finish() error {
	d.out.printf("\n")
	w := tabwriter.NewWriter(d.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "STEP\tLARDER\tBARE\tREUSED\tSAME OUTPUT AND EXIT CODE")
	for _, row := range d.rows {
		same := "yes"
		for _, failure := range d.failed {
			if strings.HasPrefix(failure, row.step+":") {
				same = "NO"
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", row.step, millis(row.time), millis(row.bare), row.reused, same)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the table: %w", err)
	}
	if len(d.failed) > 0 {
		return fmt.Errorf("the demo found differences:\n%s", strings.Join(d.failed, "\n"))
	}
	d.out.printf("\nno differences\n")
	return d.out.err()
}

func millis(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

// tail keeps a message readable.
func tail(text string) string {
	const most = 2000
	if len(text) > most {
		return "..." + text[len(text)-most:]
	}
	return text
}
