// Package progress tells how far a build is: what has ended and how, what runs
// and since when, and how long the rest will take.
//
// A [Build] is told of the beginning and the end of each action and asked for a
// [View] at any time, by any goroutine. It prints nothing, and keeps nothing
// beyond the build.
package progress

import (
	"slices"
	"sync"
	"time"

	"larder/executor/plan"
)

// Build is a build under way. It is safe for use by many goroutines.
type Build struct {
	mu    sync.Mutex
	graph *plan.Graph
	order []int
	jobs  int
	began time.Time

	expect []time.Duration // by node, above zero
	rank   []time.Duration // by node: the longest way to the end, itself included
	learnt bool            // some of expect comes from builds before
	typic  time.Duration   // the mean of expect

	start    map[int]time.Time // of those that run
	ended    []bool            // by node
	counts   map[plan.State]int
	spent    time.Duration // by those that were begun and have ended
	expected time.Duration // by the same
}

// View is a moment of a build.
type View struct {
	Total, Done int
	Counts      map[plan.State]int // of those that are done
	Running     []Running          // the longest first
	Spent       time.Duration
	// Left is how long the rest will take, as far as can be told; zero is not known.
	Left time.Duration
}

// Running is an action that runs.
type Running struct {
	Node int
	For  time.Duration
}

// New begins with nothing done. took says how long a node took before, or zero;
// jobs is how many run at one time.
func New(graph *plan.Graph, order []int, took func(i int) time.Duration, jobs int) *Build {
	n := len(graph.Nodes)
	b := &Build{
		graph: graph, order: order, jobs: max(jobs, 1), began: time.Now(), expect: make([]time.Duration, n), rank: make([]time.Duration, n),
		start: map[int]time.Time{}, ended: make([]bool, n), counts: map[plan.State]int{},
	}
	b.learn(took)
	for _, i := range slices.Backward(order) {
		b.rank[i] += b.expect[i]
		for _, need := range graph.Nodes[i].Needs {
			b.rank[need] = max(b.rank[need], b.rank[i])
		}
	}
	return b
}

// learn fills expect: what is not known takes the mean of what is.
func (b *Build) learn(took func(i int) time.Duration) {
	var sum, known time.Duration
	for _, i := range b.order {
		if b.expect[i] = took(i); b.expect[i] > 0 {
			sum, known = sum+b.expect[i], known+1
		}
	}
	b.learnt, b.typic = known > 0, time.Second
	if b.learnt {
		b.typic = max(sum/known, 1)
	}
	for _, i := range b.order {
		if b.expect[i] <= 0 {
			b.expect[i] = b.typic
		}
	}
}

// Begin notes that a node has begun.
func (b *Build) Begin(i int, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.start[i] = now
}

// Done notes the end of a node.
func (b *Build) Done(report plan.Report) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := report.Node
	delete(b.start, i)
	b.ended[i] = true
	b.counts[report.State]++
	if !report.Start.IsZero() {
		b.spent, b.expected = b.spent+report.Duration, b.expected+b.expect[i]
	}
}

// View tells how far the build is.
func (b *Build) View(now time.Time) View {
	b.mu.Lock()
	defer b.mu.Unlock()
	view := View{Total: len(b.order), Counts: map[plan.State]int{}, Spent: now.Sub(b.began), Left: b.left(now)}
	for state, n := range b.counts {
		view.Counts[state], view.Done = n, view.Done+n
	}
	for i, start := range b.start {
		view.Running = append(view.Running, Running{i, now.Sub(start)})
	}
	slices.SortFunc(view.Running, func(x, y Running) int {
		if x.For != y.For {
			return int(max(min(y.For-x.For, 1), -1))
		}
		return x.Node - y.Node
	})
	return view
}

// left estimates the time to the end: the work that is left spread over the jobs,
// or the longest chain of it when that is more. What was not begun is thought to
// take the share of its expected time that the ended ones took of theirs, since
// where many were answered at once many more will be; one action that took as
// long as expected is counted in from the start, so that the first few do not
// decide alone.
func (b *Build) left(now time.Time) time.Duration {
	spent, expected := b.spent, b.expected
	if b.learnt {
		spent, expected = spent+b.typic, expected+b.typic
	}
	if expected == 0 {
		return 0
	}
	share := float64(spent) / float64(expected)
	var work, longest time.Duration
	for _, i := range b.order {
		if b.ended[i] {
			continue
		}
		own := time.Duration(share * float64(b.expect[i]))
		after := time.Duration(share * float64(b.rank[i]-b.expect[i]))
		if start, runs := b.start[i]; runs {
			own = max(b.expect[i]-now.Sub(start), 0)
		}
		work, longest = work+own, max(longest, own+after)
	}
	return max(work/time.Duration(b.jobs), longest)
}
