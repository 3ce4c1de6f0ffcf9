package digest

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// scanned returns what a scan takes: files as "path", executable ones as
// "path*", links as "path -> target", empty directories as "path/".
func scanned(t testing.TB, root string, opts ScanOptions) []string {
	t.Helper()
	tree, err := Scan(context.Background(), root, opts)
	if err != nil {
		t.Fatal(err)
	}
	return describe(slices.Collect(tree.Entries()))
}

func describe(entries []Entry) []string {
	var out []string
	for _, e := range entries {
		text := e.Path
		switch {
		case e.Executable:
			text += "*"
		case e.Kind == KindSymlink:
			text += " -> " + e.Target
		case e.Kind == KindDirectory:
			text += "/"
		}
		out = append(out, text)
	}
	return out
}

func TestScanSelects(t *testing.T) {
	project := map[string]string{
		"setup.py": "s", "run.sh": "#!/bin/sh", "src/a.py": "a", "src/b.txt": "b", "src/deep/c.py": "c", "src/gen/g.py": "g",
		"build/gen.py": "1", "build/out/o.bin": "2", "build/.gitignore": "o.bin\n", "cache/x": "3", "cache/sub/y": "4",
		"src/__pycache__/a.pyc": "5", "empty/": "", "link": "-> src", "dangling": "-> no/where", ".gitignore": "/build\n__pycache__/\n*.log\n", "x.log": "6",
		".git/HEAD": "h", ".git/info/exclude": "secret\n", "secret": "7", "vendor/src/v.py": "8", "we[i]rd": "9",
	}
	everything := []string{".gitignore", "cache/sub/y", "cache/x", "dangling -> no/where", "empty/", "link -> src", "run.sh*", "setup.py",
		"src/a.py", "src/b.txt", "src/deep/c.py", "src/gen/g.py", "vendor/src/v.py", "we[i]rd"}
	root := t.TempDir()
	writeTree(t, root, project)
	for name, c := range map[string]struct {
		patterns, exclude, want []string
	}{
		"nothing":                                {nil, nil, nil},
		"everything":                             {[]string{"."}, nil, everything},
		"everything with a slash":                {[]string{"./"}, nil, everything},
		"all but":                                {[]string{".", "!*.py", "!/vendor", "!empty"}, nil, []string{".gitignore", "cache/sub/y", "cache/x", "dangling -> no/where", "link -> src", "run.sh*", "src/b.txt", "we[i]rd"}},
		"one name at any level":                  {[]string{"src"}, nil, []string{"src/a.py", "src/b.txt", "src/deep/c.py", "src/gen/g.py", "vendor/src/v.py"}},
		"one name in the root":                   {[]string{"/src"}, nil, []string{"src/a.py", "src/b.txt", "src/deep/c.py", "src/gen/g.py"}},
		"one name in the root, as shells say it": {[]string{"./src"}, nil, []string{"src/a.py", "src/b.txt", "src/deep/c.py", "src/gen/g.py"}},
		"a glob":                                 {[]string{"*.py"}, nil, []string{"setup.py", "src/a.py", "src/deep/c.py", "src/gen/g.py", "vendor/src/v.py"}},
		"an anchored glob":                       {[]string{"src/**/*.py"}, nil, []string{"src/a.py", "src/deep/c.py", "src/gen/g.py"}},
		"a directory less a part":                {[]string{"/src", "!src/gen", "!*.txt"}, nil, []string{"src/a.py", "src/deep/c.py"}},
		"back after the part":                    {[]string{"/src", "!src/*", "src/deep"}, nil, []string{"src/deep/c.py"}},
		"the last one decides":                   {[]string{"!*.py", "/src"}, nil, []string{"src/a.py", "src/b.txt", "src/deep/c.py", "src/gen/g.py"}},
		"a literal wins over ignore files":       {[]string{"build/gen.py"}, nil, []string{"build/gen.py"}},
		"and for all below":                      {[]string{"build"}, nil, []string{"build/.gitignore", "build/gen.py"}},
		"a deeper literal, past its ignore file": {[]string{"build/out/o.bin"}, nil, []string{"build/out/o.bin"}},
		"ignore files go on below a literal that nothing ignores": {[]string{"src/a.py", "/src"}, nil, []string{"src/a.py", "src/b.txt", "src/deep/c.py", "src/gen/g.py"}},
		"a glob does not win":               {[]string{"build/*.py", "x.lo?"}, nil, nil},
		"a literal and everything":          {[]string{"x.log", "."}, nil, append(slices.Clone(everything), "x.log")},
		"git's own by name":                 {[]string{".git/HEAD"}, nil, []string{".git/HEAD"}},
		"info/exclude":                      {[]string{"secret"}, nil, []string{"secret"}},
		"escaped":                           {[]string{`we\[i\]rd`}, nil, []string{"we[i]rd"}},
		"excluded":                          {[]string{"/src", "/cache", "!src/[dg]*"}, []string{"cache/sub", "src/b.txt"}, []string{"cache/x", "src/a.py"}},
		"excluded from everything":          {[]string{"."}, []string{"src", "vendor", "empty", "cache"}, []string{".gitignore", "dangling -> no/where", "link -> src", "run.sh*", "setup.py", "we[i]rd"}},
		"a literal wins over its exclusion": {[]string{".", "cache"}, []string{"src", "vendor", "empty", "cache"}, []string{".gitignore", "cache/sub/y", "cache/x", "dangling -> no/where", "link -> src", "run.sh*", "setup.py", "we[i]rd"}},
		"a literal below an exclusion":      {[]string{"cache/sub/y"}, []string{"cache"}, []string{"cache/sub/y"}},
		"a literal above an exclusion":      {[]string{"cache"}, []string{"cache/sub"}, []string{"cache/x"}},
		"a glob below an exclusion":         {[]string{"cache/s*"}, []string{"cache"}, nil},
		"only directories":                  {[]string{"empty/", "src/gen/"}, nil, []string{"empty/", "src/gen/g.py"}},
		"a link":                            {[]string{"link"}, nil, []string{"link -> src"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := scanned(t, root, ScanOptions{Patterns: c.patterns, Exclude: c.exclude})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("patterns %q, excluded %q (-want +got):\n%s", c.patterns, c.exclude, diff)
			}
		})
	}
}

func TestScanRefusesPatterns(t *testing.T) {
	root := t.TempDir()
	writeTree(t, root, map[string]string{"a/b": "x", "link": "-> a", "ignored/c": "y", ".gitignore": "ignored\n"})
	for pattern, says := range map[string]string{
		"typo.py":       "typo.py",
		"a/typo.py":     "a/typo.py",
		"b/":            "b/",
		"/etc/passwd":   "leading /",
		"/etc/*.conf":   "leading /",
		"../x":          "leaves the root",
		"a/../b":        "leaves the root",
		"!../x":         "leaves the root",
		"a//b":          "empty",
		"a/./b":         "empty",
		"":              "selects nothing",
		"/":             "selects nothing",
		"link/b":        "symbolic link",
		"c":             "matches nothing",
		"ignored/typo":  "matches nothing",
		"a/b/c":         "matches nothing",
		"trailing/\\ x": "matches nothing",
	} {
		_, err := Scan(context.Background(), root, ScanOptions{Patterns: []string{".", pattern}})
		if !errors.Is(err, ErrPattern) || !strings.Contains(err.Error(), says) {
			t.Errorf("pattern %q: error %v, want ErrPattern that says %q", pattern, err, says)
		}
	}
	if _, err := Scan(context.Background(), root, ScanOptions{Patterns: []string{"one.py", ".", "two.py"}}); err == nil || !strings.Contains(err.Error(), "one.py") || !strings.Contains(err.Error(), "two.py") {
		t.Errorf("error %v does not name both patterns", err)
	}
	for _, excluded := range []string{"", "..", "../x", "/a", "a/", "a//b", "./a"} {
		if _, err := Scan(context.Background(), root, ScanOptions{Patterns: []string{"."}, Exclude: []string{excluded}}); !errors.Is(err, ErrPattern) {
			t.Errorf("excluded %q: error %v, want ErrPattern", excluded, err)
		}
	}
}

func TestScanReadsIgnoreFilesAsGitDoes(t *testing.T) {
	needGit(t)
	root := t.TempDir()
	git(t, root, "", "init", "-q")
	writeTree(t, root, map[string]string{
		".gitignore": "*.o\n/top\n!keep.o\nlogs/*\n!logs/keep/\n", "a.o": "", "keep.o": "", "top": "", "sub/top": "", "sub/a.o": "", "sub/.gitignore": "!a.o\nlocal\n/anchored\ndeep/**/x\n",
		"sub/local": "", "sub/anchored": "", "sub/d/anchored": "", "sub/d/local": "", "local": "", "sub/deep/1/2/x": "", "sub/deep/x": "", "sub/deep/y": "",
		"logs/a": "", "logs/keep/b": "", "logs/drop/c": "", "sub/d/.gitignore": "*\n!anchored\n", "sub/d/e/f": "", "gone/.gitignore": "*\n", "gone/x": "", ".git/info/exclude": "excl*\n", "exclude": "", "sub/excl": "",
		"link": "-> sub", "sub/linked/.gitignore": "-> ../../gone/.gitignore", "sub/linked/z": "",
	})
	want := strings.FieldsFunc(git(t, root, "", "ls-files", "--others", "--exclude-standard", "-z"), func(r rune) bool { return r == 0 })
	tree, err := Scan(context.Background(), root, ScanOptions{Patterns: []string{"."}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for e := range tree.Entries() {
		if e.Kind != KindDirectory { // git knows none
			got = append(got, e.Path)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-git +ours:\n%s", diff)
	}
	writeTree(t, root, map[string]string{".larderignore": "!top\nkeep.o\n"})
	again := scanned(t, root, ScanOptions{Patterns: []string{"."}})
	if !slices.Contains(again, "top") || slices.Contains(again, "keep.o") {
		t.Errorf(".larderignore did not override .gitignore: %q", again)
	}
}

func TestScanRootMayBeALink(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, map[string]string{"real/a": "x", "link": "-> real", "file": "y"})
	through := scanned(t, filepath.Join(dir, "link"), ScanOptions{Patterns: []string{"."}})
	if !slices.Equal(through, []string{"a"}) {
		t.Errorf("through the link: %q", through)
	}
	for _, root := range []string{"file", "missing", "file/x"} {
		_, err := Scan(context.Background(), filepath.Join(dir, root), ScanOptions{Patterns: []string{"."}})
		if !errors.Is(err, ErrRoot) || !strings.Contains(err.Error(), root) {
			t.Errorf("root %s: error %v, want ErrRoot that names it", root, err)
		}
	}
}

func TestScanOfManyFilesInOneDirectory(t *testing.T) {
	root := t.TempDir()
	var entries []Entry
	for i := range 3 * statBatch {
		name := "f" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + strings.Repeat("y", i/26)
		content := strings.Repeat(name, i%50)
		writeTree(t, root, map[string]string{name: content})
		entries = append(entries, Entry{Path: name, Kind: KindFile, Digest: Of(BLAKE3, []byte(content))})
	}
	big := strings.Repeat("0123456789abcdef", (3*hashBatch+5)/16)
	writeTree(t, root, map[string]string{"big": big})
	entries = append(entries, Entry{Path: "big", Kind: KindFile, Digest: Of(BLAKE3, []byte(big))})
	want, err := FromEntries(BLAKE3, entries)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Scan(context.Background(), root, ScanOptions{Patterns: []string{"."}})
	if err != nil {
		t.Fatal(err)
	}
	if got.Root != want.Root || got.Stats.Files != len(entries) || got.Stats.HashedFiles != len(entries) {
		t.Errorf("root %s with %+v, want %s with %d files", got.Root, got.Stats, want.Root, len(entries))
	}
}

func TestScanAndFromEntriesAgree(t *testing.T) {
	root := t.TempDir()
	writeTree(t, root, map[string]string{"a-b": "1", "a/x": "#!2", "a.b/e/": "", "a/l": "-> ../..", "empty/": "", "d/e/f/g": "3"})
	for _, fn := range []Function{BLAKE3, SHA256} {
		scan, err := Scan(context.Background(), root, ScanOptions{Function: fn, Patterns: []string{"."}})
		if err != nil {
			t.Fatal(err)
		}
		entries := slices.Collect(scan.Entries())
		built, err := FromEntries(fn, entries)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(entries, slices.Collect(built.Entries()), cmp.Comparer(func(a, b Digest) bool { return a == b })); diff != "" {
			t.Errorf("entries (-scan +built):\n%s", diff)
		}
		if scan.Root != built.Root || !maps.EqualFunc(scan.Directories(), built.Directories(), slices.Equal) {
			t.Errorf("%s: scanned %s with %d directories, built %s with %d", fn, scan.Root, len(scan.Directories()), built.Root, len(built.Directories()))
		}
		if !slices.IsSortedFunc(entries, func(a, b Entry) int { return ComparePaths(a.Path, b.Path) }) {
			t.Errorf("not in path order: %q", describe(entries))
		}
	}
}

func TestScanEndsWhenCancelled(t *testing.T) {
	root := t.TempDir()
	writeTree(t, root, map[string]string{"a/b": "x"})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Scan(ctx, root, ScanOptions{Patterns: []string{"."}}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

func TestScanLeavesNoDescriptorOpen(t *testing.T) {
	root := t.TempDir()
	writeTree(t, root, map[string]string{"a/b/c": "x", "d/e": "y", "bad\xff/x": "z", "link": "-> a"})
	count := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc")
		}
		return len(fds)
	}
	before := count()
	for range 5 {
		Scan(context.Background(), root, ScanOptions{Patterns: []string{"."}})
		if _, err := StateFingerprint(context.Background(), root, BLAKE3); err != nil {
			t.Fatal(err)
		}
	}
	if after := count(); after > before {
		t.Errorf("%d open files before, %d after", before, after)
	}
}
