package plan

import (
	"context"
	"errors"
	"fmt"
	"time"

	"larder/digest"
	"larder/executor"
	"larder/executor/action"
)

// Build runs actions of a graph over the pipeline. It is used once.
//
// An action is begun when all that it needs is done; its sources are then
// merged, and what comes of that is part of its key. So an action whose inputs
// came out as they were is answered from kept results, however much of what is
// below it ran again.
type Build struct {
	Graph *Graph
	// Order has the nodes to run, as [Graph.Targets] gives them.
	Order []int
	// Trees is the store in which the outputs are.
	Trees  Trees
	Limits Limits
	// KeepGoing runs all that can be after a failure. Without it nothing more is
	// begun then; what runs goes on to its end.
	KeepGoing bool
	// Stop, when it is closed, has nothing more begun. It may be nil.
	Stop <-chan struct{}
	// Took says how long a node took before, for the order; 0 is not known. It may
	// be nil.
	Took func(i int) time.Duration
	// Request makes the request for a node with an action, all but Action and
	// Combine. It is called by many goroutines.
	Request func(i int) executor.Request
	// Run runs a request, as [executor.Executor.Run] does.
	Run func(context.Context, executor.Request) (*action.Result, error)
	// Deliver, which may be nil, is given the tree of each node without an action. It
	// is called by many goroutines; its error breaks the node.
	Deliver func(ctx context.Context, i int, root digest.Digest) error
	// Begin and Done, which may be nil, are told of each node, in turn; of the end of
	// one after the beginning of what takes its place. Nodes that are not run come to
	// Done alone.
	Begin func(i int)
	Done  func(Report)

	outputs []digest.Digest // by node; one is written before its users begin
	reports []Report        // by node
}

// State is what became of a node.
type State string

// What becomes of nodes.
const (
	Ran     State = "ran"     // the action ran, and ended well
	Reused  State = "reused"  // it was answered from kept results, and well
	Merged  State = "merged"  // there was nothing to run
	Failed  State = "failed"  // the action ran, now or when its answer was kept, and ended otherwise
	Broken  State = "broken"  // larder could not do it
	Skipped State = "skipped" // something that it needs has failed or broken
	Left    State = "left"    // the build came to an end first
)

// IsDone reports whether there is an output.
func (s State) IsDone() bool { return s == Ran || s == Reused || s == Merged }

// Report is what became of one node.
type Report struct {
	Node  int
	State State
	// Result is that of the action, or nil when none was tried.
	Result *action.Result
	// Missed says why the action had to run; its reason is empty when it did not.
	Missed executor.Missed
	// Err says why a node is broken.
	Err error
	// For is, of a skipped node, the one that failed.
	For    int
	Merged digest.Merged // what merging the sources took, with what was tolerated
	Output digest.Digest // the tree of the outputs, of a node that is done
	// Start and Duration are zero for what was not begun.
	Start    time.Time
	Duration time.Duration
}

// ErrNoOutput says that an action ended well, and the store could not take what
// it made.
var ErrNoOutput = errors.New("the store could not take its outputs")

// All runs the actions, and returns what became of each, in the order of Order.
// When ctx ends, what runs is ended as by [executor.Executor.Run], and All
// returns then.
func (b *Build) All(ctx context.Context) []Report {
	b.outputs, b.reports = make([]digest.Digest, len(b.Graph.Nodes)), make([]Report, len(b.Graph.Nodes))
	took := b.Took
	if took == nil {
		took = func(int) time.Duration { return 0 }
	}
	s := newSchedule(b.Graph.Nodes, b.Order, took)
	s.limits, s.keepGoing = b.Limits, b.KeepGoing
	s.run(ctx, b.Stop, hooks{b.begin, func(i int) bool { return b.node(ctx, i) }, b.end})
	for _, i := range s.rest() {
		b.tell(Report{Node: i, State: Left})
	}
	reports := make([]Report, 0, len(b.Order))
	for _, i := range b.Order {
		reports = append(reports, b.reports[i])
	}
	return reports
}

func (b *Build) begin(i int) {
	if b.Begin != nil {
		b.Begin(i)
	}
}

func (b *Build) end(i int, lost []int) {
	b.tell(b.reports[i])
	for _, other := range lost {
		b.tell(Report{Node: other, State: Skipped, For: i})
	}
}

func (b *Build) tell(report Report) {
	b.reports[report.Node] = report
	if b.Done != nil {
		b.Done(report)
	}
}

// Output is the text of the digest of what a node has made, or empty. Done may ask
// it of what the node needs.
func (b *Build) Output(i int) string { return b.outputs[i].String() }

// node makes one node, and reports whether it has an output.
func (b *Build) node(ctx context.Context, i int) bool {
	report := Report{Node: i, Start: time.Now()}
	if b.Graph.Nodes[i].Action == nil {
		b.mergeOnly(ctx, &report)
	} else {
		b.act(ctx, &report)
	}
	if report.Err != nil {
		report.State = Broken
	}
	report.Duration = time.Since(report.Start)
	b.outputs[i], b.reports[i] = report.Output, report
	return report.State.IsDone()
}

// mergeOnly makes a node without an action.
func (b *Build) mergeOnly(ctx context.Context, report *Report) {
	report.Merged, report.Err = b.Graph.Nodes[report.Node].Sources(ctx, b.Trees, b.outputs)
	report.State, report.Output = Merged, report.Merged.Root
	if report.Err == nil && b.Deliver != nil {
		report.Err = b.Deliver(ctx, report.Node, report.Output)
	}
}

// act runs the action of a node.
func (b *Build) act(ctx context.Context, report *Report) {
	node := &b.Graph.Nodes[report.Node]
	request := b.Request(report.Node)
	request.Action = node.Action
	request.Combine = func(ctx context.Context, host *digest.Tree) (tree *digest.Tree, err error) {
		tree, report.Merged, err = node.Inputs(ctx, b.Trees, b.outputs, host)
		return tree, err
	}
	request.Missed = func(missed executor.Missed) {
		report.Missed = missed
		report.Missed.Inputs = nil // large, and in the store by the time that somebody asks
	}
	report.Result, report.Err = b.Run(ctx, request)
	if report.Err != nil {
		return
	}
	switch {
	case report.Result.Status != action.StatusOK:
		report.State = Failed
		return
	case report.Result.Cached == "no":
		report.State = Ran
	default:
		report.State = Reused
	}
	report.Output, report.Err = b.outputOf(report)
}

// outputOf is the tree of the outputs of a node. Only who needs it has to have it.
func (b *Build) outputOf(report *Report) (digest.Digest, error) {
	text := report.Result.OutputDigest
	if text == "" {
		for _, i := range b.Order {
			for _, need := range b.Graph.Nodes[i].Needs {
				if need == report.Node {
					return digest.Digest{}, fmt.Errorf("%w, and %q needs them", ErrNoOutput, b.Graph.Nodes[i].Plan.Name)
				}
			}
		}
		return digest.Digest{}, nil
	}
	root, err := digest.Parse(b.Trees.Function, text)
	if err != nil {
		return digest.Digest{}, fmt.Errorf("the outputs of action %q: %w", b.Graph.Nodes[report.Node].Plan.Name, err)
	}
	return root, nil
}
