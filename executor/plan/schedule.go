package plan

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Limits is what actions may take together. An action that takes more than that
// by itself runs alone.
type Limits struct {
	// Jobs is the most actions at one time, and the most processors that they are
	// thought to use. Less than one is one.
	Jobs int
	// Memory is the most that they are thought to use, in bytes; 0 is no limit.
	Memory int64
}

// unknownDuration is taken for an action of which nothing is known.
const unknownDuration = time.Second

// state is how far a schedule has come with a node.
type state uint8

const (
	unwanted state = iota
	waiting        // for producers
	ready
	running
	done
	failed
	skipped // a producer failed or was skipped
)

// schedule runs the nodes of a graph in their order: those that are ready, the
// one with the longest remaining path first. Another one that is ready goes
// ahead where that one does not fit: a graph ends, so nothing waits for ever.
// It belongs to one goroutine.
type schedule struct {
	nodes  []Node
	order  []int // producers first
	limits Limits
	// keepGoing starts all that can be after a failure.
	keepGoing bool

	users [][]int // by node, those that need it
	rank  []time.Duration
	state []state
	left  []int // by node, producers that are not done
	ready []int // the best last
	jobs  int   // that are running
	cpus  float64
	bytes int64
	halt  bool // nothing more is started
}

// newSchedule prepares the nodes in order; took says what each took before, or 0.
func newSchedule(nodes []Node, order []int, took func(i int) time.Duration) *schedule {
	s := &schedule{
		nodes: nodes, order: order, users: make([][]int, len(nodes)), rank: make([]time.Duration, len(nodes)),
		state: make([]state, len(nodes)), left: make([]int, len(nodes)),
	}
	for _, i := range order {
		s.state[i], s.left[i] = waiting, len(nodes[i].Needs)
		for _, need := range nodes[i].Needs {
			s.users[need] = append(s.users[need], i)
		}
	}
	for _, i := range slices.Backward(order) {
		longest := time.Duration(0)
		for _, user := range s.users[i] {
			longest = max(longest, s.rank[user])
		}
		own := took(i)
		if own <= 0 {
			own = unknownDuration
		}
		s.rank[i] = longest + own
	}
	for _, i := range order {
		if s.left[i] == 0 {
			s.makeReady(i)
		}
	}
	return s
}

// makeReady puts a node where its rank belongs; of equals the first in the plan
// is better.
func (s *schedule) makeReady(i int) {
	s.state[i] = ready
	at, _ := slices.BinarySearchFunc(s.ready, i, func(other, i int) int {
		if s.rank[other] != s.rank[i] {
			return int(max(min(s.rank[other]-s.rank[i], 1), -1))
		}
		return i - other
	})
	s.ready = slices.Insert(s.ready, at, i)
}

// next takes the best node that fits beside those that run, or says that there
// is none for now.
func (s *schedule) next() (i int, ok bool) {
	if s.jobs > 0 && s.jobs >= s.limits.Jobs {
		return 0, false
	}
	for at, i := range slices.Backward(s.ready) {
		if !s.fits(&s.nodes[i]) {
			continue
		}
		s.ready = slices.Delete(s.ready, at, at+1)
		s.state[i] = running
		s.jobs++
		s.cpus += s.nodes[i].CPUs
		s.bytes += s.nodes[i].Memory
		return i, true
	}
	return 0, false
}

// fits reports whether a node may run beside the others.
func (s *schedule) fits(node *Node) bool {
	if s.jobs == 0 {
		return true
	}
	isRoomy := s.limits.Memory <= 0 || node.Memory == 0 || s.bytes+node.Memory <= s.limits.Memory
	return isRoomy && s.cpus+node.CPUs <= float64(max(s.limits.Jobs, 1))
}

// ended is the end of a node that ran.
type ended struct {
	node   int
	isDone bool
}

// end notes the end of a node that ran, and returns the nodes that will not run
// for its failure, in the order of the schedule.
func (s *schedule) end(one ended) (lost []int) {
	i := one.node
	s.jobs--
	s.cpus -= s.nodes[i].CPUs
	s.bytes -= s.nodes[i].Memory
	if !one.isDone {
		s.state[i] = failed
		s.halt = s.halt || !s.keepGoing
		return s.skip(i)
	}
	s.state[i] = done
	for _, user := range s.users[i] {
		if s.left[user]--; s.left[user] == 0 && s.state[user] == waiting {
			s.makeReady(user)
		}
	}
	return nil
}

// skip gives up all that needs node i.
func (s *schedule) skip(i int) (lost []int) {
	todo := []int{i}
	for len(todo) > 0 {
		last := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, user := range s.users[last] {
			if s.state[user] == waiting {
				s.state[user] = skipped
				lost, todo = append(lost, user), append(todo, user)
			}
		}
	}
	slices.Sort(lost)
	return lost
}

// rest are the nodes that were never begun, for no failure of a producer.
func (s *schedule) rest() (left []int) {
	for _, i := range s.order {
		if s.state[i] == waiting || s.state[i] == ready {
			left = append(left, i)
		}
	}
	return left
}

// hooks are what a schedule calls: begin and end in turn, of whatever goroutine,
// and work in many at once.
type hooks struct {
	begin func(i int)
	work  func(i int) (isDone bool)
	// end is called when others that were waiting for the node have begun. It is
	// given the nodes that are lost with one that failed.
	end func(i int, lost []int)
}

// run has work do the nodes, in as many goroutines as there is work for at a time,
// until all is done or nothing more can be. It starts nothing more when stop or
// the context ends, and returns when all that was begun has ended.
func (s *schedule) run(ctx context.Context, stop <-chan struct{}, call hooks) {
	t := &shift{schedule: s, ctx: ctx, stop: stop, call: call}
	t.mu.Lock()
	first, isAny := t.begin()
	t.mu.Unlock()
	if isAny {
		t.work(first)
	}
	t.crew.Wait()
}

// shift is a schedule that is being run. A goroutine that has done a node takes the
// next one itself: where nodes take microseconds, handing each to another
// goroutine costs as much as they do.
type shift struct {
	*schedule
	ctx  context.Context
	stop <-chan struct{}
	call hooks
	mu   sync.Mutex // of the schedule, and of who begins and ends nodes
	crew sync.WaitGroup
}

// begin begins all that can be begun now. One of them is for the caller to work on.
func (t *shift) begin() (mine int, isAny bool) {
	for !t.isHalted(t.ctx, t.stop) {
		i, ok := t.next()
		if !ok {
			break
		}
		t.call.begin(i)
		if !isAny {
			mine, isAny = i, true
			continue
		}
		t.crew.Go(func() { t.work(i) })
	}
	return mine, isAny
}

// work does a node, and then others for as long as there are any.
func (t *shift) work(i int) {
	for isAny := true; isAny; {
		done := ended{i, t.call.work(i)}
		t.mu.Lock()
		lost := t.end(done)
		i, isAny = t.begin()
		t.call.end(done.node, lost)
		t.mu.Unlock()
	}
}

// isHalted reports whether nothing more may begin.
func (s *schedule) isHalted(ctx context.Context, stop <-chan struct{}) bool {
	select {
	case <-stop:
		s.halt = true
	default:
		s.halt = s.halt || ctx.Err() != nil
	}
	return s.halt
}
