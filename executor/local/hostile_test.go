package local_test

import (
	"testing"

	"larder/caches/named"
	"larder/caches/named/namedtest"
	"larder/executor/action"
)

// TestNoWayAroundAppendOnly goes every way in the sandbox itself.
func TestNoWayAroundAppendOnly(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		for _, way := range namedtest.Ways() {
			t.Run(way.Name, func(t *testing.T) {
				way.Need(t)
				one := cache(action.CacheSpec{Name: "tool", Mode: "append-only", Path: "cache", Key: way.Name})
				b.sh(t, "cd cache; "+namedtest.Publishing, one).want(t, 0, "")
				before := namedtest.Raw(t, b.layout.Layers())
				r := b.sh(t, "cd cache; set -e; "+way.Script, one)
				if r.err != nil || r.ExitCode != 0 {
					t.Fatalf("exit code %d, %v: %s", r.ExitCode, r.err, r.stderr)
				}
				var reported []named.Violation
				for _, violation := range r.Caches[0].Violations {
					reported = append(reported, named.Violation(violation))
				}
				way.Reported(t, reported, backing(b))
				namedtest.StillThere(t, before, b.layout.Layers())
			})
		}
	})
}

func backing(b *bench) namedtest.Backing {
	if b.config.Copy {
		return namedtest.Copied
	}
	return namedtest.Overlaid
}
