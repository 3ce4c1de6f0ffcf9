package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"larder/executor/action"
	"larder/executor/plan"
)

// graphs measures larder build: what it takes beside the actions themselves, and
// how long it takes to see that nothing is to be done.
func graphs(ctx context.Context, b *bench) ([]row, error) {
	overhead, err := schedulerOverhead(ctx, b)
	if err != nil {
		return nil, err
	}
	upToDate, err := nothingToDo(ctx, b)
	return append(upToDate, overhead), err
}

// builder runs larder build over a plan in a folder.
func (b *bench) builder(folder string, flags ...string) program {
	argv := append([]string{b.larder, "build", "--output-to", "none"}, flags...)
	return program{argv: append(argv, "plan.json"), dir: b.path(folder), env: []string{"LARDER_STORE=" + b.path(folder+"-store"), "LARDER_BACKGROUND=off"}}
}

// writePlan writes plan.json into a folder.
func (b *bench) writePlan(folder string, actions []plan.Action) error {
	text, err := json.Marshal(plan.Plan{Schema: plan.Version, Actions: actions})
	if err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return errors.Join(os.MkdirAll(b.path(folder), 0o755), os.WriteFile(b.path(folder, "plan.json"), text, 0o644))
}

// schedulerOverhead compares the time of a build with that of its actions, as
// their records have it, sandbox and results included.
func schedulerOverhead(ctx context.Context, b *bench) (row, error) {
	const count, rounds = 200, 5
	actions := []plan.Action{}
	for i := range count {
		one := plan.Action{Name: fmt.Sprint("a", i)}
		one.Argv = []string{"true"}
		if i > 0 {
			one.From = []plan.Source{{Action: actions[i-1].Name}}
		}
		actions = append(actions, one)
	}
	if err := b.writePlan("chain", actions); err != nil {
		return row{}, err
	}
	var all []time.Duration
	for range rounds {
		took, err := b.builder("chain", "--no-cache", "--json", "records").once(ctx)
		if err != nil {
			return row{}, err
		}
		own, err := totals(b.path("chain", "records"))
		if err != nil {
			return row{}, err
		}
		all = append(all, (took-own)/count)
	}
	each := median(all)
	return row{
		fmt.Sprintf("`larder build` of %d actions in a chain, each on the outputs of the one before, whole process: time beyond the actions themselves", count),
		ms(each), "", ms(each) + " an action", "0.3 ms", each <= 300*time.Microsecond,
	}, nil
}

// totals adds up what the actions took by their records.
func totals(path string) (time.Duration, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("read the records: %w", err)
	}
	var sum float64
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		var record action.Result
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			return 0, fmt.Errorf("read the records: %w", err)
		}
		sum += record.TimingsMS[action.StepTotal]
	}
	return time.Duration(sum * float64(time.Millisecond)), nil
}

// The graph that is up to date: in each folder as many files, each of which is
// copied by an action, and one action over the copies of a folder.
const graphFolders, graphFiles = 100, 99

// nothingToDo times a build of 10,000 actions that are all up to date.
func nothingToDo(ctx context.Context, b *bench) ([]row, error) {
	if err := b.makeGraph(); err != nil {
		return nil, err
	}
	ours := b.builder("graph")
	if _, err := ours.once(ctx); err != nil { // the first time this makes it all
		return nil, err
	}
	what := fmt.Sprintf("`larder build` of %d actions that are up to date, whole process", graphFolders*(graphFiles+1))
	const bar, runs = 1500 * time.Millisecond, 7
	ninja, err := exec.LookPath("ninja")
	if err != nil {
		var all []time.Duration
		for range runs {
			took, err := ours.once(ctx)
			if err != nil {
				return nil, err
			}
			all = append(all, took)
		}
		took := median(all)
		return []row{{what, ms(took), "", ms(took), "1.5 s", took <= bar}}, nil
	}
	peer := program{argv: []string{ninja, "-d", "stats"}, dir: b.path("graph")}
	if _, err := peer.once(ctx); err != nil {
		return nil, err
	}
	took, other, ratio, err := pair(ctx, ours, peer, runs)
	return []row{{what + ", against `ninja -d stats`, which looks at times only", ms(took), ms(other), fmt.Sprintf("%.1f times", ratio), "1.5 s", took <= bar}}, err
}

// makeGraph writes the files, the plan and the same graph for ninja, unless they
// are there from the last time.
func (b *bench) makeGraph() error {
	if _, err := os.Stat(b.path("graph", "build.ninja")); err == nil {
		return nil
	}
	ninja := new(strings.Builder)
	ninja.WriteString("rule copy\n  command = cp $in $out\nrule all\n  command = touch $out\n")
	var actions []plan.Action
	for i := range graphFolders {
		folder := filepath.Join("src", fmt.Sprint(i))
		if err := os.MkdirAll(b.path("graph", folder), 0o755); err != nil {
			return fmt.Errorf("make the graph: %w", err)
		}
		all := plan.Action{Name: folder}
		all.Argv = []string{"true"}
		var copies []string
		for k := range graphFiles {
			file := filepath.Join(folder, fmt.Sprint("f", k))
			if err := os.WriteFile(b.path("graph", file), []byte(file), 0o644); err != nil {
				return fmt.Errorf("make the graph: %w", err)
			}
			one := plan.Action{Name: file}
			one.Argv, one.Inputs, one.Outputs = []string{"cp", file, "out"}, []string{file}, []string{"out"}
			actions = append(actions, one)
			all.From = append(all.From, plan.Source{Action: file, Prefix: fmt.Sprint(k)})
			copies = append(copies, "out/"+file)
			fmt.Fprintf(ninja, "build out/%s: copy %s\n", file, file)
		}
		actions = append(actions, all)
		fmt.Fprintf(ninja, "build out/%s/all: all %s\n", folder, strings.Join(copies, " "))
	}
	if err := b.writePlan("graph", actions); err != nil {
		return err
	}
	return os.WriteFile(b.path("graph", "build.ninja"), []byte(ninja.String()), 0o644)
}
