package payload_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"larder/caches"
	"larder/caches/layers"
	"larder/caches/payload"
)

func TestACopyIsTheSourceAgain(t *testing.T) {
	b := newBench(t, map[string]string{
		"bin/tool": "#!/bin/sh\n", "lib/data": strings.Repeat("x", 3<<20), "lib/empty": "", "dangling": "-> nowhere",
		"loop": "-> .", "odd\xff name\n": "odd", "empty/": "", "deep/a/b/c/d": "d", "zeros": strings.Repeat("\x00", 2<<20),
	})
	b.must(os.Chmod(filepath.Join(b.source, "bin/tool"), 0o555))
	b.must(os.Chmod(filepath.Join(b.source, "deep/a"), 0o550))
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(b.source, "deep/a"), 0o755) })
	b.must(os.Chtimes(filepath.Join(b.source, "lib"), time.Time{}, time.Unix(1e9, 7)))
	source := b.want()
	b.is(payload.Pending)
	b.must(b.Copy(t.Context(), source.ID(), nil))
	row := b.is(payload.Cached)
	if row.Path != b.source || row.Copied != row.Bytes || row.Bytes != source.State.Bytes || row.Files != 7-1 {
		t.Errorf("the row is %+v", row)
	}
	view := b.use(source, caches.CopyRemote)
	if view.Status != payload.Cached || view.Dir == b.source || view.Begin {
		t.Fatalf("the copy is seen as %+v", view)
	}
	b.sameTree(view.Dir)
	if state, err := payload.Look(t.Context(), view.Dir); err != nil || state.State.Digest != source.State.Digest {
		t.Errorf("the copy has the state %+v, %v; the source %+v", state, err, source)
	}
	b.is(payload.InUse)
}

func TestAChangedSourceIsAnotherPayload(t *testing.T) {
	b := newBench(t, map[string]string{"file": "one"})
	first := b.want()
	b.must(b.Copy(t.Context(), first.ID(), nil))
	b.put("file", "two, longer")
	second := b.look()
	if second.ID() == first.ID() {
		t.Fatal("two states have one id")
	}
	if view := b.use(second, caches.CopyAlways); view.Dir != b.source || view.Status != payload.Pending {
		t.Errorf("the new state is seen as %+v", view)
	}
	if view := b.use(first, caches.CopyAlways); view.Status != payload.Cached {
		t.Errorf("the old copy is seen as %+v", view)
	}
}

func TestLocalSourcesAreNotCopiedUnlessTold(t *testing.T) {
	b := newBench(t, map[string]string{"file": "x"})
	source := b.look()
	place, err := b.Place(b.source)
	if err != nil || !place.Near {
		t.Fatalf("a source beside the store is %+v, %v", place, err)
	}
	for _, policy := range []caches.CopyPolicy{caches.CopyRemote, caches.CopyNever} {
		view := b.use(source, policy)
		if view.Status != payload.Original || view.Dir != b.source || view.Begin || view.Problem != nil {
			t.Errorf("policy %d: seen as %+v", policy, view)
		}
	}
	if rows, err := b.List(""); err != nil || len(rows) != 0 {
		t.Errorf("there are rows %+v, %v", rows, err)
	}
	b.must(b.Warm(t.Context(), source, nil))
	if view := b.use(source, caches.CopyNever); view.Status != payload.Cached {
		t.Errorf("a copy that somebody made is seen as %+v", view)
	}
}

func TestASourceThatChangesMeanwhileIsNotCopied(t *testing.T) {
	b := newBench(t, map[string]string{"a": strings.Repeat("a", 4<<20), "b": strings.Repeat("b", 4<<20)})
	source := b.look()
	err := b.Warm(t.Context(), source, func(payload.Progress) { b.put("new", "x") })
	if !errors.Is(err, payload.ErrChanged) {
		t.Errorf("the copy ended with %v", err)
	}
	if left, _ := os.ReadDir(b.layout.Payloads()); len(left) != 0 {
		t.Errorf("it left %v", left)
	}
}

func TestSpecialFilesAreNamed(t *testing.T) {
	b := newBench(t, map[string]string{"sub/file": "x"})
	b.must(unix.Mkfifo(filepath.Join(b.source, "sub/pipe"), 0o644))
	source := b.want()
	err := b.Copy(t.Context(), source.ID(), nil)
	if !errors.Is(err, caches.ErrInvalid) || !strings.Contains(err.Error(), b.source+"/sub/pipe is a FIFO") {
		t.Errorf("the copy ended with %v", err)
	}
	row := b.is(payload.Pending)
	if row.Problem == nil || !strings.Contains(row.Problem.Error(), "sub/pipe is a FIFO") {
		t.Errorf("the row says %v", row.Problem)
	}
	view := b.use(source, caches.CopyAlways)
	if view.Begin || view.Problem == nil || view.Dir != b.source {
		t.Errorf("right after a failure, it is seen as %+v", view)
	}
	past := time.Now().Add(-2 * payload.RetryAfter)
	b.must(os.Chtimes(filepath.Join(b.folder(source), "problem"), past, past))
	if view := b.use(source, caches.CopyAlways); !view.Begin {
		t.Errorf("long after a failure, it is seen as %+v", view)
	}
}

func TestUnreadableFilesAreNamed(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	b := newBench(t, map[string]string{"secret": "x"})
	b.must(os.Chmod(filepath.Join(b.source, "secret"), 0))
	source := b.want()
	err := b.Copy(t.Context(), source.ID(), nil)
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "secret") {
		t.Errorf("the copy ended with %v", err)
	}
}

func TestACancelledCopyLeavesNothing(t *testing.T) {
	b := newBench(t, map[string]string{"a": strings.Repeat("a", 4<<20), "b": strings.Repeat("b", 4<<20)})
	source := b.look()
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	err := b.Warm(ctx, source, func(payload.Progress) { cancel(stop) })
	if !errors.Is(err, stop) {
		t.Errorf("the copy ended with %v", err)
	}
	if row := b.is(payload.Pending); row.Problem != nil {
		t.Errorf("breaking off is noted as %v", row.Problem)
	}
	b.must(b.Warm(t.Context(), source, nil))
	b.is(payload.Cached)
}

func TestRemoveAndLeases(t *testing.T) {
	b := newBench(t, map[string]string{"dir/file": "x"})
	b.must(os.Chmod(filepath.Join(b.source, "dir"), 0o500))
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(b.source, "dir"), 0o755) })
	source := b.want()
	b.must(b.Copy(t.Context(), source.ID(), nil))
	view := b.use(source, caches.CopyAlways)
	removal, err := b.Remove(t.Context(), "sdk")
	b.must(err)
	if len(removal.Skipped) != 1 || len(removal.Removed) != 0 {
		t.Fatalf("a copy in use: %+v", removal)
	}
	b.sameTree(view.Dir)
	view.Close()
	for _, pattern := range []string{"other", "/*"} {
		if removal, err := b.Remove(t.Context(), pattern); err != nil || len(removal.Removed) != 0 {
			t.Errorf("pattern %q: %+v, %v", pattern, removal, err)
		}
	}
	removal, err = b.Remove(t.Context(), source.ID())
	b.must(err)
	if len(removal.Removed) != 1 || len(removal.Skipped) != 0 {
		t.Errorf("a copy that nobody uses: %+v", removal)
	}
	for _, folder := range []string{b.layout.Payloads(), b.layout.Temp()} {
		if left, _ := os.ReadDir(folder); len(left) != 0 {
			t.Errorf("it left %v in %s", left, folder)
		}
	}
	b.want()
	if _, err := b.Remove(t.Context(), "["); !errors.Is(err, caches.ErrInvalid) {
		t.Errorf("a wrong pattern: %v", err)
	}
}

func TestUseIsNotedForWhoPrunes(t *testing.T) {
	b := newBench(t, map[string]string{"file": "x"})
	source := b.want()
	b.must(b.Copy(t.Context(), source.ID(), nil))
	past := time.Now().Add(-time.Hour)
	b.must(os.Chtimes(filepath.Join(b.folder(source), "use"), past, past))
	if row := b.is(payload.Cached); !row.LastUsed.Equal(past) {
		t.Errorf("looking at it counts as use: %v", row.LastUsed)
	}
	b.use(source, caches.CopyNever).Close()
	if row := b.is(payload.Cached); time.Since(row.LastUsed) > time.Minute {
		t.Errorf("it was last used at %v", row.LastUsed)
	}
}

func TestADamagedRecordIsACorruptRow(t *testing.T) {
	b := newBench(t, map[string]string{"file": "x"})
	source := b.want()
	b.must(os.WriteFile(filepath.Join(b.folder(source), "payload.json"), []byte("{"), 0o644))
	if row := b.is(payload.Corrupt); !strings.Contains(row.Problem.Error(), "larder cache remove "+source.ID()) {
		t.Errorf("the row says %v", row.Problem)
	}
	if _, err := b.Remove(t.Context(), source.ID()); err != nil {
		t.Error(err)
	}
	if rows, err := b.List(""); err != nil || len(rows) != 0 {
		t.Errorf("after removal there are %+v, %v", rows, err)
	}
}

func TestWhatIsBeingDeletedCountsAsRemoving(t *testing.T) {
	b := newBench(t, map[string]string{"file": "x"})
	source := b.want()
	b.must(b.Copy(t.Context(), source.ID(), nil))
	// As a removal that was killed leaves it.
	b.must(os.Rename(filepath.Join(b.folder(source), "tree"), filepath.Join(b.folder(source), "gone")))
	b.is(payload.Removing)
	if view := b.use(source, caches.CopyAlways); view.Dir != b.source {
		t.Errorf("seen as %+v", view)
	}
	b.must(b.Sweep())
	if rows, err := b.List(""); err != nil || len(rows) != 0 {
		t.Errorf("after a sweep there are %+v, %v", rows, err)
	}
}

func TestAStalledCopyIsTakenOver(t *testing.T) {
	b := newBench(t, map[string]string{"file": "x"})
	source := b.want()
	half := filepath.Join(b.folder(source), "partial")
	b.must(os.Mkdir(half, 0o755))
	b.must(os.WriteFile(filepath.Join(half, "half"), []byte("h"), 0o000))
	b.is(payload.Stalled)
	lock, err := layers.TryMake(filepath.Join(b.folder(source), "lock"))
	b.must(err)
	b.is(payload.Copying)
	b.must(b.Sweep())
	if _, err := os.Stat(half); err != nil {
		t.Errorf("a sweep took what somebody works on: %v", err)
	}
	lock.Close()
	if view := b.use(source, caches.CopyAlways); !view.Begin {
		t.Errorf("a stalled copy is seen as %+v", view)
	}
	b.must(b.Copy(t.Context(), source.ID(), nil))
	b.is(payload.Cached)
	b.sameTree(filepath.Join(b.folder(source), "tree"))
}
