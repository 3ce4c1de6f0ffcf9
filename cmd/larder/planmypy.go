package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"larder/digest"
	"larder/executor"
	"larder/executor/action"
	"larder/executor/plan/mypyplan"
)

// planOptions are the flags of plan mypy; of runOptions those that both have.
type planOptions struct {
	runOptions
	to      string
	modules int
}

func planCommand() *cli.Command {
	return &cli.Command{
		Name: "plan", Usage: "write a plan for larder build from a source tree", Commands: []*cli.Command{planMypyCommand()},
		Action: helpOrUnknown, OnUsageError: usageError,
	}
}

func planMypyCommand() *cli.Command {
	o := &planOptions{}
	return &cli.Command{
		Name: "mypy", Usage: "check a Python source tree with mypy in parts",
		UsageText: "larder plan mypy [flags] [PATH...] [-- MYPY-OPTION...]",
		Description: "Writes a plan of which larder build makes what one run of mypy over PATHs says, in parts that run at\n" +
			"the same time and are kept: one for each package or cycle of imports. See docs/mypy-plan.md.",
		Flags: []cli.Flag{
			textFlag("root", &o.root, "host `DIR` that PATHs are relative to (default: the current directory)", "C"),
			textFlag("output", &o.to, "write the plan to `FILE` (default: standard output)", "o"),
			listFlag("tool", &o.tools, "environment `DIR` that mypy is installed in (default: .venv, venv, or that of the mypy on PATH)"),
			listFlag("input", &o.inputs, "further files `PATTERN` that mypy reads (default: Python files and the configuration of mypy)", "i"),
			&cli.IntFlag{Name: "modules", Destination: &o.modules, Value: 40, Usage: "most modules `N` that packages are put together to"},
			textFlag("sandbox", &o.sandbox, "`KIND` of sandbox: namespaces, directory or auto (the default)"),
		},
		DisableSliceFlagSeparator: true,
		OnUsageError:              usageError,
		Action: func(ctx context.Context, command *cli.Command) error {
			return planMypy(ctx, command, o)
		},
	}
}

// planMypy is larder plan mypy, from flags to exit code.
func planMypy(ctx context.Context, command *cli.Command, o *planOptions) error {
	here, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("find the current directory: %w", err)
	}
	root := absolute(here, cmp.Or(o.root, here))
	if err := checkRoot(root); err != nil {
		return err
	}
	how, err := o.how(root, command.Args().Slice(), os.Args)
	if err != nil {
		return err
	}
	shop, err := openWorkshop(command, root)
	if err != nil {
		return err
	}
	if shop.sandbox, err = sandboxKind(o.sandbox, shop.settings); err != nil {
		return err
	}
	graph, err := shop.mypyGraph(ctx, how, root)
	if err != nil {
		return err
	}
	units := graph.Units(o.modules)
	if graph.Whole != "" {
		tell("one action for everything: %s", graph.Whole)
	} else {
		tell("%s", unitsText(len(graph.Modules), len(units), mypyplan.Largest(units)))
	}
	text, err := json.Marshal(graph.Plan(units, how))
	if err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return writePlan(o.to, append(text, '\n'))
}

// unitsText says how many modules the actions of a plan check.
func unitsText(modules, actions, largest int) string {
	text := fmt.Sprintf("%s in %s", counted(modules, "module", "modules"), counted(actions, "action", "actions"))
	if actions > 1 {
		text += fmt.Sprintf(", the largest of %d", largest)
	}
	return text
}

func writePlan(to string, text []byte) error {
	var err error
	if to == "" || to == "-" {
		_, err = os.Stdout.Write(text)
	} else {
		err = os.WriteFile(to, text, 0o666)
	}
	if err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return nil
}

// mypyInputs are the files that mypy may read of a tree.
func mypyInputs(root string, more []string) []string {
	inputs := []string{"*.py", "*.pyi", "!.venv", "!venv"}
	for _, config := range []string{"mypy.ini", ".mypy.ini", "pyproject.toml", "setup.cfg"} {
		if _, err := os.Stat(filepath.Join(root, config)); err == nil {
			inputs = append(inputs, "/"+config)
		}
	}
	return append(inputs, more...)
}

// how finds mypy, and takes the line apart.
func (o *planOptions) how(root string, args, line []string) (mypyplan.How, error) {
	how := mypyplan.How{Paths: args, Tools: o.tools, Inputs: mypyInputs(root, o.inputs)}
	if at := slices.Index(line, "--"); at >= 0 {
		how.Options = line[at+1:]
		how.Paths = args[:len(args)-len(how.Options)]
	}
	for i, path := range how.Paths {
		inside, err := below(root, path)
		if err != nil {
			return how, err
		}
		how.Paths[i] = inside
	}
	for _, folder := range append(slices.Clone(o.tools), ".venv", "venv") {
		folder = absolute(root, folder)
		if _, err := os.Stat(filepath.Join(folder, "bin", "mypy")); err == nil {
			how.Python = filepath.Join(folder, "bin", "python")
			return how, nil
		}
	}
	program, err := exec.LookPath("mypy")
	if err != nil {
		return how, fmt.Errorf("find mypy: %w; name the environment that it is installed in with --tool DIR", err)
	}
	how.Python, err = mypyplan.Python(program)
	return how, err
}

// below is a path as it is written in the sandbox, whose root is that of the tree.
func below(root, path string) (string, error) {
	if filepath.IsLocal(path) {
		return path, nil
	}
	inside, err := filepath.Rel(root, absolute(root, path))
	if err != nil || !filepath.IsLocal(inside) {
		return "", fmt.Errorf("%s is not below %s; name the folder that has all of the tree with -C", digest.Quote(path), digest.Quote(root))
	}
	return inside, nil
}

// errNoGraph marks a tree whose imports could not be read.
var errNoGraph = errors.New("the imports of the tree cannot be read")

// mypyGraph runs the finder in a sandbox, or takes what it said of the same files.
func (w *workshop) mypyGraph(ctx context.Context, how mypyplan.How, root string) (*mypyplan.Graph, error) {
	spec := how.Finder()
	spec.Root = root
	wanted, err := spec.Validate(root)
	if err != nil {
		return nil, err
	}
	var out, errs strings.Builder
	result, err := w.executor(w.runner()).Run(ctx, executor.Request{
		Action: wanted, Results: executor.ResultPolicy{Read: true, Write: true}, OutputTo: executor.OutputNone,
		Streams: executor.Streams{Stdout: &out, Stderr: &errs},
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoGraph, err)
	}
	if result.Status != action.StatusOK {
		said := strings.TrimSpace(errs.String())
		if own, isOurs := strings.CutPrefix(said, "larder plan mypy: "); isOurs {
			return nil, errors.New(own)
		}
		return nil, fmt.Errorf("%w: the helper ended with code %d and said:\n%s", errNoGraph, result.ExitCode, said)
	}
	return mypyplan.Read([]byte(out.String()))
}
