package local_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"larder/caches"
	"larder/caches/layers/layertest"
	"larder/caches/named"
	"larder/executor"
	"larder/executor/action"
	"larder/executor/local"
)

// both runs a test with overlay mounts and with private copies, the latter with
// namespaces and without.
func both(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	for name, kind := range map[string]local.Kind{"overlays": "", "copies": "", "directory": local.KindDirectory} {
		t.Run(name, func(t *testing.T) {
			b := newBenchIn(t, name != "overlays")
			if kind != "" {
				b.config.Sandbox = kind
				b.wire()
			}
			test(t, b)
			b.wantNothingLeft(t)
		})
	}
}

func wantOutcome(t testing.TB, r ran, want named.Result) action.CacheResult {
	t.Helper()
	if len(r.Caches) != 1 || r.Caches[0].Outcome != string(want) {
		t.Fatalf("caches %+v, want one that was %s", r.Caches, want)
	}
	return r.Caches[0]
}

func TestMutableCacheIsFoundAgain(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		first := wantOutcome(t, b.sh(t, "ls cache; echo -n 1 > cache/a; mkdir cache/d; echo -n 2 > cache/d/b", mutable()).want(t, 0, ""), named.Published)
		if first.Added != 2 || first.GenerationBefore != "" || first.GenerationAfter == "" || first.Scope != "repo" || first.Path != "cache" {
			t.Errorf("the first run: %+v", first)
		}
		second := wantOutcome(t, b.sh(t, "cat cache/a cache/d/b; echo -n 3 > cache/a; rm cache/d/b", mutable()).want(t, 0, "12"), named.Published)
		if second.Changed != 1 || second.Removed != 1 || second.GenerationBefore != first.GenerationAfter {
			t.Errorf("the second run: %+v", second)
		}
		third := b.sh(t, "cat cache/a; ls cache/d", mutable()).want(t, 0, "3")
		wantOutcome(t, third, named.Unchanged)
		if _, err := os.Stat(filepath.Join(b.root, "cache")); err == nil {
			t.Error("the cache is in the root")
		}
	})
}

func TestCachesAreNotInputs(t *testing.T) {
	b := newTestBench(t)
	put(t, filepath.Join(b.root, "cache/of-the-bare-tool"), "x")
	b.sh(t, "ls cache", mutable()).want(t, 0, "")
}

func TestMutableCacheIsPrivateWhileItRuns(t *testing.T) {
	b := newTestBench(t)
	b.sh(t, "echo -n old > cache/a", mutable()).want(t, 0, "")
	var inner ran
	outer := action.Spec{Argv: []string{"sh", "-c", `echo -n new > cache/a; echo ready; read line; cat cache/a`}}
	mutable()(&outer)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	watch := &watcher{on: "ready", do: func() {
		inner = b.sh(t, "cat cache/a", mutable())
		write.WriteString("go on\n")
		write.Close()
	}}
	r := b.run(t, outer, executor.Request{Streams: executor.Streams{Input: executor.ClassifyInput(read), Stdout: watch, Stderr: watch}})
	if r.err != nil || !strings.HasSuffix(watch.text.String(), "new") {
		t.Fatalf("the outer run: %v, %q", r.err, watch.text.String())
	}
	inner.want(t, 0, "old")
	b.sh(t, "cat cache/a", mutable()).want(t, 0, "new")
}

func TestPublishPolicies(t *testing.T) {
	for _, c := range []struct {
		publish, script string
		want            named.Result
	}{
		{"", "exit 0", named.Published}, {"", "exit 1", named.Discarded},
		{"0,1", "exit 1", named.Published}, {"0,1", "exit 2", named.Discarded}, {"1", "exit 0", named.Discarded},
		{"always", "exit 77", named.Published}, {"never", "exit 0", named.Discarded},
		{"always", "kill -9 $$", named.Discarded}, {"0,137", "kill -9 $$", named.Discarded},
	} {
		t.Run(c.publish+" "+c.script, func(t *testing.T) {
			b := newTestBench(t)
			spec := action.CacheSpec{Name: "tool", Mode: "mutable", Path: "cache", Publish: c.publish}
			wantOutcome(t, b.sh(t, "echo x > cache/a; "+c.script, cache(spec)), c.want)
			want := map[bool]string{true: "a", false: ""}[c.want == named.Published]
			b.sh(t, "ls cache", mutable()).want(t, 0, want)
		})
	}
}

func TestNothingIsPublishedAfterATimeOut(t *testing.T) {
	b := newTestBench(t)
	always := cache(action.CacheSpec{Name: "tool", Mode: "mutable", Path: "cache", Publish: "always"})
	slow := func(s *action.Spec) { s.Timeout = "100ms" }
	wantOutcome(t, b.sh(t, "echo x > cache/a; sleep 60", always, slow), named.Discarded)
	b.sh(t, "ls cache", mutable()).want(t, 0, "")
}

func TestNothingIsPublishedWhenLarderFails(t *testing.T) {
	b := newTestBench(t)
	b.sh(t, "echo x > cache/a; mkfifo out", mutable(), outputs("out")).wantError(t, "FIFO")
	b.sh(t, "echo x > cache/a", mutable(), func(s *action.Spec) { s.Setup = "echo x > cache/b; false" }).wantError(t, "set-up")
	b.sh(t, "ls cache", mutable()).want(t, 0, "")
}

func TestAppendOnlyCacheKeepsWhatItHas(t *testing.T) {
	both(t, func(t *testing.T, b *bench) {
		first := b.sh(t, "echo -n 1 > cache/a; echo -n 2 > cache/b", appendOnly()).want(t, 0, "")
		if got := wantOutcome(t, first, named.Published); got.Added != 2 || got.Scope != "global" {
			t.Errorf("the first run: %+v", got)
		}
		second := b.sh(t, "echo -n 9 > cache/a; rm cache/b; echo -n 3 > cache/c; cat cache/a", appendOnly()).want(t, 0, "9")
		got := wantOutcome(t, second, named.Published)
		var broken []string
		for _, violation := range got.Violations {
			broken = append(broken, violation.Path+" "+violation.Kind)
		}
		slices.Sort(broken)
		if got.Added != 1 || !slices.Equal(broken, []string{"a modified", "b deleted"}) {
			t.Errorf("the second run: %+v", got)
		}
		b.sh(t, "cat cache/a cache/b cache/c", appendOnly()).want(t, 0, "123")
	})
}

func TestStrictFailsTheAction(t *testing.T) {
	b := newTestBench(t)
	b.sh(t, "echo -n 1 > cache/a", appendOnly()).want(t, 0, "")
	strict := func(s *action.Spec) { s.Strict = true }
	b.sh(t, "echo x > cache/a; echo x > out", appendOnly(), strict, outputs("out")).wantError(t, local.ErrStrict.Error(), "a in cache pkgs (modified)")
	if _, err := os.Stat(filepath.Join(b.root, "out")); err == nil {
		t.Error("the outputs of a failed action were handed over")
	}
	b.sh(t, "echo -n 2 > cache/b; cat cache/a", appendOnly(), strict).want(t, 0, "1")
}

func TestScopesDoNotMix(t *testing.T) {
	b := newTestBench(t)
	other := *b
	other.root = filepath.Join(filepath.Dir(b.root), "other")
	put(t, filepath.Join(other.root, ".git"), "gitdir: elsewhere") // a work tree
	below := *b
	below.root = filepath.Join(b.root, "sub")
	put(t, filepath.Join(below.root, "file"), "")
	linked := *b
	linked.root = filepath.Join(filepath.Dir(b.root), "linked")
	if err := os.Symlink(b.root, linked.root); err != nil {
		t.Fatal(err)
	}
	b.sh(t, "echo -n one > cache/a", mutable()).want(t, 0, "")
	other.sh(t, "ls cache; echo -n two > cache/a", mutable()).want(t, 0, "")
	b.sh(t, "cat cache/a", mutable()).want(t, 0, "one")
	other.sh(t, "cat cache/a", mutable()).want(t, 0, "two")
	below.sh(t, "cat cache/a", mutable()).want(t, 0, "one")
	linked.sh(t, "cat cache/a", mutable()).want(t, 0, "one")
	keyed := cache(action.CacheSpec{Name: "tool", Mode: "mutable", Path: "cache", Key: "py3"})
	b.sh(t, "ls cache", keyed).want(t, 0, "")
	global := cache(action.CacheSpec{Name: "tool", Mode: "mutable", Path: "cache", Scope: "global"})
	b.sh(t, "ls cache; echo -n all > cache/a", global).want(t, 0, "")
	other.sh(t, "cat cache/a", global).want(t, 0, "all")
}

func TestRunsAtTheSameTimeMerge(t *testing.T) {
	b := newTestBench(t)
	b.sh(t, "echo base > cache/base", mutable()).want(t, 0, "")
	var group sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d"} {
		group.Go(func() {
			one := *b
			one.events = nil
			spec := action.Spec{Argv: []string{"sh", "-c", "echo x > cache/" + name}}
			mutable()(&spec)
			watch := &watcher{on: "never"}
			if result, err := one.start(context.Background(), spec, executor.Request{Streams: executor.Streams{Stdout: watch, Stderr: watch}}); err != nil {
				t.Errorf("%+v, %v", result, err)
			}
		})
	}
	group.Wait()
	b.sh(t, "ls cache", mutable()).want(t, 0, "a\nb\nbase\nc\nd")
}

func TestADamagedCacheStartsEmpty(t *testing.T) {
	b := newTestBench(t)
	b.sh(t, "echo x > cache/a", mutable()).want(t, 0, "")
	name, err := caches.ParseName("tool")
	if err != nil {
		t.Fatal(err)
	}
	ref := caches.Ref{Name: name, Mode: caches.Mutable, Scope: caches.RepoScope(local.RepositoryOf(b.root))}
	put(t, filepath.Join(b.layout.Named(), ref.ID(), "head"), "nonsense")
	r := b.sh(t, "ls cache; echo y > cache/b", mutable()).want(t, 0, "")
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "cache tool starts empty") {
		t.Errorf("warnings: %q", r.Warnings)
	}
	b.sh(t, "ls cache", mutable()).want(t, 0, "b")
}

func TestAPublishThatFailsIsAWarning(t *testing.T) {
	b := newTestBench(t)
	b.sh(t, "echo old > cache/a", mutable()).want(t, 0, "")
	// A file where manifests are kept stands for a disk that takes no more.
	manifests, err := filepath.Glob(filepath.Join(b.layout.Named(), "*", "generations"))
	if err != nil || len(manifests) != 1 {
		t.Fatalf("%v, %v", manifests, err)
	}
	move := func(from, to string) {
		if err := os.Rename(manifests[0]+from, manifests[0]+to); err != nil {
			t.Error(err)
		}
	}
	spec := action.Spec{Argv: []string{"sh", "-c", "echo new > cache/a; echo ready; echo made > out"}, Outputs: []string{"out"}}
	mutable()(&spec)
	watch := &watcher{on: "ready", do: func() {
		move("", ".away")
		put(t, manifests[0], "in the way")
	}}
	r := b.run(t, spec, executor.Request{Streams: executor.Streams{Stdout: watch, Stderr: watch}})
	move("", ".broken")
	move(".away", "")
	if r.err != nil || r.Status != action.StatusOK || content(t, filepath.Join(b.root, "out")) != "made\n" {
		t.Fatalf("status %s, %v; want the action's outputs to stand", r.Status, r.err)
	}
	wantOutcome(t, r, named.Failed)
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "cache tool was not updated and keeps what it had") {
		t.Errorf("warnings: %q", r.Warnings)
	}
	b.sh(t, "cat cache/a", mutable()).want(t, 0, "old")
}

// TestAKilledLarderLeavesNothingHalfDone kills a process of larder at moments
// spread over the whole of a run.
func TestAKilledLarderLeavesNothingHalfDone(t *testing.T) {
	b := newTestBench(t)
	b.sh(t, "echo old > cache/a; echo old > cache/b", mutable()).want(t, 0, "")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := "echo new > cache/a; echo running; echo new > cache/b; echo x > out"
	seen := map[string]bool{}
	for i := range 8 {
		command := exec.Command(program, b.root, script)
		command.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", helperVariable+"="+b.layout.Root())
		out, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		if i > 0 { // otherwise at once
			buffer := make([]byte, 8)
			_, _ = out.Read(buffer)
		}
		for range i * 50_000 { // a little later each time, whatever the machine
			_ = os.Getpid()
		}
		if err := command.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = command.Wait()
		r := b.sh(t, "cat cache/a cache/b", mutable())
		text := r.stdout
		if r.err != nil || text != "old\nold\n" && text != "new\nnew\n" || len(r.Warnings) > 0 {
			t.Fatalf("after a kill: %v, %q, warnings %q", r.err, text, r.Warnings)
		}
		seen[text] = true
	}
	t.Logf("seen after a kill: %v", seen)
	if left, err := os.ReadDir(b.layout.Runs()); err != nil || len(left) > 0 {
		t.Errorf("run folders of killed processes stay: %v, %v", left, err)
	}
}

// TestAStoreThatCannotCarryOverlays: an overlay cannot be the upper layer of
// another one.
func TestAStoreThatCannotCarryOverlays(t *testing.T) {
	requireSandbox(t)
	if os.Geteuid() != 0 {
		t.Skip("only root keeps the capabilities that mounting the outer overlay takes")
	}
	layertest.NeedOverlay(t)
	dir := tempDir(t)
	mount := layertest.Mount{Lowers: []string{filepath.Join(dir, "lower")}, Upper: filepath.Join(dir, "upper"), Work: filepath.Join(dir, "work")}
	for _, folder := range []string{mount.Lowers[0], mount.Upper, mount.Work} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := "GORACE=atexit_sleep_ms=0 " + helperVariable + "=/mnt/store " + program + " /mnt/root '%s' kept\n"
	script := "mkdir root; " + fmt.Sprintf(run, "echo first > cache/a; echo > out") + fmt.Sprintf(run, "cat cache/a; echo > out")
	said := layertest.Shell(t, mount, script)
	if !strings.Contains(said, "\nfirst\n") || strings.Count(said, "the store at /mnt/store cannot carry overlay mounts") != 2 {
		t.Errorf("the runs said %q", said)
	}
}
