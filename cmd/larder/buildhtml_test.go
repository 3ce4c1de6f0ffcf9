package main

import (
	"path/filepath"
	"strings"
	"testing"

	"larder/executor/plan"
)

// TestAPageOfManyActionsHasLessOfEach: the page of a large plan stays one that a
// browser takes, and what failed is shown all the same.
func TestAPageOfManyActionsHasLessOfEach(t *testing.T) {
	for nodes, want := range map[int]int{1: mostShown, 1024: mostShown, 10000: mostSaid / 10000, 1000000: leastShown} {
		p, err := newPage(filepath.Join(t.TempDir(), "page.html"), "plan.json", nodes)
		check(t, err)
		defer p.file.Close()
		for _, c := range []struct {
			state plan.State
			want  int
		}{{plan.Ran, want}, {plan.Failed, mostShown}} {
			said := &spool{}
			said.stdout.start.WriteString(strings.Repeat("a", 2*mostShown) + "the end")
			p.note(plan.Report{Node: 0, State: c.state}, said)
			if got := p.said[0]; len(got) != c.want || !strings.HasSuffix(got, "athe end") {
				t.Errorf("of %d actions one that %s has %d bytes on the page, not %d", nodes, c.state, len(got), c.want)
			}
		}
	}
	var none *page
	none.note(plan.Report{}, &spool{}) // without --report there is no page
}
