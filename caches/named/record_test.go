package named_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"larder/caches"
	"larder/caches/journal"
	"larder/caches/layers"
	"larder/caches/named"
	"larder/caches/named/namedtest"
)

// tally is what was counted for the cache.
func tally(c *namedtest.Cache) journal.Counts {
	c.Helper()
	tallies, err := journal.Open(c.Layout).Tallies()
	namedtest.Check(c, err)
	for _, tally := range tallies {
		if tally.Subject == journal.CacheSubject(c.Ref) {
			return tally.Counts
		}
	}
	return nil
}

// logged is what the log says, by event.
func logged(c *namedtest.Cache) map[string][]map[string]any {
	c.Helper()
	events := map[string][]map[string]any{}
	namedtest.Check(c, journal.Open(c.Layout).Follow(time.Time{}).Next(func(line []byte) error {
		var event map[string]any
		err := json.Unmarshal(line, &event)
		name, _ := event["event"].(string)
		events[name] = append(events[name], event)
		return err
	}))
	return events
}

func TestEachOutcomeIsCountedOnce(t *testing.T) {
	c := namedtest.New(t, caches.Mutable, namedtest.Copied)
	c.Do("echo one >a; echo two >b; mkfifo p")
	c.Do(":")
	one, merged, replaced, discarded := c.Started("echo 1 >a"), c.Started("echo 22 >b"), c.Started("echo 333 >a"), c.Started("echo 4 >a")
	c.Publish(one, named.PublishOptions{})
	c.Publish(merged, named.PublishOptions{})
	c.Publish(replaced, named.PublishOptions{})
	c.Publish(discarded, named.PublishOptions{OnConflict: caches.ConflictDiscard})
	c.Started("echo 5 >a").Close()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	failing := c.Started("echo 6 >a")
	holder := c.Checkout()
	defer holder.Close()
	hold(t, c)
	if outcome, err := failing.Publish(gone, named.PublishOptions{}); err == nil || outcome.Result != named.Failed {
		t.Fatalf("%+v, %v", outcome, err)
	}
	want := journal.Counts{
		journal.Checkouts: 9, journal.Publishes: 2, journal.Unchanged: 1, journal.Merges: 1, journal.Replacements: 1,
		journal.Discards: 2, journal.Failures: 1, journal.Violations: 1, journal.Conflicts: 1, journal.Bytes: 8 + 2 + 3 + 4,
	}
	if diff := cmp.Diff(want, tally(c)); diff != "" {
		t.Errorf("tally (-want +got):\n%s", diff)
	}
	events := logged(c)
	if len(events["checkout"]) != 9 || len(events["publish"]) != 7 || len(events["discard"]) != 1 {
		t.Errorf("%d, %d and %d events", len(events["checkout"]), len(events["publish"]), len(events["discard"]))
	}
	if at := events["violation"]; len(at) != 1 || at[0]["path"] != "p" || at[0]["kind"] != "special" {
		t.Errorf("violations: %v", at)
	}
	if first := events["publish"][0]; first["outcome"] != "published" || first["added"] != 2.0 || first["before"] != "" {
		t.Errorf("the first publish: %v", first)
	}
}

// hold takes the lock of the cache for the rest of the test.
func hold(t *testing.T, c *namedtest.Cache) {
	t.Helper()
	inspection, err := c.Store.Inspect(c.Ref)
	namedtest.Check(t, err)
	lock, err := layers.Acquire(t.Context(), inspection.Folder+"/lock")
	namedtest.Check(t, err)
	t.Cleanup(lock.Close)
}

func TestTheTallyOfACacheGoesWithIt(t *testing.T) {
	c := namedtest.New(t, caches.AppendOnly, namedtest.Copied)
	c.Do("echo one >a")
	c.Do("echo one >a; echo two >b")
	if got := tally(c); got[journal.Duplicates] != 1 || got[journal.Publishes] != 2 {
		t.Errorf("tally %v", got)
	}
	history, err := c.Store.History(c.Ref)
	namedtest.Check(t, err)
	_, err = c.Store.Rollback(t.Context(), c.Ref, history[1].ID)
	namedtest.Check(t, err)
	_, err = c.Store.Remove(t.Context(), "")
	namedtest.Check(t, err)
	events := logged(c)
	if got := tally(c); got != nil || len(events["remove"]) != 1 || len(events["rollback"]) != 1 {
		t.Errorf("after removal: %v, %v", got, events)
	}
}

func TestGivingUpCountsAsAFailure(t *testing.T) {
	c := namedtest.New(t, caches.Mutable, namedtest.Copied)
	c.Do("echo one >a")
	outcome, err := c.Started("echo two >a").GiveUp()
	if err != nil || outcome.Result != named.Failed || outcome.Before != outcome.After {
		t.Errorf("%+v, %v", outcome, err)
	}
	if counts := tally(c); counts[journal.Failures] != 1 || counts[journal.Discards] != 0 || c.Content()["a"] != "one\n" {
		t.Errorf("%v, %v", counts, c.Content())
	}
}
