package plan

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// drawn is a graph without ways back: a node needs some before it.
func drawn(r *rapid.T) []Node {
	nodes := make([]Node, rapid.IntRange(1, 12).Draw(r, "nodes"))
	for i := range nodes {
		nodes[i].CPUs = rapid.SampledFrom([]float64{0.5, 1, 2, 8}).Draw(r, "cpus")
		nodes[i].Memory = rapid.Int64Range(0, 12).Draw(r, "memory")
		for need := range i {
			if rapid.IntRange(0, 3).Draw(r, "needs") == 0 {
				nodes[i].Needs = append(nodes[i].Needs, need)
			}
		}
	}
	return nodes
}

func all(nodes []Node) []int {
	var order []int
	for i := range nodes {
		order = append(order, i)
	}
	return order
}

func unknown(int) time.Duration { return 0 }

// observer is a fake of what runs nodes: it checks at each moment what must hold.
type observer struct {
	mu      sync.Mutex
	nodes   []Node
	limits  Limits
	fails   map[int]bool
	running map[int]bool
	done    map[int]bool
	lost    map[int]bool
	begun   []int
	ended   []int
	wrong   []string
}

func observe(nodes []Node, limits Limits, fails map[int]bool) *observer {
	return &observer{nodes: nodes, limits: limits, fails: fails, running: map[int]bool{}, done: map[int]bool{}, lost: map[int]bool{}}
}

func (o *observer) refuse(format string, args ...any) {
	o.wrong = append(o.wrong, fmt.Sprintf(format, args...))
}

func (o *observer) begin(i int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, need := range o.nodes[i].Needs {
		if !o.done[need] {
			o.refuse("%d began before %d was done", i, need)
		}
	}
	if slices.Contains(o.begun, i) {
		o.refuse("%d began twice", i)
	}
	o.begun, o.running[i] = append(o.begun, i), true
	if len(o.running) == 1 {
		return
	}
	var cpus float64
	var bytes int64
	for other := range o.running {
		cpus, bytes = cpus+o.nodes[other].CPUs, bytes+o.nodes[other].Memory
	}
	if len(o.running) > o.limits.Jobs || cpus > float64(o.limits.Jobs) {
		o.refuse("%v run at once, on %v processors", o.running, cpus)
	}
	if o.limits.Memory > 0 && bytes > o.limits.Memory && o.nodes[i].Memory > 0 {
		o.refuse("%v run at once, in %d bytes", o.running, bytes)
	}
}

func (o *observer) work(i int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.running, i)
	o.done[i] = !o.fails[i]
	return o.done[i]
}

func (o *observer) end(i int, lost []int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if slices.Contains(o.ended, i) || !slices.Contains(o.begun, i) {
		o.refuse("%d ended, and had ended or not begun", i)
	}
	o.ended = append(o.ended, i)
	for _, one := range lost {
		if o.lost[one] {
			o.refuse("%d was lost twice", one)
		}
		o.lost[one] = true
	}
}

// hooks sees to it as well that begin and end come in turn.
func (o *observer) hooks() hooks {
	var turn sync.Mutex
	inTurn := func(call func()) {
		if !turn.TryLock() {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.refuse("two hooks at once")
			return
		}
		defer turn.Unlock()
		call()
	}
	return hooks{
		func(i int) { inTurn(func() { o.begin(i) }) }, o.work,
		func(i int, lost []int) { inTurn(func() { o.end(i, lost) }) },
	}
}

// TestEveryConstraintHolds draws graphs, limits and failures. What can run runs
// once, after all that it needs, within the limits; what needs a failure, at any
// distance, is lost; the rest is left only after a failure without keepGoing.
func TestEveryConstraintHolds(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		nodes := drawn(r)
		fails := map[int]bool{}
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(nodes)-1), 0, 2).Draw(r, "failures") {
			fails[i] = true
		}
		limits := Limits{Jobs: rapid.IntRange(1, 4).Draw(r, "jobs"), Memory: rapid.Int64Range(0, 16).Draw(r, "most")}
		o := observe(nodes, limits, fails)
		s := newSchedule(nodes, all(nodes), unknown)
		s.limits, s.keepGoing = limits, rapid.Bool().Draw(r, "keep going")
		s.run(context.Background(), nil, o.hooks())
		doomed := map[int]bool{}
		for i, node := range nodes {
			for _, need := range node.Needs {
				doomed[i] = doomed[i] || doomed[need] || fails[need]
			}
			began := slices.Contains(o.begun, i)
			if s.keepGoing && (began == doomed[i] || o.lost[i] != doomed[i]) {
				o.refuse("%d began: %v, lost: %v, needs a failure: %v", i, began, o.lost[i], doomed[i])
			}
			if !s.keepGoing && (began && doomed[i] || o.lost[i] && !doomed[i]) {
				o.refuse("%d began: %v, lost: %v, needs a failure: %v", i, began, o.lost[i], doomed[i])
			}
			if left := slices.Contains(s.rest(), i); left == (began || o.lost[i]) || left && (s.keepGoing || len(fails) == 0) {
				o.refuse("%d is left: %v, began: %v, lost: %v", i, left, began, o.lost[i])
			}
		}
		if len(o.running) > 0 || len(o.ended) != len(o.begun) {
			o.refuse("%v are still running; %v of %v have ended", o.running, o.ended, o.begun)
		}
		if len(o.wrong) > 0 {
			r.Fatal(o.wrong)
		}
	})
}

// sequence is the order in which one worker takes nodes.
func sequence(nodes []Node, took func(int) time.Duration) []int {
	o := observe(nodes, Limits{Jobs: 1}, nil)
	s := newSchedule(nodes, all(nodes), took)
	s.limits = o.limits
	s.run(context.Background(), nil, o.hooks())
	return o.begun
}

func TestTheLongestRemainingPathGoesFirst(t *testing.T) {
	// 0 and 3 are alone, 1 leads to 2.
	nodes := []Node{{CPUs: 1}, {CPUs: 1}, {CPUs: 1, Needs: []int{1}}, {CPUs: 1}}
	if got := sequence(nodes, unknown); !slices.Equal(got, []int{1, 0, 2, 3}) {
		t.Errorf("nothing known: %v", got)
	}
	took := func(i int) time.Duration {
		return []time.Duration{0, time.Millisecond, time.Millisecond, time.Minute}[i]
	}
	if got := sequence(nodes, took); !slices.Equal(got, []int{3, 0, 1, 2}) {
		t.Errorf("3 took a minute, 0 is not known: %v", got)
	}
}

func TestWhatIsTooLargeRunsAlone(t *testing.T) {
	nodes := []Node{{CPUs: 64, Memory: 1 << 40}, {CPUs: 1}}
	o := observe(nodes, Limits{Jobs: 2, Memory: 1 << 30}, nil)
	s := newSchedule(nodes, all(nodes), unknown)
	s.limits = o.limits
	s.run(context.Background(), nil, o.hooks())
	if len(o.begun) != 2 || len(o.wrong) > 0 {
		t.Errorf("begun %v, wrong %v", o.begun, o.wrong)
	}
}

// TestAnEndIsWaitedFor stops a schedule while two nodes run: nothing else begins,
// and run returns when both have ended.
func TestAnEndIsWaitedFor(t *testing.T) {
	for _, how := range []string{"stop", "cancel"} {
		nodes := []Node{{CPUs: 1}, {CPUs: 1}, {CPUs: 1}, {CPUs: 1, Needs: []int{0}}}
		ctx, cancel := context.WithCancel(context.Background())
		stop := make(chan struct{})
		o := observe(nodes, Limits{Jobs: 2}, nil)
		s := newSchedule(nodes, all(nodes), unknown)
		s.limits = o.limits
		var both sync.WaitGroup
		both.Add(2)
		h := o.hooks()
		h.work = func(i int) bool {
			defer o.work(i)
			both.Done()
			both.Wait()
			if how == "stop" {
				<-stop
			} else {
				<-ctx.Done()
			}
			return true
		}
		go func() {
			both.Wait()
			if how == "stop" {
				close(stop)
			} else {
				cancel()
			}
		}()
		s.run(ctx, stop, h)
		cancel()
		if len(o.begun) != 2 || len(o.ended) != 2 || len(s.rest()) != 2 {
			t.Errorf("%s: begun %v, running %v, left %v", how, o.begun, o.running, s.rest())
		}
	}
}

// TestNodesShareGoroutines runs a long chain, and many nodes beside it: there are
// no more goroutines than jobs, since who has done a node takes the next.
func TestNodesShareGoroutines(t *testing.T) {
	nodes := make([]Node, 500)
	for i := range nodes {
		nodes[i].CPUs = 1
		if i > 0 && i < 100 {
			nodes[i].Needs = []int{i - 1}
		}
	}
	for _, jobs := range []int{1, 3} {
		before, most := runtime.NumGoroutine(), 0
		var mu sync.Mutex
		o := observe(nodes, Limits{Jobs: jobs}, nil)
		s := newSchedule(nodes, all(nodes), unknown)
		s.limits = o.limits
		h := o.hooks()
		h.work = func(i int) bool {
			mu.Lock()
			most = max(most, runtime.NumGoroutine()-before)
			mu.Unlock()
			return o.work(i)
		}
		s.run(context.Background(), nil, h)
		// One that finds nothing to do may still be on its way out.
		if len(o.ended) != len(nodes) || most > 2*jobs || jobs == 1 && most > 0 {
			t.Errorf("%d jobs: %d goroutines more, %d nodes ended", jobs, most, len(o.ended))
		}
	}
}
