package upkeep

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"larder/caches/layers"
)

// furnish fills a store with some of everything.
func furnish(t testing.TB) bench {
	b := open(t)
	b.result("one", "output")
	b.result("two", strings.Repeat("x", 5000))
	files := map[string]string{"a": "input", "d/b": "input too", "d/c": strings.Repeat("y", 3000)}
	for i := range 20 {
		files[fmt.Sprint("d/n", i)] = fmt.Sprint(i)
	}
	b.inputs(files)
	files["a"] = "edited"
	b.inputs(files)
	b.publish("cache", "file", "first")
	b.publish("cache", "file", "second")
	b.payload("tool")
	return b
}

func (b bench) verify(look Look) (Verified, []Finding) {
	b.t.Helper()
	var findings []Finding
	done, err := b.Verify(b.t.Context(), look, func(f Finding) { findings = append(findings, f) })
	check(b.t, err)
	return done, findings
}

func TestVerifyFindsNothingInASoundStore(t *testing.T) {
	b := furnish(t)
	for _, look := range []Look{{}, {Contents: true}, {Contents: true, Repair: true}} {
		done, findings := b.verify(look)
		if len(findings) > 0 {
			t.Errorf("%+v: %+v", look, findings)
		}
		for _, kind := range []Kind{Blobs, Results, Caches, Trees, Payloads} {
			if done.Looked[kind] == 0 {
				t.Errorf("%+v: looked at none of %s", look, kind)
			}
		}
	}
}

// content lists every file of the store that holds something of a user's.
func (b bench) content() (files []string) {
	for _, folder := range []string{b.layout.CAS(), b.layout.Results(), b.layout.Layers(), b.layout.Named(), b.layout.Payloads()} {
		for _, path := range left(b.t, folder) {
			switch filepath.Base(path) {
			case "lock", "use", "problem":
				continue
			}
			if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
				files = append(files, path)
			}
		}
	}
	return files
}

// TestVerifyFindsEachFlippedByte flips one byte in the middle of each file of the
// store in turn, and sees that it is found, repaired, and that nothing is found
// then.
func TestVerifyFindsEachFlippedByte(t *testing.T) {
	for n := 0; ; n++ {
		b := furnish(t)
		b.verify(Look{Contents: true}) // makes listings
		files := b.content()
		if n == 0 && len(files) < 30 {
			t.Fatalf("only %d files", len(files))
		}
		at := n * 4 // one in four, as each takes a store of its own
		if at >= len(files) {
			return
		}
		path := files[at]
		data, err := os.ReadFile(path)
		check(t, err)
		if len(data) == 0 {
			data = []byte{0}
		}
		data[len(data)/2] ^= 1
		info, err := os.Stat(path)
		check(t, err)
		check(t, os.WriteFile(path, data, 0o644))
		check(t, os.Chtimes(path, info.ModTime(), info.ModTime())) // as a disk does it
		b.mends(strings.TrimPrefix(path, b.layout.Root()))
	}
}

// mends sees that damage is found and repaired.
func (b bench) mends(what string) {
	b.t.Helper()
	done, findings := b.verify(Look{Contents: true})
	if len(findings) == done.Found[Unlisted] {
		b.t.Errorf("%s: not found", what)
	}
	if done.Found[Repaired] > 0 {
		b.t.Errorf("%s: repaired without being told to", what)
	}
	if done, findings = b.verify(Look{Contents: true, Repair: true}); done.Found[Damaged] > 0 {
		b.t.Errorf("%s: not repaired: %+v", what, findings)
	}
	if done, findings = b.verify(Look{Contents: true}); len(findings) > done.Found[Unlisted] {
		b.t.Errorf("%s: after the repair: %+v", what, findings)
	}
}

func TestVerifyFindsWhatIsMissing(t *testing.T) {
	for what, pattern := range map[string]string{
		"a layer": "layers-v1/*[0-9a-f]/????????????????", "a file of a layer": "layers-v1/*/*/file", "a manifest": "named-v1/*/generations/*.json",
		"which generation is the newest": "named-v1/*/head",
		"which cache it is":              "named-v1/*/ref.json", "a file of a tree": "layers-v1/trees/*/*.whole/layer/a", "the record of a tree": "layers-v1/trees/*/*.whole/tree.json",
		"a file of a payload": "payload-v1/*/tree/tool", "the record of a payload": "payload-v1/*/payload.json",
	} {
		b := furnish(t)
		b.verify(Look{Contents: true})
		paths, err := filepath.Glob(filepath.Join(b.layout.Root(), pattern))
		check(t, err)
		if len(paths) == 0 {
			t.Errorf("%s: there is none", what)
			continue
		}
		for _, path := range paths {
			check(t, os.RemoveAll(path))
		}
		b.mends(what)
	}
}

// TestVerifyFindsAFlipRightAfterAPublish flips a byte that nobody has read since
// it was published.
func TestVerifyFindsAFlipRightAfterAPublish(t *testing.T) {
	b := open(t)
	b.publish("cache", "file", "sound")
	paths, err := filepath.Glob(filepath.Join(b.layout.Layers(), "*", "*", "file"))
	check(t, err)
	if len(paths) != 1 {
		t.Fatalf("%v; want one layer", paths)
	}
	info, err := os.Stat(paths[0])
	check(t, err)
	check(t, os.WriteFile(paths[0], []byte("sOund"), 0o644))
	check(t, os.Chtimes(paths[0], info.ModTime(), info.ModTime()))
	b.mends(paths[0])
}

// Without a listing nothing can be said of a content, nor of a layer that had one
// before; that is no damage, and a repair takes nothing away.
func TestWhatIsNotListedYetIsNamed(t *testing.T) {
	b := open(t)
	b.publish("cache", "file", "sound")
	b.payload("tool")
	for _, pattern := range []string{"layers-v1/*/*.sum", "payload-v1/*/tree.sum"} {
		paths, err := filepath.Glob(filepath.Join(b.layout.Root(), pattern))
		check(t, err)
		if len(paths) != 1 {
			t.Fatalf("%s: %v; want one listing", pattern, paths)
		}
		check(t, os.Remove(paths[0]))
		if strings.HasPrefix(pattern, "layers") {
			check(t, layers.Void(b.layout, paths[0]))
		}
	}
	done, findings := b.verify(Look{Contents: true, Repair: true})
	if len(findings) != 2 || done.Found[Unlisted] != 2 || done.Found[Repaired] != 0 || findings[0].Kind != Caches || findings[1].Kind != Payloads {
		t.Errorf("%+v, %+v; want a layer and a copy that are not listed", done, findings)
	}
	if _, findings = b.verify(Look{Contents: true}); len(findings) > 0 || b.read("cache", "file") != "sound" {
		t.Errorf("the next look: %+v", findings)
	}
}

// A result that is gone is a miss: nothing refers to it, so nobody can tell it
// from one that never was or was cleaned away. What it needed is for a prune.
func TestAResultThatIsGoneIsAMiss(t *testing.T) {
	b := furnish(t)
	paths, err := filepath.Glob(filepath.Join(b.layout.Results(), "*", "*", "*.json"))
	check(t, err)
	for _, path := range paths {
		check(t, os.Remove(path))
	}
	done, findings := b.verify(Look{Contents: true})
	if len(paths) != 2 || len(findings) > 0 || done.Looked[Results] != 0 || b.hasResult("one") {
		t.Errorf("%d were removed: %+v, %+v", len(paths), done, findings)
	}
}

// TestVerifyLeavesAListingThatIsDamaged until it is told to repair: the files
// beside it are as they were, and the head stays.
func TestVerifyLeavesAListingThatIsDamaged(t *testing.T) {
	b := open(t)
	b.publish("cache", "file", "sound")
	paths, err := filepath.Glob(filepath.Join(b.layout.Layers(), "*", "*.sum"))
	check(t, err)
	if len(paths) != 1 {
		t.Fatalf("%v; want one listing", paths)
	}
	data, err := os.ReadFile(paths[0])
	check(t, err)
	damaged := strings.Replace(string(data), " 5 ", " 6 ", 1)
	check(t, os.WriteFile(paths[0], []byte(damaged), 0o644))
	for range 2 {
		if _, findings := b.verify(Look{Contents: true}); len(findings) != 1 || findings[0].Path != paths[0] || findings[0].State != Damaged {
			t.Errorf("%+v; want the listing alone", findings)
		}
	}
	b.mends("the listing")
	if got := b.read("cache", "file"); got != "sound" {
		t.Errorf("the cache has %q", got)
	}
}

func TestVerifyFindsResultsWithoutTheirBlobs(t *testing.T) {
	b := furnish(t)
	file := b.result("three", "only three has this")
	check(t, os.Remove(b.blobs.FilesOf(file)[0].Path))
	_, findings := b.verify(Look{})
	if len(findings) != 1 || findings[0].Kind != Results || !strings.Contains(findings[0].Problem, file.String()) {
		t.Errorf("%+v; want the result, and the blob that it needs", findings)
	}
	b.verify(Look{Repair: true})
	if b.hasResult("three") || !b.hasResult("one") {
		t.Error("the wrong result is gone")
	}
}

func TestRepairGoesBackToTheNewestWholeGeneration(t *testing.T) {
	b := open(t)
	b.publish("cache", "first", "sound")
	b.publish("cache", "second", "damaged")
	b.verify(Look{Contents: true})
	paths, err := filepath.Glob(filepath.Join(b.layout.Layers(), "*", "*", "second"))
	check(t, err)
	if len(paths) != 1 {
		t.Fatalf("%v; want one layer with the second file", paths)
	}
	check(t, os.WriteFile(paths[0], []byte("dAmaged"), 0o644))
	done, findings := b.verify(Look{Contents: true, Repair: true})
	if done.Found[Repaired] != 1 || len(findings) != 1 || !strings.Contains(findings[0].Done, "is the head again") || !strings.HasSuffix(findings[0].Path, "/second") {
		t.Errorf("%+v, %+v", done, findings)
	}
	if got := b.read("cache", "first"); got != "sound" {
		t.Errorf("the first generation has %q", got)
	}
	if got := b.read("cache", "second"); got != "" {
		t.Errorf("the damaged file is still there: %q", got)
	}
}

func TestRepairRemovesACacheOfWhichNothingIsWhole(t *testing.T) {
	b := open(t)
	b.publish("cache", "file", "damaged")
	b.publish("other", "file", "sound")
	paths, err := filepath.Glob(filepath.Join(b.layout.Layers(), cacheRef("cache").ID(), "*", "file"))
	check(t, err)
	check(t, os.Remove(paths[0]))
	_, findings := b.verify(Look{Repair: true})
	if len(findings) != 1 || findings[0].State != Repaired || !strings.Contains(findings[0].Done, "the cache was removed") {
		t.Errorf("%+v", findings)
	}
	if b.read("cache", "file") != "" || b.read("other", "file") != "sound" {
		t.Error("the wrong cache is gone")
	}
}

func TestWhatCannotBeReadIsNoDamage(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root can read everything")
	}
	b := furnish(t)
	file := b.blobs.FilesOf(b.blob("output"))[0].Path
	check(t, os.Chmod(file, 0))
	done, findings := b.verify(Look{Contents: true})
	if done.Found[Damaged] > 0 || done.Found[Unreadable] == 0 || findings[0].Path != file || !strings.Contains(findings[0].Problem, "permission") {
		t.Errorf("%+v, %+v", done, findings)
	}
	if _, err := os.Lstat(file); errors.Is(err, os.ErrNotExist) {
		t.Error("it was removed")
	}
}
