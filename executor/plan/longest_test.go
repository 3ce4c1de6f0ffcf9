package plan

import (
	"slices"
	"testing"
	"time"
)

// TestLongest: of a diamond with a tail the slower side counts, and what was not
// begun counts as nothing.
func TestLongest(t *testing.T) {
	g, err := graphOf(t, `{"schema": 1, "actions": [
		{"name": "top", "argv": ["x"]},
		{"name": "quick", "argv": ["x"], "from": [{"action": "top"}]},
		{"name": "slow", "argv": ["x"], "from": [{"action": "top"}]},
		{"name": "end", "argv": ["x"], "from": [{"action": "quick"}, {"action": "slow"}]},
		{"name": "alone", "argv": ["x"]},
		{"name": "never", "argv": ["x"], "from": [{"action": "end"}]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	reports := []Report{{Node: 0, Duration: 1}, {Node: 1, Duration: 2}, {Node: 2, Duration: 3}, {Node: 3, Duration: 4}, {Node: 4, Duration: 7}, {Node: 5}}
	if chain, took := g.Longest(reports); !slices.Equal(chain, []int{0, 2, 3}) || took != 8 {
		t.Errorf("the chain is %v of %d", chain, took)
	}
	reports[4].Duration = time.Second
	if chain, took := g.Longest(reports); !slices.Equal(chain, []int{4}) || took != time.Second {
		t.Errorf("the chain is %v of %d", chain, took)
	}
	if chain, took := g.Longest(nil); len(chain) > 0 || took != 0 {
		t.Errorf("of nothing the chain is %v of %d", chain, took)
	}
}
