package progress

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"larder/executor/plan"
)

// moment is when the builds of these tests begin.
func moment(after time.Duration) time.Time { return time.Unix(1e9, 0).Add(after) }

func graphOf(t interface{ Fatal(...any) }, text string) (*plan.Graph, []int) {
	parsed, err := plan.Parse([]byte(`{"schema": 1, "actions": [` + text + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	g, err := parsed.Graph("/nowhere")
	if err != nil {
		t.Fatal(err)
	}
	order, err := g.Targets()
	if err != nil {
		t.Fatal(err)
	}
	return g, order
}

const four = `{"name": "a", "argv": ["x"]}, {"name": "b", "argv": ["x"]}, {"name": "c", "argv": ["x"]},
	{"name": "d", "argv": ["x"], "from": [{"action": "c"}]}`

func took(seconds ...float64) func(i int) time.Duration {
	return func(i int) time.Duration { return time.Duration(seconds[i] * float64(time.Second)) }
}

func TestViewTellsWhatRunsAndWhatHasEnded(t *testing.T) {
	g, order := graphOf(t, four)
	b := New(g, order, took(0, 0, 0, 0), 2)
	b.Begin(0, moment(0))
	b.Begin(1, moment(time.Second))
	view := b.View(moment(3 * time.Second))
	if view.Total != 4 || view.Done != 0 || len(view.Running) != 2 || view.Left != 0 {
		t.Fatalf("%+v", view)
	}
	if view.Running[0] != (Running{0, 3 * time.Second}) || view.Running[1] != (Running{1, 2 * time.Second}) {
		t.Errorf("running: %+v", view.Running)
	}
	b.Done(plan.Report{Node: 0, State: plan.Ran, Start: moment(0), Duration: 4 * time.Second})
	b.Done(plan.Report{Node: 1, State: plan.Failed, Start: moment(0), Duration: 2 * time.Second})
	view = b.View(moment(5 * time.Second))
	if view.Done != 2 || view.Counts[plan.Ran] != 1 || view.Counts[plan.Failed] != 1 || len(view.Running) != 0 {
		t.Errorf("%+v", view)
	}
	// Two are left, one needs the other, and so far one took 3 s.
	if view.Left != 6*time.Second {
		t.Errorf("left: %v", view.Left)
	}
}

func TestTimeLeftIsLearnt(t *testing.T) {
	g, order := graphOf(t, four)
	b := New(g, order, took(8, 4, 1, 3), 2)
	if left := b.View(moment(0)).Left; left != 8*time.Second {
		t.Errorf("two jobs, 16 s of work, the longest takes 8: %v left", left)
	}
	b.Begin(0, moment(0))
	if left := b.View(moment(6 * time.Second)).Left; left != 5*time.Second {
		t.Errorf("2, 4, 1 and 3 s are left, on two jobs: %v left", left)
	}
	if left := b.View(moment(60 * time.Second)).Left; left != 4*time.Second {
		t.Errorf("one takes longer than ever, and 8 s of others wait: %v left", left)
	}
	b = New(g, order, took(9, 0, 0, 0), 1)
	if left := b.View(moment(0)).Left; left != 36*time.Second {
		t.Errorf("what is not known takes the mean: %v left", left)
	}
}

// TestTimeLeftAfterManyHits: where most was answered at once, so will be the rest.
func TestTimeLeftAfterManyHits(t *testing.T) {
	g, order := graphOf(t, four)
	b := New(g, order, took(10, 10, 10, 10), 1)
	for i := range 3 {
		b.Done(plan.Report{Node: i, State: plan.Reused, Start: moment(0), Duration: time.Millisecond})
	}
	if left := b.View(moment(0)).Left; left < 2*time.Second || left > 3*time.Second {
		t.Errorf("%v left", left)
	}
}

// TestViewHoldsAtEveryMoment: nothing is counted twice, the end has nothing left.
func TestViewHoldsAtEveryMoment(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, order := graphOf(t, four)
		times := rapid.SliceOfN(rapid.Float64Range(0, 100), 4, 4).Draw(t, "times")
		b := New(g, order, took(times...), rapid.IntRange(1, 4).Draw(t, "jobs"))
		now := moment(0)
		states := []plan.State{plan.Ran, plan.Reused, plan.Failed, plan.Skipped}
		for n, i := range order {
			state := rapid.SampledFrom(states).Draw(t, "state")
			report := plan.Report{Node: i, State: state}
			if state != plan.Skipped {
				b.Begin(i, now)
				spent := time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "spent"))
				report.Start, report.Duration = now, spent
				now = now.Add(spent)
			}
			if view := b.View(now); view.Done != n || view.Left < 0 || view.Done+len(view.Running) > view.Total {
				t.Fatalf("%+v", view)
			}
			b.Done(report)
		}
		if view := b.View(now); view.Done != 4 || view.Left != 0 || len(view.Running) != 0 {
			t.Fatalf("at the end: %+v", view)
		}
	})
}
