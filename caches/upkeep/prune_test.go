package upkeep

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"larder/caches/layers"
	"larder/caches/named"
)

// pruned prunes as a process of its own, and returns what it removed.
func (b bench) pruned(limits Limits) (Report, []Item) {
	b.t.Helper()
	var items []Item
	other := b.again()
	other.layout.Leave()
	report, err := other.Prune(b.t.Context(), limits, func(item Item) { items = append(items, item) })
	check(b.t, err)
	return report, items
}

func everything() Limits { return Limits{MaxSize: 0} }

func TestUsageAgreesWithDu(t *testing.T) {
	b := furnish(t)
	check(t, os.MkdirAll(filepath.Join(b.layout.Root(), "cas-v9"), 0o755))
	check(t, os.WriteFile(filepath.Join(b.layout.Root(), "cas-v9", "file"), make([]byte, 100_000), 0o644))
	said, err := exec.Command("du", "-s", "--block-size=1", b.layout.Root()).Output()
	if err != nil {
		t.Skipf("du is not here: %v", err)
	}
	want, err := strconv.ParseInt(strings.Fields(string(said))[0], 10, 64)
	check(t, err)
	usage, err := b.Usage(t.Context())
	check(t, err)
	var sum int64
	for _, room := range usage.Kinds {
		sum += room.Bytes
	}
	if usage.Total.Bytes != want || sum != want {
		t.Errorf("%d bytes, and %d by kind; du says %d", usage.Total.Bytes, sum, want)
	}
	for _, kind := range []Kind{Caches, Results, Blobs, Trees, Payloads, OldFormats, Rest} {
		if usage.Kinds[kind].Bytes == 0 {
			t.Errorf("%s take nothing", kind)
		}
	}
	if usage.Caches[cacheRef("cache").ID()].Files == 0 {
		t.Error("the cache has no files")
	}
}

func TestPlanIsWhatIsDone(t *testing.T) {
	b := furnish(t)
	b.layout.Leave()
	time.Sleep(10 * time.Millisecond)
	for _, limits := range []Limits{NoLimits(), {MaxSize: 100_000}, {MaxSize: -1, OlderThan: time.Nanosecond}, everything()} {
		var planned []Item
		other := b.again()
		other.layout.Leave()
		plan, err := other.Plan(t.Context(), limits, func(item Item) { planned = append(planned, item) })
		check(t, err)
		report, done := b.pruned(limits)
		if names(planned) != names(done) || plan.Freed != report.Freed {
			t.Errorf("%+v: planned\n%sdone\n%s", limits, names(planned), names(done))
		}
	}
}

func TestFreedIsWhatTheDiskGains(t *testing.T) {
	b := furnish(t)
	b.layout.Leave()
	time.Sleep(10 * time.Millisecond)
	before, err := b.Usage(t.Context())
	check(t, err)
	report, _ := b.pruned(everything())
	after, err := b.Usage(t.Context())
	check(t, err)
	gained := before.Total.Bytes - after.Total.Bytes
	if difference := gained - report.Freed; difference > 50_000 || difference < -50_000 { // directories and the log
		t.Errorf("%d bytes are free, the report says %d", gained, report.Freed)
	}
	if after.Kinds[Blobs].Files+after.Kinds[Results].Files+after.Kinds[Caches].Files+after.Kinds[Trees].Files > 0 {
		t.Errorf("left: %+v", after.Kinds)
	}
}

func TestWhatWasUsedLongestAgoGoesFirst(t *testing.T) {
	b := open(t)
	b.result("old", strings.Repeat("o", 1<<20))
	b.age(2 * 24 * time.Hour)
	b.result("new", strings.Repeat("n", 1<<20))
	b.layout.Leave()
	b = b.again()
	if !b.hasResult("new") {
		t.Fatal("the new result is not there")
	}
	b.layout.Leave()
	_, items := b.pruned(Limits{MaxSize: 1_500_000})
	b = b.again()
	if b.hasResult("old") || !b.hasResult("new") {
		t.Errorf("removed\n%s", names(items))
	}
}

func TestUseKeepsAResult(t *testing.T) {
	b := open(t)
	b.result("used", "used")
	b.result("unused", "unused")
	b.age(10 * 24 * time.Hour)
	b.layout.Leave()
	b = b.again()
	if !b.hasResult("used") {
		t.Fatal("the result is not there")
	}
	b.layout.Leave()
	limits := NoLimits()
	limits.OlderThan = 24 * time.Hour
	b.pruned(limits)
	b = b.again()
	if !b.hasResult("used") || b.hasResult("unused") {
		t.Error("not the unused one was removed")
	}
}

func TestWhatALiveProcessUsesStays(t *testing.T) {
	b := furnish(t)
	b.age(10 * 24 * time.Hour)
	run := b.again()
	if !run.hasResult("one") {
		t.Fatal("the result is not there")
	}
	stack := run.inputs(map[string]string{"a": "of the run"})
	folder, err := layers.NewRun(run.layout)
	check(t, err)
	defer folder.Close()
	c, err := run.named.Checkout(t.Context(), cacheRef("cache"), folder, named.CheckoutOptions{})
	check(t, err)
	defer c.Close()
	b.layout.Leave()
	report, items := b.pruned(everything())
	if report.InUse == 0 {
		t.Errorf("nothing is in use; removed\n%s", names(items))
	}
	if !run.hasResult("one") {
		t.Error("a result that a live process uses is gone")
	}
	if text, err := os.ReadFile(filepath.Join(stack.Lowers()[0], "a")); err != nil || string(text) != "of the run" {
		t.Errorf("its input tree: %q, %v", text, err)
	}
	for _, lower := range c.Lowers() {
		if _, err := os.Stat(lower); err != nil {
			t.Errorf("its cache: %v", err)
		}
	}
	if b.again().hasResult("two") {
		t.Error("what nobody uses is still there")
	}
}

func TestLeftoversOfTheDeadGo(t *testing.T) {
	b := open(t)
	b.layout.Leave()
	check(t, os.MkdirAll(filepath.Join(b.layout.Runs(), "run-dead", "upper"), 0o755))
	for _, name := range []string{"blob-1", "tree-1/sub", "write-2", "trash-3/old"} {
		check(t, os.MkdirAll(filepath.Join(b.layout.Temp(), filepath.Dir(name)), 0o755))
		check(t, os.WriteFile(filepath.Join(b.layout.Temp(), name), []byte("x"), 0o600))
	}
	orphan := filepath.Join(b.layout.Layers(), cacheRef("never-made").ID(), "0123456789abcdef")
	check(t, os.MkdirAll(orphan, 0o755))
	live, err := layers.NewRun(b.layout)
	check(t, err)
	defer live.Close()
	time.Sleep(timeSlack + 200*time.Millisecond) // files from before the oldest live process, by more than the slack
	b.pruned(NoLimits())
	if files := left(t, b.layout.Temp()); len(files) > 0 {
		t.Errorf("left: %v", files)
	}
	if entries, _ := os.ReadDir(b.layout.Runs()); len(entries) != 1 {
		t.Errorf("run folders: %v, want the live one", entries)
	}
	if _, err := os.Lstat(orphan); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a layer that no cache names: %v", err)
	}
}

func TestIdleFoldersAreCountedAndGoWithEverything(t *testing.T) {
	b := open(t)
	run, err := layers.TakeRun(b.layout)
	check(t, err)
	_, err = run.Place(layers.BuildPlace)
	check(t, err)
	check(t, os.Chmod(filepath.Join(run.Path(), layers.BuildPlace), 0o755))
	run.Park()
	check(t, run.Close())
	usage, err := b.Usage(t.Context())
	check(t, err)
	if got := usage.Kinds[Temporary]; got.Files != 1 || got.Bytes == 0 { // its lock
		t.Errorf("%+v is counted as temporary", got)
	}
	b.layout.Leave()
	b.pruned(NoLimits())
	if entries, _ := os.ReadDir(b.layout.Idle()); len(entries) != 1 {
		t.Errorf("after a prune of nothing but leftovers %v are idle", entries)
	}
	b.pruned(everything())
	if entries, _ := os.ReadDir(b.layout.Idle()); len(entries) > 0 {
		t.Errorf("after a prune of everything %v are idle", entries)
	}
}

func TestGenerationsForARollbackGoBeforeCaches(t *testing.T) {
	b := open(t)
	b.publish("cache", "file", strings.Repeat("1", 1<<20))
	b.publish("cache", "file", strings.Repeat("2", 1<<20))
	b.layout.Leave()
	usage, err := b.Usage(t.Context())
	check(t, err)
	b.pruned(Limits{MaxSize: usage.Total.Bytes - 100})
	if got := b.again().read("cache", "file"); len(got) != 1<<20 || got[0] != '2' {
		t.Errorf("the head has %d bytes", len(got))
	}
	history, err := b.named.History(cacheRef("cache"))
	check(t, err)
	if len(history) != 1 {
		t.Errorf("%d generations, want one", len(history))
	}
}

func TestADeadlineStopsBetweenTwoItems(t *testing.T) {
	b := furnish(t)
	b.layout.Leave()
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	report, err := b.Prune(ctx, everything(), nil)
	if err != nil || !report.Stopped {
		t.Errorf("%+v, %v; want that it stopped", report, err)
	}
	if !b.again().hasResult("one") {
		t.Error("a result is gone")
	}
}

func TestAutoIsRare(t *testing.T) {
	b := open(t)
	b.result("one", strings.Repeat("x", 1<<20))
	b.layout.Leave()
	time.Sleep(10 * time.Millisecond)
	clean := func() Report {
		report, err := b.Auto(t.Context(), 1<<19)
		check(t, err)
		return report
	}
	if report := clean(); report.Freed > 0 {
		t.Error("a new store was cleaned at once")
	}
	past := time.Now().Add(-2 * autoEvery)
	check(t, os.Chtimes(filepath.Join(b.layout.Uses(), "cleaned"), past, past))
	if report := clean(); report.Freed < 1<<19 {
		t.Errorf("%d bytes were freed", report.Freed)
	}
	b.again().result("two", strings.Repeat("y", 1<<20))
	if report := clean(); report.Freed > 0 {
		t.Error("it was cleaned again within the hour")
	}
}

// TestAHalfRemovedCacheGoes: one whose removal was killed between its two renames.
func TestAHalfRemovedCacheGoes(t *testing.T) {
	b := furnish(t)
	id := cacheRef("cache").ID()
	folder := filepath.Join(b.layout.Named(), id)
	check(t, os.Rename(filepath.Join(folder, "head"), filepath.Join(folder, "gone")))
	report, items := b.pruned(NoLimits())
	if isThere(folder) || isThere(filepath.Join(b.layout.Layers(), id)) {
		t.Errorf("it is still there; removed was\n%s%v", names(items), report.Problems)
	}
	if !strings.Contains(names(items), cacheRef("cache").String()) {
		t.Errorf("what was removed does not name it:\n%s", names(items))
	}
}
