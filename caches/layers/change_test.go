package layers_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"larder/caches"
	"larder/caches/layers"
	"larder/caches/layers/layertest"
)

// bench is a store and a run for one test.
type bench struct {
	testing.TB
	layout caches.Layout
	run    *layers.Run
}

func newBench(t testing.TB) bench {
	t.Helper()
	layout := newLayout(t)
	run, err := layers.NewRun(layout)
	check(t, err)
	t.Cleanup(func() { check(t, run.Close()) })
	return bench{t, layout, run}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// base commits a tree as a layer.
func (b bench) base(tree layertest.Tree) layers.Layer {
	b.Helper()
	dir, err := b.run.Dir("base")
	check(b, err)
	tree.Write(b, dir)
	layer, err := layers.Commit(dir, b.layout.Layers())
	check(b, err)
	return layer
}

// overlay runs a script over the stack and returns the private layer.
func (b bench) overlay(stack layers.Stack, script string) string {
	b.Helper()
	private, err := b.run.Private("test")
	check(b, err)
	layertest.Shell(b, layertest.Mount{Lowers: stack.Lowers(), Upper: private.Upper, Work: private.Work}, script)
	return private.Upper
}

// copied runs a script in a copy of the stack and returns the private layer
// that comes of it.
func (b bench) copied(stack layers.Stack, script string) string {
	b.Helper()
	copied, err := b.run.Private("copy")
	check(b, err)
	check(b, layers.CopyStack(stack, copied.Upper))
	shell(b, copied.Upper, script)
	_, err = layers.Extract(stack, copied.Upper, copied.Work)
	check(b, err)
	return copied.Work
}

// view reads the view of a stack as a tree.
func view(t testing.TB, stack layers.Stack) layertest.Tree {
	t.Helper()
	tree := layertest.Tree{}
	check(t, stack.Walk(func(entry layers.Entry) error {
		kind := map[layers.Kind]fs.FileMode{layers.Directory: fs.ModeDir, layers.Symlink: fs.ModeSymlink, layers.Special: fs.ModeIrregular}[entry.Kind]
		return tree.Add(entry.Path, entry.Real, kind)
	}))
	return tree
}

// summary makes a change list short enough to write down in a test.
func summary(changes []layers.Change) []string {
	var lines []string
	for _, change := range changes {
		line := fmt.Sprintf("%s %s", change.What, change.Path)
		if change.Opaque {
			line += " opaque"
		}
		if change.Hidden {
			line += " hidden"
		}
		lines = append(lines, line)
	}
	return lines
}

var delta = []struct {
	name, script string
	want         []string // of the overlay
	inCopy       []string // where a copy says it in another way
}{
	{"nothing", ":", nil, nil},
	{"add", "echo new >new; mkdir -p deep/er; echo x >deep/er/file; ln -s a link", []string{
		"added deep", "added deep/er", "added deep/er/file", "added link", "added new"}, nil},
	{"add below", "echo new >d/new", []string{"identical d", "added d/new"}, nil},
	{"modify", "echo changed >a", []string{"modified a"}, nil},
	{"same size", "printf xne >a", []string{"modified a"}, nil},
	{"truncate", "printf o >a; : >d/b", []string{"truncated a", "identical d", "truncated d/b"}, nil},
	{"append", "printf more >>a", []string{"modified a"}, nil},
	{"mode", "chmod 755 a; chmod 700 d", []string{"mode a", "mode d"}, nil},
	{"rewrite", "cp a a2; cat a2 >a; rm a2", []string{"touched a"}, nil},
	{"copy up", "chmod 600 a; chmod 644 a", []string{"identical a"}, []string{}},
	{"remove", "rm a; rm -r d", []string{"removed a", "removed d"}, nil},
	{"rename over", "echo z >tmp; mv tmp a", []string{"modified a"}, nil},
	{"rename away", "mv a z", []string{"removed a", "added z"}, nil},
	{"file to directory", "rm a; mkdir a; echo x >a/x", []string{"replaced a", "added a/x"}, nil},
	{"directory to file", "rm -r d; echo x >d", []string{"replaced d"}, nil},
	{"link to file", "rm l; echo x >l", []string{"replaced l"}, nil},
	{"link elsewhere", "ln -sfn d l", []string{"modified l"}, nil},
	{"opaque", "rm -r d; mkdir d; echo new >d/new", []string{
		"identical d opaque", "added d/new hidden", "removed d/b hidden", "removed d/sub hidden"},
		[]string{"identical d", "removed d/b", "added d/new", "removed d/sub"}},
	{"opaque, same inside", "cp -a d e; rm -r d; mkdir d; cp -a e/. d; rm -r e", []string{
		"identical d opaque", "identical d/b hidden", "identical d/sub hidden", "identical d/sub/c hidden"}, []string{}},
	{"opaque below opaque", "rm -r d; mkdir -p d/sub; echo new >d/sub/new", []string{
		"identical d opaque", "identical d/sub hidden", "added d/sub/new hidden", "removed d/sub/c hidden", "removed d/b hidden"},
		[]string{"identical d", "removed d/b", "identical d/sub", "removed d/sub/c", "added d/sub/new"}},
	{"special", "mkfifo pipe", []string{"special pipe"}, []string{}},
	{"unreadable", "echo x >x; chmod 0 x; mkdir y; echo z >y/z; chmod 0 y", []string{"added x", "added y", "added y/z"}, nil},
	{"odd names", "echo 1 >'.wh.a'; echo 2 >'-n'; echo 3 >' s p '; echo 4 >\"$(printf 'new\\nline')\"; echo 5 >\"$(printf '\\377')\"", []string{
		"added  s p ", "added -n", "added .wh.a", "added new\nline", "added \xff"}, nil},
}

var start = layertest.Tree{"a": "one", "d/b": "two", "d/sub/c": "three", "l": "-> a"}

func TestChanges(t *testing.T) {
	layertest.NeedOverlay(t)
	for _, test := range delta {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			stack := layers.Stack{b.base(start)}
			upper := b.overlay(stack, test.script)
			b.expect(upper, stack, test.want)
			if test.name != "special" {
				b.sameView(upper, stack, test.script)
			}
		})
	}
}

func TestExtract(t *testing.T) {
	for _, test := range delta {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			stack := layers.Stack{b.base(start)}
			upper := b.copied(stack, test.script)
			want := test.inCopy
			if want == nil {
				want = test.want
			}
			b.expect(upper, stack, want)
			if test.name != "special" {
				b.sameView(upper, stack, test.script)
			}
		})
	}
}

func (b bench) expect(upper string, stack layers.Stack, want []string) {
	b.Helper()
	found, err := layers.Changes(upper, stack, layers.ByContent)
	check(b, err)
	counted := layers.Layer{ID: "found", Path: upper, Entries: found.Entries, Bytes: found.Bytes}
	check(b, counted.Verify())
	sorted := func(lines []string) map[string]bool {
		set := map[string]bool{}
		for _, line := range lines {
			set[line] = true
		}
		return set
	}
	if diff := cmp.Diff(sorted(want), sorted(summary(found.Changes))); diff != "" {
		b.Errorf("changes (-want +got):\n%s", diff)
	}
}

// sameView checks that the stack with the private layer on top shows what the
// script does to a plain directory.
func (b bench) sameView(upper string, stack layers.Stack, script string) {
	b.Helper()
	plain := filepath.Join(b.TempDir(), "plain")
	b.Cleanup(func() { layertest.RemoveAll(b, plain) })
	start.Write(b, plain)
	shell(b, plain, script)
	check(b, filepath.WalkDir(plain, func(path string, entry fs.DirEntry, err error) error {
		info, _ := os.Lstat(path)
		if info.Mode()&0o500 != 0o500 && info.Mode().Type() == 0 || info.IsDir() {
			return os.Chmod(path, info.Mode()|0o500)
		}
		return nil
	}))
	layer, err := layers.Commit(upper, b.layout.Layers())
	check(b, err)
	check(b, layer.Verify())
	got, want := view(b, append(stack, layer)), layertest.Read(b, plain)
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("view (-want +got):\n%s", diff)
	}
}

func TestNothingIsPublishedThatOthersCouldUse(t *testing.T) {
	script := "echo x >s; chmod 6755 s; echo x >o; chmod 666 o; mkdir w; chmod 3777 w; chmod 2777 d; ln -s s l2"
	for _, way := range []struct {
		name string
		make func(b bench, stack layers.Stack) string
	}{
		{"overlay", func(b bench, stack layers.Stack) string {
			layertest.NeedOverlay(b)
			return b.overlay(stack, script)
		}},
		{"copy", func(b bench, stack layers.Stack) string { return b.copied(stack, script) }},
	} {
		t.Run(way.name, func(t *testing.T) {
			b := newBench(t)
			stack := layers.Stack{b.base(start)}
			upper := way.make(b, stack)
			_, err := layers.Changes(upper, stack, layers.ByContent)
			check(t, err)
			layer, err := layers.Commit(upper, b.layout.Layers())
			check(t, err)
			for name, want := range map[string]fs.FileMode{
				"s": 0o755, "o": 0o664, "w": fs.ModeDir | fs.ModeSticky | 0o775, "l2": fs.ModeSymlink | 0o777,
			} {
				info, err := os.Lstat(filepath.Join(layer.Path, name))
				check(t, err)
				if info.Mode() != want {
					t.Errorf("%s has mode %v, want %v", name, info.Mode(), want)
				}
			}
		})
	}
}

func TestAccessControlListsAreNotPublished(t *testing.T) {
	b := newBench(t)
	upper := b.copied(nil, "mkdir d; echo x >d/f")
	// Version 2; owner, group and others without any permission.
	list := "\x02\x00\x00\x00"
	for _, tag := range []string{"\x01", "\x04", "\x20"} {
		list += tag + "\x00\x00\x00\xff\xff\xff\xff"
	}
	if err := unix.Setxattr(filepath.Join(upper, "d"), "system.posix_acl_default", []byte(list), 0); err != nil {
		t.Skipf("the file system of %s has no access control lists: %v", upper, err)
	}
	_, err := layers.Changes(upper, nil, layers.ByContent)
	check(t, err)
	check(t, os.WriteFile(filepath.Join(upper, "d", "later"), nil, 0o644))
	info, err := os.Stat(filepath.Join(upper, "d", "later"))
	check(t, err)
	if info.Mode() != 0o644 {
		t.Errorf("a file that is made later has mode %v, want 0644", info.Mode())
	}
}

// Changes does not look for marks on plain files, since the kernel lets none
// through a mount: neither on a new file nor on one that is copied up.
func TestNoMarkOfAPlainFileComesThroughAMount(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("there is no python3 to set attributes")
	}
	b := newBench(t)
	stack := layers.Stack{b.base(layertest.Tree{"old": "old"})}
	upper := b.overlay(stack, `echo new >new; python3 -c '
import os
for path in "old", "new":
    for mark in "metacopy", "redirect", "whiteout", "opaque", "origin", "protattr", "verity":
        try: os.setxattr(path, "user.overlay." + mark, b"y")
        except OSError: pass
'`)
	check(t, os.WriteFile(filepath.Join(upper, "more"), nil, 0o644))
	for _, name := range []string{"old", "new", "more"} {
		buffer := make([]byte, 4096)
		n, err := unix.Llistxattr(filepath.Join(upper, name), buffer)
		if errors.Is(err, unix.ENOENT) && name == "old" {
			continue // it was not even copied up
		}
		check(t, err)
		for mark := range strings.SplitSeq(string(buffer[:n]), "\x00") {
			own, ok := strings.CutPrefix(mark, "user.overlay.")
			if ok && own != "origin" && own != "uuid" && !strings.HasPrefix(own, "overlay.") {
				t.Errorf("%s has the mark %s", name, mark)
			}
		}
	}
	layer, err := layers.Commit(upper, b.layout.Layers())
	check(t, err)
	if got := view(t, append(stack, layer)); got["old"] != "old" || got["new"] != "new\n" {
		t.Errorf("published %v", got)
	}
}

func TestAPathThatWouldNotFitIntoALayerIsRefused(t *testing.T) {
	b := newBench(t)
	private, err := b.run.Private("deep")
	check(t, err)
	at := private.Upper
	for len(at)+201 < unix.PathMax-128 {
		at = filepath.Join(at, strings.Repeat("d", 200))
		check(t, os.Mkdir(at, 0o755))
	}
	_, err = layers.Changes(private.Upper, nil, layers.ByContent)
	check(t, err)
	name := strings.Repeat("f", min(250, unix.PathMax-len(at)-10))
	check(t, os.WriteFile(filepath.Join(at, name), nil, 0o644))
	if _, err := layers.Changes(private.Upper, nil, layers.ByContent); !errors.Is(err, unix.ENAMETOOLONG) || len(err.Error()) > 300 {
		t.Errorf("got error %v, want a short one that wraps ENAMETOOLONG", err)
	}
}
