package local

import (
	"context"
	"fmt"
	"strings"

	"larder/caches"
	"larder/caches/named"
	"larder/executor/action"
)

// publish ends every checkout: by a publish when the cache's own policy allows
// it for the way in which the command ended, and by a discard otherwise. A
// publish that fails is a warning and never fails the action.
func (a *attempt) publish(ctx context.Context) error {
	var broken []string
	err := a.step(action.StepPublish, func() error {
		for _, c := range a.checkouts {
			outcome := a.end(ctx, c)
			described := DescribeOutcome(c.cache, outcome)
			a.result.Caches = append(a.result.Caches, described)
			for _, violation := range described.Violations {
				broken = append(broken, fmt.Sprintf("%s in cache %s (%s)", violation.Path, described.Name, violation.Kind))
			}
		}
		return nil
	})
	if a.job.Action.Strict && len(broken) > 0 {
		listed := strings.Join(broken[:min(len(broken), 10)], ", ")
		if more := len(broken) - 10; more > 0 {
			listed += fmt.Sprintf(" and %d more", more)
		}
		return fmt.Errorf("%w: %s", ErrStrict, listed)
	}
	return err
}

// discard ends every checkout of an action that could not be completed.
func (a *attempt) discard() {
	for _, c := range a.checkouts {
		outcome, _ := c.Discard()
		a.result.Caches = append(a.result.Caches, DescribeOutcome(c.cache, outcome))
	}
}

func (a *attempt) end(ctx context.Context, c checkout) named.Outcome {
	if !a.publishes(c.cache.Publish) {
		outcome, _ := c.Discard()
		return outcome
	}
	if a.uncached {
		outcome, _ := c.GiveUp()
		return outcome
	}
	tend := a.runner.config.Named.Relieve
	if a.runner.config.Untended {
		tend = a.runner.config.Named.Tend
	}
	untended := tend(ctx, c.ref)
	outcome, err := c.Publish(ctx, named.PublishOptions{OnConflict: c.cache.OnConflict, Keep: c.cache.Keep, Unit: c.cache.Unit, Listed: a.runner.config.Untended || a.isLinked})
	if err != nil {
		a.trouble(fmt.Sprintf("cache %s was not updated and keeps what it had", c.cache.Name), err)
		return outcome
	}
	if untended != nil {
		a.trouble(fmt.Sprintf("cache %s was not looked after; the next publish tries again", c.cache.Name), untended)
	}
	return outcome
}

// publishes: a command that was ended from outside has left its caches in a
// state that nobody vouches for, whatever the policy says, and what it has left behind
// may still write to them.
func (a *attempt) publishes(policy caches.PublishPolicy) bool {
	if a.status.Stuck {
		return false
	}
	switch a.result.Status {
	case action.StatusOK, action.StatusFailed:
		return policy.Allows(a.result.ExitCode)
	}
	return false
}

// DescribeOutcome puts what became of a cache into the form of the result record.
func DescribeOutcome(cache action.Cache, outcome named.Outcome) action.CacheResult {
	described := action.CacheResult{
		Name: cache.Name.String(), Mode: cache.Mode.String(), Scope: string(cache.Scope),
		Path: cache.Path.String(), Outcome: string(outcome.Result),
		GenerationBefore: outcome.Before, GenerationAfter: outcome.After,
		Added: outcome.Added, Changed: outcome.Changed, Removed: outcome.Removed, Duplicates: outcome.Duplicates,
		Violations: []action.Violation{}, Conflicts: []string{},
	}
	for _, violation := range outcome.Violations {
		described.Violations = append(described.Violations, action.Violation{Path: violation.Path, Kind: violation.Kind})
	}
	described.Conflicts = append(described.Conflicts, outcome.Conflicts...)
	return described
}
