package plan

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"larder/caches/results"
	"larder/digest"
	"larder/executor"
	"larder/executor/action"
	"larder/executor/action/compare"
)

// shop is a store and a pipeline in memory: the "command" of an action is its
// argv[0], which says what becomes of it; argv[1] is what it writes to the file
// "out", and "in" there stands for the digest of its inputs.
type shop struct {
	mu   sync.Mutex
	dirs digest.Directories
	kept map[string]*action.Result
	keys map[string]action.Key // of what was kept
	runs []string
}

// madeOf finds what an action was made of.
func (s *shop) madeOf(key string) (compare.Action, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.keys[key]
	decoded, err := compare.Decode(digest.BLAKE3, found.Action, found.Command)
	return decoded, ok && err == nil
}

func newShop() *shop {
	return &shop{dirs: digest.Directories{}, kept: map[string]*action.Result{}, keys: map[string]action.Key{}}
}

// Blob makes it a digest.Source.
func (s *shop) Blob(ctx context.Context, d digest.Digest) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dirs.Blob(ctx, d)
}

func (s *shop) sink(_ context.Context, message []byte) (digest.Digest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := digest.Of(digest.BLAKE3, message)
	s.dirs[d] = message
	return d, nil
}

// run is [executor.Executor.Run], in small.
func (s *shop) run(ctx context.Context, request executor.Request) (*action.Result, error) {
	result := action.NewResult()
	host, err := digest.FromEntries(digest.BLAKE3, nil)
	if err == nil {
		host, err = request.Combine(ctx, host)
	}
	if err != nil {
		return result, err
	}
	argv := request.Action.Argv
	key := request.Action.Key(host.Root, nil)
	result.InputDigest, result.Key = host.Root.String(), key.Digest.String()
	s.mu.Lock()
	kept, isKept := s.kept[result.Key]
	s.mu.Unlock()
	if isKept {
		again := *kept
		again.Cached = "local"
		return &again, nil
	}
	if request.Missed != nil {
		request.Missed(executor.Missed{Miss: results.Miss{Reason: results.Absent}, Key: key, Inputs: host})
	}
	switch argv[0] {
	case "fail":
		result.Status, result.ExitCode, result.NotKept = action.StatusFailed, 3, "it failed with exit code 3"
	case "break":
		return result, errors.New("the machine is on fire")
	case "away":
		result.Status = action.StatusOK
	default:
		tree, err := digest.FromEntries(digest.BLAKE3, []digest.Entry{{Path: "out", Kind: digest.KindFile, Digest: digest.Of(digest.BLAKE3, []byte(strings.ReplaceAll(argv[1], "in", host.Root.String())))}})
		if err != nil {
			return result, err
		}
		for _, message := range tree.Directories() {
			_, _ = s.sink(ctx, message)
		}
		result.Status, result.OutputDigest = action.StatusOK, tree.Root.String()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs = append(s.runs, argv[0])
	if result.Status == action.StatusOK {
		s.kept[result.Key], s.keys[result.Key] = result, key
	}
	return result, nil
}

// build runs a plan and returns what became of its actions, as one text.
func (s *shop) build(t *testing.T, text string, change func(*Build)) (string, []Report) {
	t.Helper()
	g, err := graphOf(t, `{"schema": 1, "actions": [`+text+`]}`)
	if err != nil {
		t.Fatal(err)
	}
	order, err := g.Targets()
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	b := &Build{
		Graph: g, Order: order, Trees: Trees{digest.BLAKE3, s, s.sink}, Limits: Limits{Jobs: 2},
		Request: func(int) executor.Request { return executor.Request{} }, Run: s.run, Done: func(Report) { told++ },
	}
	if change != nil {
		change(b)
	}
	s.runs = nil
	reports := b.All(t.Context())
	if told != len(order) || len(reports) != len(order) {
		t.Errorf("%d of %d actions were told of, %d reported", told, len(order), len(reports))
	}
	var words []string
	for _, report := range reports {
		words = append(words, g.Nodes[report.Node].Plan.Name+" "+string(report.State))
		if (report.State == Broken) != (report.Err != nil) {
			t.Errorf("%s: %v", words[len(words)-1], report.Err)
		}
	}
	return strings.Join(words, ", "), reports
}

const (
	two = `{"name": "a", "argv": ["one", "A"]}, {"name": "b", "argv": ["two", "B"]}, `
	sum = `{"name": "c", "argv": ["sum", "in"], "from": [{"action": "a"}, {"action": "b", "prefix": "x"}]}, `
)

func TestBuild(t *testing.T) {
	s := newShop()
	end := `{"name": "d", "from": [{"action": "c"}, {"action": "a", "prefix": "y"}]}`
	var delivered digest.Digest
	deliver := func(b *Build) {
		b.Deliver = func(_ context.Context, i int, root digest.Digest) error {
			delivered = root
			return nil
		}
	}
	got, reports := s.build(t, two+sum+end, deliver)
	if got != "a ran, b ran, c ran, d merged" {
		t.Errorf("the first time: %s", got)
	}
	if delivered.IsZero() || delivered != reports[3].Output {
		t.Errorf("delivered %v, made %v", delivered, reports[3].Output)
	}
	if entry, err := digest.Lookup(t.Context(), s, delivered, "y/out"); err != nil || entry.Digest != digest.Of(digest.BLAKE3, []byte("A")) {
		t.Errorf("y/out is %v, %v", entry, err)
	}
	if got, _ := s.build(t, two+sum+end, nil); got != "a reused, b reused, c reused, d merged" || len(s.runs) > 0 {
		t.Errorf("again: %s; ran %q", got, s.runs)
	}
	// Another command that makes the same: what uses it does not run.
	if got, _ := s.build(t, strings.Replace(two, "one", "uno", 1)+sum+end, nil); got != "a ran, b reused, c reused, d merged" {
		t.Errorf("early cutoff: %s", got)
	}
	if got, _ := s.build(t, strings.Replace(two, `"A"`, `"other"`, 1)+sum+end, nil); got != "a ran, b reused, c ran, d merged" {
		t.Errorf("another output: %s", got)
	}
}

func TestBuildFailures(t *testing.T) {
	after := `{"name": "d", "argv": ["x", "D"], "from": [{"action": "c"}]}`
	keepGoing := func(b *Build) { b.KeepGoing = true }
	for what, c := range map[string]struct {
		text   string
		change func(*Build)
		want   string
	}{
		"a failure":          {strings.Replace(two, "one", "fail", 1) + sum + after, keepGoing, "a failed, b ran, c skipped, d skipped"},
		"larder's own":       {strings.Replace(two, "two", "break", 1) + sum + after, keepGoing, "a ran, b broken, c skipped, d skipped"},
		"one at a time":      {strings.Replace(two, "one", "fail", 1) + sum + after, func(b *Build) { b.Limits.Jobs = 1 }, "a failed, b left, c skipped, d skipped"},
		"a collision":        {two + `{"name": "c", "from": [{"action": "a"}, {"action": "b"}]}, ` + after, nil, "a ran, b ran, c broken, d skipped"},
		"in an action":       {two + `{"name": "c", "argv": ["x", "C"], "from": [{"action": "a"}, {"action": "b"}]}, ` + after, nil, "a ran, b ran, c broken, d skipped"},
		"nowhere to keep it": {strings.Replace(two, "one", "away", 1) + sum + after, keepGoing, "a broken, b ran, c skipped, d skipped"},
		"which nobody needs": {`{"name": "a", "argv": ["away", "A"]}`, nil, "a ran"},
		"delivery": {two + `{"name": "c", "from": [{"action": "a"}]}`, func(b *Build) {
			b.Deliver = func(context.Context, int, digest.Digest) error { return errors.New("no") }
		}, "a ran, b ran, c broken"},
		"stopped": {two + sum + after, func(b *Build) {
			stop := make(chan struct{})
			close(stop)
			b.Stop = stop
		}, "a left, b left, c left, d left"},
	} {
		if got, _ := newShop().build(t, c.text, c.change); got != c.want {
			t.Errorf("%s: %s; want %s", what, got, c.want)
		}
	}
	_, reports := newShop().build(t, two+`{"name": "c", "from": [{"action": "a"}, {"action": "b"}]}`, nil)
	var collisions *digest.CollisionError
	if !errors.As(reports[2].Err, &collisions) || fmt.Sprint(collisions.Collisions[0].Claims[1].Producers) != "[b]" {
		t.Errorf("the producers are not named: %v", reports[2].Err)
	}
}

func TestHistory(t *testing.T) {
	s, known := newShop(), History{}
	g, err := graphOf(t, `{"schema": 1, "actions": [`+strings.TrimSuffix(two+sum, ", ")+`]}`)
	if err != nil {
		t.Fatal(err)
	}
	// why builds, says of each action why it ran, and learns.
	why := func(text string) string {
		var words []string
		var building *Build
		_, reports := s.build(t, strings.TrimSuffix(text, ", "), func(b *Build) {
			b.KeepGoing, building = true, b
			b.Took = known.Took(g)
		})
		for _, report := range reports {
			if report.State == Ran || report.State == Failed {
				words = append(words, g.Nodes[report.Node].Plan.Name+": "+known.Why(g, report, Look{Output: building.Output, Action: s.madeOf}))
			}
		}
		learnt, err := known.After(g, reports)
		if err != nil {
			t.Fatal(err)
		}
		known = ParseHistory(learnt)
		return strings.Join(words, ", ")
	}
	for _, step := range []struct{ text, want string }{
		{two + sum, "a: the first time, b: the first time, c: the first time"},
		{two + sum, ""},
		{strings.Replace(two, `"A"`, `"A2"`, 1) + sum, "a: argv changed, c: what a makes changed"},
		{strings.Replace(two, "two", "fail", 1) + sum, "b: argv changed"},
		{strings.Replace(two, "two", "fail", 1) + sum, "b: it failed with exit code 3 the last time"},
	} {
		if got := why(step.text); got != step.want {
			t.Errorf("said %q, want %q", got, step.want)
		}
	}
	if took := known.Took(g)(0); took <= 0 || took > time.Minute {
		t.Errorf("a took %v", took)
	}
	if len(ParseHistory([]byte("{rubbish"))) != 0 {
		t.Error("rubbish is a history")
	}
}
